"""Verified caps into a registry: each artifact as wasm, and what it was built from attached to it.

Nothing is pushed before all of what was asked for is proved: each artifact is opened, hashed and compared with its pin,
and what was hashed is what is uploaded, from the same descriptor.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from bitproof.caps.siblings import Roots, open_below
from bitproof.channel.backends.components import examine, push_component
from bitproof.channel.backends.registry.artifacts import TITLE, Descriptor, described
from bitproof.channel.backends.registry.connection import Registry
from bitproof.channel.backends.registry.referrers import attach
from bitproof.errors import InputError, IntegrityError, Problem
from bitproof.model.caps_manifest import Cap
from bitproof.proof.inputs import INPUTS_SUFFIX, MAX_INPUTS, RecordedInputs
from bitproof.system.hashing import sha256_digest
from bitproof.system.opened import OpenFile, Progress

INPUTS_TYPE = "application/vnd.bitproof.inputs.v1+json"
EPOCH = "SOURCE_DATE_EPOCH"
REVISION = "org.opencontainers.image.revision"
SOURCE = "org.opencontainers.image.source"
MAX_EPOCH = 1 << 36
"""Seconds; a year of four digits."""


class PushedCap(NamedTuple):
    """Where a cap is now: the manifest's descriptor, and that of its inputs when they were recorded."""

    cap: Cap
    reference: str
    manifest: Descriptor
    inputs: Descriptor | None


class Proved(NamedTuple):
    """A cap's artifact that is as pinned, open; and the record beside it, as bytes, when there is one."""

    cap: Cap
    file: OpenFile
    inputs: bytes | None
    created: int


def push_caps(
    caps: Sequence[Cap], roots: Roots, registry: Registry, tag: str, progress: Progress
) -> Iterator[PushedCap]:
    """Push caps, each under its id as tag.

    Args:
        caps: which.
        roots: where their artifacts lie.
        registry: the repository they go to.
        tag: another tag than the id, for one cap; empty for the id.
        progress: told the bytes that are done.

    Yields:
        Each cap, once it is there.

    Raises:
        InputError: a tag for several caps, a cap without a pin, an artifact that is not wasm; nothing is pushed.
        IntegrityError: an artifact is missing or not as pinned; nothing is pushed.
        UnavailableError: the registry refused, or cannot be reached.
    """
    if tag and len(caps) != 1:
        fix = "name one cap, or leave the tag out: each cap's id is its tag"
        raise InputError("one tag cannot name several caps", where=tag, found=f"{len(caps)} caps", fix=fix)
    with ExitStack() as stack:
        for proved in _all_proved(caps, roots, stack):
            yield _push(proved, registry, tag or proved.cap.id, progress)


def _all_proved(caps: Sequence[Cap], roots: Roots, stack: ExitStack) -> list[Proved]:
    """Every cap's artifact, open and as pinned; else every problem."""
    unpinned = [Problem(cap.id, "not pinned yet") for cap in caps if cap.digest_is_placeholder]
    if unpinned:
        raise InputError("these caps have no pin to prove", problems=unpinned, fix="bitproof caps regen")
    proved, problems = [], []
    for cap in caps:
        try:
            proved.append(_proved(cap, roots, stack))
        except IntegrityError as error:
            problems.append(Problem(cap.id, error.what, expected=error.expected, found=error.found))
    if problems:
        fix = "bitproof caps sync, which builds and proves them"
        raise IntegrityError("these caps are not as pinned: nothing was pushed", problems=problems, fix=fix)
    return proved


def _proved(cap: Cap, roots: Roots, stack: ExitStack) -> Proved:
    root, parts = roots.place(cap)
    file = open_below(root, parts)
    if file is None:
        raise IntegrityError("the artifact is missing", expected=cap.digest, found="no file")
    stack.enter_context(file)
    digest = sha256_digest(file)
    if digest != cap.digest:
        raise IntegrityError("the artifact is not as pinned", expected=cap.digest, found=digest)
    examine(file)
    inputs = open_below(root, (*parts[:-1], parts[-1] + INPUTS_SUFFIX))
    if inputs is None:
        return Proved(cap, file, None, 0)
    with inputs:
        data = inputs.read(MAX_INPUTS)
        return Proved(cap, file, data, _created(RecordedInputs.parse(data, str(inputs.path))))


def _created(inputs: RecordedInputs) -> int:
    """The time of the sources, which builds are told as ``SOURCE_DATE_EPOCH``; 1970 when they are not."""
    text = dict(inputs.environment).get(EPOCH, "")
    return int(text) if text.isascii() and text.isdigit() and int(text) < MAX_EPOCH else 0


def _push(proved: Proved, registry: Registry, tag: str, progress: Progress) -> PushedCap:
    cap = proved.cap
    name = cap.artifact.rpartition("/")[2]
    manifest = push_component(registry, tag, proved.file, cap.digest, proved.created, _annotations(cap, name), progress)
    inputs = None
    if proved.inputs is not None:
        layer = described(proved.inputs, INPUTS_TYPE, name + INPUTS_SUFFIX)
        inputs = attach(registry, manifest, layer, proved.inputs, INPUTS_TYPE)
    return PushedCap(cap, f"{registry.where}:{tag}@{manifest.digest}", manifest, inputs)


def _annotations(cap: Cap, name: str) -> dict[str, str]:
    """What registries and people are told; a repository only by a URL without a login."""
    told = {TITLE: name}
    if not cap.sha_is_placeholder and not cap.precomposed:
        told[REVISION] = cap.sha
    if cap.repo.startswith("https://") and "@" not in cap.repo:
        told[SOURCE] = cap.repo
    return told
