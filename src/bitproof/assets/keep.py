"""What a cleanup keeps though no release in force needs it: a keep list, and compile-time pins. Pure.

A keep list is text: on a line one hash name or asset version, or nothing; a ``#`` begins a comment. A line that names
nothing makes the whole list unusable: what it was to keep would go.
"""

from collections.abc import Collection

from bitproof.assets.compat import can_be_kept
from bitproof.errors import InputError, Problem, shown
from bitproof.model.asset_manifest import AssetManifest, BootPins
from bitproof.model.decode import decode_text
from bitproof.model.names import hash_name

MAX_KEEP_LIST = 1 << 20


def parse_keep_list(data: bytes, where: str, manifest: AssetManifest) -> tuple[str, ...]:
    """Read a keep list.

    Args:
        data: the file's bytes.
        where: its path, for errors.
        manifest: the store's, which says what versions there are.

    Raises:
        InputError: not UTF-8, over 1 MiB, or every line that names nothing, by its number.
    """
    lines = [line.partition("#")[0].strip() for line in decode_text(data, where, MAX_KEEP_LIST).split("\n")]
    problems = [
        Problem(f"line {number}", "neither a hash name nor a release of the manifest", found=shown(word))
        for number, word in enumerate(lines, 1)
        if word and not can_be_kept(manifest, word)
    ]
    if problems:
        fix = "correct or remove these lines; until then nothing is removed"
        raise InputError("the keep list is not usable", where=where, problems=problems, fix=fix)
    return tuple(word for word in lines if word)


def pinned_names(pins: Collection[BootPins]) -> tuple[str, ...]:
    """The hash names of what is pinned."""
    return tuple(hash_name(file.name, file.digest) for boot in pins for file in (boot.kernel, boot.initrd, boot.rootfs))
