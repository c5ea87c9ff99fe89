from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.caps.builds.environment import BuildSettings, CapBuild
from bitproof.caps.siblings import Roots
from bitproof.caps.work import NO_COMMIT_EPOCH, Work
from bitproof.errors import InputError, IntegrityError
from bitproof.model.caps_manifest import Cap
from bitproof.system.files import Directory
from bitproof.system.lock import locked
from tests.caps.repositories import GIT_ENVIRONMENT, LOCAL, commit, git, upstream
from tests.caps.shelf import cap, sha256, temporaries

BUILD = 'mkdir -p out\nprintf %s "$SOURCE_DATE_EPOCH" >out/one.wasm\n'
AUTHORED = 1_700_000_000


def later(repository: Path, seconds: int) -> str:
    """An empty commit at another time."""
    before = dict(GIT_ENVIRONMENT)
    GIT_ENVIRONMENT["GIT_COMMITTER_DATE"] = f"{AUTHORED + seconds} +0000"
    try:
        return commit(repository, {})
    finally:
        GIT_ENVIRONMENT.update(before)


@pytest.fixture
def roots(tmp_path: Path) -> Roots:
    return Roots(git_root=tmp_path / "git", own=upstream(tmp_path / "product"))


def work(roots: Roots, *command: str) -> Work:
    builds = {"one": CapBuild(command=command)} if command else {}
    settings = BuildSettings(own=roots.own, git_root=roots.git_root, cache=roots.own.parent / "cache", builds=builds)
    return Work(roots=roots, git=LOCAL, settings=settings, stopped=lambda: False)


def pinned(tmp_path: Path, script: str = BUILD) -> Cap:
    """A cap whose remote's one commit builds it."""
    up = upstream(tmp_path / "one")
    return replace(cap(), repo=f"file://{up}", sha=commit(up, {"build.sh": script}))


def test_a_sibling_is_checked_out_and_built_with_the_time_of_its_pin(tmp_path: Path, roots: Roots) -> None:
    one = pinned(tmp_path)
    later(tmp_path / "one", 60)
    steps: list[tuple[str, str]] = []

    work(roots, "sh", "build.sh").make(one, lambda each, step: steps.append((each.id, step)))

    assert git(roots.git_root / "one", "rev-parse", "HEAD") == one.sha
    assert roots.artifact(one).read_text() == str(AUTHORED)
    assert steps[0] == ("one", "checkout")
    assert len(steps) > 1
    assert temporaries(tmp_path) == []


def test_a_sibling_is_made_under_its_lock(tmp_path: Path, roots: Roots) -> None:
    one = pinned(tmp_path)
    locks = roots.git_root / ".bitproof" / "locks"
    locks.mkdir(parents=True)
    waited: list[Path] = []

    class ReleasedError(Exception):
        """The other bitproof goes on."""

    def waiting(path: Path) -> None:
        waited.append(path)
        raise ReleasedError

    with Directory(locks) as directory, locked(directory, name="one.lock"), pytest.raises(ReleasedError):
        replace(work(roots, "sh", "build.sh"), waiting=waiting).make(one, lambda _each, _step: None)

    assert waited == [locks / "one.lock"]
    assert not (roots.git_root / "one").exists()


def test_a_build_that_fails_leaves_the_checkout_and_no_artifact(tmp_path: Path, roots: Roots) -> None:
    one = pinned(tmp_path, "mkdir -p out\necho half >out/one.wasm\necho no >&2\nexit 3\n")

    with pytest.raises(IntegrityError) as failed:
        work(roots, "sh", "build.sh").make(one, lambda _each, _step: None)

    assert failed.value.what == "the build failed"
    assert failed.value.details == ("no",)
    assert git(roots.git_root / "one", "rev-parse", "HEAD") == one.sha


@pytest.mark.parametrize("sibling", [True, False])
def test_what_another_bitproof_made_while_it_was_waited_for_is_not_made_again(
    tmp_path: Path, roots: Roots, sibling: bool
) -> None:
    began: list[str] = []
    one = pinned(tmp_path) if sibling else cap(precomposed=True)
    making = work(roots, "sh", "-c", "mkdir -p out; printf one >out/one.wasm")
    if sibling:
        making.make(one, lambda _each, _step: None)
    else:
        making.precompose(one, (), lambda _each, _step: None)
    before = roots.artifact(one).stat().st_ctime_ns

    if sibling:
        work(roots, "false").make(one, lambda _each, step: began.append(step))
    else:
        work(roots, "false").precompose(one, (), lambda _each, step: began.append(step))

    assert began == []
    assert roots.artifact(one).stat().st_ctime_ns == before


def precomposed(roots: Roots, sha: str) -> str:
    one = replace(cap(precomposed=True), sha=sha)
    work(roots, "sh", "build.sh").precompose(one, (("a", sha256(b"a")),), lambda _each, _step: None)
    return roots.artifact(one).read_text()


def test_a_precomposed_cap_has_the_time_of_its_pin_and_not_of_head(roots: Roots) -> None:
    sha = commit(roots.own, {"build.sh": BUILD})
    later(roots.own, 60)

    assert precomposed(roots, sha) == str(AUTHORED)


def test_a_precomposed_cap_that_is_not_pinned_has_the_time_of_head(roots: Roots) -> None:
    commit(roots.own, {"build.sh": BUILD})
    later(roots.own, 60)

    assert precomposed(roots, "0" * 40) == str(AUTHORED + 60)


def test_a_precomposed_cap_whose_pin_a_shallow_clone_lacks_has_the_time_of_head(tmp_path: Path, roots: Roots) -> None:
    sha = commit(roots.own, {"build.sh": BUILD})
    later(roots.own, 60)
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{roots.own}", "shallow")

    assert precomposed(replace(roots, own=tmp_path / "shallow"), sha) == str(AUTHORED + 60)


@pytest.mark.parametrize("there", [True, False])
def test_a_precomposed_cap_whose_pin_is_not_in_the_products_history_is_not_made(roots: Roots, there: bool) -> None:
    head = commit(roots.own, {"build.sh": BUILD})
    sha = later(roots.own, 60) if there else "2" * 40
    git(roots.own, "reset", "--quiet", "--hard", head)

    with pytest.raises(IntegrityError) as caught:
        precomposed(roots, sha)

    assert str(caught.value) == (
        "the pin is not in the history of the product\n"
        f"  where:    {roots.own}\n"
        f"  expected: {head} or an ancestor of it\n"
        f"  found:    {sha}\n"
        "  fix:      bitproof caps regen with the cap's id pins the own HEAD"
    )
    assert not roots.artifact(cap(precomposed=True)).exists()


def test_a_product_without_a_commit_is_of_1980(tmp_path: Path, roots: Roots) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()

    assert work(roots).own_commit() == ("", NO_COMMIT_EPOCH)
    assert work(replace(roots, own=outside)).own_commit() == ("", NO_COMMIT_EPOCH)


def test_a_product_whose_git_points_elsewhere_is_refused_and_not_given_another_time(
    tmp_path: Path, roots: Roots
) -> None:
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / ".git").write_text("gitdir: elsewhere")

    with pytest.raises(InputError) as caught:
        work(replace(roots, own=tmp_path / "linked")).own_commit()

    assert str(caught.value) == (
        "the repository's .git is not followed\n"
        f"  where:    {tmp_path}/linked/.git\n"
        "  fix:      use a plain clone of the product: what points out of it is not followed"
    )
