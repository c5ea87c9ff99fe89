import io
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import UnavailableError
from bitproof.images.elf import Needs, read_needs
from bitproof.images.program import take_program
from tests.evidence import refusal

PROGRAM = Path("/bin/bash")
INTERPRETER = "/lib64/ld-linux-x86-64.so.2"


def libraries() -> dict[str, Path]:
    """The libraries of the program as the machine's own loader tells them."""
    told = subprocess.run(["ldd", str(PROGRAM)], capture_output=True, text=True, check=True).stdout
    return {name: Path(path) for name, path in re.findall(r"(\S+) => (\S+)", told)}


def packages(path: Path, tree: dict[str, bytes | str]) -> Path:
    """A tar of files, and of symlinks where there is a text."""
    with tarfile.open(path, "w") as tar:
        for name, value in tree.items():
            made = tarfile.TarInfo(f"./{name}")
            data = b"" if isinstance(value, str) else value
            made.type = tarfile.SYMTYPE if isinstance(value, str) else tarfile.REGTYPE
            made.size, made.linkname = len(data), value if isinstance(value, str) else ""
            tar.addfile(made, io.BytesIO(data))
    return path


def debian() -> dict[str, bytes | str]:
    """The program's packages as Debian lays them out: some libraries are links, one lies below usr, one is unneeded."""
    tree: dict[str, bytes | str] = {"usr/sbin/tool": PROGRAM.read_bytes(), "lib/x86_64-linux-gnu/unneeded.so": b"x"}
    tree["lib64/ld-linux-x86-64.so.2"] = "/lib/x86_64-linux-gnu/ld.so"
    tree["lib/x86_64-linux-gnu/ld.so"] = Path(INTERPRETER).read_bytes()
    for number, (name, path) in enumerate(libraries().items()):
        place = "usr/lib/x86_64-linux-gnu" if number else "lib/x86_64-linux-gnu"
        tree |= {f"{place}/{name}": f"{name}.real", f"{place}/{name}.real": path.read_bytes()}
    return tree


def test_what_was_taken_runs_with_nothing_else(tmp_path: Path) -> None:
    files = take_program(packages(tmp_path / "packages.tar", debian()), "tool")
    assert list(files) == sorted(["sbin/tool", INTERPRETER[1:], *(f"lib/{name}" for name in libraries())])
    for name, data in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755)
    loader = [str(tmp_path / "root" / INTERPRETER[1:]), "--inhibit-cache", "--library-path", str(tmp_path / "root/lib")]
    script = 'while read -r line; do case $line in *" /"*.so*) echo "${line##* }" ;; esac; done </proc/self/maps'
    done = subprocess.run(
        [*loader, str(tmp_path / "root/sbin/tool"), "-c", script], capture_output=True, text=True, check=True, env={}
    )
    assert len(done.stdout.splitlines()) > 1
    assert all(line.startswith(str(tmp_path)) for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    "lacking", ["usr/sbin/tool", "lib/x86_64-linux-gnu/ld.so", "lib/x86_64-linux-gnu/libtinfo.so.6.real"]
)
def test_packages_that_lack_a_file_are_told(tmp_path: Path, lacking: str) -> None:
    tree = debian()
    del tree[lacking]
    sentence = refusal(UnavailableError, lambda: take_program(packages(tmp_path / "packages.tar", tree), "tool"))
    asked = {"usr/sbin/tool": "tool", "lib/x86_64-linux-gnu/ld.so": INTERPRETER[1:]}
    where = asked.get(lacking, lacking.removesuffix(".real"))
    assert sentence == (f"the packages lack a file that the initrd needs\n  where:    {where}\n  found:    nothing")


def test_links_in_a_circle_lead_to_nothing(tmp_path: Path) -> None:
    tree: dict[str, bytes | str] = {"sbin/tool": "other", "sbin/other": "tool"}
    sentence = refusal(UnavailableError, lambda: take_program(packages(tmp_path / "packages.tar", tree), "tool"))
    assert sentence.startswith("the packages lack a file that the initrd needs\n  where:    sbin/tool\n")


def test_a_script_is_not_what_an_initrd_needs(tmp_path: Path) -> None:
    tar = packages(tmp_path / "packages.tar", {"sbin/tool": b"#!/bin/sh\n"})
    assert refusal(UnavailableError, lambda: take_program(tar, "tool")) == (
        "a file of the packages is not what the initrd needs\n"
        "  where:    sbin/tool\n"
        "  found:    not a 64-bit little-endian ELF file"
    )


def test_the_needs_are_those_that_readelf_would_tell() -> None:
    assert read_needs(PROGRAM.read_bytes()) == Needs(INTERPRETER, ("libtinfo.so.6", "libc.so.6"))
    assert read_needs(libraries()["libtinfo.so.6"].read_bytes()) == Needs("", ("libc.so.6",))


@given(st.data())
def test_a_damaged_file_is_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    program = bytearray(PROGRAM.read_bytes()[:4096])
    for _ in range(data.draw(st.integers(0, 4))):
        program[data.draw(st.integers(0, 1023))] = data.draw(st.integers(0, 255))
    try:
        assert read_needs(bytes(program[: data.draw(st.integers(0, 4096))]))
    except ValueError as error:
        assert "ELF file" in str(error)  # noqa: PT017 - any refusal is fine, any other exception is not


def test_a_program_that_ends_early_is_not_whole() -> None:
    with pytest.raises(ValueError, match="not a whole ELF file: "):
        read_needs(PROGRAM.read_bytes()[: PROGRAM.stat().st_size // 2])
