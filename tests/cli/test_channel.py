"""``channel`` and ``update``: what they say, in words and in JSON, and their exit codes."""

from pathlib import Path
from shutil import copytree

import pytest

from .channels import BEGIN, KEYS, said
from .conftest import VERSION, Run, spawn, stored, tree, write_layout


def test_init_says_what_to_give_to_clients(layout: Path, run: Run) -> None:
    told = run(*BEGIN, "--json").document
    assert (told["ok"], told["channel"], told["place"], told["root"]) == (True, "stable", "site", "root.json")
    assert told["digest"].startswith("sha256:")
    assert sorted(path.name for path in (layout.parent / "keys").glob("*.key")) == [
        "root.key",
        "snapshot.key",
        "targets.key",
        "timestamp.key",
    ]


def test_init_twice_changes_nothing(site: Path, run: Run) -> None:
    before = tree(site)
    done = run(*BEGIN, "--root", "other.json")
    assert (done.code, tree(site)) == (2, before)
    assert "there is a channel of this name already" in done.err


def test_without_keys_nothing_begins(project: Path, run: Run) -> None:
    done = run("channel", "init", "--place", "site", "--keys", "keys")
    assert (done.code, (project / "site").exists()) == (3, False)
    assert "the secret key cannot be opened" in done.err


def test_nobody_has_named_a_place(layout: Path, run: Run) -> None:
    assert layout.is_dir()
    done = run("channel", "publish")
    assert (done.code, "no place to publish to" in done.err) == (2, True)


def test_publish_says_what_it_brought(site: Path, run: Run) -> None:
    assert site.is_dir()
    told = run("channel", "publish", "--place", "site", "--keys", "keys", "--json").document
    assert told == {
        "ok": True,
        "asset_version": VERSION,
        "channel": "site channel stable",
        "changed": False,
        "brought": 0,
    }


def test_a_machine_updates_and_needs_no_words_the_next_time(site: Path, run: Run) -> None:
    first = run("update", "--from", "site", "--root", "root.json", "--base", "home", "--json").document
    assert (first["asset_version"], first["before"], sorted(first["files"])) == (
        VERSION,
        "",
        sorted(stored(name) for name in ("vmlinuz", "initrd.img", "rootfs.squashfs")),
    )
    assert run("update", "--base", "home").out == f"home: assets {VERSION}, nothing new\n"
    assert site.is_dir()


def test_a_dry_run_installs_nothing(site: Path, run: Run) -> None:
    done = run("update", "--from", "site", "--root", "root.json", "--base", "home", "--dry-run")
    assert (done.code, done.out.count("would fetch")) == (0, 3)
    assert not (site.parent / "home").exists()


@pytest.mark.parametrize("words", [(), ("--root", f"sha256:{'0' * 64}")])
def test_without_the_right_root_nothing_is_believed(site: Path, run: Run, words: tuple[str, ...]) -> None:
    done = run("update", "--from", "site", "--base", "home", *words)
    assert done.code == (1 if words else 2)
    assert not (site.parent / "home" / "manifest.json").exists()


def test_a_place_that_is_not_there(site: Path, run: Run) -> None:
    done = run("update", "--from", "nowhere", "--root", "root.json", "--base", "home")
    assert (done.code, done.out, (site.parent / "home" / "manifest.json").exists()) == (3, "", False)
    assert done.err == said("there is no channel here", where="nowhere", fix="check the path")


def test_status_names_every_role(site: Path, run: Run) -> None:
    assert site.is_dir()
    told = run("channel", "status", "--place", "site", "--json").document
    assert (told["ok"], told["asset_version"]) == (True, VERSION)
    assert [role["role"] for role in told["roles"]] == ["root", "targets", "snapshot", "timestamp"]


def test_check_finds_a_changed_blob(site: Path, run: Run) -> None:
    assert run("channel", "check", "--place", "site").code == 0
    (blob,) = (path for path in (site / "blobs").iterdir() if path.read_bytes() == b"a rootfs")
    blob.write_bytes(b"A rootfs")
    done = run("channel", "check", "--place", "site", "--json")
    assert (done.code, done.document["summary"]["drifted"]) == (1, 1)


def test_a_revoked_release_is_told_why(site: Path, layout: Path, run: Run) -> None:
    write_layout(layout, rootfs=b"another")
    assert run("assets", "manifest").code == 0
    keys = ("--place", "site", "--keys", "keys")
    assert run("channel", "publish", *keys).code == 0
    assert run("channel", "revoke", VERSION, "--reason", "it eats disks", *keys).code == 0
    assert run("update", "--from", "site", "--root", "root.json", "--base", "home").code == 0
    done = run("pin", VERSION, "--base", "home")
    assert (done.code, "it eats disks" in done.err) == (2, True)
    assert site.is_dir()


def test_the_last_release_of_a_supported_binary_is_not_withdrawn(site: Path, run: Run) -> None:
    before = tree(site)
    done = run("channel", "deprecate", VERSION, "--place", "site", "--keys", "keys")
    assert (done.code, tree(site)) == (2, before)
    assert "would have no release any more" in done.err


def test_a_release_goes_through_one_file(site: Path, run: Run) -> None:
    assert run("channel", "export", "release.tar", "--place", "site").code == 0
    assert run("verify-bundle", "release.tar", "--root", "root.json").code == 0
    assert run("verify-bundle", "release.tar").code == 3
    assert run("update", "--from", "release.tar", "--root", "root.json", "--base", "home").code == 0
    data = bytearray((site.parent / "release.tar").read_bytes())
    data[data.index(b"a rootfs")] ^= 1
    (site.parent / "bad.tar").write_bytes(data)
    assert run("verify-bundle", "bad.tar", "--root", "root.json").code == 1
    assert run("update", "--from", "bad.tar", "--root", "root.json", "--base", "other").code == 1


def test_promote_brings_no_file_twice(site: Path, run: Run) -> None:
    keys = ("--place", "site", "--keys", "keys")
    assert run("channel", "init", *keys, "--channel", "beta", "--root", "beta.json").code == 0
    blobs = tree(site / "blobs")
    done = run("channel", "promote", "stable", "beta", *keys)
    assert (done.code, tree(site / "blobs")) == (0, blobs)
    assert run("update", "--from", "site", "--channel", "beta", "--root", "beta.json", "--base", "home").code == 0


def test_two_publish_at_once_while_machines_update(site: Path, run: Run) -> None:
    follow = ("--from", site, "--root", "root.json")
    assert run("update", "--base", "machine", *follow).code == 0
    made = []
    for name in ("one", "two"):
        copytree("assets", name)
        write_layout(Path(name), rootfs=f"rootfs {name}".encode())
        assert run("assets", "manifest", "--assets", name).code == 0
        made.append((Path(name) / "manifest.json").read_bytes())
    publishers = [spawn("channel", "publish", *KEYS, "--assets", name) for name in ("one", "two")]
    machines = [spawn("update", "--base", base, *follow) for base in ("machine", "fresh", "machine")]
    told = [child.communicate(timeout=60)[1] for child in (*publishers, *machines)]
    codes = [child.wait() for child in (*publishers, *machines)]
    assert sorted(codes[:2]) == [0, 2], told
    assert codes[2:] == [0, 0, 0], told
    assert "error: this manifest cannot be published\n  where:    site channel stable\n" in told[codes.index(2)]
    assert run("update", "--base", "machine").code == 0
    assert Path("machine/manifest.json").read_bytes() == made[codes.index(0)]
