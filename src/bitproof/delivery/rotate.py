"""Other keys for a channel, and signatures that do not run out.

A client that has the old root must believe what it finds, and one that has the new root too. So an online role is
signed by its old and its new keys together first; then the root changes. Where the old keys are lost or stolen there is
no such moment: the root changes, and the new keys sign right after it; a client in between tries again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from bitproof.channel.opening import opened
from bitproof.channel.ports import Backend
from bitproof.channel.repository import Repository, roles_above
from bitproof.channel.roles import Duty
from bitproof.channel.roots import ROOT, missing_signatures, with_signatures
from bitproof.channel.status import to_renew
from bitproof.delivery.signers import role_key, role_signers
from bitproof.trust.minisign import PublicKey
from bitproof.trust.secret_key import SecretKey

Opened = Callable[[Iterable[str]], Mapping[str, Sequence[SecretKey]]]
"""Opens the secret keys of some roles, once it is known which are needed."""


class Renewed(NamedTuple):
    """The roles that were signed again, and the version of the timestamp."""

    roles: tuple[str, ...]
    version: int


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
        return Renewed(wanted, repository.renew(signers, now, wanted))


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


def rotate(rotation: Rotation, finished: bytes | None, *, drafted: bool) -> tuple[bytes, int, str]:
    """Change the keys of a role.

    Args:
        rotation: what shall change.
        finished: a draft that its owners have signed.
        drafted: a root that lacks signatures is wanted, and nothing is published.

    Returns:
        The root, its version, and what it still lacks: then it is a draft.

    Raises:
        InputError: no such threshold; a key is not the channel's.
        IntegrityError: the root is not signed by enough keys.
        UnavailableError: the place does not serve; somebody else changed the root meanwhile.
    """
    with opened(rotation.backend, rotation.channel) as repository:
        root = finished or _next_root(rotation, repository)
        missing = missing_signatures(repository.edition.root, root, repository.where)
        if drafted and missing:
            return root, repository.edition.root.version + 1, missing
        if rotation.role != ROOT and not rotation.lost:
            _sign_by_both(rotation, repository)
        repository.write_root(root)
        if rotation.role != ROOT and rotation.lost:
            _sign_by_new(rotation, repository)
        return root, repository.edition.root.version, ""


def _next_root(rotation: Rotation, repository: Repository) -> bytes:
    new = tuple(role_key(key.public) for key in rotation.secret) + tuple(role_key(key) for key in rotation.public)
    threshold = rotation.threshold or min(repository.edition.root.roles[rotation.role].threshold, max(len(new), 1))
    duty = Duty(new, threshold) if new else None
    signers = role_signers(tuple(rotation.opened((ROOT,))[ROOT]))
    if rotation.role == ROOT:
        signers += role_signers(rotation.secret)
    return repository.next_root(rotation.role, duty, signers, rotation.now)


def _sign_by_both(rotation: Rotation, repository: Repository) -> None:
    roles = roles_above((rotation.role,))
    signers = {role: role_signers(tuple(secret)) for role, secret in rotation.opened(roles).items()}
    signers[rotation.role] += role_signers(rotation.secret)
    repository.renew(signers, rotation.now, roles)


def _sign_by_new(rotation: Rotation, repository: Repository) -> None:
    roles = roles_above((rotation.role,))
    others = tuple(role for role in roles if role != rotation.role)
    signers = {role: role_signers(tuple(secret)) for role, secret in rotation.opened(others).items()}
    repository.renew(signers | {rotation.role: role_signers(rotation.secret)}, rotation.now, roles)


def add_signatures(draft: bytes, keys: Sequence[SecretKey], where: str) -> bytes:
    """The draft of a root with more signatures. Raises IntegrityError when it is none."""
    return with_signatures(draft, role_signers(tuple(keys)), where)
