"""A registry and an S3 store for all tests of a worker process: they take half a second to start."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bitproof.channel.backends.oci import OciPlace
from tests.channel.places import servers
from tests.channel.places.blobs import HASTY
from tests.channel.places.scenes import Scene


@pytest.fixture(scope="session")
def registry_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.registry(tmp_path_factory.mktemp("registry") / "server") as address:
        yield address


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    with servers.s3_store() as address:
        yield address


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that no place knows but ours, and no login file of the user's."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_ALLOW_HTTP", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key-id-of-the-test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")


@pytest.fixture
def scene(registry_address: str, tmp_path: Path) -> Iterator[Scene]:
    name = "".join(character for character in tmp_path.name.lower() if character.isalnum())
    with servers.proxy(registry_address) as proxy:
        yield Scene(
            OciPlace(f"oci://{registry_address}/{name}", HASTY), OciPlace(f"oci://{proxy.address}/{name}", HASTY), proxy
        )
