"""``caps-manifest.toml``: the pins of a product composed of sibling repositories (seed 002, FORMATS section 6).

Reading reports every problem at once, each with the cap's id and its line. What is left out: what lies on disk, what a
git server says, and editing, which is `caps_edits`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from bitproof.errors import InputError, Problem, shown
from bitproof.model.decode import Table, decode_text, kind, parse_toml
from bitproof.model.digest import HEX, Digest

MANIFEST_NAME = "caps-manifest.toml"
PRODUCT_SUFFIX = "_sha256"
SHA_LENGTHS = (40, 64)
MAX_CAPS_MANIFEST = 8 << 20

MAX_NAME = 255  # bytes: NAME_MAX of Linux
MAX_PATH = 2048

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_TARGET = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?", re.ASCII)
_REMOTE = re.compile(
    r"(?:https|ssh|git)://(?![^/]*@-)[A-Za-z0-9][^\s\x00-\x1f\x7f]*|git@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s\x00-\x1f\x7f-][^\s\x00-\x1f\x7f]*",
    re.ASCII,
)
_LOCAL = re.compile(r"(?:file:///|/|\./|\.\./)[^\s\x00-\x1f\x7f]*", re.ASCII)
_HEADER = re.compile(r"[ \t]*\[\[[ \t]*cap[ \t]*\]\]", re.ASCII)
NO_DIGEST = Digest("sha256", "0" * 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """One pinned capability: the artifact that a sibling repository builds at a commit.

    ``sha`` is 40 or 64 lower-case hex digits; all zeros is a placeholder, as is a ``digest`` of zeros. ``line`` is
    where its block begins, 0 when that is not known.
    """

    id: str
    repo: str
    sha: str
    target: str
    artifact: str
    digest: Digest
    local_dir: str = ""
    precomposed: bool = False
    line: int = 0

    @property
    def sha_is_placeholder(self) -> bool:
        """Whether the commit is not pinned yet."""
        return not self.sha.strip("0")

    @property
    def digest_is_placeholder(self) -> bool:
        """Whether the artifact's digest is not pinned yet."""
        return self.digest == NO_DIGEST

    @property
    def sibling(self) -> str:
        """The checkout's directory below the git root: ``local_dir``, else the repo's last part without ``.git``."""
        return self.local_dir or re.split(r"[/:]", self.repo.rstrip("/"))[-1].removesuffix(".git")


@dataclass(frozen=True, slots=True)
class CapsManifest:
    """The whole manifest. ``product`` is the name of ``build/<product>.wasm``, ``digest`` its pin."""

    product: str
    digest: Digest
    caps: tuple[Cap, ...]

    @property
    def digest_is_placeholder(self) -> bool:
        """Whether the composed artifact is not pinned yet."""
        return self.digest == NO_DIGEST

    @property
    def composed(self) -> str:
        """The composed artifact, relative to the manifest's repository."""
        return f"build/{self.product}.wasm"

    def select(self, ids: tuple[str, ...]) -> tuple[Cap, ...]:
        """The caps with these ids, in manifest order; all when there are none.

        Raises:
            InputError: an id that no cap has.
        """
        unknown = [Problem(name, "no cap has this id") for name in ids if name not in {cap.id for cap in self.caps}]
        if unknown:
            raise InputError("the manifest does not know these caps", problems=unknown, fix="bitproof caps list")
        return tuple(cap for cap in self.caps if not ids or cap.id in ids)


def parse_caps_manifest(data: bytes, where: str = MANIFEST_NAME, *, allow_local_repos: bool = False) -> CapsManifest:
    """Read a manifest.

    Args:
        data: the bytes of the file.
        where: how messages name it.
        allow_local_repos: accept ``file://`` and plain paths as ``repo``.

    Raises:
        InputError: every problem of the file, each with the cap's id and line.
    """
    problems: list[Problem] = []
    root = Table(parse_toml(data, where, MAX_CAPS_MANIFEST), "", problems)
    product, digest = _product(root)
    caps = _caps(root, _header_lines(decode_text(data, where, MAX_CAPS_MANIFEST)), allow_local_repos=allow_local_repos)
    problems += _collisions(caps)
    if problems:
        raise InputError("the caps manifest is not usable", where=where, problems=problems)
    return CapsManifest(product, digest, caps)


def _product(root: Table) -> tuple[str, Digest]:
    keys = [key for key in root.values if key.endswith(PRODUCT_SUFFIX)]
    if len(keys) != 1:
        expected = "one key <name>_sha256"
        root.problems.append(
            Problem("", "the composed artifact is not pinned", expected=expected, found=", ".join(keys) or "none")
        )
        return "", NO_DIGEST
    name = keys[0].removesuffix(PRODUCT_SUFFIX)
    if not _ID.fullmatch(name):
        root.problem(keys[0], "not the name of an artifact", expected="[A-Za-z0-9][A-Za-z0-9._-]*", found=shown(name))
    return name, root.parsed(keys[0], _digest, NO_DIGEST)


def _header_lines(text: str) -> list[int]:
    return [number for number, line in enumerate(text.split("\n"), 1) if _HEADER.match(line)]


def _caps(root: Table, lines: list[int], *, allow_local_repos: bool) -> tuple[Cap, ...]:
    values = root.get("cap", list, [], required=False)
    known = lines if len(lines) == len(values) else [0] * len(values)
    caps = []
    for index, (value, line) in enumerate(zip(values, known, strict=True)):
        problems: list[Problem] = []
        if isinstance(value, dict):
            caps.append(_cap(Table(value, "", problems), line, allow_local_repos=allow_local_repos))
        else:
            problems.append(Problem("", "the wrong type", expected="a table", found=kind(value)))
        name = value.get("id") if isinstance(value, dict) else None
        place = f"cap {name if isinstance(name, str) and _ID.fullmatch(name) else index + 1}"
        root.problems.extend(problem.within(place + (f" (line {line})" if line else "")) for problem in problems)
    return tuple(caps)


def _cap(table: Table, line: int, *, allow_local_repos: bool) -> Cap:
    precomposed = table.flag("precomposed", default=False)
    repo = table.parsed(
        "repo", lambda text: check_repo(text, precomposed=precomposed, allow_local=allow_local_repos), ""
    )
    cap = Cap(
        id=table.parsed("id", _matching(_ID, "[A-Za-z0-9][A-Za-z0-9._-]*"), ""),
        repo=repo,
        sha=table.parsed("sha", _sha, ""),
        target=table.parsed("target", _matching(_TARGET, "a target triple, or nothing"), ""),
        artifact=table.parsed("artifact", _inside, ""),
        digest=table.parsed("sha256", _digest, NO_DIGEST),
        local_dir=table.parsed("local_dir", _directory, "", required=False),
        precomposed=precomposed,
        line=line,
    )
    if repo and not cap.precomposed and not _is_directory_name(cap.sibling):
        expected = "a last part that is a name, or local_dir"
        table.problem("repo", "names no directory to clone into", expected=expected, found=shown(repo))
    return cap


def _collisions(caps: tuple[Cap, ...]) -> list[Problem]:
    """Ids that are equal when case is ignored, and one sibling pinned at two commits or cloned from two repos."""
    problems = []
    ids: dict[str, Cap] = {}
    siblings: dict[str, Cap] = {}
    for cap in caps:
        place = f"cap {cap.id} (line {cap.line})" if cap.line else f"cap {cap.id}"
        first = ids.setdefault(cap.id.casefold(), cap) if cap.id else cap
        if first is not cap:
            found = f"{first.id} at line {first.line}" if first.line else first.id
            problems.append(Problem(f"{place}: id", "another cap has this id", found=found))
        if cap.precomposed or not cap.repo or cap.sha_is_placeholder:
            continue  # never checked out
        other = siblings.setdefault(cap.sibling, cap)
        if (other.repo, other.sha) != (cap.repo, cap.sha):
            what = f"the sibling {cap.sibling} is pinned differently by cap {other.id}"
            problems.append(Problem(place, what, expected=f"{other.repo} {other.sha}", found=f"{cap.repo} {cap.sha}"))
    return problems


def check_repo(text: str, *, precomposed: bool = False, allow_local: bool = False) -> str:
    """Return ``text`` when git may be given it as a repository (FORMATS section 6).

    Raises:
        ValueError: it is another transport, an option, or local without leave.
    """
    if not text:
        if precomposed:
            return text
        raise ValueError("empty, which only a precomposed cap may be")
    printable = text.isprintable()
    if printable and (_REMOTE.fullmatch(text) or (allow_local and _LOCAL.fullmatch(text))):
        return text
    if printable and _LOCAL.fullmatch(text):
        raise ValueError(f"a local repo needs --allow-local-repos: found {shown(text)}")
    raise ValueError(f"not an allowed URL: expected https://, ssh://, git:// or git@host:path, found {shown(text)}")


def _sha(text: str) -> str:
    if len(text) not in SHA_LENGTHS or not HEX.issuperset(text):
        raise ValueError(f"not a commit: expected 40 or 64 lower-case hex digits, found {shown(text)}")
    return text


def _digest(text: str) -> Digest:
    return Digest.parse(text, "sha256")


def _inside(text: str) -> str:
    parts = text.split("/")
    if text.startswith("-") or len(text) > MAX_PATH or not all(_is_directory_name(part, "") for part in parts):
        raise ValueError(f"not a path inside the repository: found {shown(text)}")
    return text


def _directory(text: str) -> str:
    if not _is_directory_name(text):
        raise ValueError(f"not the name of a directory: found {shown(text)}")
    return text


def _is_directory_name(text: str, refused: str = "-") -> bool:
    """Whether it may name a sibling, or a part of a path; git's own directory and bitproof's are neither."""
    if not text.isprintable() or "/" in text or len(text.encode()) > MAX_NAME or text.casefold() == ".git":
        return False
    return text not in {"", ".", ".."} and not text.startswith((".bitproof", *refused))


def _matching(pattern: re.Pattern[str], expected: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"expected {expected}, found {shown(text)}")
        return text

    return parse
