"""``bitproof vm boot | shell | doctor``: boot what was verified, and nothing else."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple

import click

from bitproof import pipeline
from bitproof.assets.history import boot_to_note, note_boot
from bitproof.assets.pins import parse_pins
from bitproof.assets.resolve import BootSet, resolve
from bitproof.cli.assets.produce import project, reporters
from bitproof.cli.progress import byte_progress
from bitproof.cli.project import (
    MAKE_LAYOUT,
    MAKE_STORE,
    PATH,
    arch_option,
    assets_option,
    base_option,
    binary_version_option,
    settings,
    store_or_layout,
    vm_option,
    when_unusable,
)
from bitproof.cli.project import binary_version as version_wanted
from bitproof.cli.render import print_report
from bitproof.cli.session import F, Session, pass_session
from bitproof.cli.settings import host_arch
from bitproof.cli.signatures import keys_wanted, sign_fresh, signature_option
from bitproof.errors import InputError
from bitproof.images.config import load_guest_config
from bitproof.model.decode import MAX_JSON
from bitproof.model.guest_config import Resources
from bitproof.model.names import MANIFEST
from bitproof.model.version import Version
from bitproof.signed.resolve import resolve_signed
from bitproof.system.opened import read_file
from bitproof.vm.accelerator import Accelerator, choose
from bitproof.vm.launch import READER_GONE, launch, launch_unverified, run_doctor
from bitproof.vm.qemu import find_qemu
from bitproof.vm.verified import VerifiedBootSet, VmConfig, open_unverified, open_verified

COMMAND_LAST = {"allow_interspersed_args": False}
"""Options end where the guest's command begins, as with ssh: ``vm shell ls -a /``."""
DOCTOR_SECONDS = 120.0
VERITY = "Hash kernel and initrd only; the guest checks each block of the rootfs when it reads it."
UNVERIFIED = "warning: --unverified: nothing was checked, these bytes are whatever lies on the disk"


class MachineOptions(NamedTuple):
    """What the options of `machine_options` say; None is for the guest config to say."""

    cpus: int | None
    memory: int | None
    append: str
    timeout: float | None
    pins: Path | None
    verity: bool


OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--cpus", {"type": int, "metavar": "N", "help": "Virtual CPUs, 1 to 64; default: the guest config's, else 2."}),
    ("--memory", {"type": int, "metavar": "MIB", "help": "Memory; default: the guest config's, else 512."}),
    ("--append", {"default": "", "metavar": "TEXT", "help": "More words for the kernel's command line."}),
    ("--timeout", {"type": float, "metavar": "SECONDS", "help": "End the VM then, with exit 1."}),
    ("--pins", {"type": PATH, "metavar": "FILE", "help": "Compile-time pins: `assets hashes --format json`."}),
    ("--verity", {"is_flag": True, "help": VERITY}),
)


def machine_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of the machine, and hand them over as ``machine``."""

    @wraps(function)
    def command(*args: object, **values: Any) -> object:  # noqa: ANN401 - click's options, of many types
        machine = MachineOptions(*(values.pop(name) for name in MachineOptions._fields))
        return function(*args, machine=machine, **values)

    wrapped: Callable[..., Any] = command
    for name, details in reversed(OPTIONS):
        wrapped = click.option(name, **details)(wrapped)
    return wrapped


def where_options(command: F) -> F:
    """``--base``, ``--assets``, ``--binary-version``, ``--arch``, ``--require-signature``: which boot set."""
    return base_option(assets_option(binary_version_option(arch_option(signature_option(command)))))


@click.command(context_settings=COMMAND_LAST)
@where_options
@vm_option
@machine_options
@click.option("--unverified", is_flag=True, help="Boot without checking anything, and say so.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@pass_session
def boot(
    session: Session,
    machine: MachineOptions,
    command: tuple[str, ...],
    *,
    unverified: bool,
    **where: Any,  # noqa: ANN401 - those of where_options
) -> int:
    """Verify a boot set and boot it.

    With COMMAND after --, run that in the guest and exit with its code; else a shell on its console. The bytes that
    were hashed are the bytes that boot. Without expected digests nothing boots.
    """
    if unverified and machine.verity:
        raise InputError("--unverified and --verity contradict each other", fix="leave one of them out")
    boot_set = _find(**where)
    if not unverified:
        to_note = boot_to_note(boot_set)
        code = _boot(session, boot_set, machine, command)
        if code != READER_GONE:  # then nobody knows whether the guest came up
            note_boot(boot_set.manifest.parent, to_note, int(time.time()))
        return code
    click.echo(session.styled(UNVERIFIED, "red", sys.stderr), err=True)
    config = _config(boot_set, machine)
    with open_unverified(config) as opened:
        return launch_unverified(
            opened,
            command=command or None,
            timeout=machine.timeout,
            console=session.verbose,
            accelerator=_accelerator(session, config),
        )


@click.command(context_settings=COMMAND_LAST)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@machine_options
@assets_option
@arch_option
@pass_session
def shell(
    session: Session, machine: MachineOptions, command: tuple[str, ...], assets: Path | None, arch: str | None
) -> int:
    """The daily driver: repack the initrd, record it, sign, verify all, boot.

    Without COMMAND there is a shell on the guest's console; one word alone is a line for the guest's shell. Only the
    initrd gets a fresh pin: a kernel or a rootfs that is no longer what was built is refused.
    """
    what = project(assets)
    with reporters(session) as tell:
        recording = pipeline.refresh(what, arch or host_arch(), tell)
    sign_fresh(session, what.assets / MANIFEST, changed=recording.changed)
    boot_set = resolve(what.assets, what.binary_version, arch or host_arch(), dev=True)
    return _boot(session, boot_set, machine, ("sh", "-c", *command) if len(command) == 1 else command)


@click.command()
@where_options
@machine_options
@pass_session
def doctor(session: Session, machine: MachineOptions, **where: Any) -> int:  # noqa: ANN401 - those of where_options
    """Verify, boot, and let the guest check itself.

    Exit 0 only when all of its checks pass.
    """
    config = _config(_find(**where), machine)
    with _verified(session, config, verity=machine.verity) as verified:
        report = run_doctor(
            verified,
            timeout=DOCTOR_SECONDS if machine.timeout is None else machine.timeout,
            console=session.verbose,
            accelerator=_accelerator(session, config),
        )
    return print_report(session, report)


def _find(
    base: Path | None,
    assets: Path | None,
    binary_version: Version | None,
    arch: str | None,
    signers: tuple[str, ...],
    vm: str | None = None,
) -> BootSet:
    found = settings()
    where = store_or_layout(base, assets, found)
    wanted = version_wanted(binary_version, found)
    with when_unusable(where / MANIFEST, MAKE_STORE if assets is None else MAKE_LAYOUT):
        keys = keys_wanted(signers, found)
        return resolve_signed(where, wanted, arch or host_arch(), keys, dev=assets is not None, vm=vm or "")


def _boot(session: Session, boot_set: BootSet, machine: MachineOptions, command: Sequence[str]) -> int:
    config = _config(boot_set, machine)
    with _verified(session, config, verity=machine.verity) as verified:
        return launch(
            verified,
            command=command or None,
            timeout=machine.timeout,
            console=session.verbose,
            accelerator=_accelerator(session, config),
        )


@contextmanager
def _verified(session: Session, config: VmConfig, *, verity: bool) -> Iterator[VerifiedBootSet]:
    """The open, verified files; the bar is gone before the guest speaks."""
    hashed = (config.kernel, config.initrd, *(() if verity else (config.rootfs,)))
    with ExitStack() as stack:
        with byte_progress(session, "verifying", sum(path.stat().st_size for path in hashed if path.exists())) as told:
            verified = stack.enter_context(open_verified(config, told, verity=verity))
        yield verified


def _config(boot_set: BootSet, machine: MachineOptions) -> VmConfig:
    resources = _resources()
    pins = machine.pins
    return pipeline.vm_config(
        boot_set,
        parse_pins(read_file(pins, MAX_JSON, "the pins"), str(pins)) if pins else None,
        cpus=resources.cpus if machine.cpus is None else machine.cpus,
        memory=resources.memory if machine.memory is None else machine.memory,
        append=machine.append,
    )


def _resources() -> Resources:
    """The guest config's, where there is one beside the settings."""
    directory = settings().directory("config").value
    return load_guest_config(directory).resources if directory.is_dir() else Resources()


def _accelerator(session: Session, config: VmConfig) -> Accelerator:
    """Chosen after verification: a mismatch is told before QEMU is looked for."""
    choice = choose(config.arch, find_qemu(config.arch), wanted=os.environ.get("BITPROOF_ACCEL", ""))
    session.detail(f"accelerator {choice.name}: {choice.reason}")
    return choice
