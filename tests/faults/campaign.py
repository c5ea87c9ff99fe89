"""One case, one kind of fault, injected at every call that a trace of the undisturbed run shows."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.commands import KILLED, Outcome, Zygote
from tests.faults.oracle import Expected, held, problems, recovery, tree
from tests.faults.trace import Call

DATA = ("write", "pwrite64", "copy_file_range", "sendfile")
FILES = ("openat", "read", "pread64", "close", "fstat", "newfstatat", "getdents64", "ioctl", "fcntl", "getcwd")
"""What is refused in the long run beside what changes something; memory, threads and signals are not files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault.

    Args:
        name: for people.
        tamper: what strace does to a call.
        names: which calls it makes sense for; none for all.
        codes: how the command may end; else as the oracle says.
    """

    name: str
    tamper: str
    names: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()


KILL = Kind(name="killed", tamper="signal=SIGKILL", codes=(KILLED,))
EIO = Kind(name="EIO", tamper="error=EIO", codes=(3,))
ENOSPC = Kind(name="ENOSPC", tamper="error=ENOSPC", codes=(3,))
EINTR = Kind(name="EINTR", tamper="error=EINTR", names=("openat", "write", "fsync", "flock"), codes=(0,))
SHORT = Kind(name="short write", tamper="retval=0", names=("write",), codes=(0,))
LOST = Kind(name="bytes lost", tamper="retval=5", names=DATA, codes=(0, 1, 3))
EXDEV = Kind(name="EXDEV", tamper="error=EXDEV", names=("copy_file_range", "sendfile"), codes=(0,))
KINDS = (KILL, EIO, ENOSPC, EINTR, SHORT, LOST, EXDEV)


@dataclass(frozen=True, slots=True)
class Injection:
    """Which call is hit: the ``number``-th of this ``name`` in the main thread, or in whichever thread gets there."""

    name: str
    number: int
    threads: bool

    def options(self, kind: Kind) -> list[str]:
        """As strace wants it."""
        inject = f"inject={self.name}:{kind.tamper}:when={self.number}"
        return ["-e", f"trace={self.name}", "-e", inject, *(["-f"] if self.threads else [])]


Place = Callable[[Expected], AbstractContextManager[Path]]


@contextmanager
def copied(wanted: Expected) -> Iterator[Path]:
    """A copy of what a case works on."""
    yield wanted.case.copy(wanted.template, wanted.template.with_name("run"))


@dataclass(slots=True)
class Result:
    """How many faults were injected, how many would-be ones the run never reached, and what was bad."""

    injected: int = 0
    unreached: int = 0
    locked: int = 0
    bad: list[str] = field(default_factory=list)


def injections(calls: Iterable[Call]) -> Iterator[Injection]:
    """One for each call of the main thread; and for those of other threads, which have counts of their own."""
    calls = list(calls)
    main = calls[0].tid
    yield from (Injection(call.name, call.number, threads=False) for call in calls if call.tid == main)
    others = Counter(call.name for call in calls if call.tid != main)
    threads = len({call.tid for call in calls} - {main})
    for name, count in others.items():
        yield from (Injection(name, number, threads=True) for number in range(1, count // max(threads, 1) + 1))


def chosen(calls: Iterable[Call], kind: Kind, *, every: bool) -> list[Call]:
    """The calls that a kind of fault hits: those that change a file system, or ``every`` one that can be."""
    calls = list(calls)
    if kind.names:
        return [call for call in calls if call.name in kind.names and (every or call.mutating)]
    if kind is KILL and every:
        return calls
    return [call for call in calls if call.mutating or (every and call.name in FILES)]


def campaign(
    wanted: Expected, kind: Kind, zygote: Zygote, *, every: bool = False, stop: bool = False, place: Place = copied
) -> Result:
    """Inject a kind of fault at each call of a case in turn.

    Args:
        wanted: the case, and the trees of the undisturbed run.
        kind: what happens.
        zygote: runs the commands.
        every: at every call, not only at those that change a file system.
        stop: at the first bad state.
        place: gives each run a place of its own.
    """
    with place(wanted) as run:
        _, calls = zygote.traced(wanted.case.argv, run, "-f")
    hit = chosen(calls, kind, every=every)
    result = Result()
    seen: set[str] = set()
    strict = {(call.name, call.number, call.tid != calls[0].tid) for call in hit if call.mutating and call.ok}
    for injection in dict.fromkeys(injections(calls)):
        if not any(call.name == injection.name and call.number == injection.number for call in hit):
            continue
        must = (injection.name, injection.number, injection.threads) in strict
        with place(wanted) as run:
            found = _inject(wanted, kind, injection, zygote, run, result, seen, strict=must)
        result.bad += [f"{kind.name} at {injection.name} {injection.number}: {problem}" for problem in found]
        if stop and result.bad:
            break
    return result


def _inject(
    wanted: Expected,
    kind: Kind,
    injection: Injection,
    zygote: Zygote,
    run: Path,
    result: Result,
    seen: set[str],
    *,
    strict: bool,
) -> list[str]:
    """One disturbed run, judged; a state that was seen before recovers as it did before."""
    with held(run) as changed:
        outcome, calls = zygote.traced(wanted.case.argv, run, *injection.options(kind))
    if not _happened(kind, outcome, calls):
        result.unreached += 1
        return [f"was not reached: {outcome}"] if strict or outcome.code else []
    result.injected += 1
    found = changed + problems(wanted, run, outcome)
    if strict and outcome.code not in kind.codes:
        found.append(f"ended with {outcome.code}, not {' or '.join(map(str, kind.codes))}: {outcome.text[:300]}")
    state = repr((outcome.code, sorted((_without_random(path), entry) for path, entry in tree(run).items())))
    if state not in seen:
        seen.add(state)
        found += recovery(wanted, run, zygote)
    return found


def _happened(kind: Kind, outcome: Outcome, calls: list[Call]) -> bool:
    return outcome.code == KILLED if kind is KILL else any("(INJECTED)" in call.result for call in calls)


def _without_random(path: str) -> str:
    return str(Path(path).with_suffix("")).rpartition("-")[0] if ".bitproof-" in path else path
