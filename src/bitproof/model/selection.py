"""What holds a machine, or one of its VMs, at a release: ``.bitproof-selection.json`` of a store. Pure.

A machine is held by a pin, which a person made and ends, or by a rollback, which ends by itself when a newer release
than the one it turned away from is installed. A VM has pins only, and they go before what holds the machine.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Self

from bitproof.errors import InputError, Problem
from bitproof.model.asset_manifest import NO_VERSION, AssetManifest
from bitproof.model.decode import Table, parse_json
from bitproof.model.names import check_name, hash_name
from bitproof.model.version import Version

SELECTION_FORMAT = 1
MAX_SELECTION = 1 << 20


class Why(StrEnum):
    """Why a release is held."""

    PIN = "pin"
    ROLLBACK = "rollback"


class Held(NamedTuple):
    """One machine or VM that is held at a release; ``str`` is the sentence that says so.

    ``turned_from`` is the release that a rollback turned away from, None of a pin. ``vm`` is empty for the machine.
    """

    version: Version
    why: Why = Why.PIN
    turned_from: Version | None = None
    vm: str = ""

    def __str__(self) -> str:
        """As errors and explanations begin."""
        if self.turned_from is not None:
            return f"this machine was rolled back to assets {self.version} from {self.turned_from}"
        return f"{f'VM {self.vm}' if self.vm else 'this machine'} is pinned to assets {self.version}"

    @property
    def remedy(self) -> str:
        """What to do when it cannot be used."""
        vm = f" --vm {self.vm}" if self.vm else ""
        return f"hold it at another release: bitproof pin VERSION{vm}; or at none: bitproof pin --remove{vm}"

    def document(self) -> dict[str, object]:
        """As JSON."""
        found: dict[str, object] = {"version": str(self.version), "why": str(self.why)}
        found |= {"from": str(self.turned_from)} if self.turned_from is not None else {}
        return found | ({"vm": self.vm} if self.vm else {})


class Selection(NamedTuple):
    """Everything that is held in a store."""

    machine: Held | None = None
    vms: Mapping[str, Held] = MappingProxyType({})

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Read the file.

        Raises:
            InputError: it is not of the form: every problem.
        """
        problems: list[Problem] = []
        table = Table(parse_json(data, where), "", problems)
        table.only("format", "machine", "vms")
        table.integer("format", SELECTION_FORMAT, SELECTION_FORMAT)
        machine = _machine(table.table("machine")) if "machine" in table.values else None
        vms = dict(_vms(table.table("vms", required=False)))
        if problems:
            fix = "remove it, and pin again what is to be held: bitproof pin VERSION"
            raise InputError("the selection is not usable", where=where, problems=problems, fix=fix)
        return cls(machine, vms)

    def to_bytes(self) -> bytes:
        """The file: the same bytes for the same content."""
        import json

        document: dict[str, object] = {"format": SELECTION_FORMAT}
        document |= {"machine": self.machine.document()} if self.machine else {}
        document["vms"] = {name: str(held.version) for name, held in sorted(self.vms.items())}
        return (json.dumps(document, indent=2) + "\n").encode()

    def held(self, vm: str = "") -> Held | None:
        """What holds a VM, or the machine when that is not asked for, or has no pin of its own."""
        return self.vms.get(vm, self.machine)

    def every(self) -> tuple[Held, ...]:
        """The machine's, and each VM's by its name."""
        machine = (self.machine,) if self.machine else ()
        return (*machine, *(held for _, held in sorted(self.vms.items())))

    def with_pin(self, version: Version, vm: str = "") -> Self:
        """With the machine, or a VM, pinned."""
        if vm:
            return self._replace(vms={**self.vms, vm: Held(version, vm=vm)})
        return self._replace(machine=Held(version))

    def without(self, vm: str = "") -> Self:
        """With nothing that holds a VM, or the machine."""
        if vm:
            return self._replace(vms={name: held for name, held in self.vms.items() if name != vm})
        return self._replace(machine=None)

    def rolled_back(self, version: Version, turned_from: Version) -> Self:
        """With the machine at ``version``, until a release comes that is newer than all that were turned away from."""
        before = self.machine.turned_from if self.machine else None
        newest = turned_from if before is None else max(before, turned_from)
        return self._replace(machine=Held(version, Why.ROLLBACK, newest))

    def after_update(self, offered: Version) -> Self:
        """Without the rollback, when the release that an update offers is newer than what it turned away from."""
        turned_from = self.machine.turned_from if self.machine else None
        return self.without() if turned_from is not None and turned_from < offered else self


def _machine(table: Table) -> Held:
    table.only("version", "why", "from")
    why = Why.ROLLBACK if table.choice("why", tuple(Why)) == Why.ROLLBACK else Why.PIN
    turned_from = None
    if why is Why.ROLLBACK:
        turned_from = table.parsed("from", Version, NO_VERSION)
    elif "from" in table.values:
        table.problem("from", "only a rollback has it")
    return Held(table.parsed("version", Version, NO_VERSION), why, turned_from)


def _vms(table: Table) -> Iterator[tuple[str, Held]]:
    for name in table.values:
        try:
            check_name(name)
        except ValueError as error:
            table.problem(name, str(error))
            continue
        yield name, Held(table.parsed(name, Version, NO_VERSION), vm=name)


def held_names(selection: Selection, manifest: AssetManifest) -> dict[str, str]:
    """The hash names of what is held, each with the sentence that says by what."""
    return {
        hash_name(asset.name, asset.digest): str(held)
        for held in reversed(selection.every())
        for assets in manifest.releases[held.version].arches.values()
        for asset in assets.values()
    }


def check_listed(selection: Selection, manifest: AssetManifest, where: str) -> None:
    """Refuse a selection that names releases which a manifest does not have.

    Raises:
        InputError: each of them.
    """
    problems = [
        Problem(f"vms.{held.vm}" if held.vm else "machine", "the manifest has no such release", found=str(held.version))
        for held in selection.every()
        if held.version not in manifest.releases
    ]
    if problems:
        fix = "end what is held there: bitproof pin --remove, with --vm NAME for a VM; until then nothing is removed"
        raise InputError("the selection is not usable", where=where, problems=problems, fix=fix)
