"""``channel rotate`` and ``sign-root``: other keys for every role, which no client notices, or nothing is written."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.opening import load
from bitproof.channel.repository import Repository
from bitproof.channel.roles import Duty
from bitproof.delivery.signers import role_key, role_signers
from bitproof.trust.keyfiles import load_public, load_sealed

from .channels import KEYS, key_id, make_keys, options, said
from .conftest import Outcome, Run, run_process, tree

ONLINE = ("targets", "snapshot", "timestamp")
AT_HAND = tuple(word for role in ONLINE for word in (f"--{role}-key", f"{role}.key"))
SIGNED = "let the owners of these keys sign a draft of it: bitproof channel rotate --draft, then sign-root"
NAME_NEW = "name the secret keys that sign from now on: --new FILE"
NAME_ALL = "name all keys that the role shall have: --new FILE, or --new-public KEY|FILE"


@pytest.fixture
def owners(layout: Path, run: Run) -> Path:
    """A channel with a release, whose root two of three owners have to sign: anna, ben, cleo; its place."""
    make_keys("anna", "ben", "cleo", "targets", "snapshot", "timestamp")
    roots = ("--root-key", "anna.key", "--root-key", "ben.key", "--root-public", "cleo.pub")
    assert run("channel", "init", "--place", "site", *roots, *AT_HAND).code == 0
    assert run("channel", "publish", "--place", "site", *AT_HAND).code == 0
    return layout.parent / "site"


def rotate(run: Run, role: str, *words: str | Path, roots: tuple[str, ...] = ("anna", "ben")) -> Outcome:
    """Run ``channel rotate`` with the online keys of the channel and some root keys at hand."""
    return run("channel", "rotate", role, "--place", "site", *options("--root-key", roots), *AT_HAND, *words)


def clients_follow(run: Run) -> None:
    """A machine that knew the channel before and one that did not both get its release."""
    assert run("update", "--base", "known").code == 0
    assert run("update", "--base", "fresh", "--from", "site", "--root", "root.json").code == 0
    shutil.rmtree("fresh")


@pytest.fixture
def known(owners: Path, run: Run) -> Path:
    """As `owners`, and a machine that follows the channel."""
    assert run("update", "--base", "known", "--from", "site", "--root", "root.json").code == 0
    return owners


@pytest.mark.parametrize("lost", [(), ("--lost",)])
@pytest.mark.parametrize("role", ONLINE)
def test_an_online_role_gets_another_key_and_clients_follow(
    known: Path, run: Run, role: str, lost: tuple[str, ...]
) -> None:
    make_keys("new")
    done = rotate(run, role, "--new", "new.key", *lost)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"site channel stable: root 2, new keys for the {role} role\n"
    clients_follow(run)
    before = tree(known)
    refused = run("channel", "renew", "--place", "site", *AT_HAND, "--role", role)
    assert (refused.code, refused.out, tree(known)) == (2, "", before)
    assert refused.err == said(
        f"these keys cannot sign the channel's {role}",
        where="site channel stable",
        expected=f"1 of the keys {key_id('new')}",
        found=key_id(role),
        fix=f"name the secret keys of this role: --{role}-key FILE",
    )
    shutil.copy("new.key", f"{role}.key")
    assert run("channel", "renew", "--place", "site", *AT_HAND, "--role", role).code == 0
    clients_follow(run)


@pytest.mark.parametrize("role", ONLINE)
def test_whoever_died_right_after_the_root_of_a_lost_key_runs_the_same_command_again(
    known: Path, run: Run, role: str
) -> None:
    make_keys("new")
    shutil.copytree("site", "whole")
    assert rotate(run, role, "--new", "new.key", "--lost").code == 0
    second = (known / "stable/metadata/2.root.json").read_bytes()
    shutil.rmtree("site")
    shutil.copytree("whole", "site")
    (known / "stable/metadata/2.root.json").write_bytes(second)

    for words in (("channel", "status", "--place"), ("update", "--base", "fresh", "--root", "root.json", "--from")):
        done = run(*words, "site")
        assert (done.code, done.out) == (1, "")
        assert done.err == said(
            f"the channel's {role} is not signed by enough trusted keys",
            where="site channel stable",
            found=f"{role} was signed by 0/1 keys",
            fix="do not use it; ask the publisher, by a way you trust, whether its keys were changed",
        )

    done = rotate(run, role, "--new", "new.key", "--lost")
    assert (done.code, done.out) == (0, f"site channel stable: root 2, new keys for the {role} role\n")
    assert not (known / "stable/metadata/3.root.json").exists()
    clients_follow(run)


def test_two_of_two_keys_of_the_targets_role_sign_each_publish(known: Path, run: Run) -> None:
    make_keys("new")
    both = ("--new", "targets.key", "--new", "new.key")
    assert rotate(run, "targets", *both, "--threshold", "2", "--json").document == {
        "ok": True,
        "role": "targets",
        "root_version": 2,
    }
    clients_follow(run)
    online = ("--snapshot-key", "snapshot.key", "--timestamp-key", "timestamp.key", "--place", "site")
    before = tree(known)
    refused = run("channel", "renew", "--role", "targets", *online, "--targets-key", "new.key")
    assert (refused.code, tree(known)) == (2, before)
    assert refused.err == said(
        "these keys cannot sign the channel's targets",
        where="site channel stable",
        expected=f"2 of the keys {key_id('targets')}, {key_id('new')}",
        found=key_id("new"),
        fix="name the secret keys of this role: --targets-key FILE",
    )
    keys = options("--targets-key", ("targets", "new"))
    assert run("channel", "renew", "--role", "targets", *online, *keys).code == 0
    clients_follow(run)


def refused_rotations() -> dict[str, tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]]:
    """What is asked for, by whose root keys, and the refusal."""
    new_root = "signatures by 1 of the present root keys and 1 of the new root keys"
    return {
        "too few root keys": (
            ("timestamp", "--new", "new.key"),
            ("anna",),
            {"what": "the root is not signed by enough keys", "expected": new_root, "fix": SIGNED},
        ),
        "too few root keys to renew": (
            ("root",),
            ("ben",),
            {"what": "the root is not signed by enough keys", "expected": new_root, "fix": SIGNED},
        ),
        "nobody signs by the new key": (
            ("timestamp", "--new-public", "new.pub"),
            ("anna", "ben"),
            {
                "what": "these keys cannot sign the channel's timestamp",
                "expected": "1 of the keys {new}",
                "found": "{timestamp}",
                "fix": NAME_NEW,
            },
        ),
        "nobody signs by the new key of a lost one": (
            ("snapshot", "--lost", "--new-public", "new.pub"),
            ("anna", "ben"),
            {
                "what": "these keys cannot sign the channel's snapshot",
                "expected": "1 of the keys {new}",
                "found": "no key",
                "fix": NAME_NEW,
            },
        ),
        "one of two new keys signs": (
            ("targets", "--new", "targets.key", "--new-public", "new.pub", "--threshold", "2"),
            ("anna", "ben"),
            {
                "what": "these keys cannot sign the channel's targets",
                "expected": "2 of the keys {targets}, {new}",
                "found": "{targets}",
                "fix": NAME_NEW,
            },
        ),
    }


@pytest.mark.parametrize("case", refused_rotations())
def test_a_rotation_whose_signers_are_not_at_hand_writes_nothing(owners: Path, run: Run, case: str) -> None:
    words, roots, facts = refused_rotations()[case]
    make_keys("new")
    names = {name: key_id(name) for name in ("new", "targets", "snapshot", "timestamp")}
    before = tree(owners)
    done = rotate(run, *words, roots=roots)
    assert (done.code, done.out, tree(owners)) == (2, "", before)
    told = {fact: text.format(**names) for fact, text in facts.items()}
    assert done.err == said(told.pop("what"), where="site channel stable", **told)


def test_a_rotation_of_a_lost_key_needs_the_keys_of_the_other_roles_before_it_begins(owners: Path, run: Run) -> None:
    make_keys("new")
    Path("timestamp.key").unlink()
    before = tree(owners)
    done = rotate(run, "targets", "--lost", "--new", "new.key")
    assert (done.code, done.out, tree(owners)) == (3, "", before)
    assert done.err == said(
        "the secret key cannot be opened",
        where="timestamp.key",
        found="No such file or directory",
        fix="check the path",
    )


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        (("timestamp", "--threshold", "1"), "no new key for the timestamp role", NAME_ALL),
        (("root", "--threshold", "1"), "a threshold is of keys, and none is named", NAME_ALL),
        (
            ("root", "--finish", "x", "--draft", "y"),
            "--finish and --draft exclude each other",
            "leave it out: a draft is finished as its owners signed it",
        ),
        (
            ("root", "--finish", "x", "--threshold", "2"),
            "--finish and --threshold exclude each other",
            "leave it out: a draft is finished as its owners signed it",
        ),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    owners: Path, run: Run, words: tuple[str, ...], what: str, fix: str
) -> None:
    before = tree(owners.parent)
    done = rotate(run, *words)
    assert (done.code, done.out, done.err) == (2, "", said(what, fix=fix))
    assert tree(owners.parent) == before


def test_a_threshold_is_never_lowered_unasked(known: Path, run: Run) -> None:
    make_keys("dora")
    before = tree(known)
    done = rotate(run, "root", "--new", "dora.key")
    assert (done.code, done.out, tree(known)) == (2, "", before)
    assert done.err == said(
        "the threshold cannot be met",
        expected="1 to 1, as many as the role has keys",
        found="2",
        fix="name more keys, or another threshold: --threshold N",
    )
    done = rotate(run, "root", "--new", "dora.key", "--new-public", "dora.pub")
    assert (done.code, tree(known)) == (2, before)
    assert done.err == said(
        "a role cannot have the same key twice", found=key_id("dora"), fix="name each key of the role once"
    )
    assert rotate(run, "root", "--new", "dora.key", "--threshold", "1").code == 0
    clients_follow(run)


def carry(file: str, machine: str) -> Path:
    """Take a draft to the machine of an owner, on which there is nothing but the owner's key; returns the machine."""
    directory = Path(machine)
    directory.mkdir()
    shutil.copy(f"{machine}.key", directory / "own.key")
    shutil.copy(file, directory / "draft.json")
    return directory


def test_owners_sign_a_new_root_one_after_another_on_their_own_machines(known: Path, run: Run) -> None:
    """Cleo leaves, dora comes: two of the present three sign, and two of the next three."""
    make_keys("dora")
    before = tree(known)
    new = ("--new-public", "anna.pub", "--new-public", "ben.pub", "--new-public", "dora.pub")
    done = rotate(run, "root", *new, "--draft", "next.json", roots=("anna",))
    assert (done.code, done.err, tree(known)) == (0, "", before)
    lacking = "signatures by 1 of the present root keys and 1 of the new root keys"
    assert done.out == (
        f"next.json: a draft, which still needs {lacking}\n  bitproof channel sign-root next.json --root-key FILE\n"
    )
    asked = rotate(run, "root", *new, "--draft", "other.json", "--json", roots=("anna",))
    assert asked.document == {"ok": True, "draft": "other.json", "missing": lacking}

    cleo = carry("next.json", "cleo")
    done = run_process("-C", cleo, "channel", "sign-root", "draft.json", "--root-key", "own.key")
    assert (done.code, done.out) == (0, f"draft.json: signed by {key_id('cleo')}\n")
    assert done.err == (
        f"warning: {key_id('cleo')} is no root key of this draft: it counts only if it is one of the present root\n"
    )
    done = rotate(run, "root", "--finish", cleo / "draft.json", roots=())
    assert (done.code, done.out, tree(known)) == (2, "", before)
    assert done.err == said(
        "the root is not signed by enough keys",
        where="cleo/draft.json",
        expected="signatures by 1 of the new root keys",
        fix=SIGNED,
    )

    dora = carry("cleo/draft.json", "dora")
    done = run_process("-C", dora, "channel", "sign-root", "draft.json", "--root-key", "own.key", "--json")
    assert (done.code, done.err, done.document) == (0, "", {"ok": True, "draft": "draft.json"})
    done = rotate(run, "root", "--finish", dora / "draft.json", roots=())
    assert (done.code, done.out) == (0, "site channel stable: root 2, new keys for the root role\n")
    clients_follow(run)
    told = run("channel", "status", "--place", "site", "--json").document["roles"][0]
    assert (told["threshold"], told["keys"]) == (2, [key_id(name) for name in ("anna", "ben", "dora")])


def test_a_draft_replaces_files_and_nothing_else(owners: Path, run: Run) -> None:
    os.mkfifo("pipe")
    before = tree(owners)
    done = rotate(run, "root", "--draft", "pipe", roots=("anna",))
    told = said("the draft is not a regular file", where=owners.parent / "pipe", fix="choose another name")
    assert (done.code, done.out, done.err, Path("pipe").is_fifo(), tree(owners)) == (2, "", told, True, before)


def test_a_renewed_root_keeps_its_keys_and_holds_longer(known: Path, run: Run) -> None:
    assert known.is_dir()
    done = rotate(run, "root")
    assert (done.code, done.out) == (0, "site channel stable: root 2, which holds longer\n")
    clients_follow(run)


def test_a_signature_by_a_stranger_does_not_help(owners: Path, run: Run) -> None:
    make_keys("eve")
    assert rotate(run, "root", "--draft", "next.json", roots=("anna",)).code == 0
    done = run("channel", "sign-root", "next.json", "--root-key", "eve.key")
    assert (done.code, done.err.count("warning: ")) == (0, 1)
    before = tree(owners)
    done = rotate(run, "root", "--finish", "next.json")
    assert (done.code, tree(owners)) == (2, before)
    assert "expected: signatures by 1 of the present root keys and 1 of the new root keys\n" in done.err


def not_drafts() -> dict[str, tuple[bytes | str, dict[str, str]]]:
    """Files that are no draft, or paths of some, and what is found in them."""
    what, stale = "this is not the root of a channel", "not the channel's next root"
    fix = "begin anew from the present root: bitproof channel rotate --draft"
    return {
        "empty": (b"", {"what": what, "found": "Failed to deserialize JSON"}),
        "no JSON": (b"\xff\xfe", {"what": what, "found": "Failed to deserialize JSON"}),
        "another role": ("site/stable/metadata/timestamp.json", {"what": what, "found": "a timestamp"}),
        "the first root": ("root.json", {"what": stale, "expected": "version 2", "found": "version 1", "fix": fix}),
    }


@pytest.mark.parametrize("case", not_drafts())
def test_what_is_no_draft_is_not_finished(owners: Path, run: Run, case: str) -> None:
    data, facts = not_drafts()[case]
    Path("draft.json").write_bytes(data if isinstance(data, bytes) else Path(data).read_bytes())
    before = tree(owners)
    done = rotate(run, "root", "--finish", "draft.json")
    assert (done.code, done.out, tree(owners)) == (2, "", before)
    assert done.err == said(facts.pop("what"), where="draft.json", **facts)


@pytest.mark.parametrize("case", ["empty", "no JSON", "another role"])
def test_what_is_no_draft_is_not_signed(owners: Path, run: Run, case: str) -> None:
    data, facts = not_drafts()[case]
    Path("draft.json").write_bytes(data if isinstance(data, bytes) else Path(data).read_bytes())
    before = tree(owners.parent)
    done = run("channel", "sign-root", "draft.json", "--root-key", "anna.key")
    assert (done.code, done.out, tree(owners.parent)) == (2, "", before)
    assert done.err == said(facts.pop("what"), where="draft.json", **facts)


def drafted(now: datetime, role: str, *new: str) -> None:
    """``draft.json``, which is signed by enough owners, made at a time that may be long ago."""
    place = DirectoryPlace(Path("site"))
    repository = Repository(place, "stable", load(place, "stable"))
    signers = role_signers([load_sealed(Path(f"{name}.key")).opened(b"", name) for name in ("anna", "ben")])
    duty = Duty(tuple(role_key(load_public(f"{name}.pub", Path())) for name in new)) if new else None
    Path("draft.json").write_bytes(repository.next_root(role, duty, signers, now))


def test_a_draft_that_lay_for_too_long_is_refused(owners: Path, run: Run) -> None:
    now = datetime.now(UTC) - timedelta(days=366)
    drafted(now, "root")
    before = tree(owners)
    done = rotate(run, "root", "--finish", "draft.json")
    assert (done.code, tree(owners)) == (2, before)
    assert done.err == said(
        "the root has expired",
        where="draft.json",
        found=f"it expired at {now + timedelta(days=365):%Y-%m-%d %H:%M:%S} UTC",
        fix="begin anew: bitproof channel rotate --draft",
    )


def test_a_draft_of_one_role_is_not_finished_as_that_of_another(known: Path, run: Run) -> None:
    make_keys("new")
    drafted(datetime.now(UTC), "targets", "new")
    before = tree(known)
    for role in ("root", "timestamp"):
        done = rotate(run, role, "--finish", "draft.json")
        assert (done.code, tree(known)) == (2, before)
        assert done.err == said(
            "this root changes the keys of the targets role",
            where="draft.json",
            expected=f"1 of the keys {key_id('targets')}",
            found=f"1 of the keys {key_id('new')}",
            fix="finish it as what it is: bitproof channel rotate targets --finish",
        )
    done = rotate(run, "targets", "--finish", "draft.json")
    assert (done.code, tree(known)) == (2, before), "the new key has to sign"
    assert rotate(run, "targets", "--finish", "draft.json", "--new", "new.key").code == 0
    clients_follow(run)


def test_a_channel_that_somebody_else_rotated_meanwhile_says_so(owners: Path, run: Run) -> None:
    drafted(datetime.now(UTC), "root")
    assert rotate(run, "root").code == 0
    before = tree(owners)
    done = rotate(run, "root", "--finish", "draft.json")
    assert (done.code, tree(owners)) == (2, before)
    assert done.err == said(
        "not the channel's next root",
        where="draft.json",
        expected="version 3",
        found="version 2",
        fix="begin anew from the present root: bitproof channel rotate --draft",
    )


def test_every_owner_of_the_default_directory_signs_by_one_command(site: Path, run: Run) -> None:
    """One key a role, as `init --make-keys` makes them: no key has to be named."""
    make_keys("new")
    assert run("channel", "rotate", "timestamp", *KEYS, "--new", "new.key").code == 0
    assert run("update", "--base", "home", "--from", "site", "--root", "root.json").code == 0
    assert (site / "stable/metadata/2.root.json").exists()
