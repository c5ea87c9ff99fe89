"""A place in an OCI registry: ``oci://host[:port]/repository``.

Small files are artifacts of one layer under a tag of their own, ``{channel}-{file}``; blobs are the registry's blobs,
found by their SHA-256. A release is an artifact too, tagged with its version, so that other tools can pull it and no
garbage collection takes its blobs.

What is not promised: a registry replaces a tag without conditions, so `OciPlace.create` and `OciPlace.swap` look
before and after. Of two publishers that write within the same moment both may be told that they succeeded, and one of
the two is not seen. Nothing wrong is ever accepted by it: a client takes what is signed and newer.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bitproof.channel.backends.patience import PATIENT, Patience
from bitproof.channel.backends.pieces import fetch_pieces, landing
from bitproof.channel.backends.registry.artifacts import (
    BUNDLE_TYPE,
    FILE_TYPE,
    MANIFEST_TYPE,
    MAX_INLINE,
    RELEASE_TYPE,
    TITLE,
    Descriptor,
    described,
    image_manifest,
    media_type,
    no_manifest,
    parse_descriptors,
)
from bitproof.channel.backends.registry.blobs import (
    Source,
    fetch_range,
    has_blob,
    of_bytes,
    read_blob,
    upload,
    upload_empty,
)
from bitproof.channel.backends.registry.connection import Registry
from bitproof.channel.backends.registry.manifests import read_back, read_manifest, write_manifest
from bitproof.channel.backends.registry.referrers import attach, find_referrers
from bitproof.channel.backends.tags import file_tag, version_tag
from bitproof.channel.backends.urls import OciAddress
from bitproof.channel.layout import BUNDLE_SUFFIX
from bitproof.channel.ports import Blob, NamedBlob, Range
from bitproof.errors import IntegrityError
from bitproof.system.opened import OpenFile, Progress, ignore


class OciPlace:
    """A `Backend` over a repository.

    Args:
        url: ``oci://host[:port]/repository``; plain http is spoken on the loopback only.
        patience: how long the registry is waited for.

    Raises:
        InputError: the URL is no repository's.
    """

    def __init__(self, url: str, patience: Patience = PATIENT) -> None:
        self.registry = Registry(OciAddress.parse(url), os.environ, patience)

    @property
    def where(self) -> str:
        """The URL."""
        return self.registry.where

    def read(self, path: str, limit: int) -> bytes | None:
        """As `Reader.read`: the layer of the artifact under the file's tag, proved by the manifest's digest."""
        tag = file_tag(path)
        found = read_manifest(self.registry, tag)
        if found is None:
            return None
        where = f"{self.where}:{tag}"
        layers = parse_descriptors(found.data, "layers", where)
        if len(layers) != 1:
            raise no_manifest(where, f"{len(layers)} layers")
        return read_blob(self.registry, layers[0], limit)

    def fetch(self, blob: Blob, target: OpenFile, ranges: Sequence[Range], progress: Progress) -> None:
        """As `Reader.fetch`: by requests for parts, side by side."""
        landed = landing(target, progress)

        def fetch(piece: Range, stop: threading.Event) -> None:
            fetch_range(self.registry, blob.sha256, blob.size, piece, target, stop)
            landed(*piece)

        fetch_pieces(ranges, fetch)

    @contextmanager
    def exclusive(self, channel: str) -> Iterator[None]:
        """As `Backend.exclusive`: a registry has no locks, see above; the channel's name has to make tags.

        Raises:
            InputError: it cannot.
        """
        file_tag(f"{channel}/metadata/timestamp.json")
        yield

    def has(self, blob: Blob) -> bool:
        """As `Backend.has`."""
        return has_blob(self.registry, blob.sha256, blob.size)

    def put(self, blob: Blob, source: OpenFile, progress: Progress) -> None:
        """As `Backend.put`; the registry compares the digest."""
        upload(self.registry, Source(blob.sha256, blob.size, source.read_at), progress)

    def create(self, path: str, data: bytes) -> bool:
        """As `Backend.create`."""
        found = self._same(path, data)
        return found if found is not None else self._write(path, data)

    def swap(self, path: str, data: bytes, before: bytes | None) -> bool:
        """As `Backend.swap`, but see above."""
        if before is None:
            return self.create(path, data)
        return self._same(path, before) is True and self._write(path, data)

    def _same(self, path: str, data: bytes) -> bool | None:
        """Whether a file has these bytes; None when there is none."""
        try:
            found = self.read(path, len(data))
        except IntegrityError:  # longer, or no file of ours
            return False
        return None if found is None else found == data

    def _write(self, path: str, data: bytes) -> bool:
        """Point the file's tag to these bytes; False when somebody else's are there right after."""
        tag = file_tag(path)
        name = path.rpartition("/")[2]
        layer = described(data, media_type(name), name, inline=len(data) <= MAX_INLINE)
        upload_empty(self.registry)
        upload(self.registry, of_bytes(data), ignore)
        manifest = image_manifest([layer], FILE_TYPE)
        write_manifest(self.registry, tag, manifest)
        return read_back(self.registry, tag, manifest)

    def announce(self, version: str, files: Sequence[NamedBlob]) -> None:
        """As `Backend.announce`: an artifact with the files as layers, under the version as tag.

        What is announced already, an arch or an index of another channel, stays beside them.

        Raises:
            IntegrityError: the tag shows something else under one of these names.
        """
        tag = version_tag(version)
        where = f"{self.where}:{tag}"
        found = read_manifest(self.registry, tag)
        known = () if found is None else parse_descriptors(found.data, "layers", where)
        layers = _united(known, files, where)
        manifest = image_manifest(layers, RELEASE_TYPE)
        if found is None or found.data != manifest:
            upload_empty(self.registry)
            write_manifest(self.registry, tag, manifest)

    def attach(self, channel: str, version: str, make: Callable[[], bytes | None]) -> None:
        """As `Backend.attach`: a referrer of what `announce` wrote."""
        found = read_manifest(self.registry, version_tag(version))
        if found is None:
            return  # promoted before a release was announced here
        title = f"{channel}-{version}{BUNDLE_SUFFIX}"
        there = find_referrers(self.registry, found.digest, BUNDLE_TYPE)
        if any(entry.annotations.get(TITLE) == title for entry in there) or (bundle := make()) is None:
            return
        subject = described(found.data, MANIFEST_TYPE)
        attach(self.registry, subject, described(bundle, BUNDLE_TYPE, title), bundle, BUNDLE_TYPE)


def _united(known: Sequence[Descriptor], files: Sequence[NamedBlob], where: str) -> list[Descriptor]:
    """The layers of a release, sorted by name: those that are known and these."""
    layers = {layer.annotations.get(TITLE, ""): layer for layer in known}
    for name, blob in files:
        layer = Descriptor(media_type(name), blob.sha256, blob.size, {TITLE: name})
        other = layers.setdefault(name, layer)
        if other.digest != layer.digest:
            raise IntegrityError(
                "the version's tag shows another file",
                where=f"{where} {name}",
                expected=layer.digest,
                found=other.digest,
                fix="another release has this version: give yours a new one, or delete the tag if it is not in use",
            )
    return [layers[name] for name in sorted(layers)]
