"""A process that boots, but for QEMU, run by `zygote`: prints what each file of the boot set hashes to.

``boot.py BASE VERSION ARCH``; with a fourth word it makes a file of this name then, waits for SIGUSR1 as a running VM
waits for its end, and prints it all again.
"""

import fcntl
import signal
import sys
from pathlib import Path

from bitproof import pipeline
from bitproof.assets.resolve import resolve
from bitproof.model.version import Version
from bitproof.system.hashing import blake3_digest
from bitproof.system.opened import OpenFile
from bitproof.vm.verified import VerifiedBootSet, open_verified


def main(base: str, version: str, arch: str, ready: str = "") -> None:
    """Resolve, verify, and hold the boot set."""
    boot = resolve(Path(base), Version(version), arch)
    with open_verified(pipeline.vm_config(boot, None, cpus=1, memory=512, append="")) as verified:
        tell(verified)
        if ready:
            Path(ready).touch()
            signal.sigwait([signal.SIGUSR1])
            tell(verified)


def tell(verified: VerifiedBootSet) -> None:
    """What QEMU would get: the digest of each descriptor, and whether anyone can still change what is in memory."""
    names = ("kernel", "initrd", "rootfs")
    for name, fd in zip(names, (verified.kernel, verified.initrd, verified.rootfs), strict=True):
        digest = blake3_digest(OpenFile(fd, Path(name)))
        sealed = name != "rootfs" and fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE
        sys.stdout.write(f"{name} {digest}{' sealed' if sealed else ''}\n")
        sys.stdout.flush()
