"""What may pass: a failure after which the same request is worth another try."""

from bitproof.errors import UnavailableError


class TransientError(UnavailableError):
    """The server did not serve this time; ``after`` is how many seconds it asked for."""

    after: int | None = None


def ended_early(where: str, expected: object, found: object) -> TransientError:
    """A body that was cut off."""
    return TransientError("the connection ended in the middle of a file", where=where, expected=expected, found=found)
