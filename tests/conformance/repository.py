"""A TUF repository by python-tuf's Metadata API, in a directory for a web server: nothing of bitproof's made it.

repository = Repository(tmp_path / "served")
repository.targets.expires = PAST
repository.publish("targets", "snapshot", "timestamp")
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

ONLINE = ("targets", "snapshot", "timestamp")
ROLES = ("root", *ONLINE)
NOW = datetime.now(UTC).replace(microsecond=0)
PAST, FUTURE = NOW - timedelta(days=1), NOW + timedelta(days=30)


class Repository:
    """Four roles, to be changed at will and then published; ``signers`` are who signs each."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.root = Root(expires=FUTURE)
        self.targets = Targets(expires=FUTURE)
        self.snapshot = Snapshot(expires=FUTURE)
        self.timestamp = Timestamp(expires=FUTURE)
        self.signers: dict[str, list[Signer]] = {}
        for role in ROLES:
            self.rotate(role, CryptoSigner.generate_ed25519())
        for name in ("metadata", "targets"):
            (place / name).mkdir(parents=True)
        for role in ROLES:
            self.write(role)

    def rotate(self, role: str, *signers: Signer) -> None:
        """Other keys for a role, from the next root on."""
        for keyid in list(self.root.roles[role].keyids):
            self.root.revoke_key(keyid, role)
        for signer in signers:
            self.root.add_key(signer.public_key, role)
        self.signers[role] = list(signers)

    def publish(self, *roles: str) -> None:
        """New versions of these roles, each bound by the next if that is among them."""
        for role in ROLES:
            if role in roles:
                signed = getattr(self, role)
                signed.version += 1
                self.write(role)

    def write(self, role: str, *, version: int | None = None) -> bytes:
        """Sign a role as it is, and show it under its version or another one."""
        signed = getattr(self, role)
        metadata = Metadata(signed)
        for signer in self.signers[role]:
            metadata.sign(signer, append=True)
        data = metadata.to_bytes()
        self.path(role, version or signed.version).write_bytes(data)
        if role == "targets":
            self.snapshot.meta["targets.json"] = MetaFile.from_data(signed.version, data, ["sha256"])
        elif role == "snapshot":
            self.timestamp.snapshot_meta = MetaFile.from_data(signed.version, data, ["sha256"])
        return data

    def path(self, role: str, version: int | None = None) -> Path:
        """Where a role's metadata is; its present version when none is given."""
        prefix = "" if role == "timestamp" else f"{version or getattr(self, role).version}."
        return self.place / "metadata" / f"{prefix}{role}.json"

    def add(self, name: str, data: bytes, *hashes: str) -> Path:
        """List a file, and where it is then."""
        file = TargetFile.from_data(name, data, list(hashes or ("sha256",)))
        self.targets.targets[name] = file
        directory, slash, last = name.rpartition("/")
        path = self.place / "targets" / f"{directory}{slash}{next(iter(file.hashes.values()))}.{last}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path
