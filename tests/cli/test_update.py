"""``update``: what it refuses, what it says, and that a store has what its machine resolves to."""

import hashlib
import json
from pathlib import Path

import pytest

from .channels import KEYS, make_keys, refusal, said
from .conftest import ARCH, CONTENTS, VERSION, Run, digest, stored, tree, write_layout

NEW = "2026.0415.2"
NEWER = "2026.0415.3"
GIVE_ROOT = "get its root from a source you trust: bitproof update --root FILE, or --root sha256:DIGEST"


@pytest.fixture
def machine(site: Path, run: Run) -> Path:
    """A store that follows the channel."""
    assert run("update", "--from", "site", "--root", "root.json", "--base", "home").code == 0
    return site.parent / "home"


def release(run: Run, rootfs: bytes) -> None:
    """Publish a release whose rootfs has these bytes."""
    write_layout(Path("assets"), rootfs=rootfs)
    assert run("assets", "manifest").code == 0
    assert run("channel", "publish", *KEYS).code == 0


def sha256_of(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def other_root(run: Run) -> None:
    """The root of another channel of the same name: ``other.json``."""
    words = (
        "channel",
        "init",
        "--place",
        "theirs",
        "--keys",
        "their-keys",
        "--make-keys",
        "-W",
        "--root",
        "other.json",
    )
    assert run(*words).code == 0


def resolves_to(run: Run, version: str) -> None:
    """The store resolves to a release, whose files are all there and right."""
    done = run("assets", "resolve", "--base", "home", "--json")
    assert (done.code, done.document["asset_version"]) == (0, version)
    assert run("assets", "verify", "--base", "home").code == 0


def test_nobody_has_named_a_place_or_a_root(site: Path, run: Run) -> None:
    done = run("update", "--base", "home")
    told = said("no place to update from", fix="name one: --from PLACE, or channel.from in bitproof.toml")
    assert (done.code, done.out, done.err) == (2, "", told)
    done = run("update", "--base", "home", "--from", "site")
    facts = {"where": "site channel stable", "fix": GIVE_ROOT}
    assert (done.code, done.out) == (2, "")
    assert done.err == said("there is no root to trust this channel by", **facts)
    done = run("update", "--base", "home", "--from", "site", "--json")
    assert done.document == refusal("input", "there is no root to trust this channel by", **facts)
    assert tree(site.parent / "home").keys() <= {".bitproof-channel/.bitproof.lock"}


@pytest.mark.parametrize("form", ["file", "digest"])
def test_a_root_that_is_not_the_channels_leaves_no_trace_and_the_right_one_is_taken_then(
    site: Path, run: Run, form: str
) -> None:
    other_root(run)
    theirs, ours = sha256_of("other.json"), sha256_of("root.json")
    wrong, right = ("other.json", "root.json") if form == "file" else (f"sha256:{theirs}", f"sha256:{ours}")
    done = run("update", "--base", "home", "--from", "site", "--root", wrong)
    assert (done.code, done.out) == (1, "")
    if form == "file":
        assert done.err == said(
            "the channel's timestamp is not signed by enough trusted keys",
            where="site channel stable",
            found="timestamp was signed by 0/1 keys",
            fix="do not use it; ask the publisher, by a way you trust, whether its keys were changed",
        )
    else:
        assert done.err == said(
            "the channel's root is not the given one",
            where="site stable/metadata/1.root.json",
            expected=wrong,
            found=right,
            fix="check the digest with the publisher; do not use this place if it is right",
        )
    assert tree(site.parent / "home").keys() == {".bitproof-channel/.bitproof.lock"}
    assert run("update", "--base", "home", "--from", "site", "--root", right).code == 0
    resolves_to(run, VERSION)


def test_another_root_is_refused_though_nothing_is_new(machine: Path, run: Run) -> None:
    other_root(run)
    before = tree(machine)
    done = run("update", "--base", "home", "--root", "other.json")
    assert (done.code, done.out, tree(machine)) == (2, "", before)
    assert done.err == said(
        "this store trusts another root",
        where=machine / ".bitproof-channel/state.json",
        expected=f"sha256:{sha256_of('root.json')}",
        found=f"sha256:{sha256_of('other.json')}",
        fix="to begin anew with the given root, remove this file",
    )
    assert run("update", "--base", "home", "--root", "root.json").out == f"home: assets {VERSION}, nothing new\n"


def test_a_machine_begins_anew_with_another_root_and_keeps_its_history(machine: Path, run: Run) -> None:
    other_root(run)
    assert run("channel", "publish", "--place", "theirs", "--keys", "their-keys").code == 0
    (machine / ".bitproof-channel/state.json").unlink()
    done = run("update", "--base", "home", "--from", "theirs")
    assert (done.code, done.err) == (
        2,
        said("there is no root to trust this channel by", where="theirs channel stable", fix=GIVE_ROOT),
    )
    assert run("update", "--base", "home", "--from", "theirs", "--root", "other.json").code == 0
    assert len(run("history", "--base", "home", "--json").document["entries"]) == 1
    resolves_to(run, VERSION)


def test_what_a_store_remembers_and_is_bad_is_refused(machine: Path, run: Run) -> None:
    (machine / ".bitproof-channel/state.json").write_text('{"format": 1, "channel": "../x", "anchor": "12"}')
    before = tree(machine)
    done = run("update", "--base", "home", "--from", "site")
    assert (done.code, done.out, tree(machine)) == (2, "", before)
    assert done.err == (
        "error: the state of updates is not usable\n"
        "  where:    home/.bitproof-channel/state.json\n"
        "  - channel: not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found '../x'\n"
        "  - anchor: not 64 hex digits\n"
        "  fix:      remove it, and give the channel's root again: bitproof update --root\n"
    )


@pytest.mark.parametrize("known", [True, False])
def test_a_channel_that_is_no_name_or_not_there_changes_nothing(site: Path, run: Run, known: bool) -> None:
    home = site.parent / "home"
    if known:
        assert run("update", "--from", "site", "--root", "root.json", "--base", "home").code == 0
    before = tree(home) if known else {".bitproof-channel/.bitproof.lock": b""}
    words = ("update", "--base", "home", "--from", "site", "--root", "root.json", "--channel")
    done = run(*words, "beta")
    assert (done.code, done.out, tree(home)) == (3, "", before)
    assert done.err == said(
        "the channel has no timestamp",
        where="site beta/metadata/timestamp.json",
        fix="check the place and the channel's name, 'beta'",
    )
    done = run(*words, "../stable")
    assert (done.code, done.out, tree(home)) == (2, "", before)
    rule = "expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found '../stable'"
    assert done.err == f"error: not a channel: not a name: {rule}\n"
    assert run("update", "--base", "home", "--from", "site", "--root", "root.json").code == 0


PLACES = "a path, file://, http://, https://, s3:// or oci://"


@pytest.mark.parametrize(
    ("place", "code", "facts"),
    [
        ("ftp://example.org", 2, {"what": "places of this kind are not known", "where": "ftp://", "expected": PLACES}),
        ("", 2, {"what": "the place has no name", "expected": PLACES}),
        (
            "file://elsewhere/x",
            2,
            {"what": "this is not a file URL of this machine", "expected": "file:///path", "found": "file://"},
        ),
        (
            "s3://x",
            2,
            {"what": "this is not the URL of a place", "expected": "s3://bucket/prefix", "found": "'s3://x'"},
        ),
        (
            "https://anna:hunter2@example.org/x",
            2,
            {
                "what": "a URL must not hold a user or a password",
                "where": "https://…@example.org",
                "fix": "leave them out",
            },
        ),
        ("nowhere", 3, {"what": "there is no channel here", "where": "nowhere", "fix": "check the path"}),
    ],
)
def test_what_is_no_place_is_told_and_no_login_is_quoted(
    machine: Path, run: Run, place: str, code: int, facts: dict[str, str]
) -> None:
    before = tree(machine)
    done = run("update", "--base", "home", "--from", place)
    assert (done.code, done.out, tree(machine)) == (code, "", before)
    assert done.err == said(facts.pop("what"), **facts)


@pytest.mark.parametrize("store", ["none", "another's", "known"])
def test_a_dry_run_changes_nothing_and_says_all(site: Path, run: Run, store: str) -> None:
    home = site.parent / "home"
    if store == "another's":
        assert run("assets", "install", "--base", "home").code == 0
    if store == "known":
        assert run("update", "--from", "site", "--root", "root.json", "--base", "home").code == 0
    release(run, b"another rootfs")
    before = tree(home)
    name, size = stored("rootfs.squashfs", b"another rootfs"), len(b"another rootfs")
    words = ("update", "--from", "site", "--root", "root.json", "--base", "home", "--dry-run")
    done = run(*words, "--json")
    installed = "" if store == "none" else VERSION
    assert (done.code, done.err, tree(home), home.exists()) == (0, "", before, store != "none")
    names = [name] if installed else [stored("vmlinuz"), stored("initrd.img"), name]
    assert done.document == {
        "ok": True,
        "dry_run": True,
        "base": "home",
        "asset_version": NEW,
        "before": installed,
        "changed": True,
        "files": names,
        "size": size if installed else size + len(CONTENTS["vmlinuz"] + CONTENTS["initrd.img"]),
        "fetched": 0,
        "reused": 0,
    }
    told = f", before {VERSION}" if installed else ", the first"
    lines = "".join(f"  would fetch {one}\n" for one in names)
    assert run(*words).out == f"home: assets {NEW}{told}\n{lines}"
    assert tree(home) == before


def test_an_update_as_json_and_in_the_history(machine: Path, run: Run) -> None:
    release(run, b"another rootfs")
    size = len(b"another rootfs")
    assert run("update", "--base", "home", "--json").document == {
        "ok": True,
        "dry_run": False,
        "base": "home",
        "asset_version": NEW,
        "before": VERSION,
        "changed": True,
        "files": [stored("rootfs.squashfs", b"another rootfs")],
        "size": size,
        "fetched": size,
        "reused": 0,
    }
    assert run("update", "--base", "home", "--json").document == {
        "ok": True,
        "dry_run": False,
        "base": "home",
        "asset_version": NEW,
        "before": NEW,
        "changed": False,
        "files": [],
        "size": 0,
        "fetched": 0,
        "reused": 0,
    }
    told = run("history", "--base", "home", "--json").document
    assert (told["ok"], told["base"]) == (True, "home")
    assert [(entry["version"], entry["event"]) for entry in told["entries"]] == [
        (NEW, "installed"),
        (VERSION, "installed"),
    ]
    assert told["entries"][0]["manifest"] == digest((machine / "manifest.json").read_bytes())
    assert told["entries"][0].keys() == {"version", "when", "event", "manifest"}


def test_places_are_remembered_though_nothing_was_new_there(machine: Path, run: Run) -> None:
    (machine.parent / "site").rename(machine.parent / "moved")
    assert run("update", "--base", "home").code == 3
    assert run("update", "--base", "home", "--from", "moved").out == f"home: assets {VERSION}, nothing new\n"
    assert run("update", "--base", "home").code == 0
    state = json.loads((machine / ".bitproof-channel/state.json").read_bytes())
    assert state["places"] == [str(machine.parent / "moved")]


def test_settings_say_where_from_and_by_which_root(site: Path, run: Run) -> None:
    (site.parent / "bitproof.toml").write_text('[channel]\nfrom = ["site"]\nroot = "root.json"\n')
    assert run("update", "--base", "home").code == 0
    resolves_to(run, VERSION)


def test_what_was_left_out_while_a_pin_held_is_brought_when_it_ends(machine: Path, run: Run) -> None:
    release(run, b"another rootfs")
    assert run("pin", VERSION, "--base", "home").code == 0
    assert run("update", "--base", "home").out == f"home: assets {VERSION}, nothing new\n"
    resolves_to(run, VERSION)
    missing = machine / stored("rootfs.squashfs", b"another rootfs")
    before = tree(machine)
    done = run("pin", NEW, "--base", "home")
    assert (done.code, done.out, tree(machine)) == (3, "", before)
    assert done.err == said(
        "an asset is missing",
        where=missing,
        fix="choose a release that is still here: bitproof history; "
        "an update brings the newest one, when nothing holds the machine",
    )
    assert run("pin", "--remove", "--base", "home").code == 0
    done = run("assets", "resolve", "--base", "home")
    assert (done.code, done.err) == (3, said("an asset is missing", where=missing, fix="bitproof update"))
    assert run("update", "--base", "home").out.startswith(
        f"home: assets {NEW}, of which files were missing\n  fetched {missing.name}\n"
    )
    resolves_to(run, NEW)
    assert run("pin", NEW, "--base", "home").code == 0


def test_a_file_that_was_removed_or_damaged_is_brought_again(machine: Path, run: Run) -> None:
    rootfs = machine / stored("rootfs.squashfs")
    rootfs.chmod(0o644)
    rootfs.write_bytes(b"A rootfs")
    done = run("assets", "verify", "--base", "home", "-q")
    assert (done.code, done.out.splitlines()[-1]) == (1, "  fix:      remove it, then: bitproof update")
    rootfs.unlink()
    done = run("assets", "verify", "--base", "home", "-q")
    assert (done.code, done.out.splitlines()[-1]) == (1, "  fix:      bitproof update")
    assert run("update", "--base", "home").code == 0
    resolves_to(run, VERSION)


def test_another_arch_is_brought_though_nothing_is_new(layout: Path, run: Run) -> None:
    other = "arm64" if ARCH != "arm64" else "x86_64"
    write_layout(layout, other, rootfs=b"the other rootfs")
    assert run("assets", "manifest").code == 0
    assert run("channel", "init", *KEYS, "--make-keys", "-W").code == 0
    assert run("channel", "publish", *KEYS).code == 0
    assert run("update", "--from", "site", "--root", "root.json", "--base", "home").code == 0
    done = run("update", "--base", "home", "--arch", ARCH, "--arch", other)
    assert (done.code, done.out.count("  fetched ")) == (0, 1)
    assert run("assets", "verify", "--base", "home", "--arch", other).code == 0


def test_a_binary_that_nothing_fits_here_any_more_is_a_reason_to_update(machine: Path, run: Run) -> None:
    """The product was updated first: its binary wants assets that only the channel has."""
    write_layout(Path("assets"), rootfs=b"another rootfs")
    assert run("assets", "manifest", "--binary-version", "2.0.1776300000").code == 0
    manifest = json.loads(Path("assets/manifest.json").read_bytes())
    manifest["binaries"]["releases"]["2.0.1776300000"]["min_assets"] = NEW
    Path("assets/manifest.json").write_text(json.dumps(manifest))
    assert run("channel", "publish", *KEYS).code == 0
    held = ("assets", "resolve", "--base", "home", "--binary-version", "0.9.1")
    assert run(*held).code == 2
    done = run("update", "--base", "home", "--binary-version", "2.0.1776300000")
    assert (done.code, done.out.splitlines()[0]) == (0, f"home: assets {NEW}, before {VERSION}")
    assert (machine / stored("rootfs.squashfs", b"another rootfs")).exists()


def test_a_release_for_no_binary_of_this_machine_is_refused(machine: Path, run: Run) -> None:
    release(run, b"another rootfs")
    before = {name: data for name, data in tree(machine).items() if not name.startswith(".")}
    done = run("update", "--base", "home", "--binary-version", "0.9.1")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: no asset release fits this binary\n"
        f"  expected: a release for binary 0.9.1 on {ARCH}\n"
        "  found:    none that fits, of 2\n"
        f"  - {NEW}: needs a binary from 1.0.0 on\n"
        f"  - {VERSION}: needs a binary from 1.0.0 on\n"
        "  fix:      install a release that fits, or run a binary that fits what is installed\n"
    )
    assert {name: data for name, data in tree(machine).items() if not name.startswith(".")} == before


def test_a_revocation_reaches_a_machine_that_gets_no_other_release(machine: Path, run: Run) -> None:
    assert run("channel", "revoke", VERSION, "--reason", "it leaks keys", *KEYS).code == 0
    before = tree(machine)
    refused = said(
        "no asset release fits this binary",
        expected=f"a release for binary 1.0.1776269479 on {ARCH}",
        found="none that fits, of 1",
        fix="update again when the channel has another release; what is revoked is not booted here any more",
    ).replace("  fix:", f"  - {VERSION}: revoked: it leaks keys\n  fix:")
    done = run("update", "--base", "home", "--dry-run")
    assert (done.code, done.out, done.err, tree(machine)) == (2, "", refused, before)
    done = run("update", "--base", "home")
    assert (done.code, done.out, done.err) == (2, "", refused)
    done = run("assets", "resolve", "--base", "home")
    assert (done.code, f"  - {VERSION}: revoked: it leaks keys\n" in done.err) == (2, True)
    assert run("update", "--base", "home").code == 2, "and so it stays"
    write_layout(Path("assets"), rootfs=b"a better rootfs")
    assert run("assets", "manifest").code == 0
    assert run("channel", "publish", *KEYS).code == 0
    done = run("update", "--base", "home")
    assert (done.code, done.out.splitlines()[0]) == (0, f"home: assets {NEW}, the first")
    resolves_to(run, NEW)


def test_a_pin_at_a_deprecated_release_outlasts_that_of_all_others(machine: Path, run: Run) -> None:
    release(run, b"another rootfs")
    assert run("update", "--base", "home").code == 0
    assert run("pin", VERSION, "--base", "home").code == 0
    assert run("channel", "deprecate", VERSION, *KEYS).code == 0
    assert run("channel", "revoke", NEW, "--reason", "it leaks keys", *KEYS).code == 0
    done = run("update", "--base", "home")
    assert (done.code, done.out) == (0, f"home: assets {VERSION}, nothing new\n")
    resolves_to(run, VERSION)
    assert json.loads((machine / "manifest.json").read_bytes())["assets"]["releases"][NEW]["revoked"] == "it leaks keys"


def test_a_key_that_has_to_have_signed_is_asked_for_though_nothing_is_new(machine: Path, run: Run) -> None:
    make_keys("release")
    before = tree(machine)
    done = run("update", "--base", "home", "--require-signature", "release.pub")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: the manifest is not signed\n  where:    {machine.parent}/site channel stable: ")
    assert tree(machine) == before
    assert run("trust", "sign", "-s", "release.key").code == 0
    assert run("channel", "publish", *KEYS, "--require-signature", "release.pub").code == 0
    for _ in range(2):
        assert run("update", "--base", "home", "--require-signature", "release.pub").code == 0
