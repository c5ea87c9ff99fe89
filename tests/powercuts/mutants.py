"""bitproof with one safeguard taken out: the simulation must notice each, else it proves nothing.

Not here, since ext4 and XFS make up for it: a sync *after* the rename writes the data before it commits the name.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PACKAGE = ROOT / "src" / "bitproof"
FILES, CONTENT = "system/files.py", "system/content.py"
INSTALL, LANDING = "assets/install.py", "assets/landing.py"
MANIFEST_LAST = "        store.write_changed(MANIFEST, data)\n"
COPIES = "        copied = [copy.name for"
OF_DIRECTORY = '"""Make renames and removals in this directory last."""\n        try:\n            '
UNCHANGED = "                    file.sync()\n                    self.sync()\n"
EXCLUSIVE = "flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW\n        try:\n            fd"
TEMPORARY = 'f"{TEMPORARY_PREFIX}{os.urandom(8).hex()}{TEMPORARY_SUFFIX}"\n'


@dataclass(frozen=True, slots=True)
class Mutant:
    """Changes to one file of the package: each old text stands there exactly once."""

    name: str
    path: str
    changes: tuple[tuple[str, str], ...]


MUTANTS = (
    Mutant("an asset is not synced", LANDING, (("os.fsync(target.fd)", "pass"),)),
    Mutant("a manifest is not synced", CONTENT, (("os.fsync(file.fd)", "pass"),)),
    Mutant("a directory is not synced", FILES, ((f"{OF_DIRECTORY}os.fsync(self.fd)", f"{OF_DIRECTORY}pass"),)),
    Mutant("what a killed command renamed is not synced", FILES, ((UNCHANGED, ""),)),
    Mutant(
        "a file is written in place, not renamed",
        FILES,
        (
            (TEMPORARY, "name\n"),
            (EXCLUSIVE, EXCLUSIVE.replace("os.O_EXCL | ", "")),
            ("temporary, flags, 0o600, dir_fd", "temporary, flags, mode, dir_fd"),
        ),
    ),
    Mutant("the manifest is written first", INSTALL, ((MANIFEST_LAST, ""), (COPIES, MANIFEST_LAST + COPIES))),
)

DYING = Mutant(
    "killed before a directory is synced",
    FILES,
    (
        (f"{OF_DIRECTORY}os.fsync(self.fd)", f"{OF_DIRECTORY}os.kill(os.getpid(), 9)"),
        (UNCHANGED, UNCHANGED.replace("file.sync()", "pass")),
    ),
)
"""Not to be noticed: the workload runs it, and then bitproof itself. On the next attempt it dies before any sync, since
that of a file would commit the rename too."""


def planted(mutant: Mutant, directory: Path) -> Path:
    """A copy of the package with the change, in ``directory``, which belongs on ``PYTHONPATH`` then.

    Raises:
        ValueError: the source has changed, so that the mutant is none.
    """
    copy = directory / "bitproof"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "templates"))
    path = copy / mutant.path
    source = path.read_text("utf-8")
    for old, new in mutant.changes:
        if source.count(old) != 1:
            raise ValueError(f"mutant {mutant.name!r}: {source.count(old)} places of {mutant.path} are {old!r}")
        source = source.replace(old, new)
    path.write_text(source, "utf-8")
    return directory
