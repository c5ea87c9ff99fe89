"""A publisher, a place and a machine, each in a directory of its own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree

import pytest

from bitproof.assets.record import record
from bitproof.assets.verify import verify
from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.opening import create
from bitproof.channel.ports import Reader
from bitproof.channel.roles import DAYS, ROLES, Duty, Signers
from bitproof.delivery.following import Followed
from bitproof.delivery.outlet import Outlet
from bitproof.delivery.publish import Published, publish
from bitproof.delivery.release import load_release
from bitproof.delivery.requests import Request, Updated
from bitproof.delivery.rotate import Rotated, Rotation, rotate
from bitproof.delivery.signers import role_key, role_signers
from bitproof.delivery.update import update
from bitproof.errors import BitproofError
from bitproof.model.asset_edits import Occasion
from bitproof.model.version import Version
from bitproof.signed.files import sign_file
from bitproof.system.files import Directory
from bitproof.system.opened import Progress, ignore
from bitproof.trust.minisign import PublicKey
from bitproof.trust.secret_key import SecretKey

BEGAN = datetime(2026, 4, 15, 12, tzinfo=UTC)
ARCH = "x86_64"
CHANNEL = "stable"
RENEW = (
    "check this machine's clock; else the place serves an old state, or the publisher has to renew it: "
    "bitproof channel renew"
)
"""What to do about metadata that has expired."""


@contextmanager
def silently(_what: str, _size: int) -> Iterator[Progress]:
    yield ignore


def signer_of(number: int) -> SecretKey:
    """A key that is always the same."""
    return SecretKey(bytes([number]) * 8, bytes([number]) * 32)


KEYS = {role: (signer_of(number),) for number, role in enumerate(ROLES, 1)}


@dataclass
class World:
    """What publishes, what lies in between, and what updates; ``now`` is everybody's clock."""

    root: Path
    now: datetime
    keys: dict[str, tuple[SecretKey, ...]]
    first_root: bytes = b""

    @property
    def place(self) -> Path:
        return self.root / "place"

    @property
    def base(self) -> Path:
        return self.root / "store"

    @property
    def backend(self) -> DirectoryPlace:
        return DirectoryPlace(self.place)

    @property
    def signers(self) -> Signers:
        return {role: role_signers(keys) for role, keys in self.keys.items()}

    def mirror(self) -> "World":
        """What somebody else makes of a copy of the place, with the keys as they are now."""
        other = replace(self, root=self.root / "mirror", keys=dict(self.keys))
        copytree(self.place, other.place)
        copytree(self.root / "assets", other.root / "assets")
        return other

    def build(self, rootfs: bytes) -> None:
        """A release whose rootfs has these bytes."""
        arch = self.root / "assets" / ARCH
        arch.mkdir(parents=True, exist_ok=True)
        for name, data in (("vmlinuz", b"kernel"), ("initrd.img", b"initrd"), ("rootfs.squashfs", rootfs)):
            (arch / name).write_bytes(data)
        self.record()

    def record(self) -> None:
        """A release of the files that are there."""
        occasion = Occasion(day=self.now.date(), binary_version=Version("1.0.1"), min_binary=None)
        with Directory(self.root / "assets") as assets:
            record(assets, occasion)

    def sign(self) -> PublicKey:
        """Sign the manifest; by whom."""
        key = signer_of(60)
        assets = self.root / "assets"
        sign_file(assets / "manifest.json", assets / "manifest.json.minisig", key, int(self.now.timestamp()))
        return key.public

    def publish(self, *keys: PublicKey) -> Published:
        outlet = Outlet(backend=self.backend, channel=CHANNEL, signers=self.signers, now=self.now)
        return publish(load_release(self.root / "assets", keys), outlet, silently)

    def release(self, rootfs: bytes) -> Published:
        self.build(rootfs)
        return self.publish()

    def rotate(self, role: str, *fresh: SecretKey, lost: bool = False) -> Rotated:
        """Other keys for a role; `lost`: its old ones do not sign any more."""
        rotation = Rotation(
            backend=self.backend,
            channel=CHANNEL,
            role=role,
            secret=fresh,
            public=(),
            threshold=None,
            lost=lost,
            now=self.now,
            opened=lambda roles: {role: self.keys[role] for role in roles},
        )
        done = rotate(rotation, None, drafted=False)
        self.keys[role] = fresh
        return done

    def update(
        self,
        *,
        root: bytes | None = None,
        dry_run: bool = False,
        reader: Reader | None = None,
        keys: tuple[PublicKey, ...] = (),
    ) -> Updated:
        followed = Followed(
            reader=reader or self.backend,
            places=(str(self.place),),
            channel=CHANNEL,
            root=root or self.first_root,
            now=self.now,
        )
        return update(
            Request(base=self.base, followed=followed, binary_version=None, arches=(ARCH,), dry_run=dry_run, keys=keys),
            silently,
        )

    def later(self, **time: int) -> None:
        self.now += timedelta(**time)

    def files(self, *, of_channel: bool = False) -> dict[str, bytes]:
        """The store's files, without what is kept of the channel and without locks."""
        found = self.place if of_channel else self.base
        return {
            path.relative_to(found).as_posix(): path.read_bytes()
            for path in found.rglob("*")
            if path.is_file() and ".bitproof" not in path.relative_to(found).as_posix()
        }


def metadata(place: DirectoryPlace, name: str) -> Path:
    """Where a place has a piece of the channel's metadata."""
    return place.root / CHANNEL / "metadata" / name


def refused(world: World, kind: type[BitproofError], act: Callable[[], object] | None = None) -> BitproofError:
    """The refusal of an update, after which the store is what it was and whole."""
    before = world.files()
    with pytest.raises(kind) as caught:
        (act or world.update)()
    assert world.files() == before
    assert verify(world.base, (ARCH,)).ok
    return caught.value


def empty(
    root: Path,
    keys: Mapping[str, tuple[SecretKey, ...]] = KEYS,
    *,
    threshold: int = 1,
    days: Mapping[str, int] = DAYS,
) -> World:
    """A channel without a release.

    Args:
        root: a directory for everything.
        keys: of each role.
        threshold: how many of them sign, where a role has so many.
        days: how long each role's metadata holds.
    """
    made = World(root, BEGAN, dict(keys))
    duties = {
        role: Duty(tuple(role_key(key.public) for key in owned), min(threshold, len(owned)))
        for role, owned in keys.items()
    }
    made.first_root = create(made.backend, CHANNEL, duties, days, made.signers, made.now)
    return made


def begun(
    root: Path,
    keys: Mapping[str, tuple[SecretKey, ...]] = KEYS,
    *,
    threshold: int = 1,
    days: Mapping[str, int] = DAYS,
) -> World:
    """As `empty`, with one release, which the machine has."""
    made = empty(root, keys, threshold=threshold, days=days)
    made.release(b"first " * 2000)
    made.update()
    return made


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A channel with one release, which the machine has."""
    return begun(tmp_path)
