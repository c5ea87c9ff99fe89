"""A release in one file: what ``channel export`` writes and ``channel import`` brings into another place."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from .channels import BEGIN, IMPORT, INSIDE, KEYS, make_keys, said
from .conftest import CONTENTS, VERSION, Run, digest, publish_next, tree, visible

NEW = "2026.0415.2"


def test_an_export_is_the_same_bytes_and_says_what_it_has(site: Path, run: Run) -> None:
    told = run("channel", "export", "a.tar", "--place", "site", "--json").document
    size = (site.parent / "a.tar").stat().st_size
    assert told == {"ok": True, "file": "a.tar", "asset_version": VERSION, "size": size}
    assert run("channel", "export", "b.tar", "--place", "site").code == 0
    assert (site.parent / "a.tar").read_bytes() == (site.parent / "b.tar").read_bytes()


@pytest.mark.parametrize("channel", ["stable", "beta"])
def test_what_cannot_be_exported_leaves_no_file(project: Path, run: Run, channel: str) -> None:
    assert run(*BEGIN).code == 0
    before = tree(project)
    done = run("channel", "export", "x.tar", "--place", "site", "--channel", channel)
    assert (done.code, done.out, tree(project)) == (3, "", before)
    what = {"stable": "the channel has no release yet", "beta": "there is no such channel"}[channel]
    fix = {"stable": "bitproof channel publish", "beta": "bitproof channel init"}[channel]
    assert done.err == said(what, where=f"site channel {channel}", fix=fix)


@pytest.mark.parametrize("kind", ["a pipe", "a directory", "a symlink"])
def test_an_export_replaces_files_and_nothing_else(site: Path, run: Run, kind: str) -> None:
    target = site.parent / "x.tar"
    if kind == "a pipe":
        os.mkfifo(target)
    elif kind == "a directory":
        target.mkdir()
    else:
        target.symlink_to("root.json")
    mode, before = target.lstat().st_mode, tree(site.parent)
    done = run("channel", "export", "x.tar", "--place", "site")
    told = said("the archive is not a regular file", where=target, fix="choose another name")
    assert (done.code, done.out, done.err) == (2, "", told)
    assert (target.lstat().st_mode, tree(site.parent)) == (mode, before)


def test_an_import_serves_as_the_first_place_does(exported: Path, run: Run) -> None:
    done = run(*IMPORT, exported.name, *INSIDE, "--json")
    assert done.document == {"ok": True, "asset_version": VERSION, "channel": "stable", "place": "inside"}
    assert run("channel", "check", "--place", "inside").code == 0
    assert run("update", "--from", "inside", "--root", "root.json", "--base", "there").code == 0
    before = tree(Path("inside"))
    for root in ((), ("--root", "root.json")):
        again = run(*IMPORT, exported.name, "--place", "inside", *root)
        assert (again.code, again.out) == (0, f"inside channel stable: assets {VERSION}\n")
        assert tree(Path("inside")) == before


def test_an_import_follows_the_channel_on_and_never_back(exported: Path, run: Run) -> None:
    assert run(*IMPORT, exported.name, *INSIDE).code == 0
    make_keys("new")
    assert run("channel", "rotate", "timestamp", *KEYS, "--new", "new.key").code == 0
    shutil.copy("new.key", "keys/timestamp.key")
    publish_next(run)
    done = run(*IMPORT, "next.tar", "--place", "inside")
    assert (done.code, done.out) == (0, f"inside channel stable: assets {NEW}\n")
    assert run("channel", "check", "--place", "inside").code == 0
    before = tree(Path("inside"))
    done = run(*IMPORT, exported.name, "--place", "inside")
    assert (done.code, done.out, tree(Path("inside"))) == (1, "", before)
    assert done.err == said(
        "the channel's timestamp is not signed by enough trusted keys",
        where="release.tar channel stable",
        found="timestamp was signed by 0/1 keys",
        fix="do not use it; ask the publisher, by a way you trust, whether its keys were changed",
    )


def test_an_older_export_is_refused_by_a_place_and_by_a_machine(exported: Path, run: Run) -> None:
    publish_next(run)
    assert run(*IMPORT, "next.tar", *INSIDE).code == 0
    assert run("update", "--from", "next.tar", "--root", "root.json", "--base", "there").code == 0
    before = tree(Path("inside")), tree(Path("there"))
    for words in (
        (*IMPORT, exported.name, "--place", "inside"),
        ("update", "--from", exported.name, "--base", "there"),
    ):
        done = run(*words)
        assert (done.code, done.out, (tree(Path("inside")), tree(Path("there")))) == (1, "", before)
        assert "older than what this machine has seen" in done.err
        assert "found:    New timestamp version 2 must be >= 3\n" in done.err


def test_a_proof_alone_is_imported_where_the_files_are(exported: Path, run: Run) -> None:
    assert run(*IMPORT, exported.name, *INSIDE).code == 0
    assert run("channel", "renew", *KEYS).code == 0
    assert run("channel", "export", "proof.tar", "--place", "site", "--proof-only").code == 0
    assert run(*IMPORT, "proof.tar", "--place", "inside").code == 0
    done = run(*IMPORT, "proof.tar", "--place", "empty", "--root", "root.json")
    assert (done.code, done.out, visible("empty")) == (3, "", {})
    assert done.err == said(
        "the archive lacks a file of the release",
        where=f"proof.tar: blobs/{digest(CONTENTS['vmlinuz'])}",
        fix="export it with its files: bitproof channel export, without --proof-only",
    )


def test_a_place_without_a_root_takes_nothing_in(exported: Path, run: Run) -> None:
    done = run(*IMPORT, exported.name, "--place", "inside")
    assert (done.code, done.out, visible("inside")) == (3, "", {})
    assert done.err == said(
        "there is no root to trust this channel by",
        where="inside channel stable",
        fix="get its root from a source you trust: --root FILE, or --root sha256:DIGEST",
    )


def other_root(run: Run) -> str:
    """Another channel's root, ``other.json``; returns its digest."""
    done = run(
        "channel", "init", "--place", "elsewhere", "--keys", "theirs", "--make-keys", "-W", "--root", "other.json"
    )
    assert done.code == 0
    return hashlib.sha256(Path("other.json").read_bytes()).hexdigest()


@pytest.mark.parametrize("form", ["file", "digest"])
def test_an_archive_of_another_root_is_refused(exported: Path, run: Run, form: str) -> None:
    theirs, ours = other_root(run), hashlib.sha256(Path("root.json").read_bytes()).hexdigest()
    given = "other.json" if form == "file" else f"sha256:{theirs}"
    for words in ((*IMPORT, exported.name, "--place", "inside"), ("verify-bundle", exported.name)):
        done = run(*words, "--root", given)
        assert (done.code, done.out, visible("inside")) == (1, "", {})
        assert done.err == said(
            "the archive's root is not the given one",
            where="release.tar: stable/metadata/1.root.json",
            expected=f"sha256:{theirs}",
            found=f"sha256:{ours}",
            fix="do not use the archive if the given root is the publisher's",
        )
    right = "root.json" if form == "file" else f"sha256:{ours}"
    assert run("verify-bundle", exported.name, "--root", right).code == 0
    assert run(*IMPORT, exported.name, "--place", "inside", "--root", right).code == 0
    before = tree(Path("inside"))
    done = run(*IMPORT, exported.name, "--place", "inside", "--root", given)
    assert (done.code, done.out, tree(Path("inside"))) == (2, "", before)
    assert done.err == said(
        "this place has the channel of another root",
        where="inside stable/metadata/1.root.json",
        expected=f"sha256:{theirs}",
        found=f"sha256:{ours}",
        fix="check which of the two is the publisher's; bring the other one into a place of its own",
    )


def test_the_channel_of_others_does_not_get_into_ours(exported: Path, run: Run) -> None:
    assert run(*IMPORT, exported.name, *INSIDE).code == 0
    other_root(run)
    assert run("channel", "publish", "--place", "elsewhere", "--keys", "theirs").code == 0
    assert run("channel", "export", "theirs.tar", "--place", "elsewhere").code == 0
    before = tree(Path("inside"))
    done = run(*IMPORT, "theirs.tar", "--place", "inside")
    assert (done.code, done.out, tree(Path("inside"))) == (1, "", before)
    assert done.err == said(
        "the channel's timestamp is not signed by enough trusted keys",
        where="theirs.tar channel stable",
        found="timestamp was signed by 0/1 keys",
        fix="do not use it; ask the publisher, by a way you trust, whether its keys were changed",
    )
    done = run(*IMPORT, exported.name, "--place", "inside", "--channel", "beta")
    assert (done.code, tree(Path("inside"))) == (2, before)
    assert done.err == said("the archive is of another channel", where="release.tar", expected="beta", found="stable")


def test_a_place_begins_with_the_first_root(exported: Path, run: Run) -> None:
    """Nobody can prove by a later root what an earlier one was, and clients may have the earlier one."""
    assert exported.exists()
    assert run("channel", "rotate", "root", *KEYS).code == 0
    assert run("channel", "export", "second.tar", "--place", "site").code == 0
    shutil.copy("site/stable/metadata/2.root.json", "second.json")
    assert run("verify-bundle", "second.tar", "--root", "second.json").code == 0
    done = run(*IMPORT, "second.tar", "--place", "inside", "--root", "second.json")
    assert (done.code, done.out, visible("inside")) == (2, "", {})
    assert done.err == said(
        "a channel begins in a place with its first root",
        where="inside channel stable",
        expected="version 1",
        found="version 2",
        fix="give the root that the publisher made with channel init",
    )


@pytest.mark.parametrize(
    ("root", "code", "what", "facts"),
    [
        ("gone.json", 3, "the root cannot be opened", {"found": "No such file or directory", "fix": "check the path"}),
        ("keys/root.pub", 2, "this is not the root of a channel", {"found": "Failed to deserialize JSON"}),
        (
            "site/stable/metadata/timestamp.json",
            2,
            "this is not the root of a channel",
            {"found": "a timestamp"},
        ),
    ],
)
def test_a_root_that_is_none_is_named(
    exported: Path, run: Run, root: str, code: int, what: str, facts: dict[str, str]
) -> None:
    for words in (
        (*IMPORT, exported.name, "--place", "inside"),
        ("verify-bundle", exported.name),
        ("update", "--from", exported.name, "--base", "there"),
    ):
        done = run(*words, "--root", root)
        assert (done.code, done.out, done.err) == (code, "", said(what, where=root, **facts))
    assert (Path("inside").exists(), Path("there").exists()) == (False, False)
