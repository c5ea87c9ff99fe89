import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bitproof.caps.plan import Action, Verb, part_pins, plan_sync
from bitproof.caps.survey import survey
from bitproof.caps.sync import Began, Outcome, Word, ignored, sync
from bitproof.errors import IntegrityError, UnavailableError
from bitproof.model.caps_manifest import NO_DIGEST, Cap
from bitproof.model.digest import Digest
from bitproof.model.report import Verdict
from tests.caps.shelf import Shelf, cap, placeholder, sha256

Parts = tuple[tuple[str, Digest], ...]
DEADLINE = 20


@dataclass
class Bench:
    """What changes the disk in these tests: it writes artifacts, and does first what a test puts in its way."""

    shelf: Shelf
    first: dict[str, Callable[[], None]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    parts: dict[str, Parts] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict)

    def make(self, each: Cap, began: Began) -> None:
        began(each, "build")
        self.first.get(each.id, lambda: None)()
        self.made.append(each.id)
        self.shelf.put(each, data=self.data.get(each.id))

    def precompose(self, each: Cap, parts: Parts, began: Began) -> None:
        self.parts[each.id] = parts
        self.make(each, began)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Shelf(tmp_path))


def run(
    bench: Bench,
    *caps: Cap,
    jobs: int = 4,
    stop: threading.Event | None = None,
    parts: tuple[tuple[str, Digest], ...] = (),
    began: Began = ignored,
) -> Iterator[Outcome]:
    actions = plan_sync(caps, survey(caps, bench.shelf.roots))
    stop = stop or threading.Event()
    return sync(actions, bench.shelf.roots, bench, jobs=jobs, stop=stop, parts=parts, began=began)


def words(outcomes: Iterator[Outcome]) -> list[tuple[str, str]]:
    return [(outcome.cap.id, str(outcome.word)) for outcome in outcomes]


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def waiting_for(event: threading.Event) -> Callable[[], None]:
    def wait() -> None:
        assert event.wait(DEADLINE)

    return wait


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_outcomes_come_in_the_order_of_the_manifest(bench: Bench, jobs: int) -> None:
    kept = cap("kept")
    bench.shelf.put(kept)
    caps = (cap("z"), cap("p", precomposed=True), placeholder("s"), kept, cap("a"))

    assert words(run(bench, *caps, jobs=jobs)) == [
        ("z", "OK"),
        ("p", "OK"),
        ("s", "SKIP"),
        ("kept", "OK"),
        ("a", "OK"),
    ]
    assert sorted(bench.made) == ["a", "p", "z"]


def test_an_outcome_is_yielded_as_soon_as_it_is_known(bench: Bench) -> None:
    seen = threading.Event()
    bench.first["b"] = waiting_for(seen)

    outcomes = run(bench, cap("a"), cap("b"), jobs=2)

    assert next(outcomes).cap.id == "a"
    seen.set()
    assert next(outcomes).cap.id == "b"


def test_siblings_are_made_at_the_same_time(bench: Bench) -> None:
    together = threading.Barrier(3, timeout=DEADLINE)

    def meet() -> None:
        together.wait()

    bench.first = dict.fromkeys("abc", meet)

    assert words(run(bench, cap("a"), cap("b"), cap("c"), jobs=3)) == [("a", "OK"), ("b", "OK"), ("c", "OK")]


def test_no_more_siblings_at_a_time_than_jobs(bench: Bench) -> None:
    running = 0
    most = 0
    lock = threading.Lock()

    def count() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        os.sched_yield()
        with lock:
            running -= 1

    names = [f"c{number}" for number in range(20)]
    bench.first = dict.fromkeys(names, count)

    list(run(bench, *(cap(name) for name in names), jobs=2))

    assert most <= 2


def test_the_caps_of_one_sibling_follow_one_another(bench: Bench) -> None:
    busy = threading.Lock()

    def alone() -> None:
        assert busy.acquire(blocking=False)
        os.sched_yield()
        busy.release()

    names = [f"c{number}" for number in range(10)]
    bench.first = dict.fromkeys(names, alone)

    outcomes = words(run(bench, *(cap(name, local_dir="shared") for name in names), jobs=8))

    assert outcomes == [(name, "OK") for name in names]
    assert bench.made == names


@pytest.mark.parametrize("jobs", [1, 8])
def test_the_precomposed_come_last_with_the_parts_they_may_be_made_of(bench: Bench, jobs: int) -> None:
    bench.data["bad"] = b"other bytes"
    bench.first["gone"] = failing(UnavailableError("no network"))
    kept = cap("kept")
    bench.shelf.put(kept)
    first, second = cap("p", precomposed=True), cap("q", precomposed=True)

    parts = part_pins((first, second, cap("a"), kept, placeholder("s")))
    caps = (first, second, cap("a"), cap("bad"), cap("gone"), placeholder("s"), kept)
    list(run(bench, *caps, jobs=jobs, parts=parts))

    assert bench.made[-2:] == ["p", "q"]
    assert bench.parts == dict.fromkeys(("p", "q"), (("a", sha256(b"a")), ("kept", sha256(b"kept"))))


def test_a_failure_says_why_and_does_not_stop_the_others(bench: Bench) -> None:
    error = IntegrityError("the build failed", where="cap b: compile")
    bench.first["b"] = failing(error)

    outcomes = list(run(bench, cap("a"), cap("b"), cap("c"), jobs=1))

    assert [str(outcome.word) for outcome in outcomes] == ["OK", "FAIL", "OK"]
    assert outcomes[1].error is error
    assert outcomes[1].finding().detail == "the build failed\n  where:    cap b: compile"
    assert outcomes[1].finding().verdict is Verdict.FAILED


def test_a_refusal_of_the_system_fails_its_cap_alone(bench: Bench) -> None:
    bench.first["a"] = failing(OSError(28, "No space left on device", "/full"))

    failed, good = run(bench, cap("a"), cap("b"), jobs=1)

    assert (str(failed.word), str(good.word)) == ("FAIL", "OK")
    assert str(failed.error) == (
        "the system refused\n"
        "  where:    /full\n"
        "  found:    No space left on device\n"
        "  fix:      free some disk space and try again"
    )


def test_a_mismatch_has_both_digests_in_full(bench: Bench) -> None:
    bench.data["one"] = b"other bytes"

    (outcome,) = run(bench, cap())

    assert (outcome.word, outcome.made) == (Word.MISMATCH, True)
    assert (outcome.expected, outcome.found) == (str(sha256(b"one")), str(sha256(b"other bytes")))
    assert outcome.finding().verdict is Verdict.DRIFTED


def test_a_placeholder_digest_shows_the_one_that_was_built(bench: Bench) -> None:
    (outcome,) = run(bench, replace(cap(), digest=NO_DIGEST))

    assert (outcome.word, outcome.found) == (Word.SKIP, str(sha256(b"one")))
    assert outcome.detail == "no digest is pinned yet; this is the one that was built"


def test_a_build_that_makes_nothing_or_a_symlink_is_a_failure(bench: Bench) -> None:
    class Idle(Bench):
        def make(self, each: Cap, began: Began) -> None:
            began(each, "build")
            if each.id == "link":
                path = self.shelf.roots.artifact(each)
                path.parent.mkdir(parents=True)
                path.symlink_to("/etc/hostname")

    nothing, link = run(Idle(bench.shelf), cap("nothing"), cap("link"))

    where = bench.shelf.roots.artifact(cap("nothing"))
    assert str(nothing.error) == f"the build did not make the artifact\n  where:    {where}"
    assert (link.word, link.error.what if link.error else "") == (Word.FAIL, "the artifact is a symlink")


def test_a_fault_of_our_own_ends_the_sync_and_stops_what_runs(bench: Bench) -> None:
    stop = threading.Event()
    bench.first = {"a": failing(ZeroDivisionError()), "b": waiting_for(stop)}

    with pytest.raises(ZeroDivisionError):
        list(run(bench, cap("a"), cap("b"), cap("c", local_dir="b"), jobs=2, stop=stop))

    assert stop.is_set()
    assert "c" not in bench.made


def test_whoever_stops_listening_stops_the_work(bench: Bench) -> None:
    stop = threading.Event()
    bench.first["b"] = waiting_for(stop)
    outcomes = run(bench, cap("a"), cap("b", local_dir="b"), cap("c", local_dir="b"), jobs=1, stop=stop)
    next(outcomes)

    outcomes.close()  # type: ignore[attr-defined] # a generator

    assert stop.is_set()
    assert bench.made in (["a", "b"], ["a"])


def test_what_begins_is_told(bench: Bench) -> None:
    told: list[tuple[str, str]] = []

    list(run(bench, cap(), began=lambda each, step: told.append((each.id, step))))

    assert told == [("one", "build")]


def test_an_empty_plan_has_no_outcome(bench: Bench) -> None:
    assert list(sync((), bench.shelf.roots, bench, jobs=1, stop=threading.Event())) == []


def test_a_plan_is_done_as_it_is_and_nothing_more_is_chosen(bench: Bench) -> None:
    bench.shelf.put(cap())
    action = Action(cap(), Verb.BUILD, "asked for")

    (outcome,) = sync((action,), bench.shelf.roots, bench, jobs=1, stop=threading.Event())

    assert (outcome.word, bench.made) == (Word.OK, ["one"])
