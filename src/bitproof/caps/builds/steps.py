"""The steps of a build: each run in the made environment, into the kept log, with a deadline, and looked at."""

import os
import shlex
from dataclasses import dataclass, field

from bitproof.caps.builds.drivers.recipe import Step
from bitproof.caps.builds.environment import UMASK, Job
from bitproof.errors import BitproofError, IntegrityError
from bitproof.system.process import last_lines, run_logged

TAIL = 1 << 16
"""Bytes of the log in which the quoted lines are looked for."""


@dataclass(slots=True)
class Running:
    """The steps of one build: what they share, and which ran."""

    job: Job
    log: int
    environment: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def say(self, text: str) -> None:
        """A line of our own in the log."""
        os.write(self.log, f"bitproof: {text}\n".encode("utf-8", "replace"))

    def run(self, step: Step) -> None:
        """Run a step and look at its exit code.

        Raises:
            IntegrityError: it failed; quotes the end of what it wrote.
            UnavailableError: it could not be started, or did not end in time.
        """
        job = self.job
        job.began(step.name)
        self.say(f"{step.name}: {shlex.join(step.argv)}")
        self.steps.append(step)
        before = os.fstat(self.log).st_size
        try:
            code = run_logged(
                step.argv,
                log=self.log,
                environment=self.environment,
                cwd=step.cwd or job.repository,
                timeout=job.settings.timeout,
                stopped=job.stopped,
                umask=UMASK,
            )
        except BitproofError as error:
            error.where = f"cap {job.cap.id}: {step.name}"
            error.fix = f"the whole log is {job.settings.log(job.cap)}; caps.timeout sets the seconds for a step"
            raise
        if code:
            raise self._failure(step, code, before)

    def _failure(self, step: Step, code: int, before: int) -> IntegrityError:
        size = os.fstat(self.log).st_size
        ended = f"exit code {code}" if code > 0 else f"signal {-code}"
        return IntegrityError(
            "the build failed",
            where=f"cap {self.job.cap.id}: {step.name}",
            found=f"{ended} of {shlex.join(step.argv)}",
            details=last_lines(os.pread(self.log, TAIL, max(before, size - TAIL))),
            fix=f"the whole log is {self.job.settings.log(self.job.cap)}",
        )
