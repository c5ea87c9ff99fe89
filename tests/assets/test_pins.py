import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.assets.pins import (
    PRINTERS,
    Checksum,
    current_pins,
    parse_checksums,
    parse_pins,
    print_checksums,
    print_pins,
)
from bitproof.errors import BitproofError, InputError
from bitproof.model.asset_manifest import BootPins, PinnedFile
from bitproof.model.digest import Digest
from bitproof.model.verity import Verity
from tests.evidence import refusal
from tests.model.samples import FIRST, NAMES, boot_set, hex_of, sample

KERNEL, INITRD, ROOTFS = (hex_of(name + "a") for name in NAMES)
NOT_A_SUM = "not a checksum: expected 64 hex digits, two spaces, a relative path"


def pins() -> BootPins:
    return current_pins(sample(), "x86_64", "assets/manifest.json")


def test_the_pins_are_those_of_the_current_release() -> None:
    assert pins().kernel == PinnedFile("vmlinuz", Digest("blake3", KERNEL), 8)
    assert (pins().rootfs.name, pins().source) == ("rootfs.squashfs", "assets/manifest.json")


@pytest.mark.parametrize(
    ("current", "arch", "what"),
    [
        ("2030.0101.1", "x86_64", "assets.current 2030.0101.1 names no release"),
        (FIRST, "arm64", f"assets.current {FIRST} has no boot set for arm64"),
    ],
)
def test_no_pins_are_never_an_empty_success(current: str, arch: str, what: str) -> None:
    assert refusal(InputError, lambda: current_pins(sample(current=current), arch, "m.json")) == (
        f"{what}\n"
        "  where:    m.json\n"
        f"  expected: vmlinuz, initrd.img and a rootfs for {arch}\n"
        f"  fix:      build and record it: bitproof assets build --arch {arch}"
    )


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (
            "cargo",
            (
                f"cargo:rustc-env=VMLINUZ_HASH={KERNEL}\n"
                f"cargo:rustc-env=INITRD_HASH={INITRD}\n"
                f"cargo:rustc-env=ROOTFS_HASH={ROOTFS}\n"
                "cargo:rerun-if-changed=assets/manifest.json\n"
            ),
        ),
        ("env", f"VMLINUZ_HASH={KERNEL}\nINITRD_HASH={INITRD}\nROOTFS_HASH={ROOTFS}\n"),
        (
            "rust",
            (
                "// Assets 2026.0415.1 for x86_64, BLAKE3.\n"
                f'pub const VMLINUZ_HASH: &str = "{KERNEL}";\n'
                f'pub const INITRD_HASH: &str = "{INITRD}";\n'
                f'pub const ROOTFS_HASH: &str = "{ROOTFS}";\n'
            ),
        ),
        (
            "c",
            (
                "/* Assets 2026.0415.1 for x86_64, BLAKE3. */\n"
                f'#define VMLINUZ_HASH "{KERNEL}"\n'
                f'#define INITRD_HASH "{INITRD}"\n'
                f'#define ROOTFS_HASH "{ROOTFS}"\n'
            ),
        ),
        (
            "python",
            (
                "# Assets 2026.0415.1 for x86_64, BLAKE3.\n"
                f'VMLINUZ_HASH = "{KERNEL}"\nINITRD_HASH = "{INITRD}"\nROOTFS_HASH = "{ROOTFS}"\n'
            ),
        ),
        (
            "json",
            json.dumps({"asset_version": FIRST, "arch": "x86_64", "assets": boot_set("a")}, indent=2) + "\n",
        ),
    ],
)
def test_pins_are_printed_in_every_format(form: str, text: str) -> None:
    assert print_pins(pins(), form, version=FIRST, arch="x86_64") == text


VERITY = Verity(300, Digest("sha256", KERNEL), "00ff")


def verity_pins() -> BootPins:
    found = pins()
    return found._replace(rootfs=found.rootfs._replace(size=VERITY.size, verity=VERITY))


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("cargo", "cargo:rustc-env=ROOTFS_VERITY=300:{}:00ff"),
        ("env", "ROOTFS_VERITY=300:{}:00ff"),
        ("rust", 'pub const ROOTFS_VERITY: &str = "300:{}:00ff";'),
        ("c", '#define ROOTFS_VERITY "300:{}:00ff"'),
        ("python", 'ROOTFS_VERITY = "300:{}:00ff"'),
    ],
)
def test_a_rootfs_with_a_hash_tree_has_one_more_variable(form: str, line: str) -> None:
    without = print_pins(pins(), form, version=FIRST, arch="x86_64").splitlines()
    assert {line.format(KERNEL), *without} == {
        *print_pins(verity_pins(), form, version=FIRST, arch="x86_64").splitlines()
    }


@pytest.mark.parametrize("size", [None, VERITY.size])
def test_a_hash_tree_is_printed_and_read_back(size: int | None) -> None:
    found = verity_pins()._replace(source="x")
    found = found._replace(rootfs=found.rootfs._replace(size=size))
    printed = print_pins(found, "json", version=FIRST, arch="x86_64")
    assert parse_pins(printed.encode(), "x") == found


def test_a_hash_tree_that_does_not_go_with_the_size_is_refused() -> None:
    found = verity_pins()
    wrong = found._replace(rootfs=found.rootfs._replace(size=8))
    printed = print_pins(wrong, "json", version=FIRST, arch="x86_64").encode()
    assert refusal(InputError, lambda: parse_pins(printed, "p.json")).splitlines()[2:] == [
        (
            '  - assets["rootfs.squashfs"].verity.hash_offset: does not go with the size: '
            f"expected a rootfs of {VERITY.size} bytes, found 8 bytes"
        ),
        "  fix:      make them anew: bitproof assets hashes --format json",
    ]


def test_there_are_six_formats() -> None:
    assert list(PRINTERS) == ["cargo", "env", "rust", "c", "python", "json"]


@pytest.mark.parametrize("size", [None, 0, 8])
def test_pins_that_are_printed_are_read_back(size: int | None) -> None:
    kernel, initrd, rootfs = (PinnedFile(name, Digest("blake3", hex_of(name)), size) for name in NAMES)
    printed = print_pins(BootPins(kernel, initrd, rootfs, "x"), "json", version=FIRST, arch="x86_64")
    assert parse_pins(printed.encode(), "x") == BootPins(kernel, initrd, rootfs, "x")


def test_pins_of_an_erofs_are_read() -> None:
    found = {"assets": boot_set("a", "vmlinuz", "initrd.img", "rootfs.erofs")}
    assert parse_pins(json.dumps(found).encode(), "p").rootfs.name == "rootfs.erofs"


def test_every_problem_of_pins_is_reported() -> None:
    assets = {**boot_set("a", "initrd.img", "rootfs.erofs", "rootfs.squashfs")}
    assets["initrd.img"] = {"hash": "sha256:" + "0" * 64, "size": -1}
    assert refusal(InputError, lambda: parse_pins(json.dumps({"assets": assets}).encode(), "p.json")) == (
        "the pins are not usable\n"
        "  where:    p.json\n"
        '  - assets["rootfs.erofs"]: more than one rootfs: expected one\n'
        "  - assets.vmlinuz: missing: expected a table\n"
        "  - assets.vmlinuz.hash: missing: expected a string\n"
        "  - assets[\"initrd.img\"].hash: unsupported algorithm 'sha256', this digest must be blake3\n"
        '  - assets["initrd.img"].size: out of range: expected 0 to 1099511627776, found -1\n'
        "  fix:      make them anew: bitproof assets hashes --format json"
    )


def test_empty_pins_are_never_an_empty_success() -> None:
    assert "  - assets: missing: expected a table\n" in refusal(InputError, lambda: parse_pins(b"{}", "p"))


def test_sums_are_printed_and_read_back() -> None:
    sums = (Checksum("x86_64/vmlinuz", Digest("blake3", KERNEL)), Checksum("rootfs.erofs", Digest("blake3", ROOTFS)))
    assert print_checksums(sums) == f"{KERNEL}  x86_64/vmlinuz\n{ROOTFS}  rootfs.erofs\n".encode()
    assert parse_checksums(print_checksums(sums), "B3SUMS") == sums
    assert parse_checksums(print_checksums(sums).removesuffix(b"\n"), "B3SUMS") == sums


@pytest.mark.parametrize(
    "line",
    [
        "# a comment",
        "",
        f"{KERNEL}  ./arm64/vmlinuz",
        f"{KERNEL}  /etc/passwd",
        f"{KERNEL}  a/../b",
        f"{KERNEL}  a//b",
        f"{KERNEL}  a/",
        f"{KERNEL} vmlinuz",
        f"{KERNEL}   vmlinuz",
        f"{KERNEL}\tvmlinuz",
        f"{KERNEL} *vmlinuz",
        f"{KERNEL}  vmlinuz\r",
        f"{KERNEL}  vmlinuz ",
        f"{KERNEL}  vmlinuz\x0b{KERNEL}  initrd.img",
        f"{KERNEL.upper()}  vmlinuz",
        f"{KERNEL[:-1]}  vmlinuz",
        f"blake3:{KERNEL}  vmlinuz",
        "vmlinuz",
    ],
)
def test_a_line_that_is_no_sum_is_an_error_with_its_number(line: str) -> None:
    data = f"{ROOTFS}  a\n{line}\n{ROOTFS}  b\n".encode()
    assert refusal(InputError, lambda: parse_checksums(data, "B3SUMS")) == (
        f"the checksums are not usable\n  where:    B3SUMS\n  - line 2: {NOT_A_SUM}"
    )


def test_every_bad_line_is_reported_and_a_path_stands_once() -> None:
    data = f"x\n{ROOTFS}  a\n{KERNEL}  a\n".encode()
    assert refusal(InputError, lambda: parse_checksums(data, "B3SUMS")) == (
        f"the checksums are not usable\n  where:    B3SUMS\n  - line 1: {NOT_A_SUM}\n"
        "  - line 3: the path stands twice: found a"
    )


@given(st.binary() | st.from_regex(r"([0-9a-f]{64}  [a-z/.]{1,5}\n?)*", fullmatch=True).map(str.encode))
def test_any_bytes_are_sums_and_pins_or_refused(data: bytes) -> None:
    try:
        sums = parse_checksums(data, "B3SUMS")
    except BitproofError:
        pass
    else:
        assert parse_checksums(print_checksums(sums), "B3SUMS") == sums
    with pytest.raises(BitproofError):
        parse_pins(data, "p")


VALUES = st.none() | st.integers() | st.text(max_size=5) | st.just(KERNEL)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES | st.dictionaries(st.sampled_from(["hash", "size"]), VALUES)))
def test_any_json_is_pins_or_refused(assets: dict[str, object]) -> None:
    try:
        found = parse_pins(json.dumps({"assets": assets}).encode(), "p")
    except BitproofError as error:
        assert "p" in str(error)  # noqa: PT017 - any refusal is fine, any other exception is not
    else:
        assert found.kernel.digest.value == KERNEL
