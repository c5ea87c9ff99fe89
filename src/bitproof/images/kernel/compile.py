"""Compile a kernel so that the same source, defconfig and compiler always give the same bytes.

Build user, host, number and time are fixed; paths are mapped away; the environment is made and nothing of it inherited.
Source: the kernel's Documentation/kbuild/reproducible-builds.rst.
"""

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from bitproof.errors import InputError, IntegrityError
from bitproof.images.debian import Job
from bitproof.images.kernel.kconfig import lacking, options, unmet
from bitproof.images.kernel.toolchain import TARGETS, find
from bitproof.system.opened import OpenFile
from bitproof.system.process import last_lines, run, run_logged

TIMEOUT = 4 * 3600.0
"""Seconds for one run of make: a kernel with everything in it, on one slow core."""
CONFIGURE_TIMEOUT = 600.0
QUOTED_ERRORS = 10
MAX_LOG = 64 << 20

_ERROR = re.compile(rb"^.*(?:\berror: |\*\*\* ).*$", re.MULTILINE)


def fixed_environment(arch: str, epoch: int) -> dict[str, str]:
    """What the kernel is told of the build, the same on every machine; ``epoch`` in seconds since 1970."""
    target = TARGETS[arch]
    return {
        "ARCH": target.arch,
        "CROSS_COMPILE": target.prefix,
        "KBUILD_BUILD_HOST": "bitproof",
        "KBUILD_BUILD_TIMESTAMP": f"{datetime.fromtimestamp(epoch, UTC):%a %b %d %H:%M:%S UTC %Y}",
        "KBUILD_BUILD_USER": "bitproof",
        "KBUILD_BUILD_VERSION": "1",
        "LOCALVERSION": "",
        "SOURCE_DATE_EPOCH": str(epoch),
    }


def unpack_source(job: Job, packed: OpenFile, tree: Path) -> None:
    """Unpack a tarball of one directory, the kernel's source, as ``tree``.

    Raises:
        InputError: it holds no kernel's source.
        UnavailableError: it cannot be unpacked.
    """
    tree.mkdir()
    argv = [find("tar") or "tar", "-x", "-f", f"/proc/self/fd/{packed.fd}", "-C", str(tree)]
    argv += ["--strip-components=1", "--no-same-owner", "--no-same-permissions"]
    run(argv, pass_fds=[packed.fd], timeout=TIMEOUT, stopped=job.stopped)
    if not (tree / "Kconfig").is_file():
        found = ", ".join(sorted(path.name for path in tree.iterdir())[:5]) or "nothing"
        what = "the tarball is not a kernel's source"
        raise InputError(what, where=packed.path, expected="one directory with Kconfig in it", found=found)


def configure(job: Job, tree: Path, defconfig: str, needs: Iterable[str], log: OpenFile) -> None:
    """Let Kconfig make the .config, and see that it took every line and has the options that the image needs.

    Raises:
        InputError: with every option that is not as it must be; nothing is compiled.
        IntegrityError: Kconfig failed.
    """
    asked = options(defconfig)
    (tree / ".config").write_text(defconfig, "ascii")
    _make(job, tree, ["olddefconfig"], log, CONFIGURE_TIMEOUT)
    made = options((tree / ".config").read_text("ascii", "replace"))
    problems = (*unmet(asked, made), *lacking(made, needs))
    if problems:
        raise InputError(
            "the kernel would not be what its defconfig asks for, or not boot the image",
            where=job.config.kernel.defconfig,
            problems=problems,
            fix="mend these lines; `make menuconfig` in the kernel's source shows what an option depends on",
        )


def compile_image(job: Job, tree: Path, log: OpenFile) -> Path:
    """Compile, and return where the kernel lies.

    Raises:
        IntegrityError: the compiler refused something; quotes its first errors.
    """
    target = TARGETS[job.config.arch]
    _make(job, tree, [target.image], log, TIMEOUT)
    return tree / target.path / target.image


def _make(job: Job, tree: Path, targets: list[str], log: OpenFile, timeout: float) -> None:
    jobs = len(os.sched_getaffinity(0))
    mapped = f"-ffile-prefix-map={tree}=."
    environment = fixed_environment(job.config.arch, job.epoch)
    environment |= {"KCFLAGS": mapped, "KAFLAGS": mapped, "TMPDIR": str(job.work)}
    code = run_logged(
        [find("make") or "make", f"-j{jobs}", *targets],
        log=log.fd,
        environment=environment,
        cwd=tree,
        timeout=timeout,
        stopped=job.stopped,
        umask=0o022,
    )
    if code:
        raise IntegrityError(
            "the kernel does not compile",
            where=log.path,
            found=f"exit code {code} of make {' '.join(targets)}",
            details=_quoted(log),
            fix="the whole log is in the file named above",
        )


def _quoted(log: OpenFile) -> list[str]:
    """The first errors, which jobs at the same time bury, or without any the end of the log."""
    written = os.pread(log.fd, MAX_LOG, 0)
    errors = [match[0] for match in _ERROR.finditer(written)][:QUOTED_ERRORS]
    return last_lines(b"\n".join(errors)) or last_lines(written)
