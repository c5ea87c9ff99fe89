"""What an update is asked for, and what it says it did."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bitproof.delivery.following import Followed
from bitproof.model.version import Version

if TYPE_CHECKING:
    from bitproof.trust.minisign import PublicKey


class Request(NamedTuple):
    """What to update, and to what.

    Attributes:
        base: the store; made when it is not there.
        followed: the channel.
        binary_version: chooses the release; None is the manifest's current binary.
        arches: whose files are brought in.
        keys: who may have signed the manifest, besides the channel's own signatures.
        dry_run: only say what would be done.
    """

    base: Path
    followed: Followed
    binary_version: Version | None
    arches: tuple[str, ...]
    keys: tuple["PublicKey", ...] = ()
    dry_run: bool = False


class Updated(NamedTuple):
    """What an update did.

    Attributes:
        version: the release that is installed now, or would be.
        before: the one that was installed before; empty when none was.
        names: the files that were brought in.
        size: bytes of these files.
        fetched: bytes that came from the place for them.
        reused: bytes of them that were at hand.
    """

    version: str
    before: str
    names: tuple[str, ...] = ()
    size: int = 0
    fetched: int = 0
    reused: int = 0

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "asset_version": self.version,
            "before": self.before,
            "changed": self.version != self.before or bool(self.names),
            "files": self.names,
            "size": self.size,
            "fetched": self.fetched,
            "reused": self.reused,
        }
