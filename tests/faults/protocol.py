"""The protocol of `system.files` and of the stores, checked on a trace: finds at once what else takes a power cut.

- A file is written under a random temporary name that nobody can plant, never in place.
- What is renamed into place was synced after the last change of its bytes and its mode.
- A directory is synced after a name in it was made, replaced or removed, before anything is acknowledged.
- The manifest is renamed last, and when all that it names lasts. Its signature follows; it is there already, under a
  name bound to the manifest.
- What another run has done is made to last before it is acknowledged again.
- All of this happens while the lock is held.
- What a running VM could hold is claimed for as long as its removal takes.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.faults.cases import Case
from tests.faults.oracle import LOCK, LOCKS, Expected
from tests.faults.trace import Call

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.minisig"
RANDOM = re.compile(r"\.bitproof-[0-9a-f]{16}\.tmp", re.ASCII)
CHANGES = ("write", "pwrite64", "copy_file_range", "sendfile", "ftruncate", "fchmod")
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
    found = [*_in_place(run, ours), *_files_last(run, ours), *_directories_last(run, said), *_locked(case, run, ours)]
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
    """A file that is opened to be written is a new one of a random name; the lock is opened and not written."""
    for call in calls:
        if call.name != "openat" or not re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", call.args):
            continue
        name = subject(run, call).name
        wanted = ALONE[2:] if name in LOCKS else ALONE
        if name not in LOCKS and not RANDOM.fullmatch(name):
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


def _directories_last(run: Path, calls: Iterable[Call]) -> Iterator[str]:
    """Names are synced before anything is acknowledged, and before the manifest, which is renamed last."""
    pending: dict[Path, str] = {}
    done = ""
    for call in calls:
        path = subject(run, call)
        if is_acknowledgement(call):
            yield from (f"acknowledged before {what} lasts" for what in pending.values())
            pending.clear()
        elif call.name in SYNCS:
            pending.pop(path, "")
        elif call.name.startswith("rename"):
            if done and not path.name.startswith(".") and path.name != SIGNATURE:
                yield f"{path.name} comes after {done}"
            if path.name == MANIFEST:
                yield from (f"{MANIFEST} comes before {what} lasts" for what in pending.values())
                done = MANIFEST
            pending[path.parent] = f"the rename of {path.name}"
        elif call.name.startswith(("mkdir", "unlink", "rmdir")):
            pending.pop(path, "")
            pending[path.parent] = f"{call.name} of {path.name}"
    yield from (f"{what} does not last" for what in pending.values())


def is_acknowledgement(call: Call) -> bool:
    """Whether it tells the user something."""
    return call.name == "write" and "/output-" in call.path


def _locked(case: Case, run: Path, calls: list[Call]) -> Iterator[str]:
    """All changes below the place of a command happen between the taking of its lock and its release."""
    place = run / case.place
    lock = place / LOCK
    taken = [
        call.end for call in calls if call.name == "flock" and subject(run, call) == lock and "LOCK_EX" in call.args
    ]
    freed = [call.begin for call in calls if call.name == "close" and subject(run, call) == lock]
    if not taken or not freed:
        yield "no lock is taken"
        return
    for call in calls:
        path = subject(run, call)
        changes = call.mutating and call.name not in {"flock", "fsync"} and path != lock and place in path.parents
        if changes and not taken[0] < call.begin < freed[-1]:
            yield f"{call.name} of {path.name} while the lock is not held"


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
