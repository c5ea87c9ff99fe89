"""``channel status``, ``check`` and ``renew``: what is about to expire, what has, and what a place has lost."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.delivery.bundle import export
from tests.delivery.conftest import silently

from .channels import BEGIN, KEYS, begun, make_keys, said
from .conftest import ARCH, CONTENTS, VERSION, Run, digest, tree

ROLES = ("root", "targets", "snapshot", "timestamp")
LONG = {"timestamp": 365, "snapshot": 365, "targets": 365}
STATUS = ("channel", "status", "--place", "site")
CHECK = ("channel", "check", "--place", "site")
UPDATE = ("update", "--from", "site", "--root", "root.json", "--base", "home")
BRING = "bring it again from where it was built: bitproof channel publish"
CLOCK = (
    "check this machine's clock; else the place serves an old state, or the publisher has to renew it: "
    "bitproof channel renew"
)


@pytest.fixture
def keys(layout: Path) -> Path:
    """A key of each role in ``keys``; returns the working directory."""
    (layout.parent / "keys").mkdir()
    make_keys(*(f"keys/{role}" for role in ROLES))
    return layout.parent


def warnings(role: str, what: str) -> str:
    how = "bitproof channel rotate root" if role == "root" else "bitproof channel renew"
    return f"warning: the {role} {what}: {how}\n"


def test_a_fresh_channel_is_well(site: Path, run: Run) -> None:
    done = run(*STATUS)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == f"site channel stable: assets {VERSION}"
    assert lines[1].split() == ["role", "version", "expires", "left", "signed", "by"]
    assert [line.split()[:2] for line in lines[2:]] == [
        ["root", "1"],
        ["targets", "2"],
        ["snapshot", "2"],
        ["timestamp", "2"],
    ]
    assert [line.partition(" UTC  ")[2][:9].strip() for line in lines[2:]] == [
        "364 days",
        "364 days",
        "29 days",
        "6 days",
    ]
    told = run(*STATUS, "--json").document
    assert {name: told[name] for name in ("ok", "channel", "place", "asset_version")} == {
        "ok": True,
        "channel": "stable",
        "place": "site",
        "asset_version": VERSION,
    }
    assert [(one["role"], one["expired"], one["renew_soon"], one["threshold"]) for one in told["roles"]] == [
        (role, False, False, 1) for role in ROLES
    ]
    assert told["roles"][0].keys() == {
        "role", "version", "expires", "seconds_left", "expired", "renew_soon", "keys", "threshold",
    }  # fmt: skip
    assert site.is_dir()


@pytest.mark.parametrize(
    ("ago", "days", "soon"),
    [
        (5.0, {}, []),
        (6.0, {}, ["timestamp"]),
        (25, {"timestamp": 60}, ["snapshot"]),
        (300, LONG, ["root", "targets", "snapshot", "timestamp"]),
        (300, {role: 3650 if role == "targets" else 365 for role in LONG}, ["root", "snapshot", "timestamp"]),
    ],
)
def test_what_is_in_the_last_quarter_of_its_life_is_warned_of(
    keys: Path, run: Run, ago: float, days: dict[str, int], soon: list[str]
) -> None:
    assert keys.is_dir()
    began = begun(ago, days)
    done = run(*STATUS)
    assert (done.code, done.err) == (0, "".join(warnings(role, "expires soon") for role in soon))
    told = run(*STATUS, "--json")
    assert (told.code, told.err, told.document["ok"]) == (0, "", True)
    assert [one["role"] for one in told.document["roles"] if one["renew_soon"]] == soon
    expires = began + timedelta(days=days.get("timestamp", 7))
    assert told.document["roles"][3]["expires"] == f"{expires:%Y-%m-%dT%H:%M:%SZ}"
    assert run(*STATUS, "-q").err == ""
    assert run(*UPDATE).code == 0, "a warning is no refusal"


def expired(began: datetime, role: str, days: int) -> tuple[str, dict[str, object]]:
    return f"the channel's {role} has expired", {
        "where": "site channel stable",
        "found": f"it expired at {began + timedelta(days=days):%Y-%m-%d %H:%M:%S} UTC",
        "fix": CLOCK,
    }


def assert_expired(run: Run, began: datetime, role: str, days: int) -> None:
    """A client is told which role, and since when; the time of its refusal is its own clock's."""
    done = run(*UPDATE)
    assert (done.code, done.out) == (1, "")
    now = done.err.partition("expected: one that holds at ")[2].partition(" UTC")[0]
    what, facts = expired(began, role, days)
    assert done.err == said(what, **facts, expected=f"one that holds at {now} UTC, this machine's time")
    assert not Path("home/manifest.json").exists()


def test_an_expired_timestamp_is_told_and_renewed(keys: Path, run: Run) -> None:
    assert keys.is_dir()
    began = begun(8)
    done = run(*STATUS)
    assert (done.code, done.err) == (1, warnings("timestamp", "has expired"))
    assert done.out.splitlines()[-1].split()[5] == "expired"
    told = run(*STATUS, "--json")
    assert (told.code, told.document["ok"], told.document["roles"][3]["expired"]) == (1, False, True)
    assert_expired(run, began, "timestamp", 7)
    done = run(*CHECK, "-q")
    when = f"{began + timedelta(days=7):%Y-%m-%d %H:%M:%S} UTC"
    told_so = f"FAILED   timestamp.json\n  why:      expired at {when}\n  fix:      bitproof channel renew\n"
    assert (done.code, done.out) == (1, told_so)
    done = run("channel", "renew", *KEYS)
    assert (done.code, done.out) == (0, "site channel stable: signed timestamp, version 3\n")
    assert run(*STATUS).code == run(*CHECK).code == run(*UPDATE).code == 0


@pytest.mark.parametrize(
    ("ago", "days", "asked", "roles"),
    [
        (1.0, {}, (), ["timestamp"]),
        (1.0, {}, ("snapshot",), ["snapshot", "timestamp"]),
        (1.0, {}, ("targets",), ["targets", "snapshot", "timestamp"]),
        (25, {"timestamp": 60}, (), ["snapshot", "timestamp"]),
        (40, {}, (), ["snapshot", "timestamp"]),
        (300, {}, (), ["targets", "snapshot", "timestamp"]),
    ],
)
def test_a_renewal_signs_what_needs_it_and_what_is_asked_for(
    keys: Path, run: Run, ago: float, days: dict[str, int], asked: tuple[str, ...], roles: list[str]
) -> None:
    assert keys.is_dir()
    begun(ago, days)
    words = [word for role in asked for word in ("--role", role)]
    assert run("channel", "renew", *KEYS, *words, "--json").document == {"ok": True, "roles": roles, "version": 3}
    assert run(*UPDATE).code == 0
    versions = {one["role"]: one["version"] for one in run(*STATUS, "--json").document["roles"]}
    assert versions == {"root": 1, **{role: 3 if role in roles else 2 for role in ROLES[1:]}}


def test_an_expired_root_is_renewed_by_its_owners_and_nothing_else_helps(keys: Path, run: Run) -> None:
    assert keys.is_dir()
    began = begun(400)
    done = run("channel", "renew", *KEYS)
    assert (done.code, done.err) == (0, warnings("root", "has expired")), "who runs it on a timer is told"
    done = run(*STATUS)
    assert (done.code, done.err) == (1, warnings("root", "has expired"))
    assert_expired(run, began, "root", 365)
    assert run("channel", "rotate", "root", *KEYS).out == "site channel stable: root 2, which holds longer\n"
    assert run(*STATUS).code == run(*UPDATE).code == 0


def test_a_publish_into_an_expired_channel_mends_what_it_signs(keys: Path, run: Run) -> None:
    assert keys.is_dir()
    begun(300, {"targets": 40}, release=False)
    done = run(*STATUS)
    ended = "".join(warnings(role, "has expired") for role in ROLES[1:])
    assert (done.code, done.err) == (1, warnings("root", "expires soon") + ended)
    done = run("channel", "publish", *KEYS)
    assert (done.code, done.err) == (0, warnings("root", "expires soon"))
    assert run(*STATUS).code == run(*UPDATE).code == 0


def test_an_export_that_lay_in_a_drawer_for_too_long_is_refused(keys: Path, run: Run) -> None:
    began = begun(8)
    export(DirectoryPlace(keys / "site"), "stable", keys / "old.tar", began, silently)
    for words in (
        ("channel", "import", "old.tar", "--place", "inside"),
        ("verify-bundle", "old.tar"),
        ("update", "--from", "old.tar", "--base", "home"),
    ):
        done = run(*words, "--root", "root.json")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("error: the channel's timestamp has expired\n  where:    old.tar channel stable\n")
    assert not (keys / "inside/stable").exists()
    done = run("verify-bundle", "old.tar", "--root", "root.json", "--ignore-expiry")
    assert (done.code, done.err) == (0, "7 ok\n")
    done = run("channel", "export", "new.tar", "--place", "site")
    assert (done.code, done.out, (keys / "new.tar").exists()) == (1, "", False)
    assert run("channel", "renew", *KEYS).code == 0
    assert run("channel", "export", "new.tar", "--place", "site").code == 0


def test_roles_that_are_none_are_refused(site: Path, run: Run) -> None:
    before = tree(site)
    for words in (("renew", *KEYS, "--role", "root"), ("rotate", "nobody", *KEYS)):
        done = run("channel", *words)
        assert (done.code, done.out, tree(site)) == (2, "", before)
        assert done.err.startswith("error: invalid value for ")


def test_a_channel_without_a_release_has_a_status_and_nothing_to_check(project: Path, run: Run) -> None:
    assert run(*BEGIN).code == 0
    done = run(*STATUS)
    assert (done.code, done.out.splitlines()[0]) == (0, "site channel stable: no release yet")
    done = run(*CHECK)
    told = said("the channel has no release yet", where="site channel stable", fix="bitproof channel publish")
    assert (done.code, done.out, done.err) == (3, "", told)
    assert (project / "site").is_dir()


@pytest.mark.parametrize("words", [("status",), ("check",), ("manifest",), ("renew", "--keys", "keys")])
def test_a_place_or_a_channel_that_is_not_there_is_told(site: Path, run: Run, words: tuple[str, ...]) -> None:
    before = tree(site.parent)
    done = run("channel", *words, "--place", "site", "--channel", "beta")
    told = said("there is no such channel", where="site channel beta", fix="bitproof channel init")
    assert (done.code, done.out, done.err) == (3, "", told)
    done = run("channel", *words, "--place", "site", "--channel", "../x")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: not a channel: not a name: expected 1 to 128 characters ")
    assert tree(site.parent) | {"site/.beta.lock": b""} == before | {"site/.beta.lock": b""}


def finding(verdict: str, name: str, **facts: str) -> str:
    lines = [f"{verdict:<8} {VERSION} {ARCH}/{name}"]
    return "\n".join(lines + [f"  {fact + ':':<9} {text}" for fact, text in facts.items()]) + "\n"


def test_what_a_place_has_lost_is_named_and_a_publish_brings_it_again(site: Path, run: Run) -> None:
    """A file, a chunk index, and one of another size; then one of other bytes."""
    blobs = {name: site / "blobs" / digest(data) for name, data in CONTENTS.items()}
    index = next(path for path in (site / "blobs").iterdir() if path not in blobs.values())
    names = run(*CHECK).out.splitlines()
    (of_index,) = (line.split()[2] for line in names if line.endswith(index.name))
    whole = tree(site)
    blobs["vmlinuz"].unlink()
    index.unlink()
    blobs["rootfs.squashfs"].write_bytes(b"a rootfs, and more")
    blobs["initrd.img"].write_bytes(b"An initrd")
    done = run(*CHECK, "-q")
    gone = "No such file or directory"
    lost = {
        f"{ARCH}/vmlinuz": finding(
            "MISSING",
            "vmlinuz",
            where=f"site/blobs/{blobs['vmlinuz'].name}",
            expected=f"blake3:{blobs['vmlinuz'].name}",
            why=f"the channel's blob cannot be opened: {gone}",
            fix=BRING,
        ),
        of_index: finding(
            "MISSING",
            of_index.partition("/")[2],
            where=f"site/blobs/{index.name}",
            expected=f"blake3:{index.name}",
            why=f"the channel's blob cannot be opened: {gone}",
            fix=BRING,
        ),
        f"{ARCH}/rootfs.squashfs": finding(
            "DRIFTED",
            "rootfs.squashfs",
            where=f"site/blobs/{blobs['rootfs.squashfs'].name}",
            expected=f"blake3:{blobs['rootfs.squashfs'].name}",
            why="the blob has another size: 18 bytes, expected 8 bytes",
            fix=f"remove it from the place, then {BRING}",
        ),
        f"{ARCH}/initrd.img": finding(
            "DRIFTED",
            "initrd.img",
            where=f"site blobs/{blobs['initrd.img'].name}",
            expected=f"blake3:{blobs['initrd.img'].name}",
            found=f"blake3:{digest(b'An initrd')}",
            fix=f"remove it from the place, then {BRING}",
        ),
    }
    assert (done.code, done.err) == (1, "")
    assert sorted(done.out) == sorted("".join(lost.values())), "each once, in the manifest's order"
    assert all(text in done.out for text in lost.values())
    told = run(*CHECK, "--json").document
    assert told["summary"] == {"ok": 6, "placeholder": 0, "missing": 2, "drifted": 2, "failed": 0}

    blobs["initrd.img"].unlink()
    told = run("channel", "publish", *KEYS, "--json").document
    assert (told["changed"], told["brought"] > 0) == (False, True)
    assert run(*CHECK).code == 0
    assert tree(site) == whole


def test_a_place_that_lost_its_manifest_or_its_list_is_told(site: Path, run: Run) -> None:
    (manifest,) = (site / "stable/targets").iterdir()
    data = manifest.read_bytes()
    manifest.unlink()
    done = run(*CHECK)
    where = f"site stable/targets/{manifest.name}"
    told = said("the channel lacks a file that it has signed", where=where)
    assert (done.code, done.out, done.err) == (3, "", told)
    manifest.write_bytes(data.replace(b"current", b"CURRENT"))
    done = run(*CHECK)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"error: the channel's manifest.json is not what was signed\n  where:    {where}\n")
    (site / "stable/metadata/2.targets.json").unlink()
    done = run(*STATUS)
    assert (done.code, done.out) == (3, "")
    assert done.err == said(
        "the channel has no targets",
        where="site stable/metadata/2.targets.json",
        fix="check the place and the channel's name, 'stable'",
    )
