"""What a simulation found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The counts of one simulation.

    ``states`` were mounted and judged; they are ``images`` different disks, some judged twice with another number of
    acknowledged commands. ``writes`` are in blocks. ``seconds`` are those of all states, choosing them included.
    """

    kind: str
    seed: int
    commands: int
    writes: int
    flushes: int
    states: int
    images: int
    bad: int
    faults: tuple[str, ...]
    recording_seconds: float
    seconds: float
