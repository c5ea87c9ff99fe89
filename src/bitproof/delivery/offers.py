"""What a channel offers: believed, and read byte for byte; of several mirrors, from one that does not lie."""

from dataclasses import dataclass

from bitproof.channel.catalog import Catalog, parse_catalog
from bitproof.channel.layout import MANIFEST_SIGNATURE
from bitproof.channel.mirrors import Mirrors
from bitproof.channel.ports import Reader
from bitproof.channel.state import Kept, load_kept
from bitproof.channel.targets import read_target
from bitproof.channel.trusted import Believed
from bitproof.delivery.following import Followed, follow
from bitproof.delivery.requests import Request
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.client_state import ClientState
from bitproof.model.names import MANIFEST
from bitproof.signed.install import Offer


@dataclass(frozen=True, slots=True)
class Offered:
    """What the channel has: the manifest, its signature, its blobs, and the state to write when it is installed."""

    data: bytes
    manifest: AssetManifest
    signature: bytes | None
    catalog: Catalog
    state: ClientState
    where: str

    @property
    def offer(self) -> Offer:
        """As what installs it wants it."""
        where = f"{self.where}: {MANIFEST}"
        return Offer(self.data, where, self.signature, f"{self.where}: {MANIFEST_SIGNATURE}")


def offered(request: Request, kept: Kept) -> Offered:
    """What the channel offers now; a mirror whose answers do not verify is left for the next one.

    Raises:
        IntegrityError, InputError, UnavailableError: as `follow`; or there is no release yet.
    """
    while True:
        try:
            return _offered(request.followed, kept, dry_run=request.dry_run)
        except IntegrityError as error:
            if not distrusted(request.followed.reader, error.what):
                raise
        kept = load_kept(kept.directory)  # with what was believed of the mirror that is left now


def distrusted(reader: Reader, why: str) -> bool:
    """Leave the mirrors that sent what did not verify; False when there are none to be left."""
    if not isinstance(reader, Mirrors) or not reader.last:
        return False
    for place in reader.last:
        reader.distrust(place, why)
    return True


def _offered(followed: Followed, kept: Kept, *, dry_run: bool) -> Offered:
    believed, state = follow(followed, kept, dry_run=dry_run)
    where = f"{followed.reader.where} channel {followed.channel}"
    data = _read(believed, followed, MANIFEST)
    if data is None:
        raise UnavailableError("the channel has no release yet", where=where, fix="bitproof channel publish")
    catalog = parse_catalog(believed.targets[MANIFEST].custom, where)
    signature = _read(believed, followed, MANIFEST_SIGNATURE)
    return Offered(data, AssetManifest.parse(data, where), signature, catalog, state, where)


def _read(believed: Believed, followed: Followed, name: str) -> bytes | None:
    target = believed.targets.get(name)
    return None if target is None else read_target(followed.reader, followed.channel, target)
