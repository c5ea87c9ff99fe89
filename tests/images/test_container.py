import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from bitproof.errors import InputError, UnavailableError
from bitproof.images.debian import Job, explained
from bitproof.images.drivers.choose import choose_driver
from bitproof.images.drivers.container import check_suite, rewrite
from bitproof.images.drivers.dockerfile import render, write_context
from bitproof.images.drivers.engines import Engine
from bitproof.images.inventory.packages import NOTE
from bitproof.model.guest_config import ArchConfig
from tests.images.layouts import config_of

CONFIG = replace(config_of().arch("x86_64"), mirror="", base_image="localhost/debian")
ANSWERS = "#!/bin/sh\nexit 0\n"


def job(tmp_path: Path, config: ArchConfig = CONFIG) -> Job:
    return Job(config=config, epoch=7, work=tmp_path, stage=lambda _: None, stopped=lambda: False)


def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **texts: str) -> None:
    """Let these programs, and no others, be found."""
    directory = tmp_path / "programs"
    directory.mkdir()
    for name, text in texts.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.setattr("bitproof.system.process.ENVIRONMENT", {"PATH": str(directory)})


def test_the_dockerfile_of_a_rootfs_installs_onto_the_base_image(tmp_path: Path) -> None:
    apt = "apt-get --yes -o Acquire::GzipIndexes=false -o APT::Install-Recommends=false -o APT::Install-Suggests=false"

    assert render(job(tmp_path), "minbase", ("curl", "g++"), "localhost/base") == (
        "# Rendered by bitproof from the guest config: every value is a name that was checked.\n"
        "FROM localhost/base\n"
        "ENV DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 TZ=UTC SOURCE_DATE_EPOCH=7\n"
        "COPY context /bitproof\n"
        f"RUN {apt} update\n"
        f"RUN {apt} --download-only install curl g++\n"
        'RUN sh /bitproof/note ""\n'
        f"RUN {apt} install curl g++ && rm -rf /bitproof\n"
    )


def test_the_dockerfile_of_a_kernel_unpacks_all_it_needs_beside_the_base_image(tmp_path: Path) -> None:
    *_, download, note, unpack, copy, extract = render(
        job(tmp_path), "extract", ("linux-image-x",), "localhost/b"
    ).splitlines()

    assert download.endswith(" -o Dir::State::status=/dev/null --download-only install linux-image-x")
    assert note == 'RUN sh /bitproof/note ""'
    assert [unpack, copy, extract] == [
        "RUN mkdir -p /bitproof/tree/var/cache/apt \\",
        "    && cp /var/cache/apt/debs /bitproof/tree/var/cache/apt/ \\",
        '    && for deb in /var/cache/apt/archives/*.deb; do dpkg --extract "$deb" /bitproof/tree || exit 1; done',
    ]


def test_mirror_keys_and_locked_versions_are_apts_for_this_build_only(tmp_path: Path) -> None:
    keyring, preferences = tmp_path / "keyring.gpg", tmp_path / "preferences"
    keyring.write_bytes(b"keys")
    preferences.write_bytes(b"Package: apt\n")
    config = replace(CONFIG, mirror="https://mirror.example.org/debian")
    work = replace(job(tmp_path, config), keyring=keyring, preferences=preferences)

    dockerfile = render(work, "minbase", (), "localhost/base")
    umask = os.umask(0o077)
    try:
        write_context(work, tmp_path / "image", dockerfile)
    finally:
        os.umask(umask)

    for option in (
        "Dir::Etc::sourcelist=/bitproof/sources.list",
        "Dir::Etc::sourceparts=/dev/null",
        "Dir::Etc::preferences=/bitproof/preferences",
    ):
        assert dockerfile.count(f"-o {option} ") == 3
    found = {path.name: path.read_text() for path in (tmp_path / "image" / "context").iterdir()}
    assert found == {
        "keyring.gpg": "keys",
        "note": f"{NOTE}\n",
        "preferences": "Package: apt\n",
        "sources.list": "deb [signed-by=/bitproof/keyring.gpg] https://mirror.example.org/debian bookworm main\n",
    }
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "image").rglob("*") if path.is_file()}
    assert modes == {0o644}


def test_rootless_is_chosen_when_mmdebstrap_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(tmp_path, monkeypatch, mmdebstrap=ANSWERS, newuidmap=ANSWERS, podman=ANSWERS)

    auto, asked = choose_driver("auto", CONFIG), choose_driver("rootless", CONFIG)

    assert (auto.name, auto.reason, auto.base) == ("rootless", "mmdebstrap, installed here", "")
    assert (asked.name, asked.reason) == ("rootless", "mmdebstrap, as asked")


def test_without_mmdebstrap_the_first_engine_that_has_the_image_is_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_daemon = "#!/bin/sh\necho 'is the docker daemon running?' >&2\nexit 1\n"
    without_image = '#!/bin/sh\n[ "$1" = version ]\n'
    programs(tmp_path, monkeypatch, docker=without_daemon, podman=without_image, buildah=ANSWERS)

    driver = choose_driver("auto", CONFIG)
    asked = choose_driver("container", replace(CONFIG, base_image=f"debian@sha256:{'0' * 64}"))

    assert (driver.name, driver.base) == ("container", "localhost/debian")
    assert driver.reason == "buildah, since the program mmdebstrap is not installed"
    assert asked.reason == "podman, as asked"


def test_a_local_image_that_no_engine_has_is_told_with_what_each_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path, monkeypatch, podman='#!/bin/sh\n[ "$1" = version ] || { echo "no such image" >&2; exit 1; }\n')

    with pytest.raises(UnavailableError) as caught:
        choose_driver("container", CONFIG)

    assert str(caught.value) == (
        "no program that builds containers has this image\n"
        "  where:    localhost/debian\n"
        "  expected: docker or podman or buildah\n"
        "  | the program docker is not installed\n"
        "  | podman failed\n"
        "  | no such image\n"
        "  | the program buildah is not installed\n"
        "  fix:      build it, or name one with its digest"
    )


def test_no_driver_at_all_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(tmp_path, monkeypatch)

    for driver, config, what in (
        ("auto", replace(CONFIG, base_image=""), "the program mmdebstrap is not installed"),
        ("rootless", CONFIG, "the program mmdebstrap is not installed"),
        (
            "container",
            replace(CONFIG, base_image=f"debian@sha256:{'0' * 64}"),
            "no program that builds containers can be used here",
        ),
    ):
        with pytest.raises(UnavailableError) as caught:
            choose_driver(driver, config)
        assert caught.value.what == what
        assert "apt-get install" in caught.value.fix


def test_a_container_needs_a_base_image_and_a_mirror_it_can_see() -> None:
    with pytest.raises(InputError) as caught:
        choose_driver("container", replace(CONFIG, base_image=""))
    assert str(caught.value) == (
        "the container driver has no base image\n"
        "  where:    arch.x86_64.container.image\n"
        "  expected: an image with its digest (name@sha256:…), or a local one (localhost/…)\n"
        "  found:    nothing"
    )
    with pytest.raises(InputError) as caught:
        choose_driver("container", replace(CONFIG, mirror="copy:///srv/mirror"))
    assert str(caught.value) == (
        "a container does not see this mirror\n"
        "  where:    arch.x86_64.mirror\n"
        "  expected: http:// or https://\n"
        "  found:    copy:///srv/mirror"
    )


def test_each_engine_is_asked_in_its_own_words() -> None:
    docker, podman, buildah = (Engine(name, f"/usr/bin/{name}", root=True) for name in ("docker", "podman", "buildah"))
    user = buildah._replace(root=False)

    assert [engine.build("n", "/c", "linux/amd64")[-3:] for engine in (docker, podman, buildah)] == [
        ["--platform=linux/amd64", "--tag=n", "/c"]
    ] * 3
    assert "--no-cache" in docker.build("n", "/c", "linux/amd64")
    assert podman.build("n", "/c", "linux/amd64")[2:4] == ["--layers=false", "--pull=never"]
    assert podman.create("n", "i") == ["/usr/bin/podman", "create", "--name=n", "i", "none"]
    assert docker.export("n", "/t") == ["/usr/bin/docker", "export", "--output=/t", "n"]
    assert user.export("n", "/t")[:3] == ["/usr/bin/buildah", "unshare", "sh"]
    assert buildah.export("n", "/t")[0] == "sh"
    assert docker.remove("a", "b") == ["/usr/bin/docker", "rm", "--force", "a", "b"]
    assert "--external" in podman.containers()
    assert "--external" not in docker.containers()
    assert podman.pull("i", "linux/arm64") == ["/usr/bin/podman", "pull", "--platform=linux/arm64", "i"]
    assert docker.inspect("i") == ["/usr/bin/docker", "image", "inspect", "i"]


def exported(tmp_path: Path, **files: bytes) -> Path:
    packed = tmp_path / "tree.exported"
    with tarfile.open(packed, "w") as tar:
        root = tarfile.TarInfo("./")
        root.type, root.mode = tarfile.DIRTYPE, 0o555
        tar.addfile(root)
        for path, data in files.items():
            made = tarfile.TarInfo(path)
            made.size = len(data)
            tar.addfile(made, io.BytesIO(data))
    return packed


def unpacked(packed: Path) -> dict[str, bytes]:
    with tarfile.open(packed) as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read() if file else b"" for name, file in files.items()}


def test_what_an_engine_puts_into_every_container_is_gone(tmp_path: Path) -> None:
    ours = {"etc/motd": b"hello", "run/lock": b""}
    packed = exported(tmp_path, **ours, **{".dockerenv": b"", "run/.containerenv": b"", "etc/hosts": b""})

    rewrite(packed, tmp_path / "tree.tar", "")

    assert unpacked(tmp_path / "tree.tar") == {".": b"", "./etc/motd": b"hello", "./run/lock": b""}
    with tarfile.open(tmp_path / "tree.tar") as tar:
        assert oct(tar.getmembers()[0].mode) == "0o755"
    assert not packed.exists()


def test_a_hosts_file_of_the_base_image_stays(tmp_path: Path) -> None:
    rewrite(exported(tmp_path, **{"etc/hosts": b"127.0.0.1 localhost\n"}), tmp_path / "tree.tar", "")

    assert unpacked(tmp_path / "tree.tar")["./etc/hosts"] == b"127.0.0.1 localhost\n"


def test_of_a_kernels_tree_only_what_was_unpacked_is_taken(tmp_path: Path) -> None:
    packed = exported(tmp_path, **{"bin/busybox": b"the base image's", "bitproof/tree/bin/busybox": b"unpacked"})

    rewrite(packed, tmp_path / "tree.tar", "bitproof/tree/")

    assert unpacked(tmp_path / "tree.tar") == {"./bin/busybox": b"unpacked"}


@pytest.mark.parametrize(
    ("release", "found"), [(b'VERSION_CODENAME="trixie"\n', "trixie"), (b"ID=debian\n", "no VERSION_CODENAME")]
)
def test_a_base_image_of_another_suite_is_refused(tmp_path: Path, release: bytes, found: str) -> None:
    with pytest.raises(InputError) as caught:
        check_suite(exported(tmp_path, **{"usr/lib/os-release": release}), CONFIG)

    assert str(caught.value) == (
        "the base image is of another suite\n"
        "  where:    localhost/debian\n"
        "  expected: bookworm\n"
        f"  found:    {found}\n"
        "  fix:      name another image, or set arch.x86_64.mirror"
    )


def test_a_base_image_of_the_suite_passes(tmp_path: Path) -> None:
    check_suite(exported(tmp_path, **{"usr/lib/os-release": b"VERSION_CODENAME=bookworm\n"}), CONFIG)


@pytest.mark.parametrize("prefix", ["", "#9 1.234 "])
def test_a_package_that_the_suite_lacks_is_the_configs_fault_in_a_container_too(prefix: str) -> None:
    error = UnavailableError("docker failed", details=[f"{prefix}E: Unable to locate package no-such-thing"])

    told = explained(error, CONFIG, "check")

    assert isinstance(told, InputError)
    assert [str(problem) for problem in told.problems] == ["no-such-thing: no such package"]
