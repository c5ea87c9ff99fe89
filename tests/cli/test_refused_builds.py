"""What ``assets build`` and ``repack`` refuse before they do anything."""

from pathlib import Path

import pytest

from bitproof.system import process

from .conftest import (
    ARCH,
    BINARY,
    GOOD_BUILD,
    Run,
    temporaries,
    tree,
    write_guest,
)

BUILD = ("assets", "build", "--binary-version", BINARY)


def test_build_without_a_config_says_so(project: Path, run: Run) -> None:
    done = run(*BUILD)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: there is no guest config\n  where:    guest/config\n  expected: a directory with build.toml\n"
    )
    assert list(project.iterdir()) == []


def test_build_tells_every_problem_of_the_config_and_writes_nothing(project: Path, run: Run) -> None:
    write_guest(project, GOOD_BUILD.replace("gzip", "gzap").replace("bookworm", "Book Worm"))
    (project / "guest" / "config" / "vm").mkdir()
    (project / "guest" / "config" / "vm" / "resources.toml").write_text("cpu = 2\n")
    before = tree(project)

    done = run(*BUILD)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: the guest config is not usable\n  where:    guest/config\n")
    for line in (
        "build.toml: compression: not a known value: expected zstd or xz or gzip, found 'gzap'",
        f"build.toml: arch.{ARCH}.suite: not a suite such as bookworm: found 'Book Worm'",
        "vm/resources.toml: cpu: not a known key: expected 'cpus'",
    ):
        assert f"  - {line}\n" in done.err
    assert done.err.endswith("  fix:      mend these; nothing was built\n")
    assert tree(project) == before
    assert not (project / "assets").exists()
    found = run(*BUILD, "--json")
    assert (found.code, found.err) == (2, "")
    assert len(found.document["error"]["problems"]) >= 3


def test_build_of_an_arch_the_config_does_not_know(project: Path, run: Run) -> None:
    write_guest(project, GOOD_BUILD)
    done = run(*BUILD, "--arch", ARCH, "--arch", "riscv64")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: the guest config does not know this arch\n"
        "  where:    build.toml\n"
        f"  expected: {ARCH}\n"
        "  found:    riscv64\n"
        "  fix:      add a table [arch.riscv64] to build.toml, or name another --arch\n"
    )
    assert not (project / "assets").exists()


def test_build_with_artifacts_that_have_no_place_writes_nothing(project: Path, run: Run) -> None:
    write_guest(project, GOOD_BUILD)
    (project / "guest" / "artifacts" / "intit").write_text("")
    (project / "guest" / "artifacts" / "init").unlink()

    done = run(*BUILD)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: the guest artifacts are not usable\n  where:    guest/artifacts\n")
    assert "  - intit: has no place in an image: expected init, bin/ or rootfs/\n" in done.err
    assert "  - init: missing: expected the program that the kernel starts\n" in done.err
    assert not (project / "assets").exists()


@pytest.mark.parametrize(
    ("program", "fix"),
    [
        ("mmdebstrap", f"mmdebstrap; or set arch.{ARCH}.container.image and install docker or podman or buildah"),
        ("depmod", "kmod"),
        ("tar2sqfs", "squashfs-tools-ng"),
    ],
)
def test_build_without_a_program_names_its_package_and_writes_nothing(
    project: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, program: str, fix: str
) -> None:
    write_guest(project, GOOD_BUILD)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in {"mmdebstrap", "depmod", "tar2sqfs"} - {program}:
        (programs / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setitem(process.ENVIRONMENT, "PATH", str(programs))

    done = run(*BUILD)

    assert (done.code, done.out) == (3, "")
    assert done.err == f"error: the program {program} is not installed\n  fix:      apt-get install {fix}\n"
    assert not (project / "assets").exists()


def test_repack_of_what_was_never_built_says_what_to_run(project: Path, run: Run) -> None:
    write_guest(project, GOOD_BUILD)
    done = run("assets", "repack")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "error: the assets directory cannot be opened\n"
        "  where:    assets\n"
        "  found:    No such file or directory\n"
        "  fix:      bitproof assets build\n"
    )
    assert not (project / "assets").exists()


def test_a_repack_that_is_refused_leaves_no_lock(layout: Path, run: Run) -> None:
    write_guest(layout.parent, GOOD_BUILD)
    (layout / ".bitproof.lock").unlink()
    (layout.parent / "guest" / "artifacts" / "init").write_text("")
    before = tree(layout)

    done = run("assets", "repack")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: the guest artifacts are not usable\n")
    assert tree(layout) == before
    assert temporaries(layout) == []
