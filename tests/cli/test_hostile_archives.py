"""Archives that were cut off, changed or made up: no command that reads one believes or writes anything."""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from .channels import IMPORT, INSIDE, said
from .conftest import Outcome, Run, visible

CUT = "not an archive of a channel, or one that was damaged or cut off on its way"
HINT = {"expected": "a file by bitproof channel export", "fix": "bring it over again"}


def everyone(run: Run, file: str) -> dict[str, Outcome]:
    """What each command that reads an archive says of one."""
    return {
        "import": run(*IMPORT, file, *INSIDE),
        "verify": run("verify-bundle", file, "--root", "root.json"),
        "update": run("update", "--from", file, "--root", "root.json", "--base", "there"),
    }


def assert_nothing_came(outcomes: dict[str, Outcome], code: int, err: str) -> None:
    assert {name: (done.code, done.out, done.err) for name, done in outcomes.items()} == dict.fromkeys(
        outcomes, (code, "", err)
    )
    assert visible("inside") == {}
    assert not (Path("there") / "manifest.json").exists()


def test_an_archive_that_was_cut_off_anywhere_is_refused(exported: Path, run: Run) -> None:
    data = exported.read_bytes()
    with tarfile.open(exported) as archive:
        ends = [info.offset_data + -(-info.size // 512) * 512 for info in archive]
    assert ends[-1] == len(data) - 1024
    for size in (0, 1, 511, 512, 700, *ends, len(data) - 513, len(data) - 512):
        (exported.parent / "cut.tar").write_bytes(data[:size])
        outcomes = everyone(run, "cut.tar") if size in {0, ends[2], ends[-1]} else {}
        outcomes["verify"] = run("verify-bundle", "cut.tar", "--root", "root.json")
        found = outcomes["verify"].err.partition("found:    ")[2].partition("\n")[0]
        assert found
        assert_nothing_came(outcomes, 2, said(CUT, where="cut.tar", found=found, **HINT))


def test_one_other_byte_anywhere_is_refused_or_makes_no_difference(exported: Path, run: Run) -> None:
    """Headers and content count; between a content's end and the next header there is room that nobody reads."""
    data = exported.read_bytes()
    with tarfile.open(exported) as archive:
        members = list(archive)
    spots = [info.offset + at for info in members for at in (0, 124, 148)]
    spots += [info.offset_data + at for info in members for at in (0, info.size // 2, info.size - 1)]
    harmless = {info.offset_data + info.size for info in members}
    for spot in [*spots, len(data) - 1024, len(data) - 1, *harmless]:
        changed = bytearray(data)
        changed[spot] ^= 0x01
        (exported.parent / "bad.tar").write_bytes(changed)
        code = run("verify-bundle", "bad.tar", "--root", "root.json").code
        assert (code == 0) == (spot in harmless), f"byte {spot}"
    for member in members:
        changed = bytearray(data)
        changed[member.offset_data] ^= 0x01
        (exported.parent / "bad.tar").write_bytes(changed)
        done = run(*IMPORT, "bad.tar", *INSIDE)
        assert (done.code in {1, 3}, visible("inside")) == (True, {}), member.name
        shutil.rmtree("inside")


Build = Callable[[tarfile.TarFile], None]


def member(name: str, data: bytes = b"x", **fields: object) -> Build:
    def add(archive: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for field, value in fields.items():
            setattr(info, field, value)
        archive.addfile(info, io.BytesIO(data))

    return add


def planted(exported: Path, build: Build, target: str) -> None:
    """The release with something else in front of it."""
    with tarfile.open(exported) as good, tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        build(archive)
        for info in good:
            archive.addfile(info, good.extractfile(info))


HOSTILE = {
    "out of the place": ("../evil", member("../evil")),
    "absolute": ("/etc/evil", member("/etc/evil")),
    "a path in a longer header": ("../../evil", member("stable/x", pax_headers={"path": "../../evil"})),
    "a symlink": ("stable/link", member("stable/link", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "a hard link": ("stable/link", member("stable/link", b"", type=tarfile.LNKTYPE, linkname="/etc/passwd")),
    "a directory": ("stable", member("stable", b"", type=tarfile.DIRTYPE)),
    "a device": ("stable/null", member("stable/null", b"", type=tarfile.CHRTYPE)),
    "a sparse file": ("stable/x", member("stable/x", pax_headers={"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"})),
    "a name for the terminal": ("stable/\x1b[31m", member("stable/\x1b[31m")),
    "one twice": ("stable/metadata/timestamp.json", member("stable/metadata/timestamp.json", b"{}")),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_member_that_no_export_has_is_refused(exported: Path, run: Run, case: str) -> None:
    name, build = HOSTILE[case]
    planted(exported, build, "bad.tar")
    told = said(
        "the archive has a member that it may not have",
        where="bad.tar",
        expected="regular files with the paths of a place, each once",
        found=repr(name),
    )
    assert_nothing_came(everyone(run, "bad.tar"), 2, told)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header that declares any size; more than 8 GiB, and less than nothing, in base 256."""
    info = tarfile.TarInfo(name)
    info.type = kind
    made = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    made[124:136] = size.to_bytes(12, "big", signed=True) if size < 0 else b"\x80" + size.to_bytes(11, "big")
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    return bytes(made)


@pytest.mark.parametrize(
    ("first", "found"),
    [
        (header("stable/metadata/timestamp.json", 1 << 60), "stable/metadata/timestamp.json is to have {size} bytes"),
        (header("pax", 1 << 60, tarfile.XHDTYPE), "a header of {size} bytes"),
        (header("././@LongLink", 1 << 60, tarfile.GNUTYPE_LONGNAME), "a header of {size} bytes"),
        (header("pax", 1 << 20, tarfile.XHDTYPE), "a header of 1048576 bytes"),
    ],
)
def test_a_size_that_cannot_be_is_refused_before_anything_is_read(
    exported: Path, run: Run, first: bytes, found: str
) -> None:
    (exported.parent / "bad.tar").write_bytes(first + exported.read_bytes())
    told = said(CUT, where="bad.tar", found=found.format(size=1 << 60), **HINT)
    assert_nothing_came(everyone(run, "bad.tar"), 2, told)


def test_a_size_below_nothing_is_refused_in_the_words_of_whichever_python(exported: Path, run: Run) -> None:
    (exported.parent / "bad.tar").write_bytes(header("blobs/x", -1) + exported.read_bytes())
    outcomes = everyone(run, "bad.tar")
    told = {
        said(CUT, where="bad.tar", found=found, **HINT) for found in ("blobs/x is to have -1 bytes", "invalid offset")
    }
    (err,) = {done.err for done in outcomes.values()}
    assert err in told
    assert_nothing_came(outcomes, 2, err)


def test_metadata_of_a_huge_size_is_not_read(exported: Path, run: Run) -> None:
    """A terabyte that is declared and, as a hole in the file, there."""
    size = 1 << 40
    with (exported.parent / "bad.tar").open("wb") as file:
        file.write(header("stable/metadata/timestamp.json", size))
        file.truncate(512 + size)
        file.seek(0, io.SEEK_END)
        file.write(bytes(1024))
    told = said(
        "the file is larger than it may be",
        where="bad.tar: stable/metadata/timestamp.json",
        expected="at most 16384 bytes",
    )
    assert_nothing_came(everyone(run, "bad.tar"), 1, told)
    (exported.parent / "bad.tar").unlink()


def test_too_many_members_are_refused(exported: Path, run: Run) -> None:
    with (exported.parent / "bad.tar").open("wb") as file:
        for number in range(10_001):
            file.write(header(f"x/{number}", 0))
        file.write(bytes(1024))
    done = run("verify-bundle", "bad.tar", "--root", "root.json")
    told = said("the archive has too many members", where="bad.tar", expected="at most 10000")
    assert (done.code, done.out, done.err) == (2, "", told)


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"", "empty file"), (b"\x93" * 5000, "invalid header"), (b"{}", "truncated header"), (b"\x1f\x8b" * 300, None)],
)
def test_what_is_no_archive_at_all_is_told(site: Path, run: Run, data: bytes, found: str | None) -> None:
    (site.parent / "bad.tar").write_bytes(data)
    told = said(CUT, where="bad.tar", found=found or "invalid header", **HINT)
    assert_nothing_came(everyone(run, "bad.tar"), 2, told)


def test_an_archive_that_is_not_there_or_no_file_is_told(site: Path, run: Run) -> None:
    assert site.is_dir()
    for words in ((*IMPORT, "{}", *INSIDE), ("verify-bundle", "{}", "--root", "root.json")):
        done = run(*(word.format("gone.tar") for word in words))
        told = said(
            "the archive cannot be opened", where="gone.tar", found="No such file or directory", fix="check the path"
        )
        assert (done.code, done.out, done.err) == (3, "", told)
        done = run(*(word.format("assets") for word in words))
        assert (done.code, done.out) == (2, "")
        assert done.err == said("the archive is not a regular file", where="assets")
    assert visible("inside") == {}


def test_an_archive_of_two_channels_is_none_of_one(exported: Path, run: Run) -> None:
    planted(exported, member("beta/metadata/timestamp.json", b"{}"), "two.tar")
    for words in ((*IMPORT, "two.tar", *INSIDE), ("verify-bundle", "two.tar", "--root", "root.json")):
        done = run(*words)
        assert (done.code, done.out, visible("inside")) == (2, "", {})
        assert done.err == said("not an archive of one channel", where="two.tar", expected="one", found="beta, stable")
