"""Real git repositories, and servers on the loopback that speak git's protocol well, badly, or not at all."""

import socketserver
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bitproof.model.caps_manifest import Cap
from bitproof.model.digest import Digest
from bitproof.system.git.repository import Git
from bitproof.system.process import find_program

GIT = find_program("git", "git")
GIT_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Author",
    "GIT_AUTHOR_EMAIL": "author@example.org",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_NAME": "Author",
    "GIT_COMMITTER_EMAIL": "author@example.org",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_ALLOW_PROTOCOL": "file",
}
LOCAL = Git(allow_local=True, timeout=30)


def git(directory: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """Run git as a user does; what it prints."""
    done = subprocess.run(
        [GIT, *arguments], cwd=directory, env=GIT_ENVIRONMENT, input=stdin, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def upstream(path: Path, *, object_format: str = "sha1") -> Path:
    """An empty repository with a branch ``main``."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch=main", f"--object-format={object_format}")
    return path


def commit(repository: Path, files: Mapping[str, str | None]) -> str:
    """Write files, None removes one, and commit everything; the commit's name."""
    for name, content in files.items():
        if content is None:
            (repository / name).unlink()
        else:
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            (repository / name).write_text(content)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--allow-empty", "--message=change")
    return git(repository, "rev-parse", "HEAD")


def raw_commit(repository: Path, entries: Mapping[str, tuple[str, str]]) -> str:
    """A commit on ``main`` whose files are exactly these, path to mode and content (a gitlink's is its commit)."""
    git(repository, "read-tree", "--empty")
    for path, (mode, content) in entries.items():
        oid = content
        if mode != "160000":
            oid = git(repository, "hash-object", "-w", "--stdin", stdin=content.encode())
        git(repository, "update-index", "--add", "--cacheinfo", f"{mode},{oid},{path}")
    made = git(repository, "commit-tree", "-m", "made", git(repository, "write-tree"))
    git(repository, "update-ref", "refs/heads/main", made)
    return made


def cap(repo: str, sha: str, local_dir: str = "sib") -> Cap:
    """A cap pinned to a commit; its sibling is ``sib``."""
    digest = Digest("sha256", "1" * 64)
    return Cap(id="aead", repo=repo, sha=sha, target="", artifact="out.wasm", digest=digest, local_dir=local_dir)


def files(worktree: Path) -> dict[str, str]:
    """The files of a checkout, ``.git`` left out."""
    return {
        str(path.relative_to(worktree)): path.read_text()
        for path in sorted(worktree.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(worktree).parts
    }


def leftovers(git_root: Path) -> list[str]:
    """What a checkout left of its own that it should not have: clones and notes."""
    own = git_root / ".bitproof"
    return [str(path) for name in ("clones", "notes") for path in own.glob(f"{name}/*/*")] + [
        str(path) for path in (own / "clones").glob("*")
    ]


class _Handler(socketserver.StreamRequestHandler):
    """One connection of git's own protocol: a request line, then whatever the server is made to do."""

    server: "GitServer"

    def handle(self) -> None:
        length = int(self.rfile.read(4), 16)
        request = self.rfile.read(length - 4).decode()
        name = request.split(" ", 1)[1].split("\0")[0].lstrip("/")
        self.server.asked.append(name)
        if len(self.server.asked) in self.server.breaks_at:
            return
        if self.server.answer is not None:
            self.server.answer(self)
            return
        with subprocess.Popen(
            [GIT, "upload-pack", str(self.server.base / name)],
            stdin=self.connection.fileno(),
            stdout=self.connection.fileno(),
            env=GIT_ENVIRONMENT,
        ):
            pass


class GitServer(socketserver.ThreadingTCPServer):
    """Serves repositories by protocol v0, which gives no commit that is not a tip."""

    daemon_threads = True
    breaks_at: frozenset[int] = frozenset()
    """Which connections are closed without a word, counted from 1."""

    def __init__(self, base: Path, answer: "Answer | None" = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base = base
        self.answer = answer
        self.asked: list[str] = []
        self.waits, self.left = threading.Event(), threading.Event()
        """Set when a client is kept waiting, and when it has gone."""

    def url(self, name: str) -> str:
        return f"git://127.0.0.1:{self.server_address[1]}/{name}"


class Answer:
    """What a server does instead of serving."""

    def __call__(self, handler: _Handler) -> None:
        raise NotImplementedError


class Garbage(Answer):
    """Bytes that are not git's protocol."""

    def __call__(self, handler: _Handler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n\x1b[31mhello" * 100)


class Stall(Answer):
    """Takes the request and says nothing until the client has gone."""

    def __call__(self, handler: _Handler) -> None:
        handler.server.waits.set()
        handler.connection.settimeout(60)
        if handler.rfile.read(1) == b"":
            handler.server.left.set()


class HangUp(Answer):
    """Takes the request and closes the connection."""

    def __call__(self, handler: _Handler) -> None:
        """Nothing: the connection is closed when this returns."""


@contextmanager
def serving(
    base: Path, answer: Answer | None = None, *, breaks_at: frozenset[int] = frozenset()
) -> Iterator[GitServer]:
    """A server for the time of a block."""
    with GitServer(base, answer) as server:
        server.breaks_at = breaks_at
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
