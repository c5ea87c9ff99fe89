"""All binaries against all asset releases of a manifest: what each one gets, what nobody reaches. Pure.

`compat` answers for one binary. Here the answers for all of them come from one sweep over two sorted lists, so that
10,000 binaries and 10,000 releases do not make 10⁸ comparisons; the single cells of a matrix are `compat`'s again.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

from bitproof.assets.compat import rejection
from bitproof.model.asset_manifest import AssetManifest, AssetRelease, BinaryRelease
from bitproof.model.version import Part, Version

Order = tuple[Part, ...]
"""A version padded to the width of the widest one of the manifest; empty, and so before all others, for None."""


class Offer(NamedTuple):
    """A release in force, its ``min_binary`` and its version in their `Order`."""

    min_binary: Order
    version: Order
    release: AssetRelease


class Asker(NamedTuple):
    """A listed binary, its version and its ``min_assets`` in their `Order`."""

    version: Order
    min_assets: Order
    binary: BinaryRelease


class Unreachable(NamedTuple):
    """A release in force that fits no listed binary, and why."""

    version: Version
    reason: str


class Tracks(NamedTuple):
    """Both tracks of a manifest, with plain tuples for versions: tens of thousands are compared in no time.

    ``offers`` has the lowest ``min_binary`` first, ``askers`` the oldest binary.
    """

    current: Version
    offers: tuple[Offer, ...]
    askers: tuple[Asker, ...]

    @classmethod
    def of(cls, manifest: AssetManifest) -> Self:
        """The tracks of a manifest."""
        releases = [release for release in manifest.releases.values() if release.in_force]
        binaries = manifest.binaries.values()
        constraints = [*(release.min_binary for release in releases), *(binary.min_assets for binary in binaries)]
        versions = (*manifest.releases, *manifest.binaries, *constraints)
        width = max((len(version.key) for version in versions if version is not None), default=0)

        def order(version: Version | None) -> Order:
            return () if version is None else version.padded(width)

        offers = [Offer(order(one.min_binary), order(one.version), one) for one in releases]
        askers = tuple(Asker(order(one.version), order(one.min_assets), one) for one in binaries)
        return cls(manifest.current, tuple(sorted(offers, key=lambda offer: offer.min_binary)), askers)

    def served(self, arch: str) -> dict[Version, Version | None]:
        """The release that `compat.choose` gives each listed binary, oldest binary first; None where it refuses."""
        waiting = [offer for offer in reversed(self.offers) if offer.release.boot_assets(arch)]
        current = next((offer for offer in waiting if offer.release.version == self.current), None)
        newest: Offer | None = None
        found: dict[Version, Version | None] = {}
        for asker in self.askers:
            while waiting and waiting[-1].min_binary <= asker.version:
                offer = waiting.pop()
                newest = offer if newest is None or newest.version < offer.version else newest
            taken = current if current is not None and _fits(current, asker) else newest
            fits = taken is not None and _fits(taken, asker)
            found[asker.binary.version] = taken.release.version if taken is not None and fits else None
        return found

    def unserved(self, arch: str) -> tuple[BinaryRelease, ...]:
        """The listed binaries in force that get no release of an arch, oldest first."""
        served = self.served(arch)
        binaries = (asker.binary for asker in self.askers)
        return tuple(binary for binary in binaries if served[binary.version] is None and not binary.deprecated)

    def unreachable(self) -> tuple[Unreachable, ...]:
        """The releases in force with a boot set that fit no listed binary, of whatever arch, oldest first.

        A deprecated binary still counts: it runs somewhere. Without any binary nothing can be said.
        """
        if not self.askers:
            return ()
        askers = list(self.askers)
        least: Asker | None = None
        found = []
        for offer in (offer for offer in reversed(self.offers) if _has_boot_set(offer.release)):
            while askers and offer.min_binary <= askers[-1].version:
                asker = askers.pop()
                least = asker if least is None or asker.min_assets < least.min_assets else least
            if least is None:
                newest = self.askers[-1].binary.version
                reason = f"needs a binary from {offer.release.min_binary} on, and the newest is {newest}"
            elif offer.version < least.min_assets:
                reason = f"the binaries that are new enough need assets from {least.binary.min_assets} on"
            else:
                continue
            found.append(Unreachable(offer.release.version, reason))
        return tuple(sorted(found))


def _fits(offer: Offer, asker: Asker) -> bool:
    return offer.min_binary <= asker.version and asker.min_assets <= offer.version


def _has_boot_set(release: AssetRelease) -> bool:
    return any(release.boot_assets(arch) for arch in release.arches)


def arches_to_serve(manifest: AssetManifest) -> tuple[str, ...]:
    """The arches of which some release in force has a boot set, sorted; with none in force, those of any release.

    An arch of deprecated or revoked releases only has been given up, but not all of them at once.
    """
    releases = manifest.releases.values()
    in_force = _arches(release for release in releases if release.in_force)
    return tuple(sorted(in_force or _arches(releases)))


def _arches(releases: Iterable[AssetRelease]) -> set[str]:
    return {arch for release in releases for arch in release.arches if release.boot_assets(arch)}


class Row(NamedTuple):
    """A binary, and the release it gets."""

    binary: BinaryRelease
    gets: Version | None


class Matrix(NamedTuple):
    """The binaries and the releases of one arch, newest first; a cut one knows how many there were."""

    arch: str
    current: Version
    rows: tuple[Row, ...]
    releases: tuple[AssetRelease, ...]
    all_rows: int
    all_releases: int

    def fits(self, row: Row, release: AssetRelease) -> bool:
        """Whether the binary could run with the release."""
        return not rejection(release, row.binary.version, row.binary.min_assets, self.arch)

    def cut(self, rows: int, releases: int) -> Self:
        """The newest rows; and of the releases those that these rows get and the current one, then the newest."""
        kept = self.rows[:rows]
        wanted = {self.current, *(row.gets for row in kept)}
        by_interest = sorted(self.releases, key=lambda release: release.version not in wanted)
        shown = {release.version for release in by_interest[:releases]}
        columns = tuple(release for release in self.releases if release.version in shown)
        return self._replace(rows=kept, releases=columns)


def matrix(manifest: AssetManifest, arch: str) -> Matrix:
    """The whole matrix of an arch: every listed binary, and every release that has the arch, withdrawn ones too."""
    rows = [Row(manifest.binaries[version], release) for version, release in Tracks.of(manifest).served(arch).items()]
    releases = [release for release in manifest.releases.values() if arch in release.arches]
    return Matrix(arch, manifest.current, tuple(rows[::-1]), tuple(releases[::-1]), len(rows), len(releases))
