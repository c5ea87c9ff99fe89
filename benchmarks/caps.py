"""The rows of ``bitproof caps``: 74 siblings, once with 500 MB of artifacts, once small and cloned from remotes.

Peers that check or fetch the same files are measured where they are installed (`benchmarks.contest.here`).
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contest import Contest, bitproof, run
from benchmarks.memory import Footprint

CAPS = 74
HEAVY = 500_000_000
ARTIFACT = "out/thing.wasm"
ZEROS = "0" * 64
MAKEFILE = "out/thing.wasm: thing.txt\n\tmkdir -p out\n\tcp thing.txt out/thing.wasm\n"
IDENTITY = {
    "GIT_AUTHOR_NAME": "bitproof",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "bitproof",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
}

CONTESTS = (
    Contest(
        what="`caps sync`, 74 caps, 500 MB, nothing to do",
        ours="bitproof -C product caps sync",
        rival="for sibling in git/*; do git -C $sibling status --porcelain; done; sha256sum --quiet --check sums",
        rival_text="`git -C X status` each, `sha256sum --check`",
        directory="heavy",
        goal="≤ 0.04",
        runs=12,
        warmup=1,
        in_shell=True,
    ),
    Contest(
        what="the same",
        ours="bitproof -C product caps sync",
        rival="cd dvc && dvc status",
        rival_text="`dvc status`, which believes times and sizes too",
        directory="heavy",
        in_shell=True,
        runs=12,
        warmup=1,
        needs="dvc",
    ),
    Contest(
        what="`caps verify`, 74 caps, 500 MB",
        ours="bitproof -C product caps verify",
        rival="sha256sum --quiet --check sums",
        rival_text="`sha256sum --check`",
        directory="heavy",
        goal="≤ 0.12",
        runs=12,
        warmup=1,
    ),
    Contest(
        what="the same",
        ours="bitproof -C product caps verify",
        rival=f"openssl dgst -sha256 git/*/{ARTIFACT}",
        rival_text="`openssl dgst -sha256`",
        directory="heavy",
        goal="≤ 0.6",
        in_shell=True,
    ),
    Contest(
        what="the same",
        ours="bitproof -C product caps verify",
        rival="ostree --repo=ostree fsck --quiet",
        rival_text="`ostree fsck`",
        directory="heavy",
        runs=12,
        warmup=1,
        needs="ostree",
    ),
    Contest(
        what="the same",
        ours="bitproof -C product caps verify",
        rival="nix-store --store ./nix --verify --check-contents",
        rival_text="`nix-store --verify --check-contents`",
        directory="heavy",
        needs="nix-store",
    ),
    Contest(
        what="`caps sync`, 74 small caps, from nothing",
        ours="bitproof -C product caps sync --allow-local-repos",
        rival="sh plain.sh",
        rival_text="a shell loop of `git clone`, `git checkout`, `make`",
        directory="small",
        goal="≤ 0.6",
        prepare="rm -rf git plain && sync",
        runs=6,
        rounds=2,
        warmup=0,
        in_shell=True,
    ),
    Contest(
        what="`caps sync`, 74 small caps, nothing to do",
        ours="bitproof -C product caps sync --allow-local-repos",
        rival="cd west && west -q update",
        rival_text="`west update`",
        directory="small",
        goal="≤ 0.08",
        in_shell=True,
        runs=12,
        warmup=1,
        needs="west",
    ),
)
FOOTPRINTS = (
    Footprint(what="`caps sync`, 500 MB, nothing to do", directory="heavy/product", words="caps sync"),
    Footprint(what="`caps sync --no-cache`, 500 MB", directory="heavy/product", words="caps sync --no-cache"),
    Footprint(what="`caps verify`, 500 MB", directory="heavy/product", words="caps verify"),
    Footprint(
        what="`caps sync`, 74 small caps, from nothing",
        directory="small/product",
        words="caps sync --allow-local-repos",
        fresh="../git",
    ),
)
NOTES = (
    "- `caps sync` with nothing to do reads each HEAD and believes the digests of files whose inode, size and times",
    "  are those of the last time; `caps verify` always reads. Artifacts are of 1 to 12 MB.",
    "- From nothing, both sides clone from `file://` remotes and run the same `make`; bitproof also hardens git,",
    "  proves HEAD, records the toolchain, and compares the digest.",
    "- The peers hold the same 500 MB, `ostree` and `nix` in a store of their own.",
)
"""What the page says of the rows."""


def contests(_: Mapping[str, str]) -> tuple[Contest, ...]:
    """All of them; those whose rival is absent are left out later."""
    return CONTESTS


def notes(_: Path, __: Mapping[str, str]) -> tuple[str, ...]:
    """What the page says of them."""
    return NOTES


def make(scratch: Path, environment: Mapping[str, str]) -> None:
    """Both products."""
    make_heavy(scratch / "heavy", environment)
    make_small(scratch / "small", environment)


def make_heavy(directory: Path, environment: Mapping[str, str]) -> None:
    """Siblings at their pins with artifacts of 500 MB in all, and the same files as the peers want them."""
    blocks, sums = [], []
    for number in range(CAPS):
        sibling = directory / "git" / f"cap{number:02}"
        commit = make_repository(sibling, {".gitignore": "/out/\n", "thing.txt": f"{number}\n"}, environment)
        data = os.urandom(int(HEAVY / CAPS * (0.2 + 1.6 * number / (CAPS - 1))))
        (sibling / "out").mkdir()
        (sibling / ARTIFACT).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        blocks.append(block(sibling.name, f"https://example.org/{sibling.name}.git", commit, digest))
        sums.append(f"{digest}  git/{sibling.name}/{ARTIFACT}\n")
    (directory / "sums").write_text("".join(sums))
    make_product(directory / "product", blocks)
    make_peers(directory, environment)
    bitproof(directory / "product", environment, "caps", "sync")


def make_peers(directory: Path, environment: Mapping[str, str]) -> None:
    """The artifacts in the stores of those peers that are installed."""
    files = directory / "files"
    files.mkdir()
    for sibling in sorted((directory / "git").iterdir()):
        os.link(sibling / ARTIFACT, files / f"{sibling.name}.wasm")
    if shutil.which("ostree"):
        run(directory, environment, "ostree", "--repo=ostree", "init", "--mode=bare-user")
        run(directory, environment, "ostree", "--repo=ostree", "commit", "-b", "main", "--tree=dir=files", "-s", "x")
    if shutil.which("nix-store"):
        names = [str(path) for path in sorted(files.iterdir())]
        run(directory, environment, "nix-store", "--store", "./nix", "--add", *names)
    if shutil.which("dvc"):
        shutil.copytree(files, directory / "dvc")
        run(directory / "dvc", environment, "git", "init", "-q")
        run(directory / "dvc", environment, "dvc", "init", "-q")
        run(directory / "dvc", environment, "dvc", "add", "-q", *(f"cap{number:02}.wasm" for number in range(CAPS)))
    shutil.rmtree(files)


def make_small(directory: Path, environment: Mapping[str, str]) -> None:
    """Bare remotes, a product that pins them, a shell loop and a west workspace that clone the same."""
    blocks, loop, projects = [], ["set -e", "mkdir plain"], []
    for number in range(CAPS):
        name, content = f"cap{number:02}", f"cap {number}\n" * 100
        files = {".gitignore": "/out/\n", "Makefile": MAKEFILE, "thing.txt": content}
        commit = make_repository(directory / "work" / name, files, environment)
        remote = directory / "remotes" / f"{name}.git"
        run(directory, environment, "git", "clone", "-q", "--bare", str(directory / "work" / name), str(remote))
        digest = hashlib.sha256(content.encode()).hexdigest()
        blocks.append(block(name, f"file://{remote}", commit, digest))
        loop += [f"git clone -q file://{remote} plain/{name}", f"git -C plain/{name} checkout -q --detach {commit}"]
        loop += [f"make -s -C plain/{name}"]
        projects.append(f"    - {{name: {name}, url: 'file://{remote}', revision: {commit}}}\n")
    (directory / "plain.sh").write_text("\n".join(loop) + "\n")
    make_product(directory / "product", blocks)
    if shutil.which("west"):
        manifest = directory / "west" / "manifest"
        make_repository(manifest, {"west.yml": "manifest:\n  projects:\n" + "".join(projects)}, environment)
        run(manifest, environment, "west", "init", "-l", ".")
        run(manifest, environment, "west", "-q", "update")


def make_repository(directory: Path, files: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """A git repository with one commit, which is checked out detached; returns the commit."""
    directory.mkdir(parents=True)
    for name, content in files.items():
        (directory / name).write_text(content)
    for words in (
        ("init", "-q", "-b", "main"),
        ("add", "."),
        ("commit", "-q", "-m", "All"),
        ("checkout", "-q", "@{0}"),
    ):
        run(directory, {**environment, **IDENTITY}, "git", *words)
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout.strip()


def block(name: str, repo: str, commit: str, digest: str) -> str:
    """One ``[[cap]]``."""
    fields = {"id": name, "repo": repo, "sha": commit, "target": "", "artifact": ARTIFACT, "sha256": digest}
    return "[[cap]]\n" + "".join(f'{key} = "{value}"\n' for key, value in fields.items())


def make_product(directory: Path, blocks: list[str]) -> None:
    """A manifest and settings; the composed artifact is a placeholder."""
    directory.mkdir()
    (directory / "caps-manifest.toml").write_text("\n".join((f'product_sha256 = "{ZEROS}"\n', *blocks)))
    (directory / "bitproof.toml").write_text('[caps]\ngit_root = "../git"\n')
