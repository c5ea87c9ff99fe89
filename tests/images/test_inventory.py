import hashlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bitproof.errors import IntegrityError, UnavailableError
from bitproof.images.debian import Job
from bitproof.images.inventory.packages import TreeFacts, read_facts, rootfs_packages
from bitproof.images.kernel.package import fetch_kernel
from bitproof.model.digest import Digest
from bitproof.model.guest_config import ArchConfig
from bitproof.model.guest_kernel import KernelSource
from bitproof.model.inventory import Inventory, Package, check_locked, preferences
from tests.images.repositories import KERNEL, Repository, gnupg_home, kernel_repository


@pytest.fixture(scope="module")
def gnupg() -> Iterator[Mapping[str, str]]:
    with gnupg_home() as environment:
        yield environment


@pytest.fixture
def repository(tmp_path: Path, gnupg: Mapping[str, str]) -> Repository:
    return kernel_repository(tmp_path / "repository", gnupg)


def fetched(repository: Repository, work: Path, locked: Inventory | None = None) -> Inventory:
    """The kernel's part of an inventory, from a build that has just begun."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "trees").mkdir(parents=True)
    (work / "trees").chmod(0o1777)
    (work / "preferences").write_text(preferences(locked) if locked else "")
    config = ArchConfig(
        arch="x86_64",
        suite="bookworm",
        mirror=repository.mirror,
        kernel=KernelSource(package="linux-image-test"),
        verity=False,
        rootfs_format="squashfs",
        rootfs_compression="zstd",
        rootfs_level=1,
    )
    job = Job(
        config=config,
        epoch=1_700_000_000,
        work=work,
        stage=lambda _: None,
        stopped=lambda: False,
        keyring=repository.keyring,
        preferences=work / "preferences" if locked else None,
    )
    return Inventory(arch="x86_64", kernel=fetch_kernel(job).packages, rootfs=())


def package(deb: Path, name: str, version: str) -> Package:
    digest = Digest("sha256", hashlib.sha256(deb.read_bytes()).hexdigest())
    return Package(name=name, version=version, arch="amd64", suite="bookworm", sha256=digest)


def refused(locked: Inventory, found: Inventory) -> list[str]:
    with pytest.raises(IntegrityError) as caught:
        check_locked(locked, found, "packages.lock")
    return [str(problem) for problem in caught.value.problems]


def test_the_inventory_names_the_debs_that_were_unpacked_and_where_they_came_from(
    repository: Repository, tmp_path: Path
) -> None:
    pool = repository.path / "pool"

    assert fetched(repository, tmp_path / "work").kernel == (
        package(pool / "busybox-static_1.35-4_amd64.deb", "busybox-static", "1:1.35-4"),
        package(pool / f"linux-image-{KERNEL}_6.1.1-1_amd64.deb", f"linux-image-{KERNEL}", "6.1.1-1"),
        package(pool / "linux-image-test_6.1.1-1_amd64.deb", "linux-image-test", "6.1.1-1"),
        package(pool / "tools_3.0_amd64.deb", "tools", "1:3.0"),
    )


def test_another_version_in_the_suite_is_refused_naming_it(repository: Repository, tmp_path: Path) -> None:
    locked = fetched(repository, tmp_path / "work")
    repository.remove(repository.path / "pool" / "busybox-static_1.35-4_amd64.deb")
    repository.add("busybox-static", "1:1.35-5", {"bin/busybox": b"busybox"})
    repository.publish()

    found = fetched(repository, tmp_path / "work", locked)

    assert refused(locked, found) == [
        "kernel: busybox-static (amd64): another version: expected 1:1.35-4, found 1:1.35-5"
    ]


def test_a_newer_version_beside_the_locked_one_is_left_alone(repository: Repository, tmp_path: Path) -> None:
    locked = fetched(repository, tmp_path / "work")
    repository.add("busybox-static", "1:1.35-5", {"bin/busybox": b"busybox"})
    repository.publish()

    assert fetched(repository, tmp_path / "work").kernel[0].version == "1:1.35-5"
    check_locked(locked, fetched(repository, tmp_path / "work", locked), "packages.lock")


def test_what_no_longer_fits_to_the_locked_versions_is_refused_naming_it(
    repository: Repository, tmp_path: Path
) -> None:
    locked = fetched(repository, tmp_path / "work")
    repository.remove(repository.path / "pool" / "linux-image-test_6.1.1-1_amd64.deb")
    repository.add("linux-image-test", "6.1.2-1", depends=f"linux-image-{KERNEL}, tools (>= 1:4)")
    repository.add("tools", "1:4.0")
    repository.publish()

    found = fetched(repository, tmp_path / "work", locked)

    assert refused(locked, found) == [
        "kernel: linux-image-test (amd64): another version: expected 6.1.1-1, found 6.1.2-1",
        "kernel: tools (amd64): another version: expected 1:3.0, found 1:4.0",
    ]


def test_other_bytes_under_the_same_version_are_refused_with_both_digests(
    repository: Repository, tmp_path: Path
) -> None:
    locked = fetched(repository, tmp_path / "work")
    repository.add("busybox-static", "1:1.35-4", {"bin/busybox": b"busybox, rebuilt"})
    repository.publish()

    found = fetched(repository, tmp_path / "work", locked)

    assert refused(locked, found) == [
        (
            "kernel: busybox-static (amd64): another .deb of version 1:1.35-4: "
            f"expected {locked.kernel[0].sha256}, found {found.kernel[0].sha256}"
        )
    ]


def test_the_locked_versions_leave_no_trace_in_the_tree(repository: Repository, tmp_path: Path) -> None:
    locked = fetched(repository, tmp_path / "work")
    before = {path: path.read_bytes() for path in (tmp_path / "work" / "kernel").rglob("*") if path.is_file()}

    fetched(repository, tmp_path / "work", locked)

    after = {path: path.read_bytes() for path in (tmp_path / "work" / "kernel").rglob("*") if path.is_file()}
    assert after == before


def test_a_mirror_signed_by_another_key_is_refused(
    repository: Repository, tmp_path: Path, gnupg: Mapping[str, str]
) -> None:
    with gnupg_home() as other:
        key = subprocess.run(["gpg", "--batch", "--export"], env=other, check=True, capture_output=True).stdout
    repository.keyring.write_bytes(key)
    assert gnupg

    with pytest.raises(UnavailableError) as caught:
        fetched(repository, tmp_path / "work")

    assert any("is not signed" in line for line in caught.value.details)


NOTED = f"""\
{"a" * 64}  apt_2.6_amd64.deb
{"b" * 64}  tzdata_2024a-0+deb12u1_all.deb
{"c" * 64}  own_1%3a1_amd64.deb
../../../lib/apt/lists/mirror_debian_dists_bookworm_main_binary-amd64_Packages:{"b" * 64}
../../../lib/apt/lists/mirror_debian_dists_bookworm-updates_main_binary-amd64_Packages:{"b" * 64}
../../../lib/apt/lists/mirror_debian_dists_stable_updates_main_binary-amd64_Packages:{"a" * 64}
"""
STATUS = """\
Package: apt
Status: install ok installed
Architecture: amd64
Version: 2.6

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: tzdata
Status: hold ok installed
Architecture: all
Version: 2024a-0+deb12u1
"""


def tree(tmp_path: Path, note: str = NOTED, status: str = STATUS) -> Path:
    packed = tmp_path / "tree.tar"
    with tarfile.open(packed, "w") as tar:
        for path, text in {"var/cache/apt/debs": note, "var/lib/dpkg/status": status}.items():
            made = tarfile.TarInfo(f"./{path}")
            made.size = len(text)
            tar.addfile(made, io.BytesIO(text.encode()))
    return packed


def test_an_installed_package_has_the_digest_and_the_suite_of_its_deb(tmp_path: Path) -> None:
    facts = read_facts(tree(tmp_path))

    assert rootfs_packages(facts, "") == (
        Package(name="apt", version="2.6", arch="amd64", suite="stable/updates", sha256=Digest("sha256", "a" * 64)),
        Package(
            name="tzdata",
            version="2024a-0+deb12u1",
            arch="all",
            suite="bookworm",
            sha256=Digest("sha256", "b" * 64),
        ),
    )
    assert [(deb.name, deb.version, deb.suite) for deb in facts.debs][2] == ("own", "1:1", "")


def test_a_package_without_a_deb_is_told_unless_a_base_image_brought_it(tmp_path: Path) -> None:
    facts = read_facts(tree(tmp_path, NOTED.partition("\n")[2]))

    with pytest.raises(UnavailableError) as caught:
        rootfs_packages(facts, "")

    assert str(caught.value) == (
        "it is not known what the rootfs is made of\n  where:    var/lib/dpkg/status\n  found:    no .deb of apt"
    )
    assert rootfs_packages(facts, "localhost/base")[0] == Package(name="apt", version="2.6", arch="amd64")


@pytest.mark.parametrize("base", ["", "localhost/base"])
def test_a_rootfs_of_no_packages_is_no_empty_success(base: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        rootfs_packages(TreeFacts((), ()), base)
    assert caught.value.found == "no package"


def test_a_note_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError) as caught:
        read_facts(tree(tmp_path, NOTED[:30]))
    assert caught.value.what == "the note of a tree's packages cannot be read"
