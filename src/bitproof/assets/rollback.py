"""Go back to a release that is still in the store: at once, without network, and with every byte read again.

Allowed is a release that this machine has booted, or that the store's manifest still offers. The machine is then held
there until an update brings something newer than what it turned away from.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bitproof.assets.compat import choose, held_rejection
from bitproof.assets.history import append, read_history
from bitproof.assets.selection import Load, find_to_hold, read_selection, release_to_hold, write_selection
from bitproof.assets.store import UPDATE, Mode, bring_back, load_manifest
from bitproof.assets.verify import check_files
from bitproof.errors import InputError, IntegrityError, Problem, UnavailableError
from bitproof.model.asset_manifest import Asset, AssetManifest, AssetRelease
from bitproof.model.digest import Digest
from bitproof.model.history import Entry, Event, History
from bitproof.model.names import MANIFEST
from bitproof.model.report import Verdict
from bitproof.model.selection import Held, Selection, Why
from bitproof.model.version import Version
from bitproof.system.files import Directory
from bitproof.system.hashing import bytes_digest
from bitproof.system.lock import Waiting, locked, silent
from bitproof.system.opened import Progress, ignore


class Wanted(NamedTuple):
    """Where to go back.

    Attributes:
        base: the store.
        version: None is the release before the present one in the history.
        binary_version: which has to fit; None is the manifest's current one.
        arch: whose files are verified.
        now: seconds since 1970, for the history.
    """

    base: Path
    version: Version | None
    binary_version: Version | None
    arch: str
    now: int


class Plan(NamedTuple):
    """A rollback that is allowed: from where (the present release) to where, and the files that have to be right."""

    turned_from: Version
    version: Version
    selection: Selection
    files: dict[Path, tuple[Asset, Mode]]
    manifest: Digest

    @property
    def size(self) -> int:
        """Bytes to verify."""
        return sum(asset.size for asset, _ in self.files.values())


def plan_rollback(wanted: Wanted, load: Load = load_manifest) -> Plan:
    """What a rollback would do; nothing is written, and no file is read but the manifest and the history.

    Args:
        wanted: where to.
        load: reads the manifest, when it has to be proved first.

    Raises:
        InputError: a bad manifest, selection or history; there is nothing to go back to; it is not allowed.
        UnavailableError: files of the release are missing, all named; something cannot be read.
    """
    with Directory(wanted.base, what="the store") as store:
        manifest, history = load(store.path / MANIFEST), read_history(store.path)
        before = read_selection(store.path)
        binary = wanted.binary_version or manifest.current_binary
        present = _present(manifest, binary, wanted.arch, before)
        turned_from = manifest.current if present is None else present
        version = wanted.version or history.before(turned_from)
        if version is None:
            raise _nothing_before(present, store.path)
        _check_way(before, present, version, str(store.path))
        release, assets = release_to_hold(manifest, version, wanted.arch)
        _check_allowed(manifest, binary, wanted.arch, release, history)
        paths = find_to_hold(store.path, wanted.arch, assets)
        files = {path: (asset, Mode.INSTALLED) for path, asset in zip(paths, assets, strict=True)}
        selection = before.rolled_back(release.version, turned_from)
        if present == version and before.machine:  # it was done before, and is only completed
            selection, turned_from = before, before.machine.turned_from or turned_from
        with store.open(MANIFEST, "the manifest") as file:
            digest = bytes_digest(file.read(file.size))
        return Plan(turned_from, release.version, selection, files, digest)


def _present(manifest: AssetManifest, binary: Version, arch: str, selection: Selection) -> Version | None:
    """The release that the machine gets now; None when it gets none, which is a reason to go back."""
    try:
        return choose(manifest, binary, arch, selection.machine).release.version
    except InputError:
        return None


def _nothing_before(present: Version | None, base: Path) -> InputError:
    return InputError(
        "nothing is known of a release before the present one",
        where=base,
        expected="an earlier release in the history of this store",
        found=f"the present one, {present}" if present else "no release that fits",
        fix="name the release to go back to: bitproof rollback VERSION; see bitproof assets list",
    )


def _check_way(before: Selection, present: Version | None, version: Version, base: str) -> None:
    """Refuse to go where the machine is already, to what it turned away from, and to end a pin by the way."""
    held = before.machine
    if held is not None and held.why is Why.PIN:
        fix = f"pin it to that release: bitproof pin {version}; or end the pin first: bitproof pin --remove"
        raise InputError(f"{held}, and a rollback would end that", where=base, fix=fix)
    if held is not None and held.turned_from == version:
        fix = "end the rollback: bitproof pin --remove"
        raise InputError(f"{held}, and not to return by another rollback", where=base, fix=fix)
    if present == version and held is None:
        fix = f"to hold it there: bitproof pin {version}"
        raise InputError(f"assets {version} is what this machine gets already", where=base, fix=fix)


def _check_allowed(
    manifest: AssetManifest, binary: Version, arch: str, release: AssetRelease, history: History
) -> None:
    version = release.version
    if not release.in_force and not history.has_booted(version):
        raise InputError(
            f"assets {version} is deprecated, and this machine has never booted it",
            expected="a release that this machine has booted, or that is still offered",
            fix="choose another release: bitproof history; or hold this one on purpose: bitproof pin",
        )
    reason = held_rejection(manifest, binary, arch, Held(version))
    if reason:
        raise InputError(
            f"assets {version} does not fit this binary",
            expected=f"a release for binary {binary} on {arch}",
            found=reason,
            fix="choose another release: bitproof assets why",
        )


def rollback(
    wanted: Wanted,
    *,
    load: Load = load_manifest,
    progress: Progress = ignore,
    wait: bool = True,
    waiting: Waiting = silent,
) -> Plan:
    """Verify an earlier release and hold the machine there.

    Args:
        wanted: where to.
        load: reads the manifest, when it has to be proved first.
        progress: told the bytes that are verified.
        wait: wait for another writer of the store; else fail at once.
        waiting: told the lock's path before waiting.

    Raises:
        IntegrityError: a file is not what the manifest says; nothing is changed.
        InputError, UnavailableError: as `plan_rollback`; the store cannot be written.
    """
    plan_rollback(wanted, load)  # again below: a refusal leaves no lock behind
    with _locked_store(wanted.base, wait=wait, waiting=waiting) as store:
        plan = plan_rollback(wanted, load)
        _verify(plan, progress, store.path)
        write_selection(store, plan.selection)
        append(store, Entry(plan.version, wanted.now, Event.ROLLED_BACK, plan.manifest))
        return plan


@contextmanager
def _locked_store(base: Path, *, wait: bool, waiting: Waiting) -> Iterator[Directory]:
    with Directory(base, what="the store") as store, locked(store, wait=wait, waiting=waiting):
        yield store


def _verify(plan: Plan, progress: Progress, base: Path) -> None:
    """Read every byte of what is to be booted from now on."""
    findings = check_files(plan.files, progress).findings
    bad = [finding for finding in findings if finding.verdict is not Verdict.OK]
    if not bad:
        return
    follows = bring_back(base) == UPDATE  # which does not bring what is older
    kind = IntegrityError if any(finding.verdict is Verdict.DRIFTED for finding in bad) else UnavailableError
    raise kind(
        f"assets {plan.version} cannot be gone back to: its files are not what the manifest says",
        problems=[
            Problem(one.path, one.detail or str(one.verdict), expected=one.expected, found=one.found) for one in bad
        ],
        fix="choose another release: bitproof history"
        if follows
        else "bring the files back: bitproof assets install; or choose another release: bitproof history",
    )
