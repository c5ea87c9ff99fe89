"""The command lines of docker, podman and buildah for what the container driver asks of them. Pure.

Sources: docker(1), podman(1) and buildah(1) with their pages of build, pull, tag, create or from, export or mount, rm.
"""

from typing import NamedTuple

from bitproof.images.debian import PROXIES

ENGINES = ("docker", "podman", "buildah")
"""Looked for in this order."""

MOUNTED = 'tar --create --sort=name --numeric-owner --file="$2" --directory="$("$0" mount "$1")" .'
"""buildah has no export: its file system is mounted and packed, sorted as mmdebstrap and the others do.

``$0`` is buildah, ``$1`` the container, ``$2`` the tar.
"""


class Engine(NamedTuple):
    """A program that builds containers: its name, its path, and whether it runs as root."""

    name: str
    path: str
    root: bool

    def version(self) -> list[str]:
        """Answer, which docker does only with its daemon."""
        return [self.path, "version"]

    def inspect(self, image: str) -> list[str]:
        """Describe an image that is here."""
        return [self.path, *(["inspect", "--type=image"] if self.name == "buildah" else ["image", "inspect"]), image]

    def pull(self, image: str, platform: str) -> list[str]:
        """Fetch an image that is named by its digest."""
        return [self.path, "pull", f"--platform={platform}", image]

    def tag(self, image: str, name: str) -> list[str]:
        """Give an image a second name."""
        return [self.path, "tag", image, name]

    def build(self, name: str, context: str, platform: str) -> list[str]:
        """Build the Dockerfile of ``context`` anew, with nothing of an earlier build, as the image ``name``."""
        if self.name == "docker":  # which alone takes no proxy from its environment unless told
            proxies = [f"--build-arg={proxy}" for proxy in PROXIES]
            fresh = ["--no-cache", "--force-rm", "--progress=plain", *proxies]
        else:
            fresh = ["--layers=false", "--pull-never" if self.name == "buildah" else "--pull=never"]
        return [self.path, "build", *fresh, f"--platform={platform}", f"--tag={name}", context]

    def create(self, name: str, image: str) -> list[str]:
        """Make a container that never runs."""
        if self.name == "buildah":
            return [self.path, "from", "--pull-never", f"--name={name}", image]
        return [self.path, "create", f"--name={name}", image, "none"]

    def export(self, name: str, target: str) -> list[str]:
        """Pack a container's file system as a tar."""
        if self.name != "buildah":
            return [self.path, "export", f"--output={target}", name]
        shell = ["sh", "-ec", MOUNTED, self.path, name, target]
        return shell if self.root else [self.path, "unshare", *shell]

    def containers(self) -> list[str]:
        """List the names of all containers, a line each, those of a build that was ended too.

        Unfiltered: podman 4.3 applies no filter to the containers of builds.
        """
        if self.name == "buildah":
            return [self.path, "containers", "--all", "--noheading", "--format={{.ContainerName}}"]
        external = ["--external"] if self.name == "podman" else []
        return [self.path, "ps", "--all", *external, "--format={{.Names}}"]

    def remove(self, *containers: str) -> list[str]:
        """Remove containers."""
        return [self.path, "rm", *([] if self.name == "buildah" else ["--force"]), *containers]

    def remove_image(self, name: str) -> list[str]:
        """Remove an image's name, and the image when that was its last one."""
        return [self.path, "rmi", name]
