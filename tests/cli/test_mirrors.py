"""``update`` from several places: the first is gone, lies in its files, lies in its metadata, or is behind."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers import nginx

from .channels import KEYS, said
from .conftest import VERSION, Run, run_process, stored, tree, write_layout

NEW = "2026.0415.2"
UNSIGNED = "the channel's timestamp is not signed by enough trusted keys"


def other_bytes(place: Path) -> None:
    """A mirror whose files are not what was signed."""
    for blob in (place / "blobs").glob("[!.]*"):
        data = blob.read_bytes()
        blob.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def other_keys(place: Path) -> None:
    """A mirror that serves the channel of somebody else."""
    timestamp = Path("theirs/stable/metadata/timestamp.json").read_bytes()
    (place / "stable/metadata/timestamp.json").write_bytes(timestamp)


def other_manifest(place: Path) -> None:
    """A mirror whose manifest is not the one that was signed."""
    for manifest in (place / "stable/targets").iterdir():
        manifest.write_bytes(manifest.read_bytes().replace(b"current", b"CURRENT"))


LIES: dict[str, tuple[Callable[[Path], None], str]] = {
    "files": (other_bytes, "the place serves other bytes for vmlinuz"),
    "metadata": (other_keys, UNSIGNED),
    "manifest": (other_manifest, "the channel's manifest.json is not what was signed"),
}


@pytest.fixture
def theirs(site: Path, run: Run) -> Path:
    """Another channel of the same name, in ``theirs``; returns the first one's place."""
    words = ("--place", "theirs", "--keys", "their-keys")
    assert run("channel", "init", *words, "--make-keys", "-W", "--root", "other.json").code == 0
    assert run("channel", "publish", *words).code == 0
    return site


@pytest.mark.parametrize("lie", LIES)
def test_a_mirror_that_lies_is_named_and_left_for_the_next(theirs: Path, run: Run, lie: str) -> None:
    spoil, why = LIES[lie]
    shutil.copytree("site", "liar")
    spoil(Path("liar"))
    mirrors = ("--from", "liar", "--from", "site")
    done = run("update", *mirrors, "--root", "root.json", "--base", "home", "--json")
    assert done.code == 0
    assert done.err == f"the mirror {theirs.parent}/liar is not used any more: {why}\n"
    assert (done.document["asset_version"], len(done.document["files"])) == (VERSION, 3)
    assert run("assets", "verify", "--base", "home").code == 0

    write_layout(Path("assets"), rootfs=b"another rootfs")
    assert run("assets", "manifest").code == 0
    assert run("channel", "publish", *KEYS).code == 0
    done = run("update", "--base", "home")
    assert (done.code, done.err) == (0, ""), "whoever lied is asked last from then on"
    assert done.out.splitlines()[0] == f"home: assets {NEW}, before {VERSION}"


@pytest.mark.parametrize("lie", LIES)
def test_when_all_mirrors_lie_each_is_named_and_the_old_release_stands(theirs: Path, run: Run, lie: str) -> None:
    assert run("update", "--from", "site", "--root", "root.json", "--base", "home").code == 0
    write_layout(Path("assets"), vmlinuz=b"a newer kernel", initrd=b"a newer initrd", rootfs=b"a newer rootfs")
    assert run("assets", "manifest").code == 0
    assert run("channel", "publish", *KEYS).code == 0
    spoil, why = LIES[lie]
    for name in ("a", "b"):
        shutil.copytree("site", name)
        spoil(Path(name))
    before = {name: data for name, data in tree(Path("home")).items() if not name.startswith(".")}
    done = run("update", "--from", "a", "--from", "b", "--base", "home")
    assert (done.code, done.out) == (1, "")
    a, b = theirs.parent / "a", theirs.parent / "b"
    assert done.err == (
        f"the mirror {a} is not used any more: {why}\n"
        f"the mirror {b} is not used any more: {why}\n"
        "error: no mirror serves this\n"
        f"  - {a}: {why}\n"
        f"  - {b}: {why}\n"
        "  fix:      try again later, or give another mirror\n"
    )
    assert {name: data for name, data in tree(Path("home")).items() if not name.startswith(".")} == before
    assert run("assets", "verify", "--base", "home").code == 0


def test_a_mirror_that_is_gone_is_passed_over(site: Path, run: Run) -> None:
    done = run("update", "--from", "gone", "--from", "site", "--root", "root.json", "--base", "home")
    assert (done.code, done.err) == (0, "")
    state = json.loads((site.parent / "home/.bitproof-channel/state.json").read_bytes())
    assert state["places"] == [str(site.parent / "gone"), str(site)]
    assert state["health"][str(site.parent / "gone")]["failures"] > 0
    assert state["health"][str(site)]["failures"] == 0


def test_when_all_mirrors_are_gone_nothing_could_be_checked(site: Path, run: Run) -> None:
    done = run("update", "--from", "gone", "--from", "lost", "--root", "root.json", "--base", "home")
    gone, lost = site.parent / "gone", site.parent / "lost"
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: no mirror serves this\n"
        f"  - {gone}: there is no channel here\n"
        f"  - {lost}: there is no channel here\n"
        "  fix:      try again later, or give another mirror\n"
    )


def test_a_mirror_that_is_behind_is_left_for_one_that_is_not(site: Path, run: Run) -> None:
    """Who has seen the new state is not led back; who has not gets the old one until its timestamp expires."""
    shutil.copytree("site", "behind")
    write_layout(Path("assets"), rootfs=b"another rootfs")
    assert run("assets", "manifest").code == 0
    assert run("channel", "publish", *KEYS).code == 0
    assert run("update", "--from", "site", "--root", "root.json", "--base", "home").code == 0
    done = run("update", "--from", "behind", "--from", "site", "--base", "home")
    assert (done.code, done.out) == (0, f"home: assets {NEW}, nothing new\n")
    assert done.err.startswith(
        f"the mirror {site.parent}/behind is not used any more: the channel's timestamp is older"
    )


def test_one_place_alone_that_lies_is_refused_in_its_own_words(theirs: Path, run: Run) -> None:
    other_keys(theirs)
    done = run("update", "--from", "site", "--root", "root.json", "--base", "home")
    assert (done.code, done.out) == (1, "")
    assert done.err == said(
        UNSIGNED,
        where="site channel stable",
        found="timestamp was signed by 0/1 keys",
        fix="do not use it; ask the publisher, by a way you trust, whether its keys were changed",
    )


def test_a_web_server_is_a_mirror_as_any_other_and_a_dead_one_is_passed_over(site: Path) -> None:
    """As processes of their own, over HTTP."""
    with nginx(site, site.parent / "nginx") as server:
        words = ("--from", "http://127.0.0.1:1/x", "--from", server.url, "--root", "root.json")
        done = run_process("update", *words, "--base", "home")
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[0] == f"home: assets {VERSION}, the first"
        assert run_process("update", "--base", "home").out == f"home: assets {VERSION}, nothing new\n"
        asked = server.asked()[-1].split()
        assert asked[:3] == ["GET", "/stable/metadata/timestamp.json", "200"]
    assert (site.parent / "home" / stored("vmlinuz")).exists()
