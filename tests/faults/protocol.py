"""The protocol of `system.files` and of the stores, checked on a trace: finds at once what else takes a power cut.

- A file is written under a random temporary name that nobody can plant, never in place; but for a download, which
  nobody reads before it is renamed.
- What is renamed into place was synced after the last change of its bytes and its mode.
- A directory is synced after a name in it was made, replaced or removed, before anything is acknowledged.
- The manifest is renamed last, and when all that it names lasts. Its signature follows; it is there already, under a
  name bound to the manifest. After that an update says what the machine is held at, what it has run, and how far it has
  come, in this order. A channel's timestamp is the last of all but the bundle, which proves what it shows.
- What another run has done is made to last before it is acknowledged again.
- All of this happens while the lock is held.
- What a running VM could hold is claimed for as long as its removal takes.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.faults.cases import Case
from tests.faults.channels import BUNDLE, POINTER
from tests.faults.oracle import LOCK, LOCKS, Expected
from tests.faults.trace import Call

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.minisig"
ORDER = (MANIFEST, ".bitproof-selection.json", "history.json", "state.json")
"""What follows the manifest, and is new only when all before it lasts."""
PUBLISHED = tuple(Path(path).name for path in (POINTER, BUNDLE))
DOWNLOAD = re.compile(r"[0-9a-f]{64}\.part(\.journal)?", re.ASCII)
DOWNLOADS = "downloads"
RANDOM = re.compile(r"\.bitproof-[0-9a-f]{16}\.tmp", re.ASCII)
CHANGES = ("write", "pwrite64", "copy_file_range", "sendfile", "ftruncate", "fallocate", "fchmod")
SYNCS = ("fsync", "fdatasync")
ALONE = ("O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_CLOEXEC")


def violations(case: Case, run: Path, calls: Iterable[Call]) -> list[str]:
    """What an undisturbed run did against the protocol.

    Args:
        case: which command it was.
        run: the directory it ran in.
        calls: what it called.
    """
    calls = list(calls)
    ours = [call for call in calls if call.ok and subject(run, call).is_relative_to(run)]
    said = [call for call in calls if call in ours or is_acknowledgement(call)]
    order = PUBLISHED if case.command == "publish" else ORDER
    found = [*_in_place(run, ours), *_files_last(run, ours), *_directories_last(run, said, order)]
    found += [*_in_order(run, ours, order), *_locked(case, run, ours)]
    return found + (list(_claimed(run, ours)) if case.command == "cleanup" else [])


def not_made_to_last(wanted: Expected, run: Path, calls: Iterable[Call]) -> list[str]:
    """The directories in which a run found its work done, and did not see to it that it lasts before it said so.

    The one who did the work may have been killed between rename and fsync.
    """
    calls = list(calls)
    said = min((call.begin for call in calls if is_acknowledgement(call)), default=0)
    synced = {subject(run, call) for call in calls if call.name == "fsync" and call.ok and call.end < said}
    changed = [path for path, entry in wanted.new.items() if wanted.old.get(path) != entry and entry[1]]
    missing = {(run / path).parent for path in changed} - synced
    return [f"{directory.relative_to(run)} is acknowledged, and was not synced" for directory in sorted(missing)]


def subject(run: Path, call: Call) -> Path:
    """The file that a call is about: the last one that it names, else the one whose descriptor it got."""
    names = call.paths or call.directories
    return (
        run / (names[1] if call.name == "copy_file_range" else names[-1] if call.paths else names[0]) if names else run
    )


def temporaries(run: Path, calls: Iterable[Call]) -> set[str]:
    """The names of the temporaries that were made."""
    return {subject(run, call).name for call in calls if call.name == "openat" and "O_EXCL" in call.args}


def _in_place(run: Path, calls: Iterable[Call]) -> Iterator[str]:
    """A file that is opened to be written is a new one of a random name, or a download; a lock is not written."""
    for call in calls:
        if call.name != "openat" or not re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", call.args):
            continue
        path = subject(run, call)
        name = path.name
        is_kept = name in LOCKS or (path.parent.name == DOWNLOADS and DOWNLOAD.fullmatch(name))
        wanted = ALONE[2:] if is_kept else ALONE
        if not is_kept and not RANDOM.fullmatch(name):
            yield f"{name} is written in place, or by a name that can be told"
        yield from (f"{name} is opened without {flag}" for flag in wanted if flag not in call.args)
        if "O_TRUNC" in call.args:
            yield f"{name} is truncated"


def _files_last(run: Path, calls: Iterable[Call]) -> Iterator[str]:
    """What is renamed was synced after the last change of its bytes and its mode."""
    dirty: dict[Path, int] = {}
    for call in calls:
        path = subject(run, call)
        if call.name in CHANGES:
            dirty[path] = call.end
        elif call.name in SYNCS and dirty.get(path, call.begin) < call.begin:
            dirty.pop(path)
        elif call.name.startswith("rename") and run / call.paths[0] in dirty:
            yield f"{path.name} is renamed before it is synced"


def _directories_last(run: Path, calls: Iterable[Call], order: tuple[str, ...]) -> Iterator[str]:
    """Names are synced before anything is acknowledged, and before the next of what counts.

    That a journal is gone need not last: without its download it counts for nothing.
    """
    pending: dict[Path, str] = {}
    for call in calls:
        path = subject(run, call)
        if is_acknowledgement(call):
            yield from (f"acknowledged before {what} lasts" for what in pending.values())
            pending.clear()
        elif call.name in SYNCS:
            pending.pop(path, "")
        elif call.name.startswith("rename"):
            if path.name in order:
                yield from (f"{path.name} comes before {what} lasts" for what in pending.values())
            for directory in {path.parent, (run / call.paths[0]).parent}:
                pending[directory] = f"the rename of {path.name}"
        elif call.name.startswith(("mkdir", "unlink", "rmdir")) and path.parent.name != DOWNLOADS:
            pending.pop(path, "")
            pending[path.parent] = f"{call.name} of {path.name}"
    yield from (f"{what} does not last" for what in pending.values())


def _in_order(run: Path, calls: Iterable[Call], order: tuple[str, ...]) -> Iterator[str]:
    """What counts is renamed in its order, and what it needs before it; a state that promises nothing may be there."""
    done: list[str] = []
    for call in calls:
        name = subject(run, call).name
        if not call.name.startswith("rename"):
            continue
        if name in order:
            later = set(order[order.index(name) + 1 : -1]).intersection(done)
            yield from (f"{name} comes after {other}" for other in later)
            done.append(name)
        elif order[0] in done and name != SIGNATURE and not name.startswith(".bitproof-"):
            yield f"{name} comes after {order[0]}"


def is_acknowledgement(call: Call) -> bool:
    """Whether it tells the user something."""
    return call.name == "write" and "/output-" in call.path


def _locked(case: Case, run: Path, calls: list[Call]) -> Iterator[str]:
    """All changes below a directory that has a lock happen while it is held; the innermost such directory counts.

    The directories themselves are made before there is a lock in them.
    """
    locks = [run / lock for lock in case.locks or (f"{case.place}/{LOCK}",)]
    held = {lock.parent: _held(run, calls, lock) for lock in locks}
    yield from () if any(held.values()) else ("no lock is taken",)
    for call in calls:
        path = subject(run, call)
        guarded = next((parent for parent in path.parents if parent in held), None)
        if not call.mutating or call.name in {"flock", "fsync"} or guarded is None or path in {*locks, *held}:
            continue
        if not any(begin < call.begin < end for begin, end in held[guarded]):
            yield f"{call.name} of {path.name} while the lock is not held"


def _held(run: Path, calls: list[Call], lock: Path) -> list[tuple[int, int]]:
    """From when to when a lock was held."""
    spans = []
    taken = None
    for call in calls:
        if subject(run, call) != lock:
            continue
        if call.name == "flock" and "LOCK_EX" in call.args:
            taken = call.end
        elif call.name == "close" or "LOCK_UN" in call.args:
            spans += [] if taken is None else [(taken, call.begin)]
            taken = None
    return spans


def _claimed(run: Path, calls: Iterable[Call]) -> Iterator[str]:
    """A file is claimed when it is unlinked; in a legacy directory, which nobody boots from, need not be."""
    claimed: set[Path] = set()
    for call in calls:
        path = subject(run, call)
        if call.name == "flock" and "LOCK_EX" in call.args:
            claimed.add(path)
        elif call.name == "close" or (call.name == "flock" and "LOCK_UN" in call.args):
            claimed.discard(path)
        elif call.name.startswith("unlink") and "AT_REMOVEDIR" not in call.args and path not in claimed:
            legacy = any(parent.name.startswith("v") for parent in path.relative_to(run).parents)
            yield from () if legacy else (f"{path.name} is removed while a VM may take it",)
