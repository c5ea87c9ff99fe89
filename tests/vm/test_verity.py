"""The built image booted with its rootfs behind dm-verity, whole and with flipped blocks."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.errors import IntegrityError
from bitproof.images.rootfs.verity import append_tree
from bitproof.model.asset_manifest import BootPins
from bitproof.model.hash_tree import find_verity
from bitproof.model.report import Verdict
from bitproof.model.verity import BLOCK, FAN_OUT, Verity, levels
from bitproof.vm.launch import launch, run_doctor
from bitproof.vm.streams import Capture
from bitproof.vm.verified import VmConfig, open_verified

from .conftest import SOFTWARE, config_of
from .test_boot import PATIENCE

pytestmark = [pytest.mark.image, pytest.mark.xdist_group("verity")]

SIZE = 4 << 20
PAYLOAD = {name: os.urandom(SIZE) for name in ("whole", "data", "tree")}
"""Files that do not compress, so that their blocks lie in the image as they are; named by what is flipped in them."""
READ = """
for name in whole data tree; do
    cat /payload/$name >/tmp/$name
    echo "$name $? $(stat -c %s /tmp/$name)" >&2
    cat /tmp/$name
done
exit 5
"""


@pytest.fixture(scope="module")
def mapped(image: VmConfig, tmp_path_factory: pytest.TempPathFactory) -> VmConfig:
    """The built image with the payload appended to its rootfs; pinned, with the root hash of its new tree."""
    directory = tmp_path_factory.mktemp("mapped")
    for path in (image.kernel, image.initrd, image.rootfs):
        shutil.copy(path, directory)
    (directory / "payload").mkdir()
    for name, data in PAYLOAD.items():
        (directory / "payload" / name).write_bytes(data)
    rootfs = directory / "rootfs.squashfs"
    append = ["mksquashfs", str(directory / "payload"), str(rootfs), "-keep-as-directory", "-no-progress", "-quiet"]
    subprocess.run(append, check=True, capture_output=True)
    append_tree(rootfs)
    config = config_of(directory)
    return replace(config, pins=with_root_hash(config, verity_of(rootfs)))


def verity_of(rootfs: Path) -> Verity:
    verity = find_verity(memoryview(rootfs.read_bytes()))
    assert verity is not None
    return verity


def with_root_hash(config: VmConfig, verity: Verity) -> BootPins:
    assert config.pins is not None
    return config.pins._replace(rootfs=config.pins.rootfs._replace(verity=verity))


@contextmanager
def flipped(rootfs: Path, *places: int) -> Iterator[None]:
    """One bit flipped at each place, in bytes, size and times put back; afterwards as it was."""

    def flip() -> None:
        before = rootfs.stat()
        with rootfs.open("r+b") as file:
            for place in places:
                byte = os.pread(file.fileno(), 1, place)[0]
                os.pwrite(file.fileno(), bytes([byte ^ 1]), place)
        os.utime(rootfs, ns=(before.st_atime_ns, before.st_mtime_ns))

    flip()
    try:
        yield
    finally:
        flip()


def boot_mapped(config: VmConfig, script: str) -> tuple[int, bytes, list[str]]:
    """The exit code, stdout and the lines of stderr of a script in a guest that checks its rootfs itself."""
    out, err = Capture(1 << 26), Capture(1 << 20)
    with open_verified(config, verity=True) as boot:
        code = launch(
            boot,
            command=["sh", "-c", script],
            timeout=PATIENCE,
            accelerator=SOFTWARE,
            stdin=None,
            stdout=out,
            stderr=err,
        )
    return code, out.data, err.data.decode().splitlines()


def test_the_doctor_passes_and_sees_the_pinned_root_hash(mapped: VmConfig) -> None:
    with open_verified(mapped, verity=True) as boot:
        report = run_doctor(boot, timeout=PATIENCE, accelerator=SOFTWARE)
    assert [finding for finding in report.findings if finding.verdict is not Verdict.OK] == []
    found = {finding.name: finding.found for finding in report.findings}
    root_hash = verity_of(mapped.rootfs).root_hash.value
    assert found["root disk"] == f"read-only dm-verity of vda, root hash {root_hash}"
    assert [stage.split()[0] for stage in found["boot stages"].split(", ")] == [
        *("kernel", "modules", "disk", "verity", "root", "ready")
    ]


def test_flipped_blocks_of_data_and_tree_are_io_errors_in_the_guest_and_never_wrong_bytes(mapped: VmConfig) -> None:
    image = mapped.rootfs.read_bytes()
    middles = {name: image.index(data[SIZE // 2 : SIZE // 2 + 4096]) for name, data in PAYLOAD.items()}
    (lowest, _), *_ = levels(verity_of(mapped.rootfs).data_blocks)
    branch = middles["tree"] // BLOCK // FAN_OUT
    with flipped(mapped.rootfs, middles["data"], (lowest + branch) * BLOCK):
        with pytest.raises(IntegrityError, match="bit rot"), open_verified(mapped):
            pass
        code, out, err = boot_mapped(mapped, READ)
    told = {line.split()[0]: [int(word) for word in line.split()[1:]] for line in err if line.split()[0] in PAYLOAD}
    assert (code, told["whole"]) == (5, [0, SIZE])
    assert out[:SIZE] == PAYLOAD["whole"]
    out = out[SIZE:]
    for name in ("data", "tree"):
        failed, length = told[name]
        assert failed == 1
        assert length < SIZE
        assert out[:length] == PAYLOAD[name][:length]
        assert f"cat: /payload/{name}: Input/output error" in err
        out = out[length:]
    assert out == b""
    said = "bitproof agent: the root disk is not as pinned: "
    assert f"{said}data block {middles['data'] // BLOCK} is corrupted" in err
    assert f"{said}metadata block {lowest + branch} is corrupted" in err


@pytest.mark.parametrize("what", ["file system", "root hash"])
def test_a_false_superblock_or_root_hash_does_not_come_up_and_the_console_says_why(mapped: VmConfig, what: str) -> None:
    verity = verity_of(mapped.rootfs)
    if what == "root hash":
        image = bytearray(mapped.rootfs.read_bytes())
        image[(verity.data_blocks + 1) * BLOCK] ^= 1
        false = find_verity(memoryview(image))
        assert false is not None
        config, places = replace(mapped, pins=with_root_hash(mapped, false)), []
    else:
        config, places = mapped, [BLOCK // 2]
    with flipped(mapped.rootfs, *places), pytest.raises(IntegrityError) as caught:
        boot_mapped(config, "true")
    assert caught.value.what == "the guest ended without telling an exit code"
    corrupted = f"metadata block {verity.data_blocks + 1}" if what == "root hash" else "data block 0"
    assert any(line.endswith(f"{corrupted} is corrupted") for line in caught.value.details)
    assert (
        "bitproof init: the root disk /dev/dm-0 holds neither a squashfs nor an erofs that this kernel can mount"
        in caught.value.details
    )
