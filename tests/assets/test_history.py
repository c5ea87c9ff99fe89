"""A store's history on the disk: appended to by several processes, read by anyone, and never in the way of a boot."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bitproof.assets.history import HISTORY, append, boot_to_note, note_boot, read_history
from bitproof.assets.resolve import resolve
from bitproof.errors import InputError
from bitproof.model.history import Entry, Event, History
from bitproof.model.names import CHANNEL_STATE, HISTORY_LOCK
from bitproof.model.version import Version
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_digest
from bitproof.system.lock import locked
from tests.assets.layouts import build, fill, write_manifest
from tests.evidence import names_in, refusal, tree
from tests.model.samples import BINARY, FIRST, document

WRITER = """
import sys
from pathlib import Path
from bitproof.assets.history import boot_to_note, note_boot
from bitproof.assets.resolve import resolve
base = Path(sys.argv[1])
entry = boot_to_note(resolve(base, None, "x86_64"))
for number in range(20):
    assert note_boot(base, entry._replace(vm=f"{sys.argv[2]}-{number}"), number)
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A store that has been updated from a channel."""
    store = tmp_path / "store"
    write_manifest(store, document())
    fill(store, "a")
    (store / CHANNEL_STATE).mkdir()
    return store


def entry(base: Path) -> Entry:
    return Entry(Version(FIRST), 7, Event.BOOTED, bytes_digest((base / "manifest.json").read_bytes()))


def boot(base: Path, arch: str = "x86_64") -> Entry | None:
    return boot_to_note(resolve(base, Version(BINARY), arch))


def test_a_boot_is_noted_with_its_time_and_the_manifest_it_began_with(base: Path) -> None:
    begun = boot(base)
    expected = entry(base)
    write_manifest(base, document({}))
    assert note_boot(base, begun, 7)
    assert read_history(base) == History((expected,))
    assert names_in(base / CHANNEL_STATE) == [HISTORY_LOCK, HISTORY]


def test_nothing_is_noted_in_a_store_without_a_channel_or_in_a_dev_layout(base: Path, tmp_path: Path) -> None:
    (base / CHANNEL_STATE).rmdir()
    build(tmp_path / "assets")
    (tmp_path / "assets" / CHANNEL_STATE).mkdir()
    write_manifest(tmp_path / "assets", document())
    before = tree(tmp_path)
    assert (boot(base), boot(tmp_path / "assets")) == (None, None)
    assert not note_boot(base, None, 7)
    assert not note_boot(base, entry(base), 7)
    assert read_history(base) == History()
    assert tree(tmp_path) == before


def test_a_boot_does_not_fail_for_a_history_that_cannot_be_written(base: Path) -> None:
    (base / CHANNEL_STATE / HISTORY).write_bytes(b"{")
    before = tree(base)
    assert not note_boot(base, boot(base), 7)
    assert {**tree(base), f"{CHANNEL_STATE}/{HISTORY_LOCK}": b""} == {**before, f"{CHANNEL_STATE}/{HISTORY_LOCK}": b""}


def test_a_boot_does_not_wait_for_a_lock_that_cannot_be_made(base: Path) -> None:
    (base / CHANNEL_STATE / HISTORY_LOCK).mkdir()
    began = time.monotonic()
    assert not note_boot(base, boot(base), 7)
    assert time.monotonic() - began < 0.5


def test_a_boot_waits_a_second_for_a_lock_and_not_for_ever(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bitproof.assets.history.PAUSE", 0.0)
    with Directory(base / CHANNEL_STATE) as directory, locked(directory, name=HISTORY_LOCK):
        assert not note_boot(base, boot(base), 7)
    assert note_boot(base, boot(base), 7)


def test_boots_that_end_at_once_are_all_noted(base: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, base, name], env=os.environ) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    noted = sorted(one.vm for one in read_history(base).entries)
    assert noted == sorted(f"{name}-{number}" for name in "abc" for number in range(20))


def test_what_is_appended_makes_the_directory_and_leaves_a_bad_history_alone(base: Path) -> None:
    (base / CHANNEL_STATE).rmdir()
    with Directory(base) as store:
        append(store, entry(base))
        assert read_history(base).entries == (entry(base),)
        (base / CHANNEL_STATE / HISTORY).write_bytes(b"{}")
        message = refusal(InputError, lambda: append(store, entry(base)))
    assert message == (
        "the history is not usable\n"
        f"  where:    {base}/{CHANNEL_STATE}/{HISTORY}\n"
        "  - format: missing: expected an integer\n"
        "  - entries: missing: expected an array\n"
        "  fix:      remove it; then nothing is known of what ran here"
    )
    assert (base / CHANNEL_STATE / HISTORY).read_bytes() == b"{}"


def test_a_history_that_is_a_symlink_is_refused(base: Path, tmp_path: Path) -> None:
    (base / CHANNEL_STATE / HISTORY).symlink_to(tmp_path / "nowhere")
    assert refusal(InputError, lambda: read_history(base)) == (
        f"the history is a symlink\n  where:    {base}/{CHANNEL_STATE}/{HISTORY}\n  expected: a regular file"
    )
    assert not note_boot(base, boot(base), 7)
    assert not (tmp_path / "nowhere").exists()
