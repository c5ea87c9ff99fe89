"""The rows of ``bitproof assets``: 512 MiB that no file system can compress, and the example's image."""

import os
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contest import Contest, bitproof

ROOT = Path(__file__).resolve().parent.parent
GUEST = ROOT / "examples" / "microvm" / "guest"
BINARY = "1.0.1776269479"
LARGE = 512 << 20
CHUNK = 16 << 20

CONTESTS = (
    Contest(
        what="`assets resolve`",
        ours="bitproof assets resolve --base store",
        rival="python3 -c 'import json'",
        rival_text='`python3 -c "import json"`',
        directory="large",
        goal="≤ 3",
        runs=60,
    ),
    Contest(
        what="`assets verify`, 512 MiB",
        ours="bitproof assets verify --assets assets",
        rival="b3sum --check assets.sums",
        rival_text="`b3sum --check`",
        directory="large",
    ),
    Contest(
        what="`assets install`, 512 MiB, empty store",
        ours="bitproof assets install --base copy",
        rival="cp assets/*/* copy/ && sync copy/* copy && b3sum copy/*",
        rival_text="`cp; sync; b3sum` of the same files",
        directory="large",
        prepare="rm -rf copy && mkdir copy && sync copy",
        runs=12,
        in_shell=True,
    ),
    Contest(
        what="`assets manifest`, 512 MiB, unchanged",
        ours="bitproof assets manifest",
        rival="b3sum assets/*/*",
        rival_text="`b3sum` of the same files",
        directory="large",
        in_shell=True,
    ),
    Contest(
        what="`assets repack`, `init` changed",
        ours="bitproof assets repack",
        rival="zstdcat assets/*/initrd.img | (cd tree && cpio -idm --quiet -f 'dev/*')"
        " && cp -r guest/artifacts/init guest/artifacts/bin tree/"
        " && (cd tree && find . | LC_ALL=C sort | cpio -o -H newc --quiet | zstd -q -3 -o ../new.img)",
        rival_text="`zstdcat`, `cpio -i`, `cp`, `cpio -o`, `zstd -3`",
        directory="image",
        prepare="rm -rf tree new.img && mkdir tree && date +'# %N' >>guest/artifacts/init",
        in_shell=True,
    ),
)


def make_large(directory: Path, environment: Mapping[str, str]) -> None:
    """A dev layout of three files, 512 MiB in all, that no file system can compress; recorded and installed."""
    arch = directory / "assets" / platform.machine()
    arch.mkdir(parents=True)
    for name, size in (("vmlinuz", CHUNK), ("initrd.img", CHUNK), ("rootfs.squashfs", LARGE - 2 * CHUNK)):
        with (arch / name).open("wb") as file:
            for _ in range(size // CHUNK):
                file.write(os.urandom(CHUNK))
    bitproof(directory, environment, "assets", "manifest", "--binary-version", BINARY)
    bitproof(directory, environment, "assets", "install", "--base", "store")
    sums = (directory / "assets" / "B3SUMS").read_text().splitlines()
    (directory / "assets.sums").write_text("".join(line.replace("  ", "  assets/", 1) + "\n" for line in sums))


def make_image(directory: Path, environment: Mapping[str, str]) -> None:
    """The example's image, really built: half a minute."""
    shutil.copytree(GUEST, directory / "guest")
    bitproof(directory, environment, "assets", "build", "--binary-version", BINARY)


NOTES = (
    "- `assets install` copies, proves what landed, syncs files and directory; its rival does the same by hand.",
    "- `assets manifest` believes the digests of files whose inode, size and times are those of the last time;",
    "  `verify`, `install` and `vm boot` always read.",
    "- `assets repack` of the example's initrd keeps the packages' part as it is and packs the guest's files; its",
    "  rival unpacks the initrd, copies the files and packs it again.",
)
"""What the page says of the rows."""
