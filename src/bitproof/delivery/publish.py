"""Publish the current release of a dev layout: prove its files, bring them, then make the manifest visible.

The manifest goes byte for byte, and its signature with it. What is refused is refused before anything is brought.
"""

from dataclasses import dataclass

from bitproof.assets.succession import succession_problems
from bitproof.channel.catalog import Catalog, parse_catalog, print_catalog
from bitproof.channel.layout import TARGETS
from bitproof.channel.opening import opened
from bitproof.channel.repository import Repository
from bitproof.channel.status import RoleStatus, ending
from bitproof.delivery.blobs import announced, bring, complete_catalog, prove
from bitproof.delivery.bundle import lay
from bitproof.delivery.outlet import Bytes, Outlet
from bitproof.delivery.release import Release
from bitproof.errors import InputError
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.names import MANIFEST


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did.

    Attributes:
        version: the release.
        where: the channel.
        changed: whether it is new there.
        brought: bytes of blobs that the place did not have, or had lost.
        ending: the roles that expire soon all the same.
    """

    version: str
    where: str
    changed: bool
    brought: int = 0
    ending: tuple[RoleStatus, ...] = ()

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {"asset_version": self.version, "channel": self.where, "changed": self.changed, "brought": self.brought}


def publish(release: Release, outlet: Outlet, tell: Bytes) -> Published:
    """Publish a release into a channel.

    Raises:
        InputError: the manifest may not follow the published one: every problem; or the keys are not the channel's.
        IntegrityError: a file is not what the manifest says.
        UnavailableError: files that nobody has; the place refused; another publisher was faster.
    """
    with opened(outlet.backend, outlet.channel) as repository:
        before, catalog = published(repository)
        version = str(release.manifest.current)
        if before is not None and release.targets == current_targets(repository):
            mended = _mended(release, catalog, outlet, tell)
            lay(repository.backend, repository.channel, version)  # its publisher may have died before it did
            return Published(version, repository.where, changed=False, brought=mended)
        old = None if before is None else AssetManifest.parse(before, repository.where)
        check_succession(old, release.manifest, repository.where)
        repository.check(outlet.signers, ("targets", "snapshot", "timestamp"))
        entries = prove(release.files, catalog, tell)
        wanted = complete_catalog(release.manifest, entries, catalog, repository.where)
        brought = bring(entries, repository.backend, tell)
        repository.backend.announce(version, announced(release.manifest, wanted))
        repository.publish(release.targets, print_catalog(wanted.values()), outlet.signers, outlet.now)
        lay(repository.backend, repository.channel, version)
        late = ending(repository.edition, outlet.now)
        return Published(version, repository.where, changed=True, brought=brought, ending=late)


def _mended(release: Release, catalog: Catalog, outlet: Outlet, tell: Bytes) -> int:
    """Bring again what the place has lost of a release that is published; returns the bytes of it."""
    entries = [catalog[asset.digest] for asset in release.files.values() if asset.digest in catalog]
    listed = dict.fromkeys(blob for entry in entries for blob in entry.blobs)
    lost = [blob for blob in listed if not outlet.backend.has(blob)]
    if lost:
        bring(prove(release.files, {}, tell), outlet.backend, tell)
    return sum(blob.size for blob in lost)


def published(repository: Repository) -> tuple[bytes | None, Catalog]:
    """A channel's manifest and its list of blobs; None and nothing before the first publish."""
    found = repository.read(MANIFEST)
    if found is None:
        return None, {}
    data, custom = found
    return data, parse_catalog(custom, repository.where)


def current_targets(repository: Repository) -> dict[str, bytes]:
    """The files that a channel has now."""
    found = ((name, repository.read(name)) for name in TARGETS)
    return {name: read[0] for name, read in found if read is not None}


def check_succession(before: AssetManifest | None, after: AssetManifest, where: str) -> None:
    """Refuse a manifest that may not follow the published one. Raises InputError with every problem."""
    if problems := succession_problems(before, after):
        raise InputError(
            "this manifest cannot be published",
            where=where,
            problems=problems,
            fix="begin from what is published: bitproof channel manifest --output assets/manifest.json, then build",
        )
