"""Where a build's packages come from: the driver that makes Debian's trees, the mirror's keys, the lock."""

from dataclasses import dataclass, replace
from pathlib import Path

from bitproof.images.config import open_in_config
from bitproof.images.debian import Job
from bitproof.images.drivers.choose import AUTO, Driver, choose_driver
from bitproof.model.guest_config import ArchConfig
from bitproof.model.inventory import Inventory, Lock, check_locked, preferences

MAX_KEYRING = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """The wanted driver, and the lock, which alone says what may come; ``where`` is how messages name the lock."""

    driver: str = AUTO
    lock: Lock | None = None
    where: str = ""

    def check(self, config: ArchConfig, config_dir: Path) -> Driver:
        """Check all that can be known before a build begins; returns the driver.

        Raises:
            InputError: the lock does not have the arch; the keyring or the base image is not usable.
            UnavailableError: no driver works on this machine.
        """
        self.locked(config.arch)
        if config.keyring:
            open_in_config(config_dir, config.keyring, "keyring").close()
        return choose_driver(self.driver, config)

    def locked(self, arch: str) -> Inventory | None:
        """The locked packages of one arch; None without a lock.

        Raises:
            InputError: the lock does not have the arch.
        """
        return self.lock.arch(arch, self.where) if self.lock else None

    def equip(self, job: Job, config_dir: Path) -> Job:
        """The job with what apt needs in its directory: the mirror's keys and the locked versions."""
        keyring, locked = job.config.keyring, self.locked(job.config.arch)
        if keyring:
            with open_in_config(config_dir, keyring, "keyring") as file:
                keys = _scratch(job.work / f"keyring{Path(keyring).suffix}", file.read(MAX_KEYRING))
            job = replace(job, keyring=keys)
        if locked:
            job = replace(job, preferences=_scratch(job.work / "preferences", preferences(locked).encode()))
        return job

    def check_packages(self, found: Inventory) -> None:
        """Raise unless the packages that came are the locked ones.

        Raises:
            IntegrityError: they are not; names every package.
        """
        if locked := self.locked(found.arch):
            check_locked(locked, found, self.where)


ANY = Supply()
"""Whatever the suite has today, by the driver that this machine has."""


def _scratch(path: Path, data: bytes) -> Path:
    """A file that apt's own user can read, whatever the umask."""
    path.write_bytes(data)
    path.chmod(0o644)
    return path
