"""A machine follows a channel: all or nothing, only what it lacks, one look when nothing is new."""

from pathlib import Path

import pytest

from bitproof.assets.selection import read_selection
from bitproof.channel.backends.directory import DirectoryPlace
from bitproof.channel.opening import opened
from bitproof.errors import InputError

from .conftest import World, signer_of


def test_what_is_published_is_installed_byte_for_byte(world: World) -> None:
    world.release(b"second")
    done = world.update()
    assert (done.before, done.version, len(done.names)) == ("2026.0415.1", "2026.0415.2", 1)
    assert world.files()["manifest.json"] == (world.root / "assets" / "manifest.json").read_bytes()
    assert b"second" in world.files().values()


class Counted(DirectoryPlace):
    """A place that remembers what it was asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    def read(self, path: str, limit: int) -> bytes | None:
        self.asked.append(path)
        return super().read(path, limit)


def test_one_look_is_enough_when_nothing_is_new(world: World) -> None:
    place = Counted(world.place)
    assert world.update(reader=place).names == ()
    assert place.asked == ["stable/metadata/timestamp.json"]


def test_an_update_that_died_before_the_end_is_finished_by_the_next(world: World) -> None:
    world.release(b"second")
    manifest = world.base / "manifest.json"
    before = manifest.read_bytes()
    world.update()
    manifest.write_bytes(before)
    (world.base / ".bitproof-channel" / "state.json").unlink()
    assert world.update().version == "2026.0415.2"
    assert manifest.read_bytes() == (world.root / "assets" / "manifest.json").read_bytes()


def test_what_a_killed_update_installed_is_in_the_history_after_the_next_one(world: World) -> None:
    history, state = (world.base / ".bitproof-channel" / name for name in ("history.json", "state.json"))
    before = history.read_bytes()
    world.release(b"second")
    world.update()
    noted = history.read_bytes()
    history.write_bytes(before)  # killed after the manifest, and before the history
    state.unlink()
    world.update()
    assert history.read_bytes() == noted
    world.later(hours=1)
    with opened(world.backend, "stable") as repository:
        repository.renew(world.signers, world.now, ())
    world.update()
    assert history.read_bytes() == noted


def test_what_killed_updates_left_of_other_downloads_goes(world: World) -> None:
    downloads = world.base / ".bitproof-channel" / "downloads"
    for name in (f"{'0' * 64}.part", f"{'0' * 64}.part.journal", f"{'1' * 64}.part.journal"):
        (downloads / name).write_bytes(b"of a release that nobody has any more")
    (downloads / "directory").mkdir()
    world.release(b"second")
    world.update()
    assert [path.name for path in downloads.iterdir()] == ["directory"]


def test_a_dry_run_changes_nothing(world: World) -> None:
    world.release(b"second")
    before = world.files()
    assert world.update(dry_run=True).version == "2026.0415.2"
    assert world.files() == before


def test_nothing_new_is_not_published_again(world: World) -> None:
    before = world.files(of_channel=True)
    assert not world.publish().changed
    assert world.files(of_channel=True) == before


def test_other_bytes_under_a_published_version_are_refused(world: World) -> None:
    (world.root / "assets" / "manifest.json").unlink()  # so that the number is given a second time
    world.build(b"other")
    before = world.files(of_channel=True)
    with pytest.raises(InputError, match="this manifest cannot be published") as caught:
        world.publish()
    assert [problem.what for problem in caught.value.problems] == ["published with other bytes"]
    assert world.files(of_channel=True) == before


def test_an_expired_channel_is_renewed(world: World) -> None:
    world.later(days=300)
    with opened(world.backend, "stable") as repository:
        repository.renew(world.signers, world.now, ("targets", "snapshot"))
    assert world.update().version == "2026.0415.1"


def test_an_online_role_gets_another_key_and_no_client_notices(world: World) -> None:
    done = world.rotate("targets", signer_of(50))
    assert (done.version, done.rekeyed, done.missing) == (2, True, "")
    assert world.update().version == "2026.0415.1"


def test_nothing_holds_a_machine_that_was_only_updated(world: World) -> None:
    assert read_selection(world.base).held() is None
