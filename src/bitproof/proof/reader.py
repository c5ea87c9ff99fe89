"""A bounded cursor over wasm bytes (WebAssembly core specification, section 5.2 "Values").

Nothing here trusts a length: what does not fit is a `WasmError` that says where, never another exception.
"""

from bitproof.errors import shown

MAX_NAME = 100_000
"""Bytes of one name, as engines limit them."""


class WasmError(ValueError):
    """Bytes that are not well-formed wasm, or beyond a limit; ``offset`` counts from the begin of the file."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(f"{what} at offset {offset}")
        self.what = what
        self.offset = offset


class Reader:
    """Reads forward through ``view``, which begins at ``base`` of the file. Every method raises `WasmError`."""

    __slots__ = ("_at", "_base", "_view")

    def __init__(self, view: memoryview, base: int = 0) -> None:
        self._view = view
        self._base = base
        self._at = 0

    @property
    def offset(self) -> int:
        """Where in the file the next byte lies."""
        return self._base + self._at

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return len(self._view) - self._at

    def byte(self) -> int:
        """The next byte."""
        if not self.left:
            raise WasmError("the bytes end too early", self.offset)
        self._at += 1
        return self._view[self._at - 1]

    def number(self, bits: int = 32) -> int:
        """An unsigned LEB128 of at most ``bits`` bits, in as many bytes as the specification allows."""
        start = self.offset
        value = 0
        for shift in range(0, bits, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follow
                break
        else:
            raise WasmError("a number of too many bytes", start)
        if value >> bits:
            raise WasmError("a number that is too large", start)
        return value

    def skip_signed(self, bits: int = 33) -> None:
        """Pass over a signed LEB128."""
        start = self.offset
        for _ in range(0, bits, 7):
            if self.byte() < 0x80:  # noqa: PLR2004 - as in `number`
                return
        raise WasmError("a number of too many bytes", start)

    def take(self, size: int) -> memoryview:
        """The next ``size`` bytes, not copied."""
        if size > self.left:
            raise WasmError(f"{size} bytes are announced and {self.left} are left", self.offset)
        self._at += size
        return self._view[self._at - size : self._at]

    def rest(self) -> memoryview:
        """All that is left, not copied and not passed over."""
        return self._view[self._at :]

    def count(self, limit: int) -> int:
        """The length of a vector: at most ``limit``, and no more elements than bytes are left."""
        start = self.offset
        value = self.number()
        if value > min(limit, self.left):
            raise WasmError(f"a vector of {value} elements, more than fit", start)
        return value

    def name(self) -> str:
        """A length and UTF-8."""
        start = self.offset
        size = self.number()
        if size > MAX_NAME:
            raise WasmError(f"a name of {size} bytes", start)
        data = self.take(size).tobytes()
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise WasmError(f"a name that is not UTF-8, {shown(data)},", start) from None

    def finish(self) -> None:
        """Check that nothing is left over."""
        if self.left:
            raise WasmError(f"{self.left} bytes are left over", self.offset)
