"""Withdraw a release from a channel, and promote one channel's release to another.

Both edit a manifest that is published: what was signed has to be signed again, so that they need the manifest's key
where it has a signature and its bytes change.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bitproof.channel.catalog import Catalog, print_catalog
from bitproof.channel.layout import MANIFEST_SIGNATURE, check_channel
from bitproof.channel.opening import load, opened
from bitproof.channel.repository import Repository
from bitproof.delivery.blobs import complete_catalog
from bitproof.delivery.bundle import lay
from bitproof.delivery.outlet import Outlet
from bitproof.delivery.publish import Published, check_succession, current_targets, published
from bitproof.errors import InputError, UnavailableError
from bitproof.model.asset_edits import carried_withdrawals
from bitproof.model.asset_manifest import AssetManifest
from bitproof.model.decode import MAX_JSON
from bitproof.model.names import MANIFEST
from bitproof.system.files import Directory
from bitproof.system.lock import locked
from bitproof.system.opened import exists, read_file
from bitproof.trust.comment import print_comment
from bitproof.trust.secret_key import SecretKey
from bitproof.trust.signing import prehash, signed

Edit = Callable[[AssetManifest], AssetManifest]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a withdrawal did, and the channel's files before and after it."""

    published: Published
    before: Mapping[str, bytes]
    after: Mapping[str, bytes]


def withdraw(outlet: Outlet, edit: Edit, key: SecretKey | None) -> Withdrawal:
    """Change what a channel says of its releases.

    Args:
        outlet: the channel.
        edit: the change.
        key: signs the manifest anew, where it is signed.

    Raises:
        InputError: no such release; a binary would be stranded; a key is missing, or not the channel's.
        UnavailableError: the place does not serve; another publisher was faster.
    """
    with opened(outlet.backend, outlet.channel) as repository:
        data, catalog = published(repository)
        if data is None:
            raise UnavailableError(
                "the channel has no release yet", where=repository.where, fix="bitproof channel publish"
            )
        before = AssetManifest.parse(data, repository.where)
        files = current_targets(repository)
        done = _replaced(repository, before, edit(before), files, catalog, outlet, key)
        return Withdrawal(done, files, current_targets(repository))


def promote(source: str, outlet: Outlet, key: SecretKey | None) -> Published:
    """Give a channel the release of another one in the same place: no blob is brought a second time.

    What was withdrawn in the channel stays withdrawn. Raises as `withdraw`.
    """
    origin = Repository(outlet.backend, source, load(outlet.backend, check_channel(source)))
    data, offered = published(origin)
    if data is None:
        raise UnavailableError("the channel has no release yet", where=origin.where, fix="bitproof channel publish")
    wanted = AssetManifest.parse(data, origin.where)
    with opened(outlet.backend, outlet.channel) as repository:
        there, catalog = published(repository)
        before = None if there is None else AssetManifest.parse(there, repository.where)
        after = wanted if before is None else carried_withdrawals(before, wanted)
        files = current_targets(origin)
        return _replaced(repository, before, after, files, {**catalog, **offered}, outlet, key)


def _replaced(
    repository: Repository,
    before: AssetManifest | None,
    after: AssetManifest,
    files: Mapping[str, bytes],
    catalog: Catalog,
    outlet: Outlet,
    key: SecretKey | None,
) -> Published:
    """Publish ``after``; ``files`` are those it came from, byte for byte when nothing was changed."""
    check_succession(before, after, repository.where)
    version = str(after.current)
    targets = dict(files)
    if after.to_bytes() != AssetManifest.parse(files[MANIFEST], repository.where).to_bytes():
        targets = _signed_again(after, files, outlet, key, repository.where)
    if targets == current_targets(repository):
        lay(repository.backend, repository.channel, version)
        return Published(version, repository.where, changed=False)
    wanted = complete_catalog(after, {}, catalog, repository.where)
    repository.publish(targets, print_catalog(wanted.values()), outlet.signers, outlet.now)
    lay(repository.backend, repository.channel, version)
    return Published(version, repository.where, changed=True)


def _signed_again(
    manifest: AssetManifest, files: Mapping[str, bytes], outlet: Outlet, key: SecretKey | None, where: str
) -> dict[str, bytes]:
    """A changed manifest, and a new signature if the old one had one."""
    data = manifest.to_bytes()
    if MANIFEST_SIGNATURE not in files:
        return {MANIFEST: data}
    if key is None:
        raise InputError(
            "the channel's manifest is signed, and has to be signed again",
            where=where,
            fix="name the secret key that signs manifests: --secret-key FILE",
        )
    comment = print_comment(MANIFEST, int(outlet.now.timestamp()), str(manifest.current))
    return {MANIFEST: data, MANIFEST_SIGNATURE: signed(key, prehash(data), comment).to_bytes()}


def follow_locally(assets: Path, done: Withdrawal) -> bool:
    """Make a dev layout's manifest the channel's, if it was that before; returns whether it was written.

    So that the next publish from there is not refused for a release that was withdrawn meanwhile.
    """
    path = assets / MANIFEST
    if not exists(path):
        return False
    with Directory(assets, what="the assets directory") as directory, locked(directory):
        if read_file(path, MAX_JSON, "the manifest") != done.before[MANIFEST]:
            return False
        for name, data in reversed(tuple(done.after.items())):
            directory.write_changed(name, data)
        return True
