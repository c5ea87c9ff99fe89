"""A program of WASI preview 1 becomes a component by the Bytecode Alliance's own adapter, and runs."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from wasmtime import Engine, Store, WasiConfig
from wasmtime.component import Component, Linker

from bitproof.system.process import find_program
from tests.caps.repositories import commit, upstream
from tests.cli.products import LOCAL, ZEROS, Told, lay_out, run

PACKAGE = "@bytecodealliance/jco@1.35.0"
PACKAGE_SHA512 = (
    "3b9ddc588326fccd52a702f129189cbc03039f359fe335ace88eaa1592066e7d"
    "c7528bc330209ef5b9641b1c58bb2a1c1e355ffdc5e036694cbbfc7b4f28bbec"
)
ADAPTER = "wasi_snapshot_preview1.command.wasm"
HELLO = {
    "Cargo.toml": '[package]\nname = "hello"\nversion = "1.0.0"\nedition = "2021"\n',
    "Cargo.lock": 'version = 3\n\n[[package]]\nname = "hello"\nversion = "1.0.0"\n',
    "src/main.rs": 'fn main() { println!("hello, {}", std::env::args().skip(1).collect::<String>()); }\n',
    ".gitignore": "/target/\n",
}


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The adapter as npm has it, after its package's digest was compared."""
    place = tmp_path_factory.mktemp("npm")
    subprocess.run([find_program("npm", "npm"), "pack", "--silent", PACKAGE], cwd=place, check=True, timeout=300)
    (archive,) = place.iterdir()
    assert hashlib.sha512(archive.read_bytes()).hexdigest() == PACKAGE_SHA512
    member = f"package/lib/{ADAPTER}"
    return subprocess.run(["tar", "-xzOf", archive, member], check=True, capture_output=True).stdout


def run_component(path: Path, place: Path, *argv: str) -> str:
    """What a component of the world wasi:cli/command prints."""
    engine = Engine()
    store = Store(engine)
    config = WasiConfig()
    config.argv = argv
    config.stdout_file = str(place)
    store.set_wasi(config)
    linker = Linker(engine)
    linker.add_wasip2()
    instance = linker.instantiate(store, Component.from_file(engine, str(path)))
    interface = instance.get_export_index(store, "wasi:cli/run@0.2.0")
    entry = instance.get_export_index(store, "run", interface)
    function = entry and instance.get_func(store, entry)
    assert function
    function(store)
    return place.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["configured", f"adapters/{ADAPTER}"])
def test_a_program_of_rust_for_wasi_is_wrapped_by_the_published_adapter(
    tmp_path: Path, adapter: bytes, place: str
) -> None:
    remote = upstream(tmp_path / "remotes/hello")
    sha = commit(remote, HELLO)
    entry = (
        f'[[cap]]\nid = "hello"\nrepo = "../remotes/hello"\nsha = "{sha}"\ntarget = "wasm32-wasi"\n'
        f'artifact = "target/component/hello.wasm"\nsha256 = "{ZEROS}"\n'
    )
    own = lay_out(tmp_path, entry).roots.own
    file = "tools/adapter.wasm" if place == "configured" else place
    if place == "configured":
        with (own / "bitproof.toml").open("a") as settings:
            settings.write(f'[caps.build.hello]\nadapter = "{file}"\n')
    (own / file).parent.mkdir()
    (own / file).write_bytes(adapter)

    assert run(own, "sync", LOCAL).out.startswith("SKIP hello: no digest is pinned yet; ")
    assert run(own, "regen", LOCAL).code == 0
    artifact = tmp_path / "git/hello/target/component/hello.wasm"
    first = artifact.read_bytes()
    artifact.unlink()

    assert run(own, "sync", LOCAL) == Told(0, "OK hello\n", "")
    assert artifact.read_bytes() == first
    assert run_component(artifact, tmp_path / "out", "hello", "world") == "hello, world\n"
    record = artifact.with_name("hello.wasm.inputs.json").read_text()
    assert hashlib.sha256(adapter).hexdigest() in record
    assert os.fspath(tmp_path) not in record
