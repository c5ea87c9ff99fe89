"""The checks of this directory find every safeguard that is taken out."""

from pathlib import Path

import pytest

from tests.faults.checks import Laboratory, check
from tests.faults.commands import warmed_up
from tests.faults.mutants import MUTANTS, Mutant, mutated


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.breaks)
def test_a_safeguard_that_is_taken_out_is_missed(bench: Laboratory, tmp_path: Path, mutant: Mutant) -> None:
    place = bench.scratch / f"mutant-{MUTANTS.index(mutant)}"
    place.mkdir()
    with warmed_up(place, mutated(mutant, tmp_path)) as changed:
        assert check(mutant.found_by, bench, changed, place) != []


@pytest.mark.parametrize("name", sorted({one.found_by for one in MUTANTS if one.found_by.startswith("undisturbed: ")}))
def test_a_check_that_no_other_test_makes_finds_nothing_in_the_real_bitproof(
    bench: Laboratory, tmp_path: Path, name: str
) -> None:
    assert check(name, bench, bench.zygote, tmp_path) == []


def test_a_mutant_whose_source_is_not_there_is_an_error(tmp_path: Path) -> None:
    gone = Mutant(breaks="something", found_by="", file="pipeline.py", old="no such line", new="")
    with pytest.raises(LookupError) as caught:
        mutated(gone, tmp_path)
    assert str(caught.value) == "something: 0 times in pipeline.py: no such line"
    assert not list(tmp_path.iterdir())
