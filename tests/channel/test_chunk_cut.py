import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pyfastcdc.py import FastCDC as PureFastCDC

from bitproof.channel.chunks.cut import WINDOW, cut, make_index
from bitproof.channel.chunks.index import Chunk, largest, parse_index, smallest
from bitproof.errors import IntegrityError
from bitproof.system.hashing import bytes_digest
from tests.channel.assets import content, index_of, opened, planned

SOME = 300_000
GOLDEN_SIZES = (5951, 1252, 6347, 6430)
GOLDEN = "4e2c731e836cce3e4bc0dd509edf523eb5b31d0e8a85b2fd7b52c597a019153d"
"""If these change, every client cuts in vain what publishers indexed before: it needs another format."""


def test_the_same_file_gives_the_same_index_on_every_machine(tmp_path: Path) -> None:
    data = content("golden", SOME)
    with opened(tmp_path / "asset", data) as file:
        index = make_index(file, bytes_digest(data))
    read = parse_index(index, bytes_digest(data), SOME, "the index")
    assert read.sizes[:4] == GOLDEN_SIZES
    assert bytes_digest(index).value == GOLDEN


def test_cuts_are_those_of_the_other_implementation(tmp_path: Path) -> None:
    data = content("witness", SOME)
    witness = PureFastCDC(4096).cut_buf(data)
    with opened(tmp_path / "asset", data) as file:
        assert [(one.offset, one.size) for one in cut(file, 4096)] == [(one.offset, one.length) for one in witness]


@pytest.mark.parametrize("average", [4096, 1 << 20, 4 << 20])
def test_windows_do_not_move_a_cut(tmp_path: Path, average: int) -> None:
    data = content("windows", 2 * WINDOW + 12345) * (1 if average == 4096 else 5)
    from pyfastcdc import FastCDC

    whole = FastCDC(average, min_size=smallest(average), max_size=largest(average)).cut_buf(data)
    with opened(tmp_path / "asset", data) as file:
        assert list(cut(file, average)) == [
            Chunk(bytes.fromhex(bytes_digest(bytes(one.data)).value)[:6], one.offset, one.length) for one in whole
        ]


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 16384, 16385])
def test_small_files_are_cut_whole(tmp_path: Path, size: int) -> None:
    data = content("small", size)
    index = index_of(tmp_path / "asset", data)
    assert (index.size, sum(index.sizes), index.asset) == (size, size, bytes_digest(data))


def test_a_file_of_one_byte_over_and_over_is_cut_into_the_largest_chunks(tmp_path: Path) -> None:
    index = index_of(tmp_path / "asset", bytes(100_000))
    assert index.sizes == (16384,) * 6 + (1696,)
    assert len({chunk.digest for chunk in index.chunks()}) == 2


@pytest.mark.parametrize("inserted", [1, 4096, 5000])
def test_after_an_insertion_the_rest_is_found_again(tmp_path: Path, inserted: int) -> None:
    old = content("old", 2_000_000)
    new = old[:1_000_000] + content("new", inserted) + old[1_000_000:]
    with opened(tmp_path / "old", old) as local:
        plan = planned(tmp_path, new, [local])
    assert plan.requests == 1
    assert inserted < plan.fetched <= inserted + 2 * 16384
    assert plan.is_cheaper


def test_a_file_that_becomes_shorter_is_no_index(tmp_path: Path) -> None:
    data = content("short", SOME)
    with opened(tmp_path / "asset", data) as file:
        os.truncate(tmp_path / "asset", 100_000)
        with pytest.raises(IntegrityError) as caught:
            make_index(file, bytes_digest(data))
    lines = str(caught.value).splitlines()
    assert lines[:3] == [
        "the file changed while it was cut",
        f"  where:    {tmp_path / 'asset'}",
        f"  expected: {SOME} bytes",
    ]
    assert lines[4] == "  fix:      let nothing write to it, then try again"
    assert [path.name for path in tmp_path.iterdir()] == ["asset"]


def test_a_file_at_hand_that_becomes_shorter_gives_what_it_still_has(tmp_path: Path) -> None:
    data = content("short", SOME)
    with opened(tmp_path / "local", data) as local:
        os.truncate(tmp_path / "local", 100_000)
        plan = planned(tmp_path, data, [local])
    assert 60_000 < plan.reused <= 100_000


def test_without_the_compiled_part_cutting_is_refused(tmp_path: Path) -> None:
    import pyfastcdc

    package = Path(pyfastcdc.__file__).parent
    shutil.copytree(package, tmp_path / "pyfastcdc", ignore=shutil.ignore_patterns("cy", "__pycache__"))
    code = (
        "import sys, bitproof.channel.chunks.cut as c\n"
        "from bitproof.errors import UnavailableError\n"
        "from pathlib import Path\n"
        "from bitproof.system.opened import open_file\n"
        "try: list(c.cut(open_file(Path(sys.argv[0])), 4096))\n"
        "except UnavailableError as error: print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    script = tmp_path / "script.py"
    script.write_text(code)
    told = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == [
        "files cannot be cut into chunks: pyfastcdc has no compiled part here",
        "  expected: pyfastcdc with its Cython extension",
        "  found:    the pure Python one, which is 200 times slower",
        "  fix:      install a C compiler, then: PYFASTCDC_REQUIRE_CYTHON=1 pip install --force-reinstall pyfastcdc",
    ]
    assert not told.stderr
