"""Debian's packages: the job they are fetched for, and mmdebstrap, which unpacks them or makes a tree, as a tar.

apt, which mmdebstrap runs, checks Debian's signatures. Scratch files live in a directory of their own, which goes away
whatever happens; they are no part of a store, so they are written without its protocol.
"""

import errno
import os
import platform
import re
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bitproof.errors import BitproofError, InputError, Problem, UnavailableError
from bitproof.images.inventory.packages import NOTE
from bitproof.model.guest_config import ArchConfig
from bitproof.model.names import arch_key
from bitproof.system.opened import unavailable
from bitproof.system.process import find_program, run

DEBIAN_ARCHES = {"x86_64": "amd64", "arm64": "arm64"}
EMULATORS = {"x86_64": "qemu-x86_64", "arm64": "qemu-aarch64"}
"""What binfmt_misc calls that which runs an arch's programs."""
TEST_TIMEOUT = 20.0
TIMEOUT = 3600.0
"""Seconds for one run of mmdebstrap: hundreds of megabytes over a slow line."""

PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_UNKNOWN_PACKAGE = re.compile(
    r"(?:#\d+ [\d.]+ )?E: (?:Unable to locate package|Package '?)\s*([a-z0-9][a-z0-9+.-]+)'?(?: has no.*)?", re.ASCII
)
_UNMET = "you have held broken packages"
"""What apt says when no versions fit together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One arch's build: its config, the time that no file may exceed, and where and how it runs.

    ``work`` is the directory that `workspace` gave; ``stage`` is told what begins, from any thread; ``stopped`` is
    asked now and then, and a yes ends what runs. ``fetch`` is the driver, which makes Debian's trees; ``keyring`` holds
    the mirror's keys when they are not Debian's, ``preferences`` tell apt which versions are locked.
    """

    config: ArchConfig
    epoch: int
    work: Path
    stage: Callable[[str], None]
    stopped: Callable[[], bool]
    fetch: "Fetch" = field(default_factory=lambda: mmdebstrap)
    keyring: Path | None = None
    preferences: Path | None = None


Fetch = Callable[[Job, str, tuple[str, ...], Path], None]
"""A driver: ``fetch(job, variant, packages, target)`` makes a Debian tree, as `mmdebstrap` does."""


def debian_arch(arch: str) -> str:
    """Debian's name of an arch key.

    Raises:
        InputError: images of this arch cannot be built.
    """
    if arch not in DEBIAN_ARCHES:
        known = " or ".join(DEBIAN_ARCHES)
        raise InputError("images of this arch cannot be built", where="build.toml", expected=known, found=arch)
    return DEBIAN_ARCHES[arch]


def check_programs_run(arch: str, machine: str = "") -> None:
    """Raise unless this machine runs programs of the arch, which a rootfs's packages are configured with.

    Args:
        arch: the arch key.
        machine: this machine's name when absent.

    Raises:
        UnavailableError: it does not; says how to teach it.
    """
    here = arch_key(machine or platform.machine())
    if here == arch:
        return
    tester = find_program("arch-test", "arch-test qemu-user-static binfmt-support")
    try:
        run([tester, debian_arch(arch)], timeout=TEST_TIMEOUT)
    except UnavailableError:
        raise UnavailableError(
            "this machine does not run programs of this arch, so it can build no rootfs for it",
            where=f"arch.{arch}",
            expected=f"qemu-user-static, registered with the kernel (binfmt_misc), or a machine of {arch}",
            found=f"{here} programs only",
            fix=f"apt-get install qemu-user-static binfmt-support; update-binfmts --enable {EMULATORS[arch]}",
        ) from None


@contextmanager
def workspace() -> Iterator[Path]:
    """A scratch directory in TMPDIR; its subdirectory ``trees`` is where mmdebstrap makes its own.

    A killed mmdebstrap may leave mounts in its tree, and removing through a mount would remove the host's files: they
    are unmounted first.

    Raises:
        UnavailableError: the system refused a scratch file (a full disk).
    """
    work = Path(tempfile.mkdtemp(prefix="bitproof-")).resolve()
    try:
        work.chmod(0o755)
        (work / "trees").mkdir()
        (work / "trees").chmod(0o1777)  # in its unshare mode mmdebstrap comes back as another user
        yield work
    except (OSError, tarfile.TarError) as error:
        refusal = error if isinstance(error, OSError) else OSError(f"not a whole tar: {error}")
        raise unavailable(refusal, "the scratch files of a build cannot be written or read", work) from None
    finally:
        _unmount_below(work)
        # Without root, what a killed mmdebstrap left belongs to a subordinate user and stays.
        shutil.rmtree(work, ignore_errors=True)


def _unmount_below(work: Path) -> None:
    """Unmount all that is mounted below ``work``, innermost first.

    In mountinfo, field 5 is the mount point, with blanks and backslashes as three octal digits (proc(5)).
    """
    text = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    escaped = [line.split(" ")[4] for line in text.splitlines()]
    points = [Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point)) for point in escaped]
    for point in reversed(points):
        if point.is_relative_to(work):
            run([find_program("umount", "mount"), "--lazy", str(point)])


def fetch_tree(job: Job, variant: str, packages: tuple[str, ...], target: Path) -> None:
    """Let the job's driver make a Debian tree. Arguments and errors are those of `mmdebstrap`.

    Where the mirror has only some of the locked versions, the others may not fit to these, and apt gives up. The tree
    is then made as the suite gives it: comparing it with the lock names what differs.
    """
    try:
        job.fetch(job, variant, packages, target)
    except UnavailableError as error:
        if job.preferences is None or not any(_UNMET in line for line in error.details):
            raise
        job.fetch(replace(job, preferences=None), variant, packages, target)


def mmdebstrap(job: Job, variant: str, packages: tuple[str, ...], target: Path) -> None:
    """The rootless driver: make a Debian tree and pack it as the tar ``target``, with a note of its packages.

    Args:
        job: suite, mirror, arch and time.
        variant: ``extract`` (download and unpack the packages, nothing else) or ``minbase``.
        packages: names of the packages.
        target: the tar to write.

    Raises:
        InputError: a package that the suite does not have.
        UnavailableError: no network, no such suite, too few rights…; quotes mmdebstrap's last lines.
    """
    config = job.config
    argv = [
        find_program("mmdebstrap", "mmdebstrap"),
        "--mode=auto",
        "--format=tar",
        f"--variant={variant}",
        *_hooks(job, variant),
        f"--architectures={debian_arch(config.arch)}",
        *([f"--include={','.join(packages)}"] if packages else []),
        *([f"--keyring={job.keyring}"] if job.keyring else []),
        config.suite,
        str(target),
        *([config.mirror] if config.mirror else []),
    ]
    environment = {name: os.environ[name] for name in PROXIES if name in os.environ}
    environment |= {"SOURCE_DATE_EPOCH": str(job.epoch), "TMPDIR": str(job.work / "trees")}
    try:
        run(argv, environment=environment, timeout=TIMEOUT, stopped=job.stopped)
    except UnavailableError as error:
        fix = "check the network, the suite and the mirror; without root, uidmap and a range in /etc/subuid are needed"
        raise explained(error, config, fix) from None


def _hooks(job: Job, variant: str) -> list[str]:
    """What runs beside mmdebstrap's own steps: apt learns the locked versions, and what it took is noted.

    In ``extract`` the last hook is the extract-hook; in ``minbase`` that one comes before the packages are complete.
    """
    noted = f"--{'extract' if variant == 'extract' else 'customize'}-hook"
    hooks = ["--skip=essential/unlink", f"{noted}={NOTE}"]
    if job.preferences:
        here = '"$1/etc/apt/preferences.d'
        hooks.append(f'--setup-hook=mkdir -p {here}" && cp {shlex.quote(str(job.preferences))} {here}/bitproof"')
        hooks.append(f'{noted}=rm {here}/bitproof"')
    return hooks


def explained(error: UnavailableError, config: ArchConfig, fix: str) -> BitproofError:
    """A driver's failure: unknown packages are the config's fault, all else the surroundings', which ``fix`` mends."""
    lines = [_UNKNOWN_PACKAGE.fullmatch(line.strip()) for line in error.details]
    unknown = [Problem(line[1], "no such package") for line in lines if line]
    where = " ".join(filter(None, [config.suite, debian_arch(config.arch), config.mirror]))
    if unknown:
        what = "the suite does not have these packages"
        return InputError(
            what, where=where, problems=dict.fromkeys(unknown), fix="mend packages/*.toml or kernel.package"
        )
    if any(os.strerror(errno.ENOSPC) in line for line in error.details):
        fix = "free some disk space, or let TMPDIR name a directory that has more"
    return UnavailableError(error.what, where=where, found=error.found, details=error.details, fix=fix)
