"""The files that a channel's targets role lists, and their bytes, proved."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from bitproof.channel.layout import TARGETS, named_target_path
from bitproof.channel.ports import Reader
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.model.digest import Digest
from bitproof.system.hashing import bytes_sha256

if TYPE_CHECKING:
    from tuf.api.metadata import Targets


class Target(NamedTuple):
    """A file that the channel's targets role signed; ``custom`` is what the publisher says of it."""

    name: str
    length: int
    digest: Digest
    custom: Mapping[str, object]


def files_of(targets: "Targets", where: str) -> dict[str, Target]:
    """The files that a channel has; whatever else was signed is no matter of bitproof's."""
    files = {}
    for name, file in targets.targets.items():
        if name not in TARGETS:
            continue
        try:
            digest = Digest("sha256", file.hashes.get("sha256", ""))
        except ValueError as error:
            raise IntegrityError("the channel's targets are not usable", where=where, found=str(error)) from None
        files[name] = Target(name, file.length, digest, _custom(file.unrecognized_fields))
    return files


def _custom(fields: Mapping[str, object]) -> Mapping[str, object]:
    custom = fields.get("custom")
    return custom if isinstance(custom, dict) else {}


def read_target(reader: Reader, channel: str, target: Target) -> bytes:
    """The bytes of a target, proved.

    Raises:
        IntegrityError: other bytes, or more of them.
        UnavailableError: the place lacks it or does not serve.
    """
    path = named_target_path(channel, target.name, target.digest.value)
    data = reader.read(path, target.length)
    if data is None:
        raise UnavailableError("the channel lacks a file that it has signed", where=f"{reader.where} {path}")
    found = bytes_sha256(data)
    if found != target.digest or len(data) != target.length:
        raise IntegrityError(
            f"the channel's {target.name} is not what was signed",
            where=f"{reader.where} {path}",
            expected=f"{target.digest}, {target.length} bytes",
            found=f"{found}, {len(data)} bytes",
            fix="use another mirror, or ask the publisher",
        )
    return data
