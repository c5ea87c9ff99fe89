from tests.powercuts.cuts import Cut, Window, choose_cuts, windows
from tests.powercuts.disklog import BLOCK, Event, Flush, Mark, Piece

BASE = bytes(64 * BLOCK)


def block(number: int, fill: bytes = b"x", *, forced: bool = False) -> Piece:
    return Piece(number * BLOCK, fill * BLOCK, forced)


def chosen(events: list[Event], count: int = 100, seed: int = 1) -> set[Cut]:
    cuts, _ = choose_cuts(events, BASE, count, seed)
    return set(cuts)


def test_windows_lie_between_flushes() -> None:
    assert windows([block(1), Mark(1), Flush(), Flush(), block(2)]) == [
        Window(0, 2, (0,)),
        Window(3, 3, ()),
        Window(4, 5, (4,)),
    ]


def test_what_was_not_flushed_is_on_the_disk_in_every_combination() -> None:
    events: list[Event] = [block(number) for number in range(4)]
    images = {cut.kept for cut in chosen([*events, Flush()])}
    assert {kept for kept in images if len(kept) == 2} == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}
    assert choose_cuts([*events, Flush()], BASE, 100, 1)[1] == 16


def test_what_was_flushed_is_always_there() -> None:
    cuts = chosen([block(1), Flush(), block(2)])
    assert {cut.kept for cut in cuts if cut.start == 2} <= {(), (2,)}


def test_a_forced_write_is_on_the_disk_when_it_is_done() -> None:
    cuts = chosen([block(1), block(2, forced=True), block(3), Flush()])
    assert all(1 in cut.kept for cut in cuts if cut.place > 1)
    assert any(1 not in cut.kept for cut in cuts if cut.place == 1)


def test_a_command_is_acknowledged_when_its_mark_is_before_the_cut() -> None:
    events: list[Event] = [block(1), Flush(), Mark(1), block(2), Mark(2), Flush(), block(3)]
    assert {(cut.place, cut.acknowledged) for cut in chosen(events)} <= {
        *((0, 0), (1, 0), (2, 0)),
        *((3, 1), (4, 1), (5, 2)),
        *((6, 2), (7, 2)),
    }
    assert Cut(start=2, place=5, kept=(), acknowledged=2) in chosen(events)


def test_the_same_bytes_are_one_image() -> None:
    events: list[Event] = [
        block(1),
        Flush(),
        block(1),
        Flush(),
        block(2, b"\0"),
        Flush(),
        block(1, b"y"),
        block(1),
        Flush(),
    ]
    assert choose_cuts(events, BASE, 100, 1)[1] == 3  # none, x, y


def test_the_same_bytes_are_tried_again_when_more_is_acknowledged() -> None:
    assert {(cut.kept, cut.acknowledged) for cut in chosen([block(1), Mark(1), Flush()])} == {
        *(((), 0), ((), 1)),
        *(((0,), 0), ((0,), 1)),
    }


def test_the_seed_decides_and_nothing_else() -> None:
    events: list[Event] = [*(block(number) for number in range(40)), Flush()]
    assert choose_cuts(events, BASE, 50, 1) == choose_cuts(events, BASE, 50, 1)
    assert chosen(events, 50, 1) != chosen(events, 50, 2)
    assert choose_cuts(events, BASE, 50, 1)[1] == 50
