"""Fill a new file as a plan says. What results is not proved: the caller verifies it whole, or fetches all of it."""

from collections.abc import Sequence

from bitproof.channel.chunks.plan import ReusePlan
from bitproof.channel.ports import Blob, Range, Reader
from bitproof.errors import IntegrityError
from bitproof.system.content import copy_range, reserve
from bitproof.system.net.partial import Partial
from bitproof.system.opened import OpenFile, Progress, ignore, unavailable


def assemble(
    plan: ReusePlan,
    local: Sequence[OpenFile],
    target: OpenFile,
    reader: Reader,
    blob: Blob,
    progress: Progress = ignore,
) -> None:
    """Copy what is at hand, then fetch the rest. The file is whole in size, and neither synced nor verified.

    Args:
        plan: made for this blob.
        local: the files that the plan was made from, in the same order.
        target: open for writing; new, or a `Partial` some of whose parts have landed.
        reader: the place that has the blob.
        blob: the asset.
        progress: told the bytes that are there, the copied ones too.

    Raises:
        IntegrityError: the plan is that of another asset, a file at hand has become shorter, or the place serves other
            bytes than were asked for.
        UnavailableError: a full disk, or the place does not serve.
    """
    if plan.size != blob.size:
        raise IntegrityError(
            "the plan is that of another asset",
            where=target.path,
            expected=f"{blob.size} bytes",
            found=f"{plan.size} bytes",
        )
    _copy(plan, local, target, progress)
    left = target.missing(plan.fetches) if isinstance(target, Partial) else plan.fetches
    progress(plan.size - plan.reused - sum(size for _, size in left))
    if left:
        reader.fetch(blob, target, [Range(*span) for span in left], progress)


def _copy(plan: ReusePlan, local: Sequence[OpenFile], target: OpenFile, progress: Progress) -> None:
    """The plan's copies, into room that is taken before."""
    try:
        if plan.size:
            reserve(target.fd, plan.size)
        for copy in plan.copies:
            source = local[copy.source]
            done = copy_range(source, target.fd, copy.size, start=copy.start, offset=copy.offset)
            if done != copy.size:
                raise IntegrityError(
                    "the file at hand changed while it was copied",
                    where=source.path,
                    expected=f"at least {copy.start + copy.size} bytes",
                    found=f"{copy.start + done} bytes",
                )
            progress(done)
    except OSError as error:
        raise unavailable(error, "the file cannot be assembled", target.path) from None
