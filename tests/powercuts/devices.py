"""Mounts, loop devices and a disk whose writes are logged: the system calls, and the one program. Root is needed.

All of it is undone at the end of its block. It also ends with the mount and process namespaces that `run` makes:
a loop device is detached when its last user is gone.
"""

import ctypes
import errno
import fcntl
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import mmap
from pathlib import Path

from bitproof.system.process import find_program, run

MS_NOATIME, MS_REC, MS_PRIVATE = 1 << 10, 1 << 14, 1 << 18
LOOP_CTL_GET_FREE, LOOP_CONFIGURE, BLKFLSBUF = 0x4C82, 0x4C0A, 0x1261
LO_FLAGS_AUTOCLEAR, LO_FLAGS_DIRECT_IO = 4, 16
# struct loop_config of linux/loop.h: fd and block size; of loop_info64 the size limit (bytes) and the flags; the rest 0
LOOP_CONFIG = struct.Struct("<II 32x Q 12x I 160x 16x 64x")
LOG_SIZE = 256 << 20
"""Bytes, sparse: more than any workload writes."""

_LIBC = ctypes.CDLL(None, use_errno=True)


def _refused(what: object) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(what))


def keep_mounts_private() -> None:
    """Let no mount of this namespace appear in another one."""
    if _LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) and ctypes.get_errno() != errno.EINVAL:
        raise _refused("/")  # EINVAL: a chroot, whose directory is no mount; then it is for those who made it


@contextmanager
def mounted(source: Path | str, target: Path, kind: str, options: str = "") -> Iterator[Path]:
    """A file system, writable; reading it does not change it (no access times)."""
    target.mkdir(exist_ok=True)
    if _LIBC.mount(os.fsencode(source), os.fsencode(target), kind.encode(), MS_NOATIME, options.encode()):
        raise _refused(target)
    try:
        yield target
    finally:
        if _LIBC.umount2(os.fsencode(target), 0):
            raise _refused(target)


class Loop:
    """An attached loop device, held open, so that it is detached when this process ends, however it ends."""

    def __init__(self, fd: int, path: Path) -> None:
        self.fd = fd
        self.path = path

    def need_direct(self) -> None:
        """Fail unless the kernel granted direct I/O, so that every write reaches the file when it is made."""
        if Path(f"/sys/block/{self.path.name}/loop/dio").read_text().strip() != "1":
            raise OSError(errno.EOPNOTSUPP, "no direct I/O", str(self.path))

    def put(self, offset: int, data: bytes) -> None:
        """Write whole sectors straight to the device: no cache, no flush."""
        with mmap(-1, len(data)) as block:  # direct writes need memory at a page's start
            block[:] = data
            os.pwrite(self.fd, block, offset)

    def forget(self) -> None:
        """Drop what the kernel remembers of the device's bytes, for they were changed behind it."""
        fcntl.ioctl(self.fd, BLKFLSBUF)


@contextmanager
def loop_device(file: Path, size: int) -> Iterator[Loop]:
    """The first ``size`` bytes of a file as a block device that reads and writes the file directly."""
    backing = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        fd, path = _attach(LOOP_CONFIG.pack(backing, 0, size, LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO))
    finally:
        os.close(backing)
    try:
        yield Loop(fd, path)
    finally:
        os.close(fd)


def _attach(config: bytes) -> tuple[int, Path]:
    with Path("/dev/loop-control").open("rb") as control:
        while True:
            path = Path(f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}")
            fd = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
            try:
                fcntl.ioctl(fd, LOOP_CONFIGURE, config)
            except OSError as error:
                os.close(fd)
                if error.errno != errno.EBUSY:  # another process was faster
                    raise
            else:
                return fd, path


@contextmanager
def logged_disk(disk: Path, log: Path, exported: Path) -> Iterator[Path]:
    """A file that stands for ``disk``; every write and flush of it goes to ``log``, in order (see `disklog`).

    QEMU serves it through FUSE. The log is complete when the block has ended.
    """
    daemon = find_program("qemu-storage-daemon", "qemu-system-common")
    with log.open("wb") as file:
        file.truncate(LOG_SIZE)
    exported.touch()
    pidfile = exported.with_suffix(".pid")
    nodes = (
        f"driver=file,node-name=disk,filename={disk},cache.no-flush=on",
        f"driver=file,node-name=log,filename={log},cache.no-flush=on",
        "driver=blklogwrites,node-name=logged,file=disk,log=log",
    )
    export = f"type=fuse,id=export,node-name=logged,mountpoint={exported},writable=on"
    blockdevs = [word for node in nodes for word in ("--blockdev", node)]
    run([daemon, *blockdevs, "--export", export, "--pidfile", str(pidfile), "--daemonize"], timeout=60)
    pid = int(pidfile.read_text())
    try:
        _one_at_a_time(exported)
        yield exported
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)  # our child, since the daemon's own parent is gone and this process is the namespace's first


def _one_at_a_time(exported: Path) -> None:
    """Let the kernel send the next read or write only when the last one is answered.

    QEMU 7.2 takes the next request while it still writes the last one, into the same buffer: disk and log then get
    other bytes than were sent, and not the same ones. A loop device with direct I/O sends its reads and writes "in the
    background", and how many of these there are at once can be limited.
    """
    with mounted("fusectl", exported.with_suffix(".connections"), "fusectl") as connections:
        number = os.minor(exported.stat().st_dev)
        (connections / str(number) / "max_background").write_text("1")
