"""Good artifacts remembered by their digest, so that a later mismatch can be explained and not only stated.

When a cap is proved, its artifact and the record of its inputs are put into bitproof's cache. What is recalled is
hashed again before it is believed: the cache can only make an explanation better, never a verdict. Only the newest are
kept.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bitproof.caps.siblings import Roots, open_below, write_below
from bitproof.errors import BitproofError, IntegrityError
from bitproof.model.caps_manifest import Cap
from bitproof.model.digest import Digest
from bitproof.proof.explain import explain
from bitproof.proof.explanation import Explanation
from bitproof.proof.inputs import INPUTS_SUFFIX, MAX_INPUTS, RecordedInputs
from bitproof.system.content import copy_bytes
from bitproof.system.files import Directory
from bitproof.system.hashing import sha256_digest
from bitproof.system.lock import locked

ARTIFACTS = "artifacts"
MAX_EXPLAINED = 256 << 20
"""Bytes of an artifact that is explained; a larger one is only compared."""
MAX_KEPT = 1 << 30
"""Bytes of remembered artifacts: two versions of a product of 500 MB."""
EXPECTED_SUFFIX = ".expected"
LOCK = "artifacts.lock"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The cache of good artifacts.

    Args:
        cache: bitproof's cache.
        limit: bytes of artifacts that stay.
    """

    cache: Path
    limit: int = MAX_KEPT

    def remember(self, digest: Digest, root: Path, parts: tuple[str, ...]) -> None:
        """Keep a proved artifact and its inputs. A cache that cannot be written is no fault."""
        with suppress(BitproofError, OSError), self._kept() as kept:
            if kept.stat(digest.value) is not None:
                return
            file = open_below(root, parts)
            if file is None:
                return
            with file:
                if file.size > MAX_EXPLAINED:
                    return
                with kept.staged(digest.value, 0o444) as copy:
                    copy_bytes(file, copy.fd, file.size)
                    if sha256_digest(copy) != digest:
                        raise IntegrityError("the artifact changed while it was remembered")
            inputs = _read(root, (*parts[:-1], parts[-1] + INPUTS_SUFFIX), MAX_INPUTS)
            if inputs is not None:
                kept.write(digest.value + INPUTS_SUFFIX, inputs)

    def settle(self, proved: Iterable[Digest]) -> None:
        """Count these as used now, and forget what was unused for longest, beyond the limit. Never a fault either."""
        with suppress(BitproofError), self._kept() as kept:
            kept.remove_temporaries()
            for digest in proved:
                kept.touch(digest.value)
            entries = [entry for entry in kept.names() if not entry[0].endswith(INPUTS_SUFFIX)]
            left = self.limit
            for name, state in sorted(entries, key=lambda entry: entry[1].st_mtime_ns, reverse=True):
                left -= state.st_size
                if left < 0:
                    kept.remove(name + INPUTS_SUFFIX)
                    kept.remove(name)

    @contextmanager
    def _kept(self) -> Iterator[Directory]:
        """The directory of artifacts, which nobody else changes meanwhile."""
        with (
            Directory(self.cache, create=True) as cache,
            locked(cache, name=LOCK),
            cache.child(ARTIFACTS, create=True) as kept,
        ):
            yield kept

    def recall(self, digest: Digest) -> bytes | None:
        """A remembered artifact with just this digest; None when there is none."""
        data = _read(self.cache / ARTIFACTS, (digest.value,), MAX_EXPLAINED)
        return data if data is not None and hashlib.sha256(data).hexdigest() == digest.value else None

    def lay_beside(self, cap: Cap, roots: Roots) -> Path | None:
        """Put the pinned bytes beside the found ones, as ``<artifact>.expected``; None when they are not at hand."""
        expected = self.recall(cap.digest)
        if expected is None:
            return None
        root, parts = roots.place(cap)
        write_below(root, "/".join(parts) + EXPECTED_SUFFIX, expected)
        return roots.artifact(cap).with_name(parts[-1] + EXPECTED_SUFFIX)

    def explain(self, cap: Cap, roots: Roots) -> Explanation | None:
        """Why a cap's artifact is not the pinned one; None when the artifact cannot be read.

        Where the pinned bytes are not at hand, the recorded inputs and the artifact's contents are told.
        """
        return self.explain_file(cap.digest, *roots.place(cap))

    def explain_file(self, digest: Digest, root: Path, parts: tuple[str, ...]) -> Explanation | None:
        """As `explain`, of any artifact below a root."""
        found = _read(root, parts, MAX_EXPLAINED)
        if found is None:
            return None
        kept = digest.value + INPUTS_SUFFIX
        return explain(
            self.recall(digest),
            found,
            expected_inputs=_inputs(_read(self.cache / ARTIFACTS, (kept,), MAX_INPUTS)),
            found_inputs=_inputs(_read(root, (*parts[:-1], parts[-1] + INPUTS_SUFFIX), MAX_INPUTS)),
        )


def _read(root: Path, parts: tuple[str, ...], limit: int) -> bytes | None:
    with suppress(BitproofError):
        file = open_below(root, parts)
        if file is not None:
            with file:
                data = file.read(limit)
            return data if len(data) <= limit else None
    return None


def _inputs(data: bytes | None) -> RecordedInputs | None:
    if data is None:
        return None
    with suppress(BitproofError):
        return RecordedInputs.parse(data)
    return None
