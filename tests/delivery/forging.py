"""What a thief does with keys: new versions of a channel, signed with whatever there is."""

from collections.abc import Mapping, Sequence

from bitproof.channel.opening import load
from bitproof.channel.repository import Repository
from bitproof.channel.roles import Signers
from bitproof.delivery.signers import role_signers
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.trust.secret_key import SecretKey

from .conftest import CHANNEL, World, refused, signer_of

OLDER = "the channel's {} is older than what this machine has seen, or not the one that belongs to the rest"
UNSIGNED = "the channel's {} is not signed by enough trusted keys"
MIXED = "the channel's {} does not belong to the rest of its metadata"
ONLINE = ("targets", "snapshot", "timestamp")
FIRST, SECOND, THIRD = "2026.0415.1", "2026.0415.2", "2026.0415.3"


class Forger(Repository):
    """Changes a channel with whatever keys there are."""

    def __init__(self, mirror: World) -> None:
        super().__init__(mirror.backend, CHANNEL, load(mirror.backend, CHANNEL))
        self.now = mirror.now

    def check(self, signers: Signers, roles: Sequence[str]) -> None:
        """Nobody is asked."""

    def forge(self, keys: Mapping[str, tuple[SecretKey, ...]], *roles: str) -> None:
        """New versions of these roles and those above them, of the same content."""
        self.renew({role: role_signers(owned) for role, owned in keys.items()}, self.now, roles)


def refused_from(mirror: World, world: World, kind: type[IntegrityError | UnavailableError] = IntegrityError) -> str:
    """What a machine says of a mirror, and what it found there."""
    error = refused(world, kind, lambda: world.update(reader=mirror.backend))
    return f"{error.what}: {error.found}" if error.found else error.what


def rotate_online(world: World, *roles: str) -> None:
    """What the holders of the root do about stolen keys."""
    for role in roles:
        world.rotate(role, signer_of(40 + ONLINE.index(role)), lost=True)
