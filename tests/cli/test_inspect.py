"""``assets check`` and ``hashes``."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from .conftest import ARCH, BINARY, CONTENTS, VERSION, Run, digest, tree

SUMS = {name: digest(data) for name, data in CONTENTS.items()}
MISSING = """\
error: the manifest cannot be opened
  where:    assets/manifest.json
  found:    No such file or directory
  fix:      bitproof assets build; or, for images that are there already: bitproof assets manifest
"""


def test_check_names_all_it_looked_at(layout: Path, run: Run) -> None:
    done = run("assets", "check")
    assert done.code == 0
    assert done.out == (
        "OK       format  format 2, every field as it should be\n"
        "OK       releases  each one in force fits a binary\n"
        f"OK       binaries  each one in force gets a release for {ARCH}\n"
        f"OK       B3SUMS {ARCH}/initrd.img  blake3:{SUMS['initrd.img']}\n"
        f"OK       B3SUMS {ARCH}/rootfs.squashfs  blake3:{SUMS['rootfs.squashfs']}\n"
        f"OK       B3SUMS {ARCH}/vmlinuz  blake3:{SUMS['vmlinuz']}\n"
        f"OK       {ARCH}/vmlinuz  8 bytes\n"
        f"OK       {ARCH}/initrd.img  9 bytes\n"
        f"OK       {ARCH}/rootfs.squashfs  8 bytes\n"
        "OK       files  nothing that does not belong here\n"
    )
    assert done.err == "10 ok\n"
    assert layout.is_dir()


def test_check_finds_a_current_that_names_no_release(layout: Path, run: Run) -> None:
    manifest = layout / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"current": "{VERSION}"', '"current": "2026.0415.9"'))

    done = run("assets", "check", manifest)

    assert done.code == 1
    assert (
        "FAILED   assets.current\n"
        f"  where:    {manifest}\n"
        f"  expected: {VERSION}\n"
        "  why:      2026.0415.9 names no release\n"
    ) in done.out
    found = run("assets", "check", manifest, "--json")
    assert found.code == 1
    assert found.document["ok"] is False
    assert found.document["summary"]["failed"] == 1


def test_check_finds_who_gets_nothing_and_what_does_not_belong(layout: Path, run: Run) -> None:
    run("assets", "manifest", "--binary-version", "1.1.5")
    manifest = layout / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"min_binary": "1.0.0"', '"min_binary": "1.1.0"'))
    (layout / ARCH / "notes.txt").write_text("x")

    done = run("-q", "assets", "check")

    assert done.code == 1
    assert done.out == (
        f"FAILED   binary {BINARY} {ARCH}\n"
        "  where:    assets/manifest.json\n"
        "  why:      no release serves it\n"
        "  fix:      record a release that fits, or deprecate the binary; "
        f"see bitproof assets why {BINARY} --arch {ARCH} --base assets\n"
        f"DRIFTED  {ARCH}/notes.txt\n"
        f"  where:    assets/{ARCH}/notes.txt\n"
        "  why:      does not belong in a dev layout\n"
        "  fix:      remove it, or keep it elsewhere\n"
    )
    why = run("assets", "why", BINARY, "--arch", ARCH, "--base", "assets")
    assert (why.code, f"rejected  {VERSION}: needs a binary from 1.1.0 on\n" in why.out) == (1, True)


def test_check_of_a_store_says_what_cleanup_would_remove_and_passes(store: Path, run: Run) -> None:
    (store / "x-0123456789abcdef").write_bytes(b"x")

    done = run("assets", "check", store / "manifest.json")

    assert done.code == 0
    told = "no release in force needs it (bitproof assets cleanup removes it)"
    assert f"OK       x-0123456789abcdef  {told}\n" in done.out


def test_check_of_an_unusable_manifest_tells_every_problem(layout: Path, run: Run) -> None:
    manifest = layout / "manifest.json"
    broken = manifest.read_text().replace(SUMS["vmlinuz"], "12").replace('"size": 9', '"size": -9')
    manifest.write_text(broken)

    done = run("assets", "check")

    assert (done.code, done.out) == (2, "")
    place = f'assets.releases["{VERSION}"].arches.{ARCH}'
    assert f"  - {place}.vmlinuz.hash: not 64 hex digits: '12'\n" in done.err
    assert f'  - {place}["initrd.img"].size: out of range: expected 0 to 1099511627776, found -9\n' in done.err
    assert done.err.startswith("error: the manifest is not usable\n  where:    assets/manifest.json\n")
    assert manifest.read_text() == broken


@pytest.mark.parametrize("words", [("check",), ("list",), ("hashes", "--format", "env"), ("deprecate", VERSION)])
def test_a_missing_manifest_says_what_to_run(project: Path, run: Run, words: tuple[str, ...]) -> None:
    done = run("assets", *words)
    assert (done.code, done.out, done.err) == (3, "", MISSING)
    assert tree(project) == {}


FORMATS = ("cargo", "env", "rust", "c", "python", "json")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, 3),
        ("", 2),
        ("{}", 2),
        ('{"format": 2, "assets": {"current": "1", "releases": {}}, "binaries": {"current": "1", "releases": {}}}', 2),
    ],
    ids=["missing", "empty", "another shape", "without releases"],
)
def test_hashes_without_a_usable_manifest_are_never_an_empty_success(
    project: Path, run: Run, form: str, content: str | None, code: int
) -> None:
    if content is not None:
        (project / "assets").mkdir()
        (project / "assets" / "manifest.json").write_text(content)
    done = run("assets", "hashes", "--format", form)
    assert (done.code, done.out) == (code, "")
    assert "assets/manifest.json" in done.err


@pytest.mark.parametrize("form", FORMATS)
def test_hashes_of_an_arch_that_was_not_built_are_refused(layout: Path, run: Run, form: str) -> None:
    done = run("assets", "hashes", "--arch", "riscv64", "--format", form)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: assets.current {VERSION} has no boot set for riscv64\n"
        f"  where:    {layout}/manifest.json\n"
        "  expected: vmlinuz, initrd.img and a rootfs for riscv64\n"
        "  fix:      build and record it: bitproof assets build --arch riscv64\n"
    )


def hashes(run: Run, form: str) -> str:
    done = run("assets", "hashes", "--format", form)
    assert (done.code, done.err) == (0, "")
    return done.out


VALUES = {
    "VMLINUZ_HASH": SUMS["vmlinuz"],
    "INITRD_HASH": SUMS["initrd.img"],
    "ROOTFS_HASH": SUMS["rootfs.squashfs"],
}


def pairs(pattern: str, lines: list[str]) -> dict[str, str]:
    found = [re.fullmatch(pattern, line) for line in lines]
    assert None not in found
    return {match[1]: match[2] for match in found if match}


def test_hashes_for_cargo_set_the_variables_and_watch_the_manifest(layout: Path, run: Run) -> None:
    assert hashes(run, "cargo") == (
        f"cargo:rustc-env=VMLINUZ_HASH={SUMS['vmlinuz']}\n"
        f"cargo:rustc-env=INITRD_HASH={SUMS['initrd.img']}\n"
        f"cargo:rustc-env=ROOTFS_HASH={SUMS['rootfs.squashfs']}\n"
        f"cargo:rerun-if-changed={layout}/manifest.json\n"
    )


@pytest.mark.usefixtures("layout")
def test_hashes_for_a_shell_can_be_sourced(project: Path, run: Run) -> None:
    (project / "pins.env").write_text(hashes(run, "env"))
    script = '. ./pins.env && printf "%s %s %s" "$VMLINUZ_HASH" "$INITRD_HASH" "$ROOTFS_HASH"'
    sourced = subprocess.run(["sh", "-euc", script], capture_output=True, check=True, text=True)
    assert sourced.stdout.split(" ") == list(VALUES.values())


@pytest.mark.usefixtures("layout")
def test_hashes_for_python_can_be_run(run: Run) -> None:
    names: dict[str, object] = {}
    exec(hashes(run, "python"), names)  # noqa: S102 - what a build would do with it
    assert {name: names[name] for name in VALUES} == VALUES


@pytest.mark.usefixtures("layout")
def test_hashes_for_c_are_definitions(run: Run) -> None:
    comment, *lines = hashes(run, "c").splitlines()
    assert comment == f"/* Assets {VERSION} for {ARCH}, BLAKE3. */"
    assert pairs(r'#define (\w+) "(\w+)"', lines) == VALUES


@pytest.mark.usefixtures("layout")
def test_hashes_for_rust_are_constants(run: Run) -> None:
    comment, *lines = hashes(run, "rust").splitlines()
    assert comment == f"// Assets {VERSION} for {ARCH}, BLAKE3."
    assert pairs(r'pub const (\w+): &str = "(\w+)";', lines) == VALUES


@pytest.mark.usefixtures("layout")
def test_hashes_as_json_need_no_format(run: Run) -> None:
    document = json.loads(hashes(run, "json"))
    assert document == {
        "asset_version": VERSION,
        "arch": ARCH,
        "assets": {name: {"hash": SUMS[name], "size": len(data)} for name, data in CONTENTS.items()},
    }
    assert run("assets", "hashes", "--json").document == document


@pytest.mark.usefixtures("layout")
def test_hashes_want_a_format(run: Run) -> None:
    done = run("assets", "hashes")
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: no format is named\n  expected: --format cargo|env|rust|c|python|json\n"


def test_the_binary_of_a_manifest_is_the_default(layout: Path, run: Run) -> None:
    assert run("assets", "resolve", "--assets", layout, "--json").document["binary_version"] == BINARY
