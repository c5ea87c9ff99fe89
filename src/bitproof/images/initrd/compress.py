"""Compression whose bytes depend on nothing but the input, the codec, the level and the library's version.

One thread, no time, no file name. The kernel reads an initrd as segments, each compressed on its own, with zero bytes
allowed between them (Documentation/driver-api/early-userspace/buffer-format.rst); here every segment ends at a multiple
of four bytes. Its xz decoder knows CRC32 and no other check but none (Documentation/staging/xz.rst).
"""

import zlib

_GZIP_WINDOW = 31
"""zlib's largest window, 15, and 16 for "with a gzip header"; zlib writes no time and no name into it."""


def segment(data: bytes, codec: str, level: int) -> bytes:
    """``data`` compressed, padded with zeros to four bytes. ``codec`` is one of guest_config.COMPRESSIONS."""
    packed = _packed(data, codec, level)
    return packed + bytes(-len(packed) % 4)


def _packed(data: bytes, codec: str, level: int) -> bytes:
    if codec == "zstd":
        import zstandard

        packer = zstandard.ZstdCompressor(level=level, threads=0, write_content_size=True, write_checksum=True)
        return packer.compress(data)
    if codec == "xz":
        import lzma

        return lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, level)
    if codec == "gzip":
        deflate = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WINDOW)
        return deflate.compress(data) + deflate.flush()
    raise ValueError(f"not a known codec: {codec!r}")


def unpacked(data: bytes, limit: int) -> bytes:
    """The first ``limit`` bytes that the first segment of ``data`` holds; the codec is told from its magic number.

    Raises:
        ValueError: no known codec, or its data is damaged.
    """
    import lzma

    import zstandard

    try:
        if data.startswith(b"\x28\xb5\x2f\xfd"):
            return zstandard.ZstdDecompressor().stream_reader(data).read(limit)
        if data.startswith(b"\xfd7zXZ\0"):
            return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data, limit)
        if data.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(_GZIP_WINDOW).decompress(data, limit)
    except (zstandard.ZstdError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"damaged: {error}") from None
    raise ValueError("not compressed with zstd, xz or gzip")
