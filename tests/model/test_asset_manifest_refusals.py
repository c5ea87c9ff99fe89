import json
from collections.abc import Callable

import pytest

from bitproof.errors import InputError
from bitproof.model.asset_manifest import AssetManifest
from tests.model.samples import BINARY, FIRST, Document, boot_set, document, hex_of, release

ARCH = f'assets.releases["{FIRST}"].arches.x86_64'
NAME_RULE = "not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found"
REASON_RULE = "not a reason: expected one printable line of 1 to 200 characters, found"
READS = "  expected: this version of bitproof reads format 2"


def refusal(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        AssetManifest.parse(data)
    return str(caught.value)


def problems(found: Document) -> list[str]:
    lines = refusal(json.dumps(found).encode()).splitlines()
    assert lines[:2] == ["the manifest is not usable", "  where:    manifest.json"]
    return [line.removeprefix("  - ") for line in lines[2:]]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"{}", f"the manifest says no format\n  where:    manifest.json\n{READS}"),
        (
            b'{"latest": "1", "releases": {}}',
            (
                f"the manifest has format 1, which is no longer read\n  where:    manifest.json\n{READS}\n"
                "  fix:      make it anew: bitproof assets manifest"
            ),
        ),
        *(
            (
                b'{"format": %s, "latest": "1", "releases": {}}' % written,
                f"the manifest has an unknown format\n  where:    manifest.json\n{READS}\n  found:    {shown}",
            )
            for written, shown in [
                (b"1", "1"),
                (b"3", "3"),
                (b"true", "True"),
                (b"2.0", "2.0"),
                (b'"2"', "'2'"),
                (b"null", "None"),
            ]
        ),
        (
            b'{"format": 2, "format": 2}',
            "the file is not acceptable JSON\n  where:    manifest.json\n  - format: the key stands more than once",
        ),
    ],
)
def test_another_format_gets_a_sentence(data: bytes, sentence: str) -> None:
    assert refusal(data) == sentence


def _set(*path: str, value: object) -> Callable[[Document], None]:
    def change(found: Document) -> None:
        for key in path[:-1]:
            found = found[key]
        found[path[-1]] = value

    return change


def _drop(*path: str) -> Callable[[Document], None]:
    def change(found: Document) -> None:
        for key in path[:-1]:
            found = found[key]
        del found[path[-1]]

    return change


RELEASE = f'assets.releases["{FIRST}"]'
BINARY_AT = f'binaries.releases["{BINARY}"]'
AT = ("assets", "releases", FIRST)
BOOT = (*AT, "arches", "x86_64")
BIN = ("binaries", "releases", BINARY)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            _drop("assets"),
            [
                "assets: missing: expected a table",
                "assets.current: missing: expected a string",
                "assets.releases: missing: expected a table",
            ],
        ),
        (_drop("binaries", "current"), ["binaries.current: missing: expected a string"]),
        (_set("assets", "current", value="../x"), [f"assets.current: {NAME_RULE} '../x'"]),
        (
            _set("assets", "current", value=1),
            ["assets.current: the wrong type: expected a string, found an integer, 1"],
        ),
        (
            _set("assets", "releases", value=[]),
            ["assets.releases: the wrong type: expected a table, found an array, []"],
        ),
        (_set(*AT, value=7), [f"{RELEASE}: the wrong type: expected a table, found an integer, 7"]),
        (_set("assets", "releases", "a/b", value={}), [f"assets.releases[\"a/b\"]: {NAME_RULE} 'a/b'"]),
        (_set("assets", "releases", "", value={}), [f"assets.releases[\"\"]: {NAME_RULE} ''"]),
        (
            _set("assets", "releases", "2026.415.1", value=release()),
            ['assets.releases["2026.415.1"]: another spelling of this version stands before it'],
        ),
        (_drop(*AT, "arches"), [f"{RELEASE}.arches: missing: expected a table"]),
        (
            _set(*AT, "deprecated", value="no"),
            [f"{RELEASE}.deprecated: the wrong type: expected a boolean, found a string, 'no'"],
        ),
        (_set(*AT, "date", value=2026), [f"{RELEASE}.date: the wrong type: expected a string, found an integer, 2026"]),
        (
            _set(*AT, "revoked", value=True),
            [f"{RELEASE}.revoked: the wrong type: expected a string, found a boolean, True"],
        ),
        (_set(*AT, "revoked", value=""), [f"{RELEASE}.revoked: {REASON_RULE} ''"]),
        (_set(*AT, "revoked", value="two\nlines"), [f"{RELEASE}.revoked: {REASON_RULE} 'two\\nlines'"]),
        (_set(*AT, "revoked", value="a\x1b[2J"), [f"{RELEASE}.revoked: {REASON_RULE} 'a\\x1b[2J'"]),
        (_set(*AT, "revoked", value="x" * 201), [f"{RELEASE}.revoked: {REASON_RULE} '{'x' * 78}…"]),
        (
            _set(*AT, "revoked_date", value=1),
            [f"{RELEASE}.revoked_date: the wrong type: expected a string, found an integer, 1"],
        ),
        (
            _set(*AT, "deprecated_date", value=None),
            [f"{RELEASE}.deprecated_date: the wrong type: expected a string, found null, None"],
        ),
        (
            _set(*AT, "min_binary", value=None),
            [f"{RELEASE}.min_binary: the wrong type: expected a string, found null, None"],
        ),
        (_set(*AT, "min_binary", value="٣"), [f"{RELEASE}.min_binary: {NAME_RULE} '٣'"]),
        (_set(*BOOT, value={}), [f"{ARCH}: an arch without assets: expected at least one asset"]),
        (_set(*AT, "arches", "..", value=boot_set("b")), [f"{RELEASE}.arches[\"..\"]: {NAME_RULE} '..'"]),
        (
            _set(*BOOT, "x" * 129, value={"hash": hex_of("x"), "size": 1}),
            [f"{ARCH}.{'x' * 129}: {NAME_RULE} '{'x' * 78}…"],
        ),
        (_set(*BOOT, "a\x1b[2J", value={}), [f"{ARCH}['a\\x1b[2J']: {NAME_RULE} 'a\\x1b[2J'"]),
        (
            _set(*BOOT, "VMLINUZ", value=boot_set("b")["vmlinuz"]),
            [f"{ARCH}.VMLINUZ: the name collides with another one when case is ignored: found 'vmlinuz'"],
        ),
        (
            _set(*BOOT, "manifest.json", value=boot_set("b")["vmlinuz"]),
            [f'{ARCH}["manifest.json"]: not a name for an asset'],
        ),
        (_set(*BOOT, "vmlinuz", value="x"), [f"{ARCH}.vmlinuz: the wrong type: expected a table, found a string, 'x'"]),
        (_drop(*BOOT, "vmlinuz", "hash"), [f"{ARCH}.vmlinuz.hash: missing: expected a string"]),
        (
            _set(*BOOT, "vmlinuz", "hash", value=7),
            [f"{ARCH}.vmlinuz.hash: the wrong type: expected a string, found an integer, 7"],
        ),
        (_set(*BOOT, "vmlinuz", "hash", value="00"), [f"{ARCH}.vmlinuz.hash: not 64 hex digits: '00'"]),
        (
            _set(*BOOT, "vmlinuz", "hash", value="sha256:" + "0" * 64),
            [f"{ARCH}.vmlinuz.hash: unsupported algorithm 'sha256', this digest must be blake3"],
        ),
        (
            _set(*BOOT, "vmlinuz", "sha256", value="blake3:" + "0" * 64),
            [f"{ARCH}.vmlinuz.sha256: unsupported algorithm 'blake3', this digest must be sha256"],
        ),
        (_drop(*BOOT, "vmlinuz", "size"), [f"{ARCH}.vmlinuz.size: missing: expected an integer"]),
        (
            _set(*BOOT, "vmlinuz", "size", value=True),
            [f"{ARCH}.vmlinuz.size: the wrong type: expected an integer, found a boolean, True"],
        ),
        (
            _set(*BOOT, "vmlinuz", "size", value=1.0),
            [f"{ARCH}.vmlinuz.size: the wrong type: expected an integer, found a number, 1.0"],
        ),
        (
            _set(*BOOT, "vmlinuz", "size", value=-1),
            [f"{ARCH}.vmlinuz.size: out of range: expected 0 to 1099511627776, found -1"],
        ),
        (
            _set(*BOOT, "vmlinuz", "size", value=2**40 + 1),
            [f"{ARCH}.vmlinuz.size: out of range: expected 0 to 1099511627776, found 1099511627777"],
        ),
        (_set(*BIN, "min_assets", value="a b"), [f"{BINARY_AT}.min_assets: {NAME_RULE} 'a b'"]),
        (
            _set(*BIN, "version", value=1),
            [f"{BINARY_AT}.version: the wrong type: expected a string, found an integer, 1"],
        ),
        (_set(*BIN, "files", value={}), [f"{BINARY_AT}.files: the wrong type: expected an array, found a table, {{}}"]),
        (
            _set(*BIN, "files", value=["x", {}]),
            [
                f"{BINARY_AT}.files[0]: the wrong type: expected a table, found a string",
                *(
                    f"{BINARY_AT}.files[1].{key}: missing: expected {kind}"
                    for key, kind in [("name", "a string"), ("size", "an integer"), ("sha256", "a string")]
                ),
            ],
        ),
    ],
)
def test_a_wrong_field_is_refused_with_its_path(change: Callable[[Document], None], expected: list[str]) -> None:
    found = document()
    change(found)
    assert problems(found) == expected


def test_all_problems_are_reported_at_once() -> None:
    found = document()
    boot = found["assets"]["releases"][FIRST]["arches"]["x86_64"]
    boot["vmlinuz"]["size"] = -1
    boot["initrd.img"]["hash"] = "x"
    del found["binaries"]["current"]
    assert problems(found) == [
        f"{ARCH}.vmlinuz.size: out of range: expected 0 to 1099511627776, found -1",
        f"{ARCH}[\"initrd.img\"].hash: not 64 hex digits: 'x'",
        "binaries.current: missing: expected a string",
    ]
