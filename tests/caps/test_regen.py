import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.caps.checkouts.published import pinnable_head
from bitproof.caps.regen import pin_product, plan_regen, regen, to_pin
from bitproof.caps.siblings import Roots
from bitproof.errors import BitproofError, InputError, IntegrityError, UnavailableError
from bitproof.model.caps_manifest import Cap, CapsManifest, parse_caps_manifest
from bitproof.system.files import Directory
from bitproof.system.lock import LOCK_NAME, locked
from bitproof.system.process import find_program
from tests.caps.repositories import LOCAL, commit, git, upstream
from tests.caps.shelf import Shelf, cap, sha256, temporaries
from tests.model.pins import block

STRACE = find_program("strace", "strace")
NEW = "c" * 40
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from pathlib import Path
from bitproof.caps.regen import pin_product, regen
from bitproof.caps.siblings import Roots
root = Path(sys.argv[2])
roots = Roots(git_root=root / "git", own=root / "product")
path = roots.own / "caps-manifest.toml"
if sys.argv[1] == "regen":
    regen(path, (), roots, lambda cap: "c" * 40)
else:
    pin_product(path, roots)
"""


def text(*names: str) -> str:
    """A manifest with comments and odd spacing; every pin is an old one."""
    caps = "".join(
        f"\n#  {name}\n"
        + block(id=name, repo=f"https://example.org/{name}.git", artifact=f"out/{name}.wasm", sha256="a" * 64)
        .replace("sha = ", "  sha\t=   ")
        .replace('"\nsha256', '"  # old\n\nsha256')
        for name in names
    )
    return f"# pins\n\npylon_sha256   =  '{'b' * 64}'   # composed\n{caps}"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Two caps that are built, a composed artifact, and a manifest that says something else."""
    shelf = Shelf(tmp_path)
    for each in (cap("one"), cap("two")):
        shelf.put(each)
        shelf.at(each, NEW)
    shelf.manifest()
    path(shelf).write_text(text("one", "two"))
    return shelf


def path(shelf: Shelf) -> Path:
    return shelf.roots.own / "caps-manifest.toml"


def parsed(shelf: Shelf) -> CapsManifest:
    return parse_caps_manifest(path(shelf).read_bytes(), allow_local_repos=True)


def repinned_text(*names: str) -> str:
    changed = text(*names).replace("b" * 64, sha256(b"pylon").value).replace(parse(text(*names)), NEW)
    for name in names:
        changed = changed.replace("a" * 64, sha256(name.encode()).value, 1)
    return changed


def parse(manifest: str) -> str:
    return parse_caps_manifest(manifest.encode()).caps[0].sha


def test_heads_and_digests_change_and_nothing_else_does(shelf: Shelf) -> None:
    path(shelf).chmod(0o664)

    done = regen(path(shelf), (), shelf.roots, lambda _: NEW)

    assert path(shelf).read_text() == repinned_text("one", "two")
    assert (done.changed, done.before.decode()) == (True, text("one", "two"))
    assert path(shelf).stat().st_mode & 0o777 == 0o664
    assert temporaries(shelf.roots.own) == []


def test_the_diff_holds_only_the_lines_of_pins(shelf: Shelf) -> None:
    done = regen(path(shelf), (), shelf.roots, lambda _: NEW, dry_run=True)

    changed = [line for line in done.diff().splitlines()[2:] if line.startswith(("-", "+"))]
    assert len(changed) == 2 * 5
    digits = str.maketrans("", "", "0123456789abcdef")
    removed, added = ([line[1:].translate(digits) for line in changed if line[0] == sign] for sign in "-+")
    assert removed == added


def test_a_dry_run_writes_nothing(shelf: Shelf) -> None:
    before = path(shelf).stat()

    done = regen(path(shelf), (), shelf.roots, lambda _: NEW, dry_run=True)

    assert done.changed
    assert path(shelf).read_text() == text("one", "two")
    assert path(shelf).stat().st_ino == before.st_ino


def test_a_dry_run_leaves_what_a_killed_writer_left(shelf: Shelf) -> None:
    left = shelf.roots.own / ".bitproof-0123456789abcdef.tmp"
    left.touch()

    regen(path(shelf), (), shelf.roots, lambda _: NEW, dry_run=True)
    assert left.exists()
    regen(path(shelf), (), shelf.roots, lambda _: NEW)
    assert not left.exists()


def test_pins_that_are_right_leave_the_file_alone(shelf: Shelf) -> None:
    regen(path(shelf), (), shelf.roots, lambda _: NEW)
    before = path(shelf).stat()

    done = regen(path(shelf), (), shelf.roots, lambda _: NEW)

    assert (done.changed, done.diff()) == (False, "")
    assert path(shelf).stat().st_ino == before.st_ino


def test_only_the_caps_that_are_named_and_the_product_change(shelf: Shelf) -> None:
    (shelf.roots.artifact(cap("one"))).unlink()

    regen(path(shelf), ("two",), shelf.roots, lambda _: NEW)

    one, two = parsed(shelf).caps
    assert (one.sha, one.digest.value) == (parse(text("one")), "a" * 64)
    assert (two.sha, two.digest) == (NEW, sha256(b"two"))
    assert parsed(shelf).digest == sha256(b"pylon")


def test_an_unknown_id_is_refused(shelf: Shelf) -> None:
    with pytest.raises(InputError, match=r"^the manifest does not know these caps\n  - three: no cap has this id"):
        regen(path(shelf), ("three",), shelf.roots, lambda _: NEW)

    assert path(shelf).read_text() == text("one", "two")


def test_everything_that_cannot_be_pinned_is_said_at_once_and_nothing_is_written(shelf: Shelf) -> None:
    shelf.roots.artifact(cap("two")).unlink()
    (shelf.roots.own / "build/pylon.wasm").unlink()

    def dirty(each: object) -> str:
        raise IntegrityError("the sibling has uncommitted changes", found="'a.c'", where=str(each))

    with pytest.raises(IntegrityError) as refused:
        regen(path(shelf), (), shelf.roots, dirty)

    assert str(refused.value) == (
        "these cannot be pinned\n"
        "  - cap one: the sibling has uncommitted changes: found 'a.c'\n"
        "  - cap two: the sibling has uncommitted changes: found 'a.c'\n"
        "  - cap two: out/two.wasm: the artifact is missing\n"
        "  - build/pylon.wasm: the artifact is missing\n"
        "  fix:      mend these; no pin was changed"
    )
    assert path(shelf).read_text() == text("one", "two")
    assert temporaries(shelf.roots.own) == []


def test_a_remote_that_is_gone_is_no_verdict(shelf: Shelf) -> None:
    def gone(_: object) -> str:
        raise UnavailableError("git failed")

    with pytest.raises(UnavailableError, match=r"^these cannot be pinned\n  - cap one: git failed\n"):
        regen(path(shelf), (), shelf.roots, gone)

    assert path(shelf).read_text() == text("one", "two")


def test_remotes_are_asked_in_parallel(shelf: Shelf) -> None:
    both = threading.Barrier(2, timeout=20)

    def pinnable(_: object) -> str:
        both.wait()
        return NEW

    regen(path(shelf), (), shelf.roots, pinnable)

    assert path(shelf).read_text() == repinned_text("one", "two")


def test_caps_of_one_sibling_are_asked_for_one_after_another(shelf: Shelf) -> None:
    path(shelf).write_text(text("one", "two").replace("example.org/two.git", "example.org/one.git"))
    (shelf.roots.git_root / "one/out/two.wasm").write_bytes(b"two")
    asking = threading.Lock()

    def pinnable(each: Cap) -> str:
        assert asking.acquire(blocking=False), each.id
        asking.release()
        return NEW

    regen(path(shelf), (), shelf.roots, pinnable)

    assert [each.digest for each in parsed(shelf).caps] == [sha256(b"one"), sha256(b"two")]


def test_an_artifact_that_is_a_symlink_is_not_pinned(shelf: Shelf) -> None:
    shelf.roots.artifact(cap("one")).unlink()
    shelf.roots.artifact(cap("one")).symlink_to("/etc/hostname")

    with pytest.raises(IntegrityError, match=r"- cap one: out/one.wasm: the artifact is a symlink: expected a regular"):
        regen(path(shelf), (), shelf.roots, lambda _: NEW)


def test_placeholders_that_nobody_has_cloned_are_left_out_unless_they_are_named(shelf: Shelf) -> None:
    later = text("one", "later").replace(parse(text("one")), "0" * 40)
    manifest = parse_caps_manifest(later.encode())

    assert [each.id for each in to_pin(manifest, (), shelf.roots)] == ["one"]
    assert [each.id for each in to_pin(manifest, ("later",), shelf.roots)] == ["later"]


def test_a_plan_is_made_without_writing(shelf: Shelf) -> None:
    data = path(shelf).read_bytes()

    planned = plan_regen(data, parsed(shelf), parsed(shelf).caps, shelf.roots, lambda _: NEW)

    assert planned.decode() == repinned_text("one", "two")
    assert path(shelf).read_bytes() == data


def test_composing_pins_the_product_alone(shelf: Shelf) -> None:
    pin_product(path(shelf), shelf.roots)

    assert path(shelf).read_text() == text("one", "two").replace("b" * 64, sha256(b"pylon").value)


def test_a_product_that_was_not_made_is_not_pinned(shelf: Shelf) -> None:
    (shelf.roots.own / "build/pylon.wasm").unlink()

    with pytest.raises(InputError) as refused:
        pin_product(path(shelf), shelf.roots)

    assert str(refused.value) == f"the artifact is missing\n  where:    {shelf.roots.own / 'build/pylon.wasm'}"
    assert path(shelf).read_text() == text("one", "two")


def test_a_bad_manifest_is_refused_and_stays(shelf: Shelf) -> None:
    path(shelf).write_text("cap = 7")

    with pytest.raises(InputError, match=r"^the caps manifest is not usable\n"):
        regen(path(shelf), (), shelf.roots, lambda _: NEW)

    assert path(shelf).read_text() == "cap = 7"


def test_a_manifest_that_is_a_symlink_is_not_replaced(shelf: Shelf) -> None:
    path(shelf).rename(shelf.roots.own / "real.toml")
    path(shelf).symlink_to("real.toml")

    with pytest.raises(InputError, match=r"^the caps manifest is a symlink\n"):
        regen(path(shelf), (), shelf.roots, lambda _: NEW)


def test_a_line_separator_in_a_comment_does_not_break_the_diff(shelf: Shelf) -> None:
    path(shelf).write_text(text("one", "two").replace("# old", "# \u2028 old"))

    lines = regen(path(shelf), (), shelf.roots, lambda _: NEW, dry_run=True).diff().split("\n")

    assert all(line[:1] in {" ", "-", "+", "@", ""} for line in lines)


def test_one_waits_for_another_and_loses_nothing(shelf: Shelf) -> None:
    waited = threading.Event()
    failures: list[BitproofError] = []

    def second() -> None:
        try:
            regen(path(shelf), ("two",), shelf.roots, lambda _: NEW, waiting=lambda _: waited.set())
        except BitproofError as error:
            failures.append(error)

    thread = threading.Thread(target=second)

    def first(_: object) -> str:
        thread.start()
        assert waited.wait(20)
        return NEW

    regen(path(shelf), ("one",), shelf.roots, first)
    thread.join(20)

    assert failures == []
    assert path(shelf).read_text() == repinned_text("one", "two")


@pytest.mark.parametrize(
    ("command", "call", "number", "last"),
    [
        ("regen", "fsync", 1, False),
        ("regen", "fsync", 2, True),
        ("regen", "fchmod", 1, False),
        ("regen", "rename,renameat,renameat2", 1, False),
        ("compose", "fsync", 1, False),
        ("compose", "fsync", 2, True),
        ("compose", "fchmod", 1, False),
        ("compose", "rename,renameat,renameat2", 1, False),
    ],
)
def test_killed_at_any_point_the_manifest_is_the_old_or_the_new_one(
    shelf: Shelf, command: str, call: str, number: int, last: bool
) -> None:
    inject = f"inject={call}:signal=KILL:when={number}"
    argv = [STRACE, "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, sys.executable, "-c", PROGRAM]

    done = subprocess.run(
        [*argv, command, shelf.roots.own.parent], check=False, capture_output=True, cwd=ROOT, timeout=60
    )

    assert done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}, done.stderr
    new = repinned_text("one", "two")
    if command == "compose":
        new = text("one", "two").replace("b" * 64, sha256(b"pylon").value)
    assert path(shelf).read_text() in {text("one", "two"), new}
    if last:  # the directory, after the rename
        assert path(shelf).read_text() == new
    with Directory(shelf.roots.own) as own, locked(own, wait=False):
        pass
    assert LOCK_NAME in os.listdir(shelf.roots.own)  # noqa: PTH208 - names
    regen(path(shelf), (), shelf.roots, lambda _: NEW)
    assert temporaries(shelf.roots.own) == []


def test_a_sync_that_moves_the_sibling_meanwhile_is_waited_for_and_then_nothing_is_pinned(shelf: Shelf) -> None:
    locks = shelf.roots.git_root / ".bitproof" / "locks"
    locks.mkdir(parents=True)
    waited = threading.Event()
    refusals: list[BitproofError] = []

    def late() -> None:
        try:
            regen(path(shelf), ("one",), shelf.roots, lambda _: NEW, waiting=lambda _: waited.set())
        except BitproofError as error:
            refusals.append(error)

    thread = threading.Thread(target=late)
    with Directory(locks) as directory, locked(directory, name="one.lock"):
        thread.start()
        assert waited.wait(20)
        shelf.at(cap("one"), "d" * 40)
        shelf.put(replace(cap("one"), sha="d" * 40), data=b"new")
    thread.join(20)

    (refusal,) = refusals
    assert str(refusal) == (
        "these cannot be pinned\n"
        f"  - cap one: out/one.wasm: HEAD moved meanwhile: expected {NEW}, found {'d' * 40}\n"
        "  fix:      mend these; no pin was changed"
    )
    assert path(shelf).read_text() == text("one", "two")


class Cloned:
    """A cap whose sibling is a clone of a real remote."""

    def __init__(self, root: Path) -> None:
        self.remote = upstream(root / "remote")
        self.sha = commit(self.remote, {"a.c": "1"})
        self.roots = Roots(git_root=root / "git", own=upstream(root / "product"))
        self.roots.git_root.mkdir()
        self.cap = replace(cap(), repo=f"file://{self.remote}")
        self.sibling = self.roots.git_root / "one"
        git(root, "clone", "--quiet", str(self.remote), str(self.sibling))
        self.cap = replace(self.cap, local_dir="one")

    def head(self) -> str:
        return pinnable_head(self.cap, self.roots, LOCAL)


@pytest.fixture
def cloned(tmp_path: Path) -> Cloned:
    return Cloned(tmp_path)


def test_a_head_that_a_branch_of_the_remote_holds_is_pinned(cloned: Cloned) -> None:
    commit(cloned.remote, {"a.c": "2"})

    assert cloned.head() == cloned.sha


def test_a_dirty_sibling_is_not_pinned(cloned: Cloned) -> None:
    for number in range(11):
        (cloned.sibling / f"a{number:02}.c").write_text("1")
    git(cloned.sibling, "add", "--all")
    (cloned.sibling / "a.c").write_text("2")

    with pytest.raises(IntegrityError) as refused:
        cloned.head()

    names = ", ".join(["'a.c'", *(f"'a{number:02}.c'" for number in range(9))])
    assert str(refused.value) == f"the sibling has uncommitted changes\n  found:    {names} and 2 more"


def test_a_head_that_was_not_pushed_is_not_pinned(cloned: Cloned) -> None:
    mine = commit(cloned.sibling, {"a.c": "2"})

    with pytest.raises(IntegrityError) as refused:
        cloned.head()

    assert str(refused.value) == (
        f"no branch or tag of the remote holds HEAD\n  expected: a commit of file://{cloned.remote}\n  found:    {mine}"
    )


def test_a_sibling_without_a_commit_or_a_checkout_is_not_pinned(cloned: Cloned) -> None:
    git(cloned.sibling, "checkout", "--quiet", "--orphan", "new")
    with pytest.raises(InputError) as refused:
        cloned.head()
    assert str(refused.value) == f"there is no commit to pin\n  where:    {cloned.sibling}"

    cloned.sibling.rename(cloned.sibling.with_name("away"))
    with pytest.raises(UnavailableError, match=r"^the directory cannot be opened\n"):
        cloned.head()


def test_a_precomposed_cap_is_pinned_at_the_own_head(cloned: Cloned) -> None:
    sha = commit(cloned.roots.own, {"a": "1"})

    assert pinnable_head(replace(cloned.cap, repo="", precomposed=True), cloned.roots, LOCAL) == sha


def test_a_remote_that_is_gone_cannot_be_asked(cloned: Cloned) -> None:
    cloned.remote.rename(cloned.remote.with_name("away"))

    with pytest.raises(UnavailableError):
        cloned.head()
