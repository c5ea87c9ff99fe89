"""Other keys for a channel, and signatures that do not run out.

A client that has the old root must believe what it finds, and one that has the new root too. So an online role is
signed by its old and its new keys together first; then the root changes. Where the old keys are lost or stolen there is
no such moment: the root changes, and the new keys sign right after it; a client in between tries again, and whoever
dies in between runs the same command again.

Whether all keys are at hand that have to sign is known before anything is written: a root whose online roles nobody has
signed would end the channel.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from bitproof.channel.opening import opened
from bitproof.channel.ports import Backend
from bitproof.channel.repository import Repository, roles_above
from bitproof.channel.roles import Duty, Signers, check_signers
from bitproof.channel.roots import ROOT, check_rotation, missing_signatures, parse_root, with_signatures
from bitproof.channel.status import RoleStatus, ending, to_renew
from bitproof.delivery.signers import role_key, role_signers
from bitproof.trust.minisign import PublicKey
from bitproof.trust.secret_key import SecretKey

if TYPE_CHECKING:
    from tuf.api.metadata import Root

Opened = Callable[[Iterable[str]], Mapping[str, Sequence[SecretKey]]]
"""Opens the secret keys of some roles, once it is known which are needed."""


class Draft(NamedTuple):
    """The bytes of a root that may lack signatures, and where they come from."""

    data: bytes
    where: str


class Rotated(NamedTuple):
    """What a rotation came to.

    Attributes:
        root: the new root.
        version: its number.
        rekeyed: whether the role has other keys by it, or needs another number of them.
        missing: what it still lacks: then it is a draft, and nothing was published.
    """

    root: bytes
    version: int
    rekeyed: bool = True
    missing: str = ""


class Renewed(NamedTuple):
    """The roles that were signed again, the version of the timestamp, and the roles that expire soon all the same."""

    roles: tuple[str, ...]
    version: int
    ending: tuple[RoleStatus, ...]


def renew(backend: Backend, channel: str, now: datetime, roles: Sequence[str], keys: Opened) -> Renewed:
    """Sign a channel's present state again.

    Args:
        backend: the place.
        channel: its name.
        now: UTC.
        roles: which besides those that need it.
        keys: opens secret keys.

    Raises:
        InputError: a key is not the channel's.
        UnavailableError: the place does not serve; another publisher was faster.
    """
    with opened(backend, channel) as repository:
        wanted = roles_above((*to_renew(repository.edition, now), *roles))
        signers = {role: role_signers(tuple(secret)) for role, secret in keys(wanted).items()}
        version = repository.renew(signers, now, wanted)
        return Renewed(wanted, version, ending(repository.edition, now))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What shall change.

    Attributes:
        backend: the place.
        channel: its name.
        role: whose keys.
        secret: new keys, which sign now.
        public: new keys whose owners sign elsewhere.
        threshold: how many must sign; None is as before.
        lost: the old keys of the role do not sign any more.
        now: UTC.
        opened: opens the present secret keys of some roles.
    """

    backend: Backend
    channel: str
    role: str
    secret: tuple[SecretKey, ...]
    public: tuple[PublicKey, ...]
    threshold: int | None
    lost: bool
    now: datetime
    opened: Opened


def rotate(rotation: Rotation, finished: Draft | None, *, drafted: bool) -> Rotated:
    """Change the keys of a role.

    Args:
        rotation: what shall change.
        finished: a draft that its owners have signed.
        drafted: a root that lacks signatures is wanted, and nothing is published.

    Raises:
        InputError: no such threshold; a key is not the channel's; not all keys are at hand that have to sign. Nothing
            is written then.
        UnavailableError: the place does not serve; somebody else changed the root meanwhile.
    """
    lost = rotation.lost and rotation.role != ROOT
    with opened(rotation.backend, rotation.channel, half_rotated=lost) as repository:
        present = repository.edition.root
        if lost and _is_in_force(rotation, finished, present):
            repository.renew(_signers(rotation, present, repository.where), rotation.now, (rotation.role,))
            return Rotated(b"", present.version)
        root = finished or Draft(_next_root(rotation, repository), repository.where)
        after = parse_root(root.data, root.where).signed
        done = Rotated(root.data, after.version, after.roles[rotation.role] != present.roles[rotation.role])
        if (missing := missing_signatures(present, root.data, root.where)) and drafted:
            return done._replace(missing=missing)
        check_rotation(present, root.data, rotation.role, root.where, rotation.now)
        signers = {} if rotation.role == ROOT else _signers(rotation, after, root.where)
        if signers and not lost:
            repository.renew(signers, rotation.now, (rotation.role,))
        repository.write_root(root.data)
        if signers and lost:
            repository.renew(signers, rotation.now, (rotation.role,))
        return done


def _is_in_force(rotation: Rotation, finished: Draft | None, present: "Root") -> bool:
    """Whether the present root is the wanted one already: all that is left is to sign by the new keys."""
    if finished is not None:
        return parse_root(finished.data, finished.where).signed == present
    duty, role = _duty(rotation, present), present.roles[rotation.role]
    return duty is not None and ({key.keyid for key in duty.keys}, duty.threshold) == ({*role.keyids}, role.threshold)


def _duty(rotation: Rotation, present: "Root") -> Duty | None:
    """The role's new keys; None leaves it those that it has."""
    new = tuple(role_key(key.public) for key in rotation.secret) + tuple(role_key(key) for key in rotation.public)
    return Duty(new, rotation.threshold or present.roles[rotation.role].threshold) if new else None


def _next_root(rotation: Rotation, repository: Repository) -> bytes:
    duty = _duty(rotation, repository.edition.root)
    signers = role_signers(tuple(rotation.opened((ROOT,))[ROOT]))
    if rotation.role == ROOT:
        signers += role_signers(rotation.secret)
    return repository.next_root(rotation.role, duty, signers, rotation.now)


def _signers(rotation: Rotation, after: "Root", where: str) -> Signers:
    """Who signs the role and those that bind it, so that a client believes it that has the root ``after``.

    Raises:
        InputError: not enough keys of a role are at hand.
    """
    roles = roles_above((rotation.role,))
    old = rotation.opened([role for role in roles if role != rotation.role or not rotation.lost])
    signers = {role: role_signers(tuple(old.get(role, ()))) for role in roles}
    signers[rotation.role] += role_signers(rotation.secret)
    for role in roles:
        fix = "name the secret keys that sign from now on: --new FILE" if role == rotation.role else ""
        check_signers(after, role, signers[role], where, fix)
    return signers


def add_signatures(draft: bytes, keys: Sequence[SecretKey], where: str) -> bytes:
    """The draft of a root with more signatures. Raises InputError when it is none."""
    return with_signatures(draft, role_signers(tuple(keys)), where)


def strangers(draft: bytes, keys: Sequence[SecretKey], where: str) -> tuple[PublicKey, ...]:
    """Those keys that are none of the draft's own root keys; of those of the root before it a draft knows nothing."""
    own = parse_root(draft, where).signed.roles[ROOT].keyids
    return tuple(key.public for key in keys if role_key(key.public).keyid not in own)
