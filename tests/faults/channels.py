"""What `update` and `channel publish` work on: a channel in a directory, and a store that follows it."""

import random
import shutil
from dataclasses import replace
from pathlib import Path

from bitproof.assets.rollback import Wanted, rollback
from bitproof.channel.roles import ROLES
from bitproof.channel.state import DOWNLOADS, sha256_hex
from bitproof.model.client_state import ClientState
from bitproof.model.digest import Digest
from bitproof.model.names import CHANNEL_STATE, FOLLOWED
from bitproof.system.net.partial import SUFFIX
from bitproof.trust.secret_key import unsealed
from tests.delivery.conftest import ARCH, CHANNEL, World, empty, signer_of
from tests.faults.served import url_of

PLACE, KEYS, ROOT = "place", "keys", "root.json"
STATE_PATH = f"store/{CHANNEL_STATE}/{FOLLOWED}"
POINTER = f"{PLACE}/{CHANNEL}/metadata/timestamp.json"
BUNDLE = f"{PLACE}/{CHANNEL}/bundles/2026.0415.2.bitproof"
OLDER_ROOTFS = b"an older one"
_SIZE, _CHANGED, CHANGED_AT = 64 << 10, 3000, 40_000
FIRST_ROOTFS = random.Random(0).randbytes(_SIZE)  # noqa: S311 - bytes without a pattern, always the same
SECOND_ROOTFS = FIRST_ROOTFS[:CHANGED_AT] + bytes(_CHANGED) + FIRST_ROOTFS[CHANGED_AT + _CHANGED :]
"""A few chunks of the first one changed."""


def fresh(root: Path) -> None:
    """A channel with a release, and a machine that was told of it and has nothing yet."""
    world = empty(root)
    world.release(FIRST_ROOTFS)
    shutil.rmtree(root / "assets")
    (root / ROOT).write_bytes(world.first_root)
    settings = f'[channel]\nfrom = ["{world.place}"]\nroot = "{ROOT}"\n'
    (root / "bitproof.toml").write_text(settings)


def behind(root: Path) -> None:
    """A store that follows the channel, which has a newer release; the rootfs of both is nearly the same."""
    world = _next(root)
    world.publish()
    shutil.rmtree(root / "assets")


def rolled_back(root: Path) -> None:
    """As `behind`, and the machine has gone back to an older release: the newer one ends that."""
    world = empty(root)
    for rootfs in (OLDER_ROOTFS, FIRST_ROOTFS):
        world.release(rootfs)
        world.update()
        world.later(hours=1)
    rollback(Wanted(world.base, None, None, ARCH, int(world.now.timestamp())))
    world.release(SECOND_ROOTFS)
    shutil.rmtree(root / "assets")


def over_http(root: Path) -> None:
    """As `behind`, with the channel behind a web server."""
    behind(root)
    path = root / STATE_PATH
    state = ClientState.parse(path.read_bytes(), str(path))
    path.write_bytes(replace(state, places=(url_of(root / PLACE),)).to_bytes())


def built(root: Path) -> None:
    """A channel with a release, the next one in the dev layout, and the keys to publish it with."""
    world = _next(root)
    shutil.rmtree(world.base)
    (root / KEYS).mkdir()
    for number, role in enumerate(ROLES, 1):
        path = root / KEYS / f"{role}.key"
        path.touch(0o600)
        path.write_bytes(unsealed(signer_of(number)).to_bytes())


def _next(root: Path) -> World:
    world = empty(root)
    world.release(FIRST_ROOTFS)
    world.update()
    world.later(hours=1)
    world.build(SECOND_ROOTFS)
    return world


def on_the_way(template: Path) -> dict[str, bytes]:
    """What a first update writes in between: a state that says where it comes from, and that nothing is there."""
    root = (template / ROOT).read_bytes()
    state = ClientState(channel=CHANNEL, places=(str(template / PLACE),), anchor=sha256_hex(root))
    return {STATE_PATH: state.to_bytes()}


def downloads(digest: Digest) -> tuple[str, str]:
    """Where an update keeps what it has of a file, with the journal of it."""
    path = f"store/{CHANNEL_STATE}/{DOWNLOADS}/{digest.value}.part"
    return path, f"{path}{SUFFIX}"
