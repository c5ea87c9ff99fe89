"""Bring a release in one file into another place.

What comes in is believed as a client believes a place: from a root that was given, not older than what the place has,
and byte for byte.
"""

from collections.abc import Mapping
from datetime import datetime

from bitproof.channel.backends.archive import ArchivePlace
from bitproof.channel.layout import metadata_path, named_target_path
from bitproof.channel.opening import believed
from bitproof.channel.ports import Backend, NamedBlob
from bitproof.channel.roots import parse_root
from bitproof.channel.state import sha256_hex
from bitproof.channel.trusted import LIMITS, ROOT, TIMESTAMP
from bitproof.delivery.bundle import Proved, lay, prove, proved_blob
from bitproof.delivery.decide import named_root, root_of
from bitproof.delivery.outlet import Bytes
from bitproof.errors import InputError, UnavailableError
from bitproof.model.digest import Digest
from bitproof.system.downloads import scratch


def bring_in(
    archive: ArchivePlace, backend: Backend, channel: str, root: bytes | Digest | None, now: datetime, tell: Bytes
) -> Proved:
    """Publish an archive's release in a place, as it was signed elsewhere: no key is needed.

    Args:
        archive: made by `export`.
        backend: the place.
        channel: its name in both.
        root: the root to trust, or the SHA-256 of the first one; needed where the place has no such channel yet.
        now: UTC.
        tell: makes a progress.

    Raises:
        InputError: the place has the channel of another root.
        IntegrityError: the archive is not to be believed, or older than what the place has; nothing is visible of it.
        UnavailableError: a part is missing; another publisher was faster; the place refused.
    """
    with backend.exclusive(channel):
        local = _present(archive, backend, channel, root)
        proved = prove(archive, channel, local, now)
        blobs = proved.blobs
        with tell("importing", sum(blob.size for blob in blobs.values())) as progress:
            for name, blob in blobs.items():
                if backend.has(blob):
                    progress(blob.size)
                    continue
                with scratch() as file:
                    backend.put(blob, proved_blob(name, blob, archive, file, lambda _: None), progress)
        for target, data in proved.targets.values():
            _create(backend, named_target_path(channel, target.name, target.digest.value), data)
        backend.announce(proved.version, [NamedBlob(name, blob) for name, blob in blobs.items()])
        first = {} if TIMESTAMP in local else {metadata_path(channel, ROOT, 1): local[ROOT]}
        _make_visible(backend, channel, {**first, **proved.metadata}, local.get(TIMESTAMP))
        lay(backend, channel, proved.version)
        return proved


def _present(archive: ArchivePlace, backend: Backend, channel: str, root: bytes | Digest | None) -> Mapping[str, bytes]:
    """What is believed of the place before: its own metadata, or the given root alone."""
    if backend.read(metadata_path(channel, TIMESTAMP), LIMITS[TIMESTAMP]) is not None:
        before = believed(backend, channel).accepted
        if root is not None:
            _check_same(backend, channel, root)
        return before
    if root is None:
        raise UnavailableError(
            "there is no root to trust this channel by",
            where=f"{backend.where} channel {channel}",
            fix="get its root from a source you trust: --root FILE, or --root sha256:DIGEST",
        )
    first = root_of(archive, channel, root)
    if version := parse_root(first, "the given root").signed.version - 1:
        raise InputError(
            "a channel begins in a place with its first root",
            where=f"{backend.where} channel {channel}",
            expected="version 1",
            found=f"version {version + 1}",
            fix="give the root that the publisher made with channel init",
        )
    return {ROOT: first}


def _check_same(backend: Backend, channel: str, root: bytes | Digest) -> None:
    """Refuse a root that is not the place's own of that version, or a digest that is not its first one's."""
    version, given = named_root(root)
    own = backend.read(metadata_path(channel, ROOT, version), LIMITS[ROOT])
    if own is not None and sha256_hex(own) != given:
        raise InputError(
            "this place has the channel of another root",
            where=f"{backend.where} {metadata_path(channel, ROOT, version)}",
            expected=f"sha256:{given}",
            found=f"sha256:{sha256_hex(own)}",
            fix="check which of the two is the publisher's; bring the other one into a place of its own",
        )


def _make_visible(backend: Backend, channel: str, metadata: Mapping[str, bytes], before: bytes | None) -> None:
    """Write what was proved, and nothing else that the archive has: the roots first, the timestamp last."""
    last = metadata_path(channel, TIMESTAMP)
    for path, data in metadata.items():
        if path != last:
            _create(backend, path, data)
    if last in metadata and not backend.swap(last, metadata[last], before):
        raise UnavailableError(
            "another publisher was faster", where=f"{backend.where} channel {channel}", fix="run the same command again"
        )


def _create(backend: Backend, path: str, data: bytes) -> None:
    if not backend.create(path, data):
        raise UnavailableError(
            "the place has another file of this name",
            where=f"{backend.where} {path}",
            fix="a publisher that died may have left it: remove it if no timestamp refers to it",
        )
