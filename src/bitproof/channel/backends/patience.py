"""How long a remote place is waited for."""

from typing import NamedTuple


class Patience(NamedTuple):
    """How often a request is repeated that a place did not answer or answered with a passing fault, and how soon.

    ``retries`` are after the first try; ``wait`` seconds lie before the first one, twice as many before the next;
    ``timeout`` is how many seconds a server may be silent.
    """

    retries: int = 5
    wait: float = 0.2
    timeout: float = 30.0

    def before(self, retry: int) -> float:
        """Seconds before a retry, the first of which is number 0.

        >>> [Patience(wait=1).before(retry) for retry in (0, 1, 9)]
        [1.0, 2.0, 30.0]
        """
        return float(min(self.wait * (1 << retry), 30))


PATIENT = Patience()
