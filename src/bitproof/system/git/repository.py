"""The git program, hardened (FORMATS section 6), and HEAD read without it.

Every git gets an environment that is made and not inherited, no system or user config, `HARDENED` over the repository's
own config, no hooks, no prompts, only the transports that a cap's ``repo`` may name, and a deadline. It runs *at* an
open directory with ``.git`` named, so that it never searches upwards, and nothing is written to the user's refs.

A repository that is there already is examined first, without git: `Git.open` is the only way to a `Repository`.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bitproof.errors import InputError, Problem, UnavailableError, shown
from bitproof.system.files import Directory
from bitproof.system.git.config import HARDENED, Setting, judge, parse_listing
from bitproof.system.git.head import git_directory, head
from bitproof.system.opened import unavailable
from bitproof.system.process import OverdueError, find_program, run, tethered

__all__ = ["Git", "Repository", "head"]

TRANSPORTS = ("https", "ssh", "git")
LOCAL_TRANSPORT = "file"
ENVIRONMENT = {
    "GIT_ASKPASS": "",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PROXY_COMMAND": "",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ControlMaster=no",
    "GIT_TERMINAL_PROMPT": "0",
}
NAMED = ("GIT_SSL_CAINFO",)
"""What a user may name beside: whom an https server is believed to be. Every other ``GIT_*`` may run or redirect."""
MAX_CONFIG = 1 << 20
MAX_DEPTH = 64
MADE_ELSEWHERE = "move it away and let `bitproof caps sync` clone it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """How git is run.

    Args:
        environment: further variables, those that the user named (``SSH_AUTH_SOCK``, ``https_proxy``); of ``GIT_*``
            only those in `NAMED` count.
        allow_local: whether ``file://`` and plain paths are transports.
        timeout: seconds a command may take.
        log: an open file, readable and appended to, that gets every command and what it writes to standard error.
        stopped: see `bitproof.system.process.run`.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    allow_local: bool = False
    timeout: float = 600
    log: int | None = None
    stopped: Callable[[], bool] | None = None

    def variables(self, settings: tuple[Setting, ...]) -> dict[str, str]:
        """The whole environment. Config goes through it: a key with ``=`` survives, and commands stay readable."""
        transports = (*TRANSPORTS, LOCAL_TRANSPORT) if self.allow_local else TRANSPORTS
        given = self.environment.items()
        made = {name: value for name, value in given if name in NAMED or not name.startswith("GIT_")}
        made |= ENVIRONMENT | {"GIT_ALLOW_PROTOCOL": ":".join(transports)}
        config = (*HARDENED, *settings)
        made["GIT_CONFIG_COUNT"] = str(len(config))
        for number, (key, value) in enumerate(config):
            made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return made

    def run(
        self,
        step: str,
        *arguments: str,
        at: Directory | None = None,
        settings: tuple[Setting, ...] = (),
        stdin: bytes | None = None,
        tether: bool = False,
    ) -> bytes:
        """Run git and return what it wrote to standard output.

        Args:
            step: what it is to do, for messages: "fetch the pinned commit".
            arguments: the caller puts ``--`` before operands.
            at: where; nowhere in particular when absent.
            settings: config beside `HARDENED`.
            stdin: what it reads.
            tether: have it killed when this process is killed.

        Raises:
            UnavailableError: git is not installed or failed; an `OverdueError` when it took too long.
        """
        argv = [find_program("git", "git"), "--no-pager", *arguments]
        if self.log is not None:
            os.write(self.log, f"$ git {' '.join(arguments)}\n".encode("utf-8", "replace"))
        where = "" if at is None else at.path
        try:
            return run(
                tethered(argv) if tether else argv,
                environment=self.variables(settings),
                stdin=stdin,
                timeout=self.timeout,
                cwd=Path("/") if at is None else Path(f"/proc/self/fd/{at.fd}"),  # the child's own: below, no symlink
                stopped=self.stopped,
                log=self.log,
            )
        except OverdueError as error:
            found = f"git {' '.join(arguments)}"
            what = f"git could not {step} in time"
            fix = "see whether the server answers, or raise caps.timeout in bitproof.toml"
            raise OverdueError(
                what, where=where, expected=error.expected, found=found, fix=fix, details=error.details
            ) from None
        except UnavailableError as error:
            found = f"{error.found.split(' of ')[0]} of git {' '.join(arguments)}"
            raise UnavailableError(f"git could not {step}", where=where, found=found, details=error.details) from None

    def make(self, worktree: Directory, object_format: str) -> "Repository":
        """Make a repository in an empty directory. ``object_format`` is ``sha1`` or ``sha256``."""
        arguments = ("init", "--quiet", "--template=", "--initial-branch=main", f"--object-format={object_format}")
        self.run("make a repository", *arguments, "--", ".", at=worktree)
        return Repository(self, worktree)

    def open(self, worktree: Directory) -> "Repository":
        """Examine the repository at ``worktree`` without running anything of it, and make its config harmless.

        Raises:
            InputError: it is no repository, or has something that bitproof does not let git follow; says what to do.
            UnavailableError: it belongs to someone else, or cannot be read.
        """
        directory = git_directory(worktree)
        if directory is None:
            fix = f"if nothing in it is needed, {MADE_ELSEWHERE}"
            raise InputError("the directory is there and is not a git repository", where=worktree.path, fix=fix)
        with directory:
            _check_owner(directory)
            strange = list(_leading_outside(directory.fd, "", 0))
            strange += [name for name in ("commondir", "objects/info/alternates") if _is_there(directory, name)]
            if strange:
                problems = [Problem(shown(name), "leads out of the repository") for name in strange[:10]]
                what = "bitproof does not use git in this repository"
                raise InputError(what, where=directory.path, problems=problems, fix=MADE_ELSEWHERE)
            return Repository(self, worktree, self._neutralised(directory))

    def _neutralised(self, directory: Directory) -> tuple[Setting, ...]:
        """The settings that make the repository's own config harmless; its includes are not read."""
        if directory.stat("config") is None:
            return ()
        with directory.open("config") as file:
            config = file.read(MAX_CONFIG)
        if len(config) > MAX_CONFIG:
            raise InputError("the git config is too large", where=directory.path / "config", expected="at most 1 MiB")
        listing = self.run(
            f"read the config {directory.path / 'config'}",
            *("--git-dir=/dev/null", "config", "--file", "-", "--no-includes", "--list", "-z"),
            stdin=config,
        )
        settings, refused = judge(parse_listing(listing))
        if refused:
            problems = [Problem(shown(key), "this key could run a program or lead elsewhere") for key in refused]
            fix = f"remove these keys (git config --unset-all KEY), or {MADE_ELSEWHERE}"
            what = "bitproof does not use git under this config"
            raise InputError(what, where=directory.path / "config", problems=problems, fix=fix)
        return settings


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that git may be run in: examined by `Git.open`, or made by `Git.make`."""

    git: Git
    worktree: Directory
    settings: tuple[Setting, ...] = ()

    def run(self, step: str, *arguments: str, stdin: bytes | None = None, tether: bool = False) -> bytes:
        """Run git in it; see `Git.run`."""
        return self.git.run(
            step,
            *("--git-dir=.git", "--work-tree=.", *arguments),
            at=self.worktree,
            settings=self.settings,
            stdin=stdin,
            tether=tether,
        )

    def paths(self, step: str, *arguments: str) -> list[str]:
        """What a command lists with ``-z``."""
        return [os.fsdecode(entry) for entry in self.run(step, *arguments).split(b"\0") if entry]


def _check_owner(directory: Directory) -> None:
    """Git's own rule (safe.directory): a repository of another user is not trusted."""
    owner = os.fstat(directory.fd).st_uid
    trusted = {os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        trusted.add(int(os.environ["SUDO_UID"]))
    if owner not in trusted:
        expected = " or ".join(f"user {uid}" for uid in sorted(trusted))
        what = "the repository belongs to another user"
        raise UnavailableError(what, where=directory.path, expected=expected, found=f"user {owner}", fix=MADE_ELSEWHERE)


def _is_there(directory: Directory, name: str) -> bool:
    """Whether a file is there and not empty."""
    try:
        return os.stat(name, dir_fd=directory.fd).st_size > 0
    except OSError:
        return False


def _leading_outside(fd: int, prefix: str, depth: int) -> Iterator[str]:
    """Symlinks and special files below ``.git``: git would follow or wait for them. Hooks never run, and may be any."""
    if depth > MAX_DEPTH:
        yield prefix
        return
    try:
        with os.scandir(fd) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if name in {"hooks", "fsmonitor--daemon.ipc"} or entry.is_file(follow_symlinks=False):
                continue
            if not entry.is_dir(follow_symlinks=False):
                yield name
                continue
            child = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=fd)
            try:
                mode = os.fstat(child).st_mode
                if stat.S_ISDIR(mode):
                    yield from _leading_outside(child, f"{name}/", depth + 1)
            finally:
                os.close(child)
    except OSError as error:
        raise unavailable(error, "the repository cannot be examined", prefix or ".git") from None
