"""Where somebody publishes, by which keys, and when: what every change of a channel needs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from bitproof.channel.ports import Backend
from bitproof.channel.roles import Signers
from bitproof.system.opened import Progress

Bytes = Callable[[str, int], AbstractContextManager[Progress]]
"""Makes a progress for what is done, of so many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """A channel, who signs it, and the time of this run (UTC), which is one for all that it writes."""

    backend: Backend
    channel: str
    signers: Signers
    now: datetime
