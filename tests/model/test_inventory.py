import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import BitproofError, InputError, IntegrityError
from bitproof.model.digest import Digest
from bitproof.model.inventory import Inventory, Lock, Package, check_locked, preferences, read_lock
from tests.model.samples import hex_of

BASE = f"registry.example.org/library/debian@sha256:{hex_of('base')}"


def package(name: str, version: str = "1.0-1", *, arch: str = "amd64", suite: str = "bookworm") -> Package:
    digest = Digest("sha256", hex_of(f"{name} {version}"))
    return Package(name=name, version=version, arch=arch, suite=suite, sha256=digest)


def inventory(*rootfs: Package, kernel: tuple[Package, ...] = (), arch: str = "x86_64", base: str = "") -> Inventory:
    return Inventory(arch=arch, kernel=kernel, rootfs=rootfs, base=base)


def document(**rootfs: object) -> Any:  # noqa: ANN401 - JSON
    row = {"name": "apt", "version": "2.6", "arch": "amd64", "suite": "bookworm", "sha256": hex_of("apt")} | rootfs
    return {"format": 1, "arches": {"x86_64": {"kernel": [], "rootfs": [row]}}}


def refusal(found: object) -> str:
    with pytest.raises(InputError) as caught:
        read_lock(json.dumps(found).encode(), "packages.lock")
    return str(caught.value)


def test_a_lock_is_a_package_a_line() -> None:
    lock = Lock((inventory(replace(package("apt"), suite="", sha256=None), kernel=(package("linux"),), base=BASE),))

    assert lock.to_bytes().decode() == (
        "{\n"
        '  "format": 1,\n'
        '  "arches": {\n'
        '    "x86_64": {\n'
        f'      "base": "{BASE}",\n'
        '      "kernel": [\n'
        '        {"name": "linux", "version": "1.0-1", "arch": "amd64", "suite": "bookworm", '
        f'"sha256": "{hex_of("linux 1.0-1")}"}}\n'
        "      ],\n"
        '      "rootfs": [\n'
        '        {"name": "apt", "version": "1.0-1", "arch": "amd64"}\n'
        "      ]\n"
        "    }\n"
        "  }\n"
        "}\n"
    )


NAMES = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,8}", fullmatch=True)
PACKAGES = st.builds(
    Package,
    name=NAMES,
    version=st.from_regex(r"[0-9A-Za-z][0-9A-Za-z.+~:-]{0,8}", fullmatch=True),
    arch=st.sampled_from(["amd64", "all", "arm64"]),
    suite=st.sampled_from(["", "bookworm", "stable/updates"]),
    sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64).map(lambda text: Digest("sha256", text)),
)
PARTS = st.lists(PACKAGES, max_size=4, unique_by=lambda package: (package.name, package.arch)).map(
    lambda packages: tuple(sorted(packages, key=lambda package: (package.name, package.arch)))
)
ARCHES = st.builds(
    Inventory,
    arch=st.sampled_from(["arm64", "x86_64", "riscv64"]),
    kernel=PARTS,
    rootfs=PARTS,
    base=st.sampled_from(["", BASE, "localhost/debian:12"]),
)
LOCKS = st.lists(ARCHES, max_size=3, unique_by=lambda one: one.arch).map(
    lambda inventories: Lock(tuple(sorted(inventories, key=lambda one: one.arch)))
)


@given(LOCKS)
def test_what_is_written_is_read_back_and_written_the_same(lock: Lock) -> None:
    assert read_lock(lock.to_bytes(), "x") == lock
    assert read_lock(lock.to_bytes(), "x").to_bytes() == lock.to_bytes()


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(BitproofError):
        read_lock(data, "x")


@given(
    LOCKS,
    st.sampled_from(["format", "arches", "x86_64", "rootfs", "name", "version", "sha256", "base", '"', "[", "1"]),
    st.sampled_from(["", "null", "[]", '"x"', "{}", "x", "-1"]),
)
def test_any_mutation_is_read_or_refused(lock: Lock, old: str, new: str) -> None:
    try:
        read_lock(lock.to_bytes().replace(old.encode(), new.encode()), "packages.lock")
    except InputError as error:
        assert "packages.lock" in str(error)  # noqa: PT017 - any refusal is fine, any other exception is not


def test_every_problem_is_told_with_its_place() -> None:
    row = {"name": "Apt", "version": "", "arch": "amd 64", "suite": "-", "sha256": "abc", "size": 3}
    found = {
        "format": 1,
        "made": "today",
        "arches": {
            "x/y": {"base": "debian:12", "kernel": [row, "apt"]},
            "x86_64": {"kernel": [], "rootfs": [document()["arches"]["x86_64"]["rootfs"][0]] * 2},
        },
    }

    assert refusal(found) == (
        "the list of packages is not usable\n"
        "  where:    packages.lock\n"
        "  - made: not a known key: expected one of arches, format\n"
        """  - arches["x/y"]: not a name: expected 1 to 128 characters [A-Za-z0-9][A-Za-z0-9._+-]*, found 'x/y'\n"""
        """  - arches["x/y"].kernel[0].size: not a known key: expected 'suite'\n"""
        """  - arches["x/y"].kernel[0].sha256: not 64 hex digits: 'abc'\n"""
        """  - arches["x/y"].kernel[0].name: not a Debian package: found 'Apt'\n"""
        """  - arches["x/y"].kernel[0].version: not a Debian version: found ''\n"""
        """  - arches["x/y"].kernel[0].arch: not a Debian architecture: found 'amd 64'\n"""
        """  - arches["x/y"].kernel[0].suite: not a suite such as bookworm: found '-'\n"""
        """  - arches["x/y"].kernel[1]: the wrong type: expected a table, found a string, 'apt'\n"""
        """  - arches["x/y"].rootfs: missing: expected an array\n"""
        """  - arches["x/y"].base: not a container image: found 'debian:12'\n"""
        "  - arches.x86_64.rootfs[1].name: the package stands more than once: found apt amd64\n"
        "  fix:      make it anew: bitproof assets build, then bitproof assets lock"
    )


def test_an_unknown_format_gets_a_sentence() -> None:
    assert refusal(document() | {"format": 2}) == (
        "this format is not known\n"
        "  where:    packages.lock\n"
        "  expected: format 1\n"
        "  found:    format 2\n"
        "  fix:      use a newer bitproof, or make the lock anew"
    )


def test_a_digest_of_another_kind_is_refused() -> None:
    told = "unsupported algorithm 'blake3', this digest must be sha256"
    assert told in refusal(document(sha256=f"blake3:{hex_of('apt')}"))


def test_another_arch_of_a_lock_is_kept_and_one_that_is_not_there_is_told() -> None:
    arm, old, new = inventory(package("apt"), arch="arm64"), inventory(package("apt")), inventory(package("apt", "2"))

    lock = Lock((old,)).replaced(new).replaced(arm)

    assert lock == Lock((arm, new))
    assert lock.arch("x86_64", "packages.lock") == new
    with pytest.raises(InputError) as caught:
        Lock(()).arch("x86_64", "packages.lock")
    assert str(caught.value) == (
        "the lock does not have this arch\n"
        "  where:    packages.lock\n"
        "  expected: x86_64\n"
        "  found:    no arch\n"
        "  fix:      build without --locked, then: bitproof assets lock"
    )


def test_apt_is_told_to_take_the_locked_versions() -> None:
    locked = inventory(package("libc6", "2.36-9"), package("apt", "1:2.6"), kernel=(package("apt", "1:2.6"),))

    assert preferences(locked) == (
        "Package: apt\nPin: version 1:2.6\nPin-Priority: 1001\n\n"
        "Package: libc6\nPin: version 2.36-9\nPin-Priority: 1001\n"
    )


def differences(locked: Inventory, found: Inventory) -> list[str]:
    with pytest.raises(IntegrityError) as caught:
        check_locked(locked, found, "packages.lock")
    return [str(problem) for problem in caught.value.problems]


def test_the_locked_packages_pass_wherever_debian_moved_them() -> None:
    moved = replace(package("apt"), suite="bookworm-security")

    check_locked(inventory(package("apt")), inventory(moved), "packages.lock")


def test_another_version_is_refused_naming_it() -> None:
    locked = inventory(package("apt"), package("libc6", "2.36-9"), kernel=(package("linux", "6.1-1"),))
    found = inventory(package("apt"), package("libc6", "2.36-10"), kernel=(package("linux", "6.1-2"),))

    with pytest.raises(IntegrityError) as caught:
        check_locked(locked, found, "guest/config/packages.lock")

    assert str(caught.value) == (
        "the packages are not the locked ones, so nothing was published\n"
        "  where:    guest/config/packages.lock: x86_64\n"
        "  - kernel: linux (amd64): another version: expected 6.1-1, found 6.1-2\n"
        "  - rootfs: libc6 (amd64): another version: expected 2.36-9, found 2.36-10\n"
        "  fix:      to take these: build without --locked, then bitproof assets lock; to keep the locked ones: let "
        "arch.*.mirror name a mirror that still has them, such as a snapshot"
    )


def test_a_package_more_and_one_less_are_refused() -> None:
    assert differences(inventory(package("apt"), package("bash")), inventory(package("apt"), package("zsh"))) == [
        "rootfs: bash (amd64): a locked package is missing: expected version 1.0-1, found no such package",
        "rootfs: zsh (amd64): a package that is not locked: expected no such package, found version 1.0-1",
    ]
    assert differences(inventory(package("apt")), inventory(package("apt", arch="all")))


def test_other_bytes_of_the_same_version_are_refused_with_both_digests() -> None:
    other = replace(package("apt"), sha256=Digest("sha256", hex_of("other")))

    assert differences(inventory(package("apt")), inventory(other)) == [
        (
            "rootfs: apt (amd64): another .deb of version 1.0-1: "
            f"expected sha256:{hex_of('apt 1.0-1')}, found sha256:{hex_of('other')}"
        )
    ]


def test_no_digest_is_never_a_pass_unless_a_pinned_base_image_brought_the_package() -> None:
    bare = replace(package("apt"), sha256=None)

    assert differences(inventory(package("apt")), inventory(bare)) == [
        f"rootfs: apt (amd64): another .deb of version 1.0-1: expected sha256:{hex_of('apt 1.0-1')}, found no digest"
    ]
    assert differences(inventory(bare, base="localhost/debian"), inventory(bare, base="localhost/debian")) == [
        (
            "rootfs: apt (amd64): comes with a base image that is not pinned, so nothing proves it: "
            "expected a base image with its digest, found localhost/debian"
        )
    ]
    assert differences(inventory(bare), inventory(bare)) == [
        (
            "rootfs: apt (amd64): comes with a base image that is not pinned, so nothing proves it: "
            "expected a base image with its digest, found none"
        )
    ]
    check_locked(inventory(bare, base=BASE), inventory(bare, base=BASE), "packages.lock")


def test_another_base_image_is_refused() -> None:
    assert differences(inventory(), inventory(base=BASE)) == [f"base image: another one: expected none, found {BASE}"]
    assert differences(inventory(base=BASE), inventory()) == [f"base image: another one: expected {BASE}, found none"]
