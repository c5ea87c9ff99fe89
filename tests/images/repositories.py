"""A small signed apt repository on this machine: real .debs, real signatures, no network."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

KERNEL = "6.1.0-1-test"
"""The version of the kernel that `kernel_repository` has."""


@contextmanager
def gnupg_home() -> Iterator[Mapping[str, str]]:
    """The environment of gpg with one new key, in a directory whose path is short enough for gpg-agent's socket."""
    home = tempfile.mkdtemp(prefix="gnupg-")
    environment = {**os.environ, "GNUPGHOME": home}
    try:
        key = ["--quick-generate-key", "Test <test@example.org>", "ed25519", "sign", "never"]
        subprocess.run(["gpg", "--batch", "--quiet", "--passphrase", "", *key], env=environment, check=True)
        yield environment
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], env=environment, check=True)
        shutil.rmtree(home)


class Repository:
    """``add`` packages, then ``publish``; publishing again takes the place of what was there."""

    def __init__(self, path: Path, gnupg: Mapping[str, str]) -> None:
        self.path = path
        self.gnupg = gnupg
        self.stanzas: dict[str, str] = {}
        self.keyring = path / "team.gpg"
        (path / "pool").mkdir(parents=True)
        key = subprocess.run(["gpg", "--batch", "--export"], env=gnupg, check=True, capture_output=True).stdout
        self.keyring.write_bytes(key)

    @property
    def mirror(self) -> str:
        """Its URL. apt copies from it, as it would from a server: it hands out no path of this machine."""
        return f"copy://{self.path}"

    def add(self, name: str, version: str, files: Mapping[str, bytes] = {}, *, depends: str = "") -> Path:
        """Make a package; the path of its .deb."""
        tree = self.path / "tree"
        control = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Test <test@example.org>\n"
        control += (f"Depends: {depends}\n" if depends else "") + f"Description: {name}\n"
        for path, data in {"DEBIAN/control": control.encode(), **files}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(data)
        deb = self.path / "pool" / f"{name}_{version.partition(':')[2] or version}_amd64.deb"
        command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(deb)]
        subprocess.run(command, check=True, capture_output=True)
        shutil.rmtree(tree)
        data = deb.read_bytes()
        facts = f"Filename: pool/{deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"
        self.stanzas[deb.name] = control + facts
        return deb

    def remove(self, deb: Path) -> None:
        """Take a package away, as a suite does when it has a newer one."""
        deb.unlink()
        del self.stanzas[deb.name]

    def publish(self, suite: str = "bookworm") -> None:
        """Write the indices and sign them."""
        dists = self.path / "dists" / suite
        shutil.rmtree(dists, ignore_errors=True)
        index = "main/binary-amd64/Packages"
        (dists / index).parent.mkdir(parents=True)
        packages = "\n".join(self.stanzas.values()).encode()
        (dists / index).write_bytes(packages)
        release = f"Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: amd64\n"
        release += "Date: Tue, 14 Nov 2023 22:13:20 UTC\nSHA256:\n"
        release += f" {hashlib.sha256(packages).hexdigest()} {len(packages)} {index}\n"
        (dists / "Release").write_text(release)
        command = ["gpg", "--batch", "--clearsign", "--output", str(dists / "InRelease"), str(dists / "Release")]
        subprocess.run(command, env=self.gnupg, check=True, capture_output=True)


def kernel_repository(path: Path, gnupg: Mapping[str, str]) -> Repository:
    """What the kernel's part of an image takes, and a package that comes along."""
    repository = Repository(path, gnupg)
    modules = f"lib/modules/{KERNEL}"
    files = {f"boot/vmlinuz-{KERNEL}": b"a kernel", f"{modules}/modules.order": b"", f"{modules}/modules.builtin": b""}
    repository.add("tools", "1:3.0", {"usr/bin/tool": b"a tool"})
    repository.add(f"linux-image-{KERNEL}", "6.1.1-1", files, depends="tools")
    repository.add("linux-image-test", "6.1.1-1", depends=f"linux-image-{KERNEL}")
    repository.add("busybox-static", "1:1.35-4", {"bin/busybox": b"busybox"})
    repository.publish()
    return repository
