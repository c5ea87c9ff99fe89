"""How a channel's roles stand: versions, keys, and how long each still holds. Pure."""

from datetime import datetime, timedelta
from typing import NamedTuple

from bitproof.channel.roles import ROLES, Edition, key_names, lifetime

SOON = 4
"""A role is to be renewed in the last quarter of its life."""


class RoleStatus(NamedTuple):
    """One role; ``left`` is negative once it has expired."""

    role: str
    version: int
    expires: datetime
    left: timedelta
    soon: bool
    keys: tuple[str, ...]
    threshold: int

    @property
    def expired(self) -> bool:
        """Whether clients refuse it."""
        return self.left <= timedelta(0)

    @property
    def warning(self) -> str:
        """A sentence for whoever looks after the channel."""
        return f"warning: the {self.role} {'has expired' if self.expired else 'expires soon'}: {self.remedy}"

    @property
    def remedy(self) -> str:
        """The command that makes it hold longer."""
        return "bitproof channel rotate root" if self.role == "root" else "bitproof channel renew"

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "role": self.role,
            "version": self.version,
            "expires": f"{self.expires:%Y-%m-%dT%H:%M:%SZ}",
            "seconds_left": int(self.left.total_seconds()),
            "expired": self.expired,
            "renew_soon": self.soon,
            "keys": list(self.keys),
            "threshold": self.threshold,
        }


def roles_status(edition: Edition, now: datetime) -> tuple[RoleStatus, ...]:
    """How the four roles stand at a time (UTC), in the order root, targets, snapshot, timestamp."""
    parts = dict(zip(ROLES, (edition.root, edition.targets, edition.snapshot, edition.timestamp), strict=True))
    return tuple(
        RoleStatus(
            role=role,
            version=part.version,
            expires=part.expires,
            left=part.expires - now,
            soon=part.expires - now < lifetime(edition.root, role) / SOON,
            keys=tuple(key_names(edition.root, role)),
            threshold=edition.root.roles[role].threshold,
        )
        for role, part in parts.items()
    )


def ending(edition: Edition, now: datetime) -> tuple[RoleStatus, ...]:
    """The roles that have expired, or will soon."""
    return tuple(status for status in roles_status(edition, now) if status.expired or status.soon)


def to_renew(edition: Edition, now: datetime) -> tuple[str, ...]:
    """The roles but the root that are to be signed again: the timestamp always."""
    soon = {status.role for status in roles_status(edition, now) if status.soon}
    return tuple(role for role in ROLES[1:] if role in soon or role == "timestamp")
