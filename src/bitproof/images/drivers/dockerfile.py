"""The Dockerfile of a tree, rendered from the guest config, and the files that it copies.

Every value in it passed a grammar of `model.guest_config` that has no blanks, quotes or separators of a shell; a
template that names anything else fails (Jinja's StrictUndefined). Jinja is imported here only: it costs 0.1 s.
"""

from pathlib import Path

from bitproof.images.debian import Job
from bitproof.images.inventory.packages import NOTE

TREE = "/bitproof/tree"
"""Where the variant ``extract`` unpacks, apart from the base image's own files."""
CONTEXT = "context"

_TEMPLATE = Path(__file__).with_name("Dockerfile.jinja")
_OPTIONS = ("Acquire::GzipIndexes=false", "APT::Install-Recommends=false", "APT::Install-Suggests=false")
"""Lists as text, since the note of the packages searches them; no packages but those asked for and needed."""


def render(job: Job, variant: str, packages: tuple[str, ...], base: str) -> str:
    """The Dockerfile of one tree.

    Args:
        job: suite, mirror, time, locked versions.
        variant: ``extract`` or ``minbase``, as for `images.debian.mmdebstrap`.
        packages: names of the packages.
        base: the image to begin with.
    """
    from jinja2 import Environment, StrictUndefined

    # No HTML is made here: escaping would change names.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    return template.render(
        base=base, epoch=job.epoch, options=_options(job), packages=packages, variant=variant, tree=TREE
    )


def _options(job: Job) -> list[str]:
    options = list(_OPTIONS)
    if job.config.mirror:
        options += ["Dir::Etc::sourcelist=/bitproof/sources.list", "Dir::Etc::sourceparts=/dev/null"]
    if job.preferences:
        options.append("Dir::Etc::preferences=/bitproof/preferences")
    return [word for option in options for word in ("-o", option)]


def write_context(job: Job, directory: Path, dockerfile: str) -> None:
    """Write the Dockerfile and what it copies: the note's command, the mirror with its keys, the locked versions."""
    context = directory / CONTEXT
    context.mkdir(parents=True)
    (directory / "Dockerfile").write_text(dockerfile, "utf-8")
    (context / "note").write_text(NOTE + "\n", "utf-8")
    if job.keyring:
        (context / job.keyring.name).write_bytes(job.keyring.read_bytes())
    if job.preferences:
        (context / "preferences").write_bytes(job.preferences.read_bytes())
    if job.config.mirror:
        signed = f"[signed-by=/bitproof/{job.keyring.name}] " if job.keyring else ""
        (context / "sources.list").write_text(f"deb {signed}{job.config.mirror} {job.config.suite} main\n", "utf-8")
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # apt's own user reads them, whatever the umask
