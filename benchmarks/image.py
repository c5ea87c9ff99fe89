"""The rows that need a real image: ``assets repack``, and what ``vm boot`` adds to a bare QEMU.

What `vm boot` does before QEMU's first instruction (resolve, verify, hand over) and after its last is measured with a
stand-in for QEMU that ends at once, and compared with a whole boot of the same files by a QEMU on its own: the
difference of two boots of seconds would drown a tenth of a second in noise.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path

from benchmarks.assets import ARCH, BINARY, CHUNK, STANDIN, make_standin
from benchmarks.contest import Contest, bitproof, run
from benchmarks.memory import Footprint
from bitproof.vm.accelerator import KVM, choose
from bitproof.vm.qemu import MACHINES

ROOT = Path(__file__).resolve().parent.parent
GUEST = ROOT / "examples" / "microvm" / "guest"
INITRDS = {"seed-initrd": 3_000_000, "large-initrd": 60_000_000}
"""Bytes of this machine's libraries beside the example's packages, before compression: some 2.3 and 25 MB after."""
LARGE_ROOTFS = 2_000_000_000
NO_GUEST = "the guest ended without telling an exit code"
"""What bitproof says of the stand-in, and of nothing that it refuses before."""

UNPACK_CHANGE_PACK = (
    "gzip -dc old.gz | (cd tree && cpio -idm --quiet -f 'dev/*') && cp guest/artifacts/init tree/init"
    " && (cd tree && find . | LC_ALL=C sort | cpio -o -H newc --quiet | gzip -n >../new.gz)"
)
CHANGED = "rm -rf tree && mkdir tree && date +'# %N' >>guest/artifacts/init"
REPACKS = tuple(
    Contest(
        what=f"`assets repack`, `init` changed, initrd of {what}",
        ours="bitproof assets repack",
        rival=UNPACK_CHANGE_PACK,
        rival_text="`gzip -d`, `cpio -i`, `cp`, `cpio -o`, `gzip`",
        directory=directory,
        goal="≤ 0.3, < 1 s",
        prepare=CHANGED,
        runs=runs,
        rounds=rounds,
        warmup=1 if runs > rounds * 3 else 0,
        in_shell=True,
    )
    for what, directory, runs, rounds in (
        ("the example", "image", 16, 4),
        ("the seed's size", "seed-initrd", 16, 4),
        ("a large image", "large-initrd", 6, 2),
    )
)
FOOTPRINTS = (
    Footprint(what="`assets repack`, initrd of a large image", directory="large-initrd", words="assets repack"),
)
NOTES = (
    "- `assets repack` keeps the packages' part of the initrd as it is and packs the guest's files; what it writes is",
    "  synced. Its rival, the way without bitproof, unpacks the initrd, copies the changed file, packs and compresses",
    "  it again. The three initrds have {sizes} with zstd: the example's, and with libraries beside it.",
    "- What `vm boot` adds is measured with a stand-in for QEMU that ends at once, and compared with a whole boot of",
    "  the same files, to power off, by QEMU alone ({accelerator}). A whole `vm boot` also talks with the guest, which",
    "  costs it a few more devices.",
)
"""What the page says of the rows; `notes` fills it in."""


def contests(environment: Mapping[str, str]) -> tuple[Contest, ...]:
    """The repacks, and the boots where there is a QEMU; those with ``--verity`` where bitproof has it."""
    if shutil.which(MACHINES[ARCH].program) is None:
        return REPACKS
    return (*REPACKS, *_boots(verity=has_verity(environment)))


def has_verity(environment: Mapping[str, str]) -> bool:
    """Whether this bitproof boots through dm-verity."""
    told = subprocess.run(["bitproof", "vm", "boot", "--help"], env=environment, check=True, capture_output=True)
    return b"--verity" in told.stdout


def _boots(*, verity: bool) -> Iterator[Contest]:
    """What every way to boot adds to a bare boot, then each way whole; all of them by turns with one bare boot."""
    contest = partial(
        Contest,
        rival=bare_boot(),
        rival_text="a boot by QEMU alone",
        directory="boot",
        runs=6,
        rounds=2,
        warmup=0,
        in_shell=True,
    )
    for option, goal in (("", ""), (" --verity", "≤ 0.03")) if verity else (("", ""),):
        for place, what in (("assets", "the example's rootfs"), ("../large-rootfs/assets", "2 GB of rootfs")):
            boot = f"bitproof -q vm boot{option} --assets {place} -- true"
            yield contest(
                what=f"`vm boot{option}` adds, {what}",
                ours=f"PATH=$PWD/../{STANDIN}:$PATH {boot} 2>&1 | grep -q '{NO_GUEST}'",
                goal=goal or ("≤ 0.03" if place == "assets" else ""),
            )
        yield contest(
            what=f"`vm boot{option} -- true`, whole", ours=f"bitproof -q vm boot{option} --assets assets -- true"
        )


def bare_boot() -> str:
    """QEMU as bitproof starts it, but on paths; somebody types ``exit`` until the guest's shell hears it."""
    kvm = accelerator() == KVM
    machine, files = MACHINES[ARCH], f"assets/{ARCH}"
    words = [machine.program, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
    words += ["-machine", machine.machine, "-accel", "kvm" if kvm else "tcg,thread=multi"]
    words += ["-cpu", "host" if kvm else "max", "-smp", "2", "-m", "512"]
    words += ["-kernel", f"{files}/vmlinuz", "-initrd", f"{files}/initrd.img"]
    words += ["-append", f"'console={machine.console} panic=-1 quiet'"]
    words += ["-drive", f"file={files}/rootfs.squashfs,format=raw,if=none,id=rootfs,readonly=on"]
    words += ["-device", "virtio-blk-pci,drive=rootfs", "-device", "virtio-rng-pci", "-serial", "stdio"]
    return f"yes exit | {' '.join(words)}"


def accelerator() -> str:
    """The one that `vm boot` would choose."""
    return choose(ARCH, shutil.which(MACHINES[ARCH].program) or "").name


def make(scratch: Path, environment: Mapping[str, str]) -> None:
    """The example's image, really built (half a minute); others like it with larger initrds, or a large rootfs."""
    image = scratch / "image"
    shutil.copytree(GUEST, image / "guest")
    bitproof(image, environment, "assets", "build", "--binary-version", BINARY)
    for name, size in INITRDS.items():
        make_initrd(scratch / name, image, size, environment)
    shutil.copytree(image / "assets", scratch / "boot" / "assets")  # a repack changes the initrd it was recorded with
    make_large_rootfs(scratch / "large-rootfs", image, environment)
    for directory in (image, *(scratch / name for name in INITRDS)):
        packed = "find . | LC_ALL=C sort | cpio -o -H newc --quiet | gzip -n >../old.gz"
        unpacked = f"zstdcat ../assets/{ARCH}/.initrd-base-* | cpio -idm --quiet"
        guest = "cp ../guest/artifacts/init . && mkdir guest && cp -r ../guest/artifacts/bin guest"
        run(directory, environment, "sh", "-c", f"mkdir tree && cd tree && {unpacked} && {guest} && {packed}")
    make_standin(scratch)


def make_initrd(directory: Path, image: Path, wanted: int, environment: Mapping[str, str]) -> None:
    """The image with libraries of this machine beside the packages of its initrd."""
    shutil.copytree(image, directory)
    arch = directory / "assets" / ARCH
    tree = directory / "tree"
    (tree / "lib").mkdir(parents=True)
    size = 0
    for path in sorted(Path("/usr/lib").rglob("*.so*")):
        if path.is_file() and not path.is_symlink() and size + path.stat().st_size <= wanted:
            shutil.copyfile(path, tree / "lib" / f"{size}-{path.name}")
            size += path.stat().st_size
    (base,) = arch.glob(".initrd-base-*")
    run(tree, environment, "sh", "-c", f"zstdcat {base} | cpio -idm --quiet")
    base.unlink()
    run(tree, environment, "sh", "-c", "find . | LC_ALL=C sort | cpio -o -H newc --quiet | zstd -q -3 -o ../base")
    command = ["b3sum", "--no-names", "base"]
    digest = subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout.strip()
    (directory / "base").rename(arch / f".initrd-base-{digest}")
    shutil.rmtree(tree)
    bitproof(directory, environment, "assets", "repack")


def make_large_rootfs(directory: Path, image: Path, environment: Mapping[str, str]) -> None:
    """The image with a rootfs of 2 GB: what follows the file system is never read by the guest, and is hashed."""
    shutil.copytree(image / "assets", directory / "assets")
    with (directory / "assets" / ARCH / "rootfs.squashfs").open("ab") as file:
        while file.tell() < LARGE_ROOTFS:
            file.write(os.urandom(min(CHUNK, LARGE_ROOTFS - file.tell())))
    if has_verity(environment):
        import_module("bitproof.images.rootfs.verity").append_tree(Path(file.name))
    bitproof(directory, environment, "assets", "manifest")


def notes(scratch: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """`NOTES` with the sizes of this run, in lines that are not broken anew."""
    images = (scratch / name / "assets" / ARCH / "initrd.img" for name in ("image", *INITRDS))
    sizes = ", ".join(f"{path.stat().st_size / 1e6:.1f} MB" for path in images)
    yield from (line.format(sizes=sizes, accelerator=accelerator()) for line in NOTES)
    if not has_verity(environment):
        yield "- `vm boot --verity` is left out: this bitproof has no such option yet."
