"""A kernel from source: Debian's linux-source package or a given tarball, and a defconfig.

Compiling takes minutes, so what the kernel was made from is recorded beside it, under a name that holds the kernel's
digest. While these inputs are the same, and the kernel still has that digest, the next build keeps it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bitproof.errors import BitproofError, IntegrityError
from bitproof.images.config import open_in_config
from bitproof.images.debian import Job
from bitproof.images.kernel.compile import compile_image, configure, fixed_environment, unpack_source
from bitproof.images.kernel.kconfig import decoded, needed
from bitproof.images.kernel.toolchain import TARGETS, check_toolchain, identities
from bitproof.model.digest import Digest
from bitproof.model.guest_config import ArchConfig
from bitproof.model.names import KERNEL
from bitproof.proof.inputs import INPUTS_SUFFIX, MAX_INPUTS, RecordedInputs, differing
from bitproof.system.files import Directory
from bitproof.system.hashing import blake3_digest, sha256_digest
from bitproof.system.opened import OpenFile, open_file

PREFIX = ".kernel-"
"""What the names of recorded inputs begin with: a dot, so that no manifest or cleanup takes them for assets."""
MAX_DEFCONFIG = 1 << 20


@dataclass(frozen=True, slots=True)
class Compiled:
    """A kernel and the recorded inputs that give its bytes."""

    kernel: Path
    inputs: RecordedInputs


def check_source(config: ArchConfig, config_dir: Path) -> None:
    """Check all that can be known before anything is downloaded.

    Raises:
        InputError: defconfig or tarball are not usable.
        UnavailableError: a program that compiles is missing.
    """
    kernel = config.kernel
    defconfig = read_defconfig(config, config_dir)
    if kernel.tarball:
        open_in_config(config_dir, kernel.tarball, "kernel.tarball").close()
    check_toolchain(config.arch, defconfig)


def read_defconfig(config: ArchConfig, config_dir: Path) -> bytes:
    """The bytes of the defconfig. Raises InputError when it is not there or not text."""
    with open_in_config(config_dir, config.kernel.defconfig, "kernel.defconfig") as file:
        data = file.read(MAX_DEFCONFIG)
    decoded(data, file.path)
    return data


def compiled_kernel(job: Job, source: Path | None, config_dir: Path, assets: Directory, compression: str) -> Compiled:
    """The kernel of an arch, compiled unless the one that is there was made from the same inputs.

    Args:
        job: the build of the arch.
        source: the tarball out of Debian's package; None: the config names one.
        config_dir: what the config's paths are relative to.
        assets: the dev layout, whose lock the caller holds.
        compression: the initrd's codec, which the kernel must know.

    Raises:
        InputError: the source or the defconfig are not usable.
        IntegrityError: the tarball is not the pinned one; the kernel does not compile.
        UnavailableError: too slow, or no space.
    """
    kernel, arch = job.config.kernel, job.config.arch
    defconfig, needs = read_defconfig(job.config, config_dir), needed(job.config, compression)
    opened = open_file(source) if source else open_in_config(config_dir, kernel.tarball, "kernel.tarball")
    with opened as packed:
        inputs = _inputs(job, _verified(packed, kernel.digest), defconfig, needs)
        reason = _reason(assets, arch, inputs)
        if not reason:
            job.stage("kernel kept: made from the same inputs")
            return Compiled(assets.path / arch / KERNEL, inputs)
        job.stage(f"kernel compile: {reason}")
        tree = job.work / "linux"
        unpack_source(job, packed, tree)
    with _log(assets, arch) as log:
        configure(job, tree, decoded(defconfig, kernel.defconfig), needs, log)
        return Compiled(compile_image(job, tree, log), inputs)


def kept_name(kernel: OpenFile) -> str:
    """The name under which a kernel's inputs are recorded."""
    return f"{PREFIX}{blake3_digest(kernel).value}{INPUTS_SUFFIX}"


@contextmanager
def _log(assets: Directory, arch: str) -> Iterator[OpenFile]:
    """The log of a compilation, in the dev layout; it stays only when the compilation failed."""
    name = f"{PREFIX}{arch}.log"
    try:
        with assets.log(name) as log:
            yield log
    except IntegrityError:
        raise
    except BaseException:
        assets.remove(name)
        raise
    assets.remove(name)


def _verified(packed: OpenFile, expected: Digest | None) -> Digest:
    """The digest of the source; that of a package was checked by apt."""
    found = sha256_digest(packed)
    if expected not in {None, found}:
        what = "the tarball is not the pinned one"
        fix = "get it again, or pin what is there: kernel.sha256 in build.toml"
        raise IntegrityError(what, where=packed.path, expected=expected, found=found, fix=fix)
    return found


def _inputs(job: Job, source: Digest, defconfig: bytes, needs: Iterable[str]) -> RecordedInputs:
    """``needs`` decides no byte, but a kernel that is kept was checked only for what its own image needed."""
    arch = job.config.arch
    return RecordedInputs(
        commit="",
        driver="linux",
        target=arch,
        commands=(("make", "olddefconfig"), ("make", TARGETS[arch].image)),
        flags=("-ffile-prefix-map=SOURCE=.",),
        toolchain=identities(arch, defconfig),
        environment=tuple(fixed_environment(arch, job.epoch).items()),
        parts=(("defconfig", _sha256(defconfig)), ("needs", _sha256(" ".join(needs).encode())), ("source", source)),
    )


def _sha256(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def _reason(assets: Directory, arch: str, inputs: RecordedInputs) -> str:
    """Why the kernel must be compiled; empty when the one that is there will do."""
    if assets.stat(arch) is None:
        return "there is none yet"
    with assets.child(arch) as directory:
        names = [name for name, _ in directory.names() if name.startswith(PREFIX) and name.endswith(INPUTS_SUFFIX)]
        if len(names) != 1 or directory.stat(KERNEL) is None:
            return "there is none yet"
        try:
            with directory.open(names[0], "the kernel's inputs") as file:
                recorded = RecordedInputs.parse(file.read(MAX_INPUTS), str(file.path))
            with directory.open(KERNEL, "the kernel") as kernel:
                name = kept_name(kernel)
        except BitproofError as error:
            return error.what
    if name != names[0]:
        return "the one that is there is not what was compiled"
    differences = differing(recorded, inputs)
    return f"{differences[0].where} differs" if differences else ""
