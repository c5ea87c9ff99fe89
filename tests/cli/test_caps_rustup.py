"""Rust toolchains laid out as rustup lays them out: the one that the sibling wants builds it, and is recorded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.caps.repositories import commit, upstream
from tests.caps.shelf import sha256
from tests.caps.workshop import WASM
from tests.cli.products import BITPROOF, LOCAL, ZEROS, Told, lay_out, run

PROXY = """#!/bin/sh
# Which toolchain runs is decided as rustup's proxies decide it: by name, by rust-toolchain.toml upwards, by default.
home=${RUSTUP_HOME:-$HOME/.rustup} directory=$PWD channel=
case ${1-} in +*) channel=${1#+}; shift ;; esac
while [ -z "$channel" ] && [ -n "$directory" ]; do
    file=$directory/rust-toolchain.toml directory=${directory%/*}
    [ -f "$file" ] && channel=$(sed -n 's/^channel = "\\(.*\\)"$/\\1/p' "$file")
done
[ -n "$channel" ] || channel=$(sed -n 's/^default_toolchain = "\\(.*\\)"$/\\1/p' "$home/settings.toml")
echo "${0##*/} of $channel: $*" >>"$home/asked"
exec "$home/toolchains/$channel/bin/${0##*/}" "$@"
"""
CRATE = {
    "Cargo.toml": '[package]\nname = "thing"\nversion = "1.0.0"\n[lib]\ncrate-type = ["cdylib"]\npath = "l.rs"\n',
    "Cargo.lock": 'version = 3\n\n[[package]]\nname = "thing"\nversion = "1.0.0"\n',
    "l.rs": '#[no_mangle]\npub extern "C" fn at(i: usize) -> u8 { b"thing"[i] }\n',
    ".gitignore": "/target/\n",
}
WANTED = {"rust-toolchain.toml": '[toolchain]\nchannel = "1.63.0-debian"\n'}


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)


def toolchain(home: Path, name: str) -> Path:
    """Debian's Rust as a toolchain of rustup's, with an lld of its own."""
    sysroot = home / "toolchains" / name
    program(sysroot / "bin/cargo", f'#!/bin/sh\n# cargo of {name}\nexec /usr/bin/cargo "$@"\n')
    program(sysroot / "bin/rustc", f"#!/bin/sh\n# rustc of {name}\nexec /usr/bin/rustc --sysroot '{sysroot}' \"$@\"\n")
    (driver,) = Path("/usr/lib").glob("*/librustc_driver-*.so")
    for directory in Path("/usr/lib/rustlib").iterdir():
        target = sysroot / "lib/rustlib" / directory.name
        target.mkdir(parents=True)
        if (directory / "lib").is_dir():
            (target / "lib").symlink_to(directory / "lib")
    (sysroot / "lib" / driver.name).symlink_to(driver)
    linker = sysroot / "lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld"
    linker.parent.mkdir(parents=True)
    linker.symlink_to(Path("/usr/bin/wasm-ld").resolve())
    return sysroot


def recorded(artifact: Path) -> Any:  # noqa: ANN401 - JSON
    return json.loads(artifact.with_name(f"{artifact.name}.inputs.json").read_text())


def bitproof(own: Path, command: str, environ: Mapping[str, str]) -> Told:
    return run(own, command, LOCAL, cache=own.parent / "cache", program=[str(BITPROOF)], **environ)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Rustup's home with two toolchains; its proxies lie in ``proxies``."""
    home = tmp_path / "home" / ".rustup"
    for name in ("stable", "1.63.0-debian"):
        toolchain(home, name)
    (home / "settings.toml").write_text('default_toolchain = "stable"\nversion = "12"\n')
    for name in ("cargo", "rustc"):
        program(tmp_path / "proxies" / name, PROXY)
    return home


@pytest.mark.parametrize(
    ("wanted", "name", "variable"),
    [(WANTED, "1.63.0-debian", "RUSTUP_HOME"), ({}, "stable", "HOME")],
    ids=["wanted", "default"],
)
def test_the_toolchain_that_the_sibling_wants_builds_it_and_is_recorded(
    tmp_path: Path, home: Path, wanted: dict[str, str], name: str, variable: str
) -> None:
    place = home if variable == "RUSTUP_HOME" else home.parent
    environ = {variable: str(place), "PATH": f"{tmp_path}/proxies:/usr/bin:/bin"}
    sha = commit(upstream(tmp_path / "remotes/thing"), {**CRATE, **wanted})
    entry = (
        f'[[cap]]\nid = "thing"\nrepo = "../remotes/thing"\nsha = "{sha}"\ntarget = "{WASM}"\n'
        f'artifact = "target/{WASM}/release/thing.wasm"\nsha256 = "{ZEROS}"\n'
    )
    own = lay_out(tmp_path, entry, settings='git_root = "../git"\nenv = ["PATH"]').roots.own
    artifact = tmp_path / f"git/thing/target/{WASM}/release/thing.wasm"

    assert bitproof(own, "sync", environ).out.startswith("SKIP thing: no digest is pinned yet; ")

    assert (home / "asked").read_text() == f"rustc of {name}: --print sysroot\n"
    sysroot = home / "toolchains" / name
    record = recorded(artifact)
    digests = {each["name"]: each["sha256"] for each in record["toolchain"]}
    for tool in ("cargo", "rustc"):
        assert digests[tool] == sha256((sysroot / "bin" / tool).read_bytes()).value
    (driver,) = (sysroot / "lib").glob("librustc_driver-*.so")
    assert digests["librustc_driver"] == sha256(driver.read_bytes()).value
    linker = sysroot / "lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld"
    assert digests["rust-lld"] == sha256(linker.read_bytes()).value
    assert set(digests) == {"cargo", "rustc", "librustc_driver", "rust-lld"}
    versions = {each["name"]: each["version"] for each in record["toolchain"]}
    assert versions["rustc"].startswith("rustc 1.")
    assert record["commands"][0][0] == "cargo"
    assert record["environment"]["RUSTC"] == "rustc"
    assert str(home) not in json.dumps(record)

    assert bitproof(own, "regen", environ).code == 0
    (own / "bitproof.toml").write_text('[caps]\ngit_root = "../git"\n')
    artifact.unlink()
    debian = bitproof(own, "sync", {"PATH": "/usr/bin:/bin"})
    assert debian == Told(0, "OK thing\n", "")  # the same compiler without rustup, the same bytes
    assert recorded(artifact)["toolchain"] != record["toolchain"]
