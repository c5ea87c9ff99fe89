"""Progress on a terminal: bytes of copies and hashes, stages of builds. Silent everywhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bitproof.cli.session import Session
from bitproof.system.opened import Progress, ignore

WORTH_SHOWING = 256 << 20
"""Below this many bytes a copy or a hash takes well under a second."""


def _shown(session: Session) -> bool:
    return not session.quiet and not session.json and sys.stderr.isatty()


@contextmanager
def byte_progress(session: Session, what: str, total: int) -> Iterator[Progress]:
    """A bar over ``total`` bytes; yields what is to be told how many more are done."""
    if not _shown(session) or total < WORTH_SHOWING:
        yield ignore
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=total)
        yield lambda count: bars.advance(task, count)


@contextmanager
def stages(session: Session) -> Iterator[Callable[[str], None]]:
    """A spinner with the name of what goes on; yields what is to be told the next stage."""
    if not _shown(session):
        yield session.detail
        return
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    with Bars(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        task = bars.add_task("", total=None)
        yield lambda stage: bars.update(task, description=stage)
