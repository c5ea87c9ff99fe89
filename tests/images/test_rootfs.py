import stat
from pathlib import Path

import pytest

from bitproof.errors import InputError
from bitproof.images.config import OverlayEntry
from bitproof.images.rootfs.filter import filter_tree
from tests.images.trees import DEBIAN, EPOCH, TMP, content, filtered, listing, pack


def overlay_file(tmp_path: Path, path: str, data: bytes, mode: int = 0o644) -> OverlayEntry:
    source = tmp_path / path.replace("/", "_")
    source.write_bytes(data)
    return OverlayEntry(path, source, stat.S_IFREG | mode)


def overlay_directory(path: str) -> OverlayEntry:
    return OverlayEntry(path, Path("unread"), stat.S_IFDIR | 0o755)


def test_what_varies_between_hosts_and_runs_is_gone(tmp_path: Path) -> None:
    packed = filtered(tmp_path, DEBIAN)

    assert sorted(listing(packed)) == [
        *("", "/bin", "/dev", "/dev/pts", "/etc", "/etc/hostname", "/etc/machine-id", "/etc/motd", "/proc"),
        *("/root", "/run", "/sys", f"/{TMP}", "/usr", "/usr/bin", "/usr/bin/su", "/usr/bin/wall"),
        *("/var/cache/apt", "/var/cache/apt/archives", "/var/cache/apt/archives/partial"),
        *("/var/lib/apt/lists", "/var/log/apt", "/var/mail"),
    ]
    assert content(packed, "etc/hostname") == b"bitproof\n"
    assert content(packed, "etc/machine-id") == b""


def test_nothing_is_setuid_and_no_time_is_after_the_epoch(tmp_path: Path) -> None:
    entries = listing(filtered(tmp_path, DEBIAN))

    assert oct(entries["/usr/bin/su"].mode) == "0o755"
    assert all(not entry.mode & 0o6000 and entry.mtime <= EPOCH and not entry.pax_headers for entry in entries.values())
    assert oct(entries[f"/{TMP}"].mode) == "0o1777"
    assert oct(entries["/root"].mode) == "0o700"


def test_only_apts_directories_change_their_owner(tmp_path: Path) -> None:
    entries = listing(filtered(tmp_path, DEBIAN))

    assert {path: (entry.uid, entry.gid) for path, entry in entries.items() if entry.uid or entry.gid} == {
        "/var/log/apt": (42, 4),
        "/var/mail": (42, 4),
    }
    assert oct(entries["/var/cache/apt/archives/partial"].mode) == "0o700"


def test_a_time_before_the_epoch_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "filtered.tar"
    filter_tree(pack(tmp_path / "whole.tar", DEBIAN, mtime=1_000_000_000.75), target, (), EPOCH)

    assert listing(target)["/usr/bin/su"].mtime == 1_000_000_000


def test_what_two_hosts_give_filters_to_the_same_bytes(tmp_path: Path) -> None:
    other = DEBIAN | {"etc/hostname": (0o100644, b"elsewhere\n"), "var/log/boot.log": (0o100600, b"late")}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    assert filtered(tmp_path / "a", DEBIAN).read_bytes() == filtered(tmp_path / "b", other).read_bytes()


def test_the_overlay_replaces_files_and_keeps_directories_as_they_are(tmp_path: Path) -> None:
    overlay = [
        overlay_directory("etc"),
        overlay_file(tmp_path, "etc/hostname", b"own\n"),
        overlay_file(tmp_path, "etc/motd", b"new\n"),
        overlay_directory("root"),
        overlay_file(tmp_path, "root/.profile", b"export A=1\n", 0o755),
        overlay_directory("srv"),
        OverlayEntry("srv/link", Path("unread"), stat.S_IFLNK | 0o777, "../etc/motd"),
    ]

    packed = filtered(tmp_path, DEBIAN, overlay)

    entries = listing(packed)
    assert content(packed, "etc/motd") == b"new\n"
    assert content(packed, "etc/hostname") == b"own\n"
    assert oct(entries["/root"].mode) == "0o700"
    assert oct(entries["/root/.profile"].mode) == "0o755"
    assert entries["/srv/link"].linkname == "../etc/motd"
    assert (entries["/etc/motd"].uid, entries["/etc/motd"].gid, entries["/etc/motd"].mtime) == (0, 0, EPOCH)


@pytest.mark.parametrize("target", ["usr/bin", "/usr/bin", "../usr/./bin", "etc/../usr/bin"])
def test_the_overlay_goes_through_symlinks_of_the_rootfs_and_never_out_of_it(tmp_path: Path, target: str) -> None:
    tree = DEBIAN | {"bin": (0o120777, target)}

    entries = listing(filtered(tmp_path, tree, [overlay_directory("bin"), overlay_file(tmp_path, "bin/tool", b"tool")]))

    assert entries["/bin"].issym()
    assert entries["/usr/bin/tool"].isreg()
    assert "/bin/tool" not in entries


def test_the_overlay_replaces_a_symlink_and_not_what_it_points_to(tmp_path: Path) -> None:
    tree = DEBIAN | {"etc/issue": (0o120777, "motd")}

    packed = filtered(tmp_path, tree, [overlay_directory("etc"), overlay_file(tmp_path, "etc/issue", b"new\n")])

    assert content(packed, "etc/issue") == b"new\n"
    assert content(packed, "etc/motd") == b"old\n"


def test_a_hard_link_to_what_is_replaced_becomes_the_file_itself(tmp_path: Path) -> None:
    overlay = [overlay_directory("etc"), overlay_file(tmp_path, "etc/motd", b"new\n")]

    packed = filtered(tmp_path, DEBIAN, overlay, etc__twin="etc/motd", etc__su="usr/bin/su")

    assert content(packed, "etc/twin") == b"old\n"
    assert listing(packed)["/etc/twin"].isreg()
    assert listing(packed)["/etc/su"].islnk()


def test_an_overlay_that_does_not_fit_is_refused_with_every_problem(tmp_path: Path) -> None:
    overlay = [
        overlay_directory("bin"),
        overlay_file(tmp_path, "bin/tool", b"a"),
        overlay_directory("etc"),
        overlay_directory("etc/motd"),
        overlay_file(tmp_path, "usr", b"text"),
        overlay_file(tmp_path, "usr/bin/tool", b"b"),
    ]

    with pytest.raises(InputError) as caught:
        filtered(tmp_path, DEBIAN, overlay)

    assert str(caught.value) == (
        "the guest artifacts do not fit onto the rootfs\n"
        "  - rootfs/etc/motd: is a directory where the rootfs has a file\n"
        "  - rootfs/usr: is a file where the rootfs has a directory\n"
        "  - rootfs/usr/bin/tool: lies at one place with another artifact: found rootfs/bin/tool\n"
        "  fix:      mend these; nothing was published"
    )


def test_a_symlink_of_the_rootfs_that_leads_in_a_circle_is_refused(tmp_path: Path) -> None:
    tree = DEBIAN | {"a": (0o120777, "b"), "b": (0o120777, "a")}

    with pytest.raises(InputError) as caught:
        filtered(tmp_path, tree, [overlay_file(tmp_path, "a/file", b"a")])

    assert str(caught.value) == "a symlink of the rootfs leads in a circle\n  where:    rootfs/a/file"
