"""Build one cap: choose a driver, run its steps in a made environment, wrap, and record what it was built from.

In order: a new HOME and a new log; what the build must make anew is removed, so that nothing of an earlier commit or of
a killed build is taken for its result; the driver's steps; the wrapping; the artifact is there; the record of the
inputs is written beside it. Of a build that failed, neither an artifact nor a part of one is left. A build runs the
repository's own code: whether it may is decided when it is pinned.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bitproof.caps.builds.drivers.choose import choose_recipe
from bitproof.caps.builds.drivers.command import commands_recipe
from bitproof.caps.builds.drivers.recipe import Recipe
from bitproof.caps.builds.environment import BuildSettings, Job
from bitproof.caps.builds.record import record
from bitproof.caps.builds.steps import Running
from bitproof.caps.builds.wrap import core_candidates, wrap, wraps
from bitproof.caps.siblings import directory_below, open_below
from bitproof.errors import BitproofError, IntegrityError, UnavailableError
from bitproof.model.caps_manifest import Cap, CapsManifest
from bitproof.model.digest import Digest
from bitproof.proof.inputs import INPUTS_SUFFIX, RecordedInputs
from bitproof.system.files import Directory
from bitproof.system.opened import unavailable

NO_ROOM = os.strerror(errno.ENOSPC)
"""What every program says of a full disk: builds run in the C locale, and so do Python's messages."""

Began = Callable[[str], None]


def ignored(_: str) -> None:
    """Steps nobody watches."""


def never() -> bool:
    """A build nobody stops."""
    return False


def build(
    cap: Cap,
    repository: Path,
    settings: BuildSettings,
    *,
    commit: str,
    epoch: int,
    parts: tuple[tuple[str, Digest], ...] = (),
    began: Began = ignored,
    stopped: Callable[[], bool] = never,
) -> RecordedInputs:
    """Build a cap's artifact, a precomposed one too; the whole log is kept at ``settings.log(cap)``.

    Args:
        cap: which.
        repository: its checkout, or the manifest's own repository for a precomposed cap.
        settings: what holds for all builds.
        commit: what is checked out there.
        epoch: that commit's time, in seconds: SOURCE_DATE_EPOCH.
        parts: for a precomposed cap, the ids and digests of what it is made of.
        began: told each step's name.
        stopped: asked now and then; a yes ends what runs.

    Returns:
        What is recorded beside the artifact.

    Raises:
        IntegrityError: a step failed or the artifact was not made; says the step and quotes the end of the log.
        InputError: no driver fits, or what it needs is missing in the repository.
        UnavailableError: a program is missing or did not end in time, or a file could not be written.
    """
    job = Job(
        cap=cap,
        repository=repository.absolute(),
        commit=commit,
        epoch=epoch,
        settings=settings,
        began=began,
        stopped=stopped,
    )
    return _made(job, choose_recipe, parts)


def compose(
    manifest: CapsManifest,
    settings: BuildSettings,
    commands: tuple[tuple[str, ...], ...],
    *,
    commit: str,
    epoch: int,
    parts: tuple[tuple[str, Digest], ...] = (),
    began: Began = ignored,
    stopped: Callable[[], bool] = never,
) -> RecordedInputs:
    """Compose the product in the manifest's own repository, in an environment made as for a cap.

    Args:
        manifest: whose ``build/<product>.wasm``.
        settings: as for `build`.
        commands: ``caps.precompose`` and ``caps.compose``: programs and their arguments, in order.
        commit: the own HEAD, empty when there is none.
        epoch: its time.
        parts: the ids and digests of the caps.
        began: as for `build`, as is ``stopped``.
        stopped: asked now and then.

    Returns:
        What is recorded beside the artifact. Raises as `build`.
    """
    cap = Cap(
        id=manifest.product,
        repo="",
        sha=commit,
        target="",
        artifact=manifest.composed,
        digest=manifest.digest,
        precomposed=True,
    )
    job = Job(
        cap=cap,
        repository=settings.own.absolute(),
        commit=commit,
        epoch=epoch,
        settings=settings,
        began=began,
        stopped=stopped,
    )
    return _made(job, lambda job: commands_recipe(job, commands, driver="compose", where="caps.compose"), parts)


def _made(job: Job, choose: Callable[[Job], Recipe], parts: tuple[tuple[str, Digest], ...]) -> RecordedInputs:
    with _log(job) as log:
        running = Running(job, log)
        recipe = choose(job)
        running.say(f"driver {recipe.driver}: {recipe.reason}")
        running.environment = {**job.environment(), **recipe.environment, **job.own.env}
        artifact = job.cap.artifact
        made_anew = (artifact, artifact + INPUTS_SUFFIX, *recipe.stale, *_cores(job))
        _remove(job, made_anew)
        try:
            wrapped = _run(job, recipe, running)
        except BitproofError as error:
            cause = _full_disk(error, job, log)
            with suppress(BitproofError):  # what failed is what is told
                _remove(job, made_anew)
            raise cause from None
    return record(job, recipe, running, wrapped, parts)


def _run(job: Job, recipe: Recipe, running: Running) -> tuple[str, ...]:
    """Returns what the artifact was wrapped with."""
    for step in recipe.steps:
        running.run(step)
    wrapped = wrap(job, running.run) if wraps(job) else ()
    _check(job)
    return wrapped


def _full_disk(error: BitproofError, job: Job, log: int) -> BitproofError:
    """A step that failed because there was no room is no fault of the build: it says so, or its log has none left."""
    told = any(NO_ROOM in line for line in error.details)
    if not isinstance(error, IntegrityError) or not (told or os.fstatvfs(log).f_bavail == 0):
        return error
    return UnavailableError(
        "the disk is full: the build could not go on",
        where=error.where,
        found=error.found,
        details=error.details,
        fix=f"free some disk space and try again; the whole log is {job.settings.log(job.cap)}",
    )


@contextmanager
def _log(job: Job) -> Iterator[int]:
    """The open log of a new build, and a new HOME."""
    path = job.settings.log(job.cap)
    with Directory(job.home.parent, create=True, what="the builds' directory") as homes:
        homes.remove_tree(job.home.name)
        with homes.child(job.home.name, create=True):
            pass
    with Directory(job.cargo_home, create=True, what="the builds' directory") as cargo_home:
        for name in ("config", "config.toml"):  # a build may have left one for the next
            cargo_home.remove(name)
    with Directory(path.parent, create=True, what="the logs' directory") as logs, logs.log(path.name) as file:
        try:
            yield file.fd
        except OSError as error:  # all else that is written tells its own refusals
            raise unavailable(error, "the log cannot be written", path) from None


def _cores(job: Job) -> list[str]:
    return core_candidates(job) if wraps(job) else []


def _remove(job: Job, paths: tuple[str, ...]) -> None:
    """Remove files of the repository, no symlink followed; what is not there is no error."""
    for path in paths:
        *directories, name = path.split("/")
        directory = directory_below(job.repository, directories)
        if directory is not None:
            with directory:
                directory.remove(name)


def _check(job: Job) -> None:
    file = open_below(job.repository, job.cap.artifact.split("/"))
    if file is None:
        raise IntegrityError(
            "the build did not make the artifact",
            where=f"cap {job.cap.id}: {job.repository / job.cap.artifact}",
            fix=f"the whole log is {job.settings.log(job.cap)}",
        )
    file.close()
