"""The rows of channels: a download of 500 MB, a whole update, one that finds nothing new; the memory of large releases.

nginx serves on the loopback. What a command asks for stands in files beside it, as its port is another each time.
"""

import atexit
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks.assets import ARCH, BINARY, HALF, make_layout
from benchmarks.contest import Contest, bitproof, run
from benchmarks.memory import Footprint
from bitproof.channel.backends.open import open_reader
from bitproof.channel.layout import blob_path
from bitproof.channel.ports import Blob, Range
from bitproof.model.digest import Digest
from bitproof.system.hashing import blake3_digest, both_digests
from bitproof.system.opened import OpenFile, ignore, open_file
from tests.servers import nginx

LARGE = 3_000_000_000
CHANGED = 1 << 20
"""Bytes amid the large rootfs that the next release has anew."""
ROOTFS = f"assets/{ARCH}/rootfs.squashfs"
PLACE, WANTED = "place.url", "wanted.blob"
CURL = "curl --silent --show-error --fail"
SCRIPTS = {
    "with-curl": f"{CURL} --output copy --url {{blob}}\nb3sum copy\n",
    "with-curl-and-sync": f"{CURL} --output copy --url {{blob}}\nsync copy .\nb3sum copy\n",
    "with-aria2": "aria2c --quiet --max-connection-per-server=8 --split=8 --min-split-size=1M --allow-overwrite=true"
    " --out=copy {blob}\nb3sum copy\n",
    "look": 'silent\nfail\noutput = "/dev/null"\nurl = "{place}/stable/metadata/timestamp.json"\n',
}
"""What the rivals run, or are told."""
WITH_CURL = "`curl`, then `b3sum`"


def fetch_and_hash(directory: Path) -> None:
    """What an update does with a file that is new as a whole, but for the sync."""
    place = open_reader((directory / PLACE).read_text())
    blake3, sha256, size = (directory / WANTED).read_text().split()
    blob = Blob(Digest.parse(blake3, "blake3"), Digest.parse(sha256, "sha256"), int(size))
    copy = directory / "copy"
    with OpenFile(os.open(copy, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644), copy) as target:
        place.fetch(blob, target, [Range(0, blob.size)], ignore)
        found = blake3_digest(OpenFile(target.fd, copy))
    if found != blob.blake3:
        raise RuntimeError("what was fetched is something else")


CONTESTS = (
    Contest(
        what="500 MB over HTTP, fetched and hashed, in a running process",
        ours="",
        call=fetch_and_hash,
        rival="sh with-curl",
        rival_text=WITH_CURL,
        directory="served",
        goal="≤ 0.75",
    ),
    Contest(
        what="the same",
        ours="",
        call=fetch_and_hash,
        rival="sh with-aria2",
        rival_text="`aria2c -x8`, then `b3sum`",
        directory="served",
        needs="aria2c",
    ),
    Contest(
        what="`update`, 500 MB, an empty store",
        ours="bitproof update --base machine",
        rival="sh with-curl-and-sync",
        rival_text="`curl`, `sync`, `b3sum`",
        directory="served",
        prepare="rm -rf machine copy && sync .",
        runs=12,
        in_shell=True,
    ),
    Contest(
        what="`update`, nothing new",
        ours="bitproof update --base current",
        rival="curl --config look",
        rival_text="`curl` of the one file that it asks for",
        directory="served",
        goal="≤ 3",
        runs=60,
    ),
)
FOOTPRINTS = (
    Footprint(what="`channel publish`, 3 GB", directory="travelling", words="channel publish --assets first/assets"),
    Footprint(what="`update`, 3 GB", directory="travelling", words="update --base machine"),
    Footprint(
        what="`channel publish`, 3 GB, 1 MiB of them new",
        directory="travelling",
        words="channel publish --assets second/assets",
    ),
    Footprint(what="`update`, 3 GB, 1 MiB of them new", directory="travelling", words="update --base machine"),
    Footprint(what="`channel export`, 3 GB", directory="travelling", words="channel export release.bitproof"),
)


def contests(_: Mapping[str, str]) -> tuple[Contest, ...]:
    """All of them."""
    return CONTESTS


def notes(_: Path, __: Mapping[str, str]) -> tuple[str, ...]:
    """What the page says of them."""
    return (
        "- Downloads come from nginx on the loopback. A whole update also checks signatures and syncs files and",
        "  directory. One that finds nothing new is Python's start and one request.",
    )


def make(scratch: Path, environment: Mapping[str, str]) -> None:
    """A channel that nginx serves until this process ends, a machine that is current; a channel for large releases."""
    served = scratch / "served"
    make_layout(served, HALF)
    _publish(served, environment)
    server = ExitStack()
    atexit.register(server.close)
    url = server.enter_context(nginx(served / "place", scratch / "nginx")).url
    (served / PLACE).write_text(url)
    with open_file(served / ROOTFS) as file:
        digests = both_digests(file)
    blob = Blob(digests.blake3, digests.sha256, digests.size)
    (served / WANTED).write_text(f"{blob.blake3} {blob.sha256} {blob.size}")
    for name, text in SCRIPTS.items():
        (served / name).write_text(text.format(place=url, blob=f"{url}/{blob_path(blob)}"))
    _settle(served, f'from = ["{url}"]')
    bitproof(served, environment, "update", "--base", "current")
    _make_large(scratch / "travelling", environment)


def _make_large(directory: Path, environment: Mapping[str, str]) -> None:
    """Two releases, the second with `CHANGED` bytes anew amid its rootfs."""
    first, second = directory / "first", directory / "second"
    make_layout(first, LARGE)
    bitproof(first, environment, "assets", "manifest", "--binary-version", BINARY)
    run(directory, environment, "cp", "--recursive", "first", "second")
    with (second / ROOTFS).open("r+b") as file:
        file.seek(LARGE // 2)
        file.write(os.urandom(CHANGED))
    bitproof(second, environment, "assets", "manifest", "--binary-version", BINARY)
    _begin(directory, environment)
    _settle(directory, 'from = ["place"]')


def _publish(directory: Path, environment: Mapping[str, str]) -> None:
    _begin(directory, environment)
    bitproof(directory, environment, "assets", "manifest", "--binary-version", BINARY)
    bitproof(directory, environment, "channel", "publish", "--place", "place", "--keys", "keys")


def _begin(directory: Path, environment: Mapping[str, str]) -> None:
    bitproof(directory, environment, "channel", "init", "--place", "place", "--keys", "keys", "--make-keys", "-W")


def _settle(directory: Path, source: str) -> None:
    """The settings of who publishes and of who updates."""
    text = f'[channel]\nplace = "place"\nkeys = "keys"\nroot = "root.json"\n{source}\n'
    (directory / "bitproof.toml").write_text(text)
