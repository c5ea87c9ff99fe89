"""Threads of one job: when it is interrupted or fails, what runs in them is told to stop."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # imported where used: what has nothing to do needs no threads
    from concurrent.futures import Future, ThreadPoolExecutor

HEARTBEAT = 0.2
"""Seconds between two looks for a signal."""

T = TypeVar("T")


@contextmanager
def threads(count: int, stop: threading.Event) -> "Iterator[ThreadPoolExecutor]":
    """At most ``count`` threads, all ended at the end of the block.

    Args:
        count: how many at a time.
        stop: set when the block does not end well; what runs in the threads looks at it.
    """
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(count) as pool:
        try:
            yield pool
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise


def awaited(future: "Future[T]") -> T:
    """The result, once it is there.

    One wait without end can sleep through Ctrl-C: Python looks for signals between two bytecodes, and one that comes
    while this thread waits for its turn is seen only after the wait. So it is many short ones.
    """
    from concurrent.futures import wait

    while not wait([future], HEARTBEAT).done:
        pass
    return future.result()
