import json
from typing import Any

import pytest

from bitproof.errors import InputError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.digest import Digest
from bitproof.model.verity import BLOCK, Verity
from tests.evidence import refusal
from tests.model.samples import FIRST, Document, document, hex_of

ROOT = hex_of("root")
VERITY = Verity(300, Digest("sha256", ROOT), "00ff")
PLACE = f'assets.releases["{FIRST}"].arches.x86_64["rootfs.squashfs"]'


def entry_of(verity: object) -> Document:
    return {"hash": hex_of("rootfs"), "size": VERITY.size, "verity": verity}


def manifest_of(verity: object, name: str = "rootfs.squashfs") -> Document:
    found = document()
    found["assets"]["releases"][FIRST]["arches"]["x86_64"][name] = entry_of(verity)
    return found


def problems(verity: object) -> list[str]:
    data = json.dumps(manifest_of(verity)).encode()
    lines = refusal(InputError, lambda: AssetManifest.parse(data)).splitlines()
    return [line.removeprefix(f"  - {PLACE}.verity") for line in lines[2:]]


def changed(**fields: Any) -> Document:  # noqa: ANN401 - any JSON
    return VERITY.document() | fields


def test_a_tree_is_written_and_read_back_and_what_is_unknown_survives() -> None:
    written = changed(later="a field of tomorrow")
    manifest = AssetManifest.parse(json.dumps(manifest_of(written)).encode())
    pins = manifest.releases[manifest.current].pins("x86_64", "m")
    assert pins is not None
    assert pins.rootfs.verity == VERITY
    assert pins.kernel.verity is None
    assert json.loads(manifest.to_bytes()) == manifest_of(written)


def test_the_root_hash_is_a_digest_so_upper_case_is_the_same() -> None:
    manifest = AssetManifest.parse(json.dumps(manifest_of(changed(root_hash="sha256:" + ROOT.upper()))).encode())
    assert json.loads(manifest.to_bytes()) == manifest_of(VERITY.document())


def test_the_document_says_all_that_another_program_needs() -> None:
    assert VERITY.document() == {
        "algorithm": "sha256",
        "block_size": 4096,
        "hash_offset": 300 * BLOCK,
        "root_hash": ROOT,
        "salt": "00ff",
    }


def test_the_guests_parameter_has_a_dash_for_no_salt() -> None:
    assert VERITY.parameter == f"300:{ROOT}:00ff"
    assert VERITY._replace(salt="").parameter == f"300:{ROOT}:-"


def test_only_a_rootfs_has_a_tree_elsewhere_it_is_an_unknown_field() -> None:
    found = manifest_of({"algorithm": 5}, "initrd.img")
    assert json.loads(AssetManifest.parse(json.dumps(found).encode()).to_bytes()) == found


@pytest.mark.parametrize(
    ("verity", "expected"),
    [
        (
            {},
            [
                ".algorithm: missing: expected a string",
                ".block_size: missing: expected an integer",
                ".hash_offset: missing: expected an integer",
                ".root_hash: missing: expected a string",
                ".salt: missing: expected a string",
            ],
        ),
        (changed(algorithm="sha512"), [".algorithm: not a known value: expected sha256, found 'sha512'"]),
        (changed(block_size=1024), [".block_size: out of range: expected 4096 to 4096, found 1024"]),
        (changed(hash_offset=0), [".hash_offset: out of range: expected 4096 to 1099511627776, found 0"]),
        (
            changed(hash_offset=300 * BLOCK + 1),
            [f".hash_offset: not a whole number of blocks: expected n × 4096, found {300 * BLOCK + 1}"],
        ),
        (
            changed(hash_offset=301 * BLOCK),
            [
                (
                    ".hash_offset: does not go with the size: "
                    f"expected a rootfs of {VERITY.size + BLOCK} bytes, found {VERITY.size} bytes"
                ),
            ],
        ),
        (changed(root_hash="ab"), [".root_hash: not 64 hex digits: 'ab'"]),
        (
            changed(root_hash="blake3:" + ROOT),
            [".root_hash: unsupported algorithm 'blake3', this digest must be sha256"],
        ),
        (changed(salt="0FF"), [".salt: not a salt: expected at most 256 bytes in lower-case hex, found '0FF'"]),
        (
            changed(salt="00" * 257),
            [f".salt: not a salt: expected at most 256 bytes in lower-case hex, found '{'0' * 78}…"],
        ),
    ],
)
def test_every_problem_of_a_tree_is_named_by_its_path(verity: object, expected: list[str]) -> None:
    assert problems(verity) == expected


def test_a_tree_that_is_no_object_is_refused() -> None:
    assert problems(None)[0] == ": the wrong type: expected a table, found null, None"
