"""Begin a channel, and open one to change it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from bitproof.channel.layout import check_channel, metadata_path
from bitproof.channel.ports import Backend, Reader
from bitproof.channel.repository import Repository
from bitproof.channel.roles import Duty, Edition, Signers, first_edition, new_root, sign
from bitproof.channel.trusted import ALL_ROTATIONS, ALWAYS, LIMITS, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, Trust
from bitproof.errors import InputError, IntegrityError, UnavailableError


@contextmanager
def opened(backend: Backend, channel: str, *, half_rotated: bool = False) -> Iterator[Repository]:
    """A channel, to change it.

    Args:
        backend: its place.
        channel: its name.
        half_rotated: take it too when only the root before the last one proves it, as whoever replaced lost keys and
            died right after the root left it.

    Raises:
        IntegrityError: what lies there does not hold together.
        UnavailableError: there is no such channel, or its place does not serve.
    """
    with backend.exclusive(check_channel(channel)):
        try:
            edition = load(backend, channel)
        except IntegrityError:
            if not half_rotated:
                raise
            edition = _load_half_rotated(backend, channel)
        yield Repository(backend, channel, edition)


def load(backend: Reader, channel: str) -> Edition:
    """A channel's present state, proved from its first root on.

    Raises:
        IntegrityError: what lies there does not hold together.
        UnavailableError: there is no such channel, or its place does not serve.
    """
    trust = believed(backend, channel)
    found = trust.set
    return Edition(found.root, found.targets, found.snapshot, found.timestamp, trust.accepted[TIMESTAMP])


def _load_half_rotated(backend: Reader, channel: str) -> Edition:
    """As `load`, when the last root has keys that have not signed anything yet."""
    newest = _trust(backend, channel)
    newest.update_root(ALL_ROTATIONS)
    before = _trust(backend, channel)
    before.update(newest.set.root.version - 2)
    found = before.set
    return Edition(newest.set.root, found.targets, found.snapshot, found.timestamp, before.accepted[TIMESTAMP])


def believed(reader: Reader, channel: str) -> Trust:
    """As `load`, with the bytes of the metadata."""
    trust = _trust(reader, channel)
    trust.update(ALL_ROTATIONS)
    return trust


def _trust(reader: Reader, channel: str) -> Trust:
    return Trust(reader, channel, {ROOT: first_root(reader, channel)}, ALWAYS, lambda _role, _data: None)


def first_root(backend: Reader, channel: str) -> bytes:
    """The root that a channel began with, which nothing proves.

    Raises:
        UnavailableError: there is no such channel.
    """
    data = backend.read(metadata_path(channel, ROOT, 1), LIMITS[ROOT])
    if data is None:
        raise UnavailableError(
            "there is no such channel", where=f"{backend.where} channel {channel}", fix="bitproof channel init"
        )
    return data


def create(
    backend: Backend, channel: str, duties: Mapping[str, Duty], days: Mapping[str, int], signers: Signers, now: datetime
) -> bytes:
    """Begin a channel without a release.

    Args:
        backend: its place.
        channel: its name.
        duties: the keys of each role.
        days: how long each role's metadata holds.
        signers: who signs each role now.
        now: UTC.

    Returns:
        The first root, which clients have to be given by a way they trust.

    Raises:
        InputError: not enough keys.
        UnavailableError: there is a channel already, or the place refused.
    """
    with backend.exclusive(check_channel(channel)):
        if backend.read(metadata_path(channel, ROOT, 1), LIMITS[ROOT]) is not None:
            raise InputError("there is a channel of this name already", where=f"{backend.where} channel {channel}")
        root = new_root(duties, days, now)
        left = backend.read(metadata_path(channel, TIMESTAMP), LIMITS[TIMESTAMP])  # by one who died before the root
        repository = Repository(backend, channel, first_edition(root, now)._replace(timestamp_bytes=left or b""))
        repository.check(signers, (ROOT, TARGETS, SNAPSHOT, TIMESTAMP))
        data = sign(root, signers[ROOT])
        repository.publish({}, {}, signers, now)
        if not backend.create(metadata_path(channel, ROOT, 1), data):
            raise UnavailableError("another publisher was faster", where=repository.where, fix="look at its channel")
        return data
