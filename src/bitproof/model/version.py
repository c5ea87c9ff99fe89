"""Versions, compared number by number and never as text (FORMATS section 1, "Versions").

Binary versions are ``MAJOR.MINOR.{unix seconds}``, asset versions ``YYYY.MMDD.patch``; the two tracks move alone.
"""

from collections.abc import Iterable
from datetime import date
from functools import total_ordering

from bitproof.errors import InputError
from bitproof.model.names import check_name

Part = tuple[int, int, str]
"""``(1, number, "")``, or ``(0, 0, text)`` for a part that is not a number."""
ZERO: Part = (1, 0, "")


@total_ordering
class Version:
    """One version. Missing parts are 0; a part that is not a number sorts below every number, then as text.

    >>> Version("2026.0415.10") > Version("2026.0415.9")
    True
    >>> Version("1.0") == Version("1.0.0")
    True
    >>> Version("1.0.rc1") < Version("1.0.0")
    True
    """

    __slots__ = ("key", "text")
    key: tuple[Part, ...]
    text: str

    def __init__(self, text: str) -> None:
        check_name(text)
        parts = [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in text.split(".")]
        while parts and parts[-1] == ZERO:
            parts.pop()
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "key", tuple(parts))

    def __setattr__(self, name: str, value: object) -> None:
        """A version never changes."""
        raise AttributeError(f"a Version is frozen, {name} cannot be set")

    def __eq__(self, other: object) -> bool:
        """Equal when every part is: ``1.0`` is ``1.0.0``."""
        return isinstance(other, Version) and self.key == other.key

    def __lt__(self, other: object) -> bool:
        """Number by number."""
        if not isinstance(other, Version):
            return NotImplemented
        if len(self.key) == len(other.key):
            return self.key < other.key
        width = max(len(self.key), len(other.key))
        return self.padded(width) < other.padded(width)

    def __hash__(self) -> int:
        """Agrees with ``==``."""
        return hash(self.key)

    def __str__(self) -> str:
        """The text it was read from."""
        return self.text

    def __repr__(self) -> str:
        """``Version('2026.0415.1')``."""
        return f"Version({self.text!r})"

    def padded(self, width: int) -> tuple[Part, ...]:
        """Its parts, and zeros for missing ones up to ``width``: the order of such tuples is that of their versions."""
        return self.key + (ZERO,) * (width - len(self.key))

    @property
    def release_line(self) -> "Version":
        """``MAJOR.MINOR.0``: the base of the binary's release line; a version of two parts or less is its own.

        >>> Version("1.0.1776269479").release_line
        Version('1.0.0')
        """
        major, _, rest = self.text.partition(".")
        minor, _, rest = rest.partition(".")
        return Version(f"{major}.{minor}.0") if rest else self


def mint(day: date, taken: Iterable[Version]) -> Version:
    """The next asset version of a day (UTC): its highest patch over all releases, plus one.

    Raises:
        InputError: the highest patch has so many digits that no name is left.

    >>> mint(date(2026, 4, 15), [Version("2026.0415.9"), Version("2026.0415.10"), Version("2026.0414.70")])
    Version('2026.0415.11')
    """
    start = f"{day.year:04}.{day.month:02}{day.day:02}"
    first = Version(start).key
    patches = [version.key[2][1] for version in taken if version.key[:2] == first and len(version.key) > len(first)]
    try:
        return Version(f"{start}.{max(patches, default=0) + 1}")
    except ValueError as error:
        raise InputError(f"no asset version is left for {day.isoformat()}", found=str(error)) from None
