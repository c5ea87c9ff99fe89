#!/usr/bin/env python3
"""bitproof's client under the command line of the TUF client conformance suite; README.md says how to run that.

    client.py --metadata-dir DIR init TRUSTED_ROOT
    client.py --metadata-dir DIR --metadata-url URL refresh
    client.py --metadata-dir DIR --metadata-url URL --target-name NAME --target-base-url URL --target-dir DIR download

What is believed, what is kept and how it is fetched is bitproof's: `channel.trusted`, `channel.state`,
`system.net.http`. Here is only how the suite's repositories lie, and that whatever is refused has exit code 1.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from bitproof.channel.ports import Blob, Range
from bitproof.channel.state import Kept
from bitproof.channel.targets import Target, read_target
from bitproof.channel.trusted import LIMITS, ROOT, Trust
from bitproof.errors import BitproofError, InputError, IntegrityError, UnavailableError
from bitproof.model.digest import Digest
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_sha256
from bitproof.system.net.http import Client
from bitproof.system.opened import OpenFile, Progress, exists, read_file

CHANNEL = "repository"


class TufRepository:
    """A `Reader` of a repository whose metadata lies below one URL and whose targets lie below another."""

    def __init__(self, client: Client, metadata: str, targets: str) -> None:
        self.client = client
        self.metadata = metadata.rstrip("/")
        self.targets = targets.rstrip("/")

    @property
    def where(self) -> str:
        """Where its metadata is."""
        return self.metadata

    def read(self, path: str, limit: int) -> bytes | None:
        """As `Reader.read`. The digest stands before a target's last part (specification, section 6.2)."""
        _, kind, name = path.split("/", 2)
        if kind == "metadata":
            return self.client.get(f"{self.metadata}/{name}", limit)
        digest, _, target = name.partition(".")
        directory, slash, last = target.rpartition("/")
        return self.client.get(f"{self.targets}/{quote(f'{directory}{slash}{digest}.{last}')}", limit)

    def fetch(self, blob: Blob, target: OpenFile, ranges: Sequence[Range], progress: Progress) -> None:
        """Blobs are no part of TUF."""
        raise UnavailableError("a TUF repository has no blobs", where=target.path, found=f"{blob} {ranges} {progress}")


def init(options: Namespace, _reader: TufRepository) -> None:
    """Keep the root that is trusted from now on."""
    root = read_file(options.trusted_root, LIMITS[ROOT], "the root")
    with Directory(options.metadata_dir, create=True, what="the metadata directory") as directory:
        Kept(directory, None, {}).keep(ROOT, root)


def refresh(options: Namespace, reader: TufRepository) -> Trust:
    """Bring what is believed up to date."""
    now = datetime.now(UTC)
    local = kept_metadata(options.metadata_dir)
    with Directory(options.metadata_dir, what="the metadata directory") as directory:
        trust = Trust(reader, CHANNEL, local, now, Kept(directory, None, local).keep)
        trust.update()
    return trust


def kept_metadata(directory: Path) -> Mapping[str, bytes]:
    """The metadata that was believed before, by role."""
    if not exists(directory / f"{ROOT}.json"):
        raise InputError("there is no root to trust", where=directory, fix="begin with: init TRUSTED_ROOT")
    paths = {role: directory / f"{role}.json" for role in LIMITS}
    return {role: read_file(path, LIMITS[role], "metadata") for role, path in paths.items() if exists(path)}


def download(options: Namespace, reader: TufRepository) -> None:
    """Get one file, unless it is there already. Its name is one part, so that it leads nowhere else."""
    target = listed(refresh(options, reader), options.target_name)
    name = f"target-{quote(target.name, safe='')}"
    path = options.target_dir / name
    if exists(path) and bytes_sha256(read_file(path, target.length)) == target.digest:
        return
    with Directory(options.target_dir, create=True, what="the target directory") as directory:
        directory.write(name, read_target(reader, CHANNEL, target))


def listed(trust: Trust, name: str) -> Target:
    """A file that the top-level targets role has signed: bitproof follows no delegation."""
    file = trust.set.targets.targets.get(name)
    if file is None:
        raise InputError("the repository lists no such file", where=trust.reader.where, found=name)
    try:
        return Target(name, file.length, Digest("sha256", file.hashes.get("sha256", "")), {})
    except ValueError as error:
        raise IntegrityError("the file has no usable SHA-256", where=name, found=str(error)) from None


def main(words: Sequence[str]) -> int:
    """Do what the suite asks for; the exit code."""
    parser = ArgumentParser(description="bitproof's TUF client, as the conformance suite drives it")
    parser.add_argument("--metadata-dir", type=Path, required=True)
    parser.add_argument("--metadata-url", default="")
    parser.add_argument("--target-name", default="")
    parser.add_argument("--target-base-url", default="")
    parser.add_argument("--target-dir", type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("trusted_root", type=Path)
    commands.add_parser("refresh")
    commands.add_parser("download")
    options = parser.parse_args(words)
    command = {"init": init, "refresh": refresh, "download": download}[options.command]
    try:
        with closing(Client()) as client:
            command(options, TufRepository(client, options.metadata_url, options.target_base_url))
    except BitproofError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
