"""``assets lock``, and what ``assets build --locked`` refuses before it does anything."""

from pathlib import Path

from bitproof.model.digest import Digest
from bitproof.model.inventory import Inventory, Lock, Package, read_lock

from .conftest import ARCH, BINARY, GOOD_BUILD, Run, digest, temporaries, tree, write_guest

BUILD = ("assets", "build", "--binary-version", BINARY)


def inventory(version: str, arch: str = ARCH) -> Inventory:
    apt = Package(name="apt", version=version, arch="amd64", sha256=Digest("sha256", digest(version.encode())))
    return Inventory(arch=arch, kernel=(), rootfs=(apt,))


def write_inventory(layout: Path, version: str) -> None:
    (layout / ARCH / "inventory.json").write_bytes(Lock((inventory(version),)).to_bytes())


def test_lock_writes_what_was_built_and_keeps_other_arches(layout: Path, run: Run) -> None:
    write_guest(layout.parent, GOOD_BUILD)
    write_inventory(layout, "2.6.1")
    lock = layout.parent / "guest" / "config" / "packages.lock"
    lock.write_bytes(Lock((inventory("2.0", "riscv64"), inventory("2.5"))).to_bytes())

    done, again = run("assets", "lock"), run("assets", "lock", "--json")

    assert (done.code, done.out, done.err) == (0, f"guest/config/packages.lock: {ARCH} locked\n", "")
    assert again.document == {"ok": True, "lock": "guest/config/packages.lock", "changed": False, "arches": [ARCH]}
    assert read_lock(lock.read_bytes(), "x") == Lock((inventory("2.0", "riscv64"), inventory("2.6.1")))


def test_the_first_lock_is_the_inventory_byte_for_byte(layout: Path, run: Run) -> None:
    write_inventory(layout, "2.6.1")

    assert run("assets", "lock", "--file", "other.lock").out == f"other.lock: {ARCH} locked\n"

    assert (layout.parent / "other.lock").read_bytes() == (layout / ARCH / "inventory.json").read_bytes()


def test_lock_of_what_was_never_built_says_what_to_run(layout: Path, run: Run) -> None:
    done = run("assets", "lock", "--file", "other.lock")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: there is no list of packages\n"
        f"  where:    assets/{ARCH}/inventory.json\n"
        "  found:    nothing\n"
        "  fix:      bitproof assets build, then: bitproof assets lock\n"
    )
    assert not (layout.parent / "other.lock").exists()


def test_a_lock_that_is_bad_stands_as_it_was(layout: Path, run: Run) -> None:
    write_inventory(layout, "2.6.1")
    (layout.parent / "other.lock").write_text("{}")

    done = run("assets", "lock", "--file", "other.lock")

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: the list of packages is not usable\n"
        "  where:    other.lock\n"
        "  - format: missing: expected an integer\n"
        "  - arches: missing: expected a table\n"
        "  fix:      make it anew: bitproof assets build, then bitproof assets lock\n"
    )
    assert (layout.parent / "other.lock").read_text() == "{}"
    assert temporaries(layout.parent) == []


def test_a_locked_build_without_a_lock_says_how_to_make_one(project: Path, run: Run) -> None:
    write_guest(project, GOOD_BUILD)

    for words, path in {(): "guest/config/packages.lock", ("other.lock",): "other.lock"}.items():
        done = run(*BUILD, "--locked", *words)
        assert (done.code, done.out) == (3, "")
        assert done.err == (
            "error: there is no list of packages\n"
            f"  where:    {path}\n"
            "  found:    nothing\n"
            "  fix:      bitproof assets build, then: bitproof assets lock\n"
        )
    assert not (project / "assets").exists()


def test_a_locked_build_of_an_arch_that_the_lock_lacks_writes_nothing(project: Path, run: Run) -> None:
    write_guest(project, GOOD_BUILD)
    (project / "guest/config/packages.lock").write_bytes(Lock((inventory("2", "riscv64"),)).to_bytes())
    before = tree(project)

    done = run(*BUILD, "--locked")

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: the lock does not have this arch\n"
        "  where:    guest/config/packages.lock\n"
        f"  expected: {ARCH}\n"
        "  found:    riscv64\n"
        "  fix:      build without --locked, then: bitproof assets lock\n"
    )
    assert tree(project) == before


def test_what_a_build_writes_beside_the_images_is_in_no_manifest(layout: Path, run: Run) -> None:
    before = {name: (layout / name).read_bytes() for name in ("B3SUMS", "manifest.json")}
    for name in ("inventory.json", "sbom.cdx.json"):
        (layout / ARCH / name).write_text("{}")

    assert run("assets", "manifest", "--binary-version", BINARY).code == 0
    assert {name: (layout / name).read_bytes() for name in before} == before
    assert run("assets", "check").code == 0
