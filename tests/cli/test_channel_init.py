"""``channel init``: how many root keys have to sign, and that a channel begins whole or not at all."""

import json
import shutil
from pathlib import Path

import pytest

from .channels import BEGIN, KEYS, key_id, make_keys, options, said
from .conftest import Run, tree

ONLINE = ("--targets-key", "targets.key", "--snapshot-key", "snapshot.key", "--timestamp-key", "timestamp.key")
INIT = ("channel", "init", "--place", "site")


@pytest.fixture
def owners(layout: Path) -> Path:
    """Root keys of three owners, and the online keys; the working directory."""
    make_keys("anna", "ben", "cleo", "targets", "snapshot", "timestamp")
    return layout.parent


def files(project: Path) -> dict[str, bytes]:
    """All but the lock, which a place keeps."""
    return {name: data for name, data in tree(project).items() if name != "site/.stable.lock"}


@pytest.mark.parametrize(
    ("here", "elsewhere", "threshold", "needed"),
    [
        (("anna",), (), (), 1),
        (("anna", "ben"), (), (), 2),
        (("anna", "ben"), ("cleo",), (), 2),
        (("anna", "ben", "cleo"), (), ("--threshold", "3"), 3),
        (("anna",), ("ben", "cleo"), ("--threshold", "1"), 1),
    ],
)
def test_a_majority_of_the_root_keys_signs_unless_it_is_said_otherwise(
    owners: Path, run: Run, here: tuple[str, ...], elsewhere: tuple[str, ...], threshold: tuple[str, ...], needed: int
) -> None:
    publics = [word for name in elsewhere for word in ("--root-public", f"{name}.pub")]
    assert run(*INIT, *options("--root-key", here), *publics, *threshold, *ONLINE).code == 0
    told = run("channel", "status", "--place", "site", "--json").document["roles"][0]
    assert (told["threshold"], told["keys"]) == (needed, [key_id(name) for name in (*here, *elsewhere)])
    assert (owners / "site/stable/metadata/1.root.json").read_bytes() == (owners / "root.json").read_bytes()
    assert run("channel", "publish", "--place", "site", *ONLINE).code == 0
    assert run("update", "--from", "site", "--root", "root.json", "--base", "home").code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--root-key", "anna.key", "--root-public", "ben.pub", "--root-public", "cleo.pub"),
            {
                "what": "these keys cannot sign the channel's root",
                "where": "site channel stable",
                "expected": "2 of the keys {anna}, {ben}, {cleo}",
                "found": "{anna}",
                "fix": "name the secret keys of this role: --root-key FILE",
            },
        ),
        (
            ("--root-key", "anna.key", "--root-public", "anna.pub"),
            {
                "what": "a role cannot have the same key twice",
                "found": "{anna}",
                "fix": "name each key of the role once",
            },
        ),
        (
            ("--root-key", "anna.key", "--root-key", "copy.key", "--threshold", "1"),
            {
                "what": "a role cannot have the same key twice",
                "found": "{anna}",
                "fix": "name each key of the role once",
            },
        ),
        (
            ("--root-key", "anna.key", "--root-key", "ben.key", "--threshold", "3"),
            {
                "what": "the threshold cannot be met",
                "expected": "1 to 2, as many as the role has keys",
                "found": "3",
                "fix": "name more keys, or another threshold: --threshold N",
            },
        ),
        (
            ("--root-key", "anna.key", "--threshold", "0"),
            {
                "what": "invalid value for '--threshold': 0 is not in the range x>=1",
                "fix": "bitproof channel init --help",
            },
        ),
        (
            ("--root-key", "anna.key", "--timestamp-days", "400"),
            {
                "what": "invalid value for '--timestamp-days': 400 is not in the range 1<=x<=365",
                "fix": "bitproof channel init --help",
            },
        ),
        (
            ("--root-key", "anna.key", "--root", "keys.txt"),
            {
                "what": "the file for the root is there already",
                "where": "keys.txt",
                "fix": "choose another name: --root FILE",
            },
        ),
        (
            ("--root-key", "anna.key", "--channel", "../stable"),
            {
                "what": "not a channel: not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, "
                "found '../stable'",
            },
        ),
        (
            ("--root-key", "anna.key", "--place", "https://example.org/x"),
            {
                "what": "a web server is a place to read from",
                "where": "https://",
                "expected": "a path, file://, s3:// or oci://",
                "fix": "publish into the directory that it serves",
            },
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_begins(
    owners: Path, run: Run, words: tuple[str, ...], told: dict[str, str]
) -> None:
    shutil.copy("anna.key", "copy.key")
    (owners / "keys.txt").write_text("mine")
    names = {name: key_id(name) for name in ("anna", "ben", "cleo")}
    before = files(owners)
    done = run(*INIT, *ONLINE, *words)
    assert (done.code, done.out, files(owners)) == (2, "", before)
    facts = {fact: text.format(**names) for fact, text in told.items()}
    assert done.err == said(facts.pop("what"), **facts)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--root-key", "gone.key"),
            {
                "what": "the secret key cannot be opened",
                "where": "gone.key",
                "found": "No such file or directory",
                "fix": "check the path",
            },
        ),
        (
            ("--root-key", "anna.key", "--root-public", "gone.pub"),
            {
                "what": "the public key cannot be opened",
                "where": "gone.pub",
                "found": "No such file or directory",
                "fix": "check the path",
            },
        ),
        (
            ("--root-key", "anna.key", "--root", "gone/root.json"),
            {
                "what": "the root's directory cannot be opened",
                "where": "gone",
                "found": "No such file or directory",
                "fix": "check the path",
            },
        ),
        (
            ("--root-key", "anna.key", "--place", "anna.pub"),
            {"what": "the channel's place cannot be opened", "where": "anna.pub", "found": "File exists"},
        ),
    ],
)
def test_what_is_not_there_is_told_and_nothing_begins(
    owners: Path, run: Run, words: tuple[str, ...], told: dict[str, str]
) -> None:
    before = tree(owners)
    done = run(*INIT, *ONLINE, *words)
    assert (done.code, done.out, tree(owners)) == (3, "", before)
    assert done.err == said(told.pop("what"), **told)


def test_keys_that_are_there_are_taken_and_only_the_others_made(owners: Path, run: Run) -> None:
    (owners / "keys").mkdir()
    shutil.copy("anna.key", "keys/root.key")
    done = run(*BEGIN)
    assert done.code == 0
    made = [line.split(":")[0] for line in done.err.splitlines()]
    assert made == [f"made keys/{role}.key" for role in ("targets", "snapshot", "timestamp")]
    assert run("channel", "status", "--place", "site", "--json").document["roles"][0]["keys"] == [key_id("anna")]
    modes = {path.stat().st_mode & 0o777 for path in (owners / "keys").glob("*.key")}
    assert modes == {0o600}


def test_days_are_signed_and_kept_by_each_renewal(owners: Path, run: Run) -> None:
    days = ("--timestamp-days", "90", "--snapshot-days", "91", "--targets-days", "92", "--root-days", "93")
    assert run(*INIT, "--root-key", "anna.key", *ONLINE, *days).code == 0
    assert run("channel", "renew", "--place", "site", *ONLINE, "--role", "targets").code == 0
    root = json.loads((owners / "root.json").read_bytes())["signed"]
    assert root["x-bitproof-days"] == {"timestamp": 90, "snapshot": 91, "targets": 92, "root": 93}
    told = run("channel", "status", "--place", "site", "--json").document["roles"]
    assert [round(one["seconds_left"] / 86_400) for one in told] == [93, 92, 91, 90]


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_publish_by_keys_of_another_channel_brings_nothing(layout: Path, run: Run, role: str) -> None:
    """Not even the files: whoever may not sign may not fill the place."""
    site = layout.parent / "site"
    assert run(*BEGIN).code == 0
    make_keys("other")
    before = tree(site)
    done = run("channel", "publish", *KEYS, f"--{role}-key", "other.key")
    assert (done.code, done.out, tree(site)) == (2, "", before)
    assert done.err == said(
        f"these keys cannot sign the channel's {role}",
        where="site channel stable",
        expected=f"1 of the keys {key_id(f'keys/{role}')}",
        found=key_id("other"),
        fix=f"name the secret keys of this role: --{role}-key FILE",
    )


def test_a_publish_of_what_was_changed_since_it_was_recorded_brings_nothing(layout: Path, run: Run) -> None:
    assert run(*BEGIN).code == 0
    (rootfs,) = layout.glob("*/rootfs.squashfs")
    rootfs.write_bytes(b"A rootfs")
    before = tree(layout.parent / "site")
    done = run("channel", "publish", *KEYS)
    assert (done.code, done.out, tree(layout.parent / "site")) == (1, "", before)
    assert done.err.startswith(f"error: the asset is not what the manifest says\n  where:    {rootfs}\n")
    fix = "changed since it was recorded: bitproof assets manifest; else build it again: bitproof assets build"
    assert done.err.endswith(f"  fix:      {fix}\n")
