"""The same releases, published to each kind of place and updated from it, leave the same store, byte for byte."""

import json
from pathlib import Path

import pytest

from bitproof.channel.backends.oci import OciPlace
from bitproof.channel.backends.registry.artifacts import BUNDLE_TYPE, TITLE, parse_descriptors
from bitproof.channel.backends.registry.manifests import read_manifest
from bitproof.channel.backends.registry.referrers import find_referrers
from bitproof.cli.main import main
from tests.assets.layouts import recorded
from tests.channel.places.blobs import HASTY
from tests.channel.places.servers import BUCKET
from tests.evidence import tree

pytestmark = pytest.mark.xdist_group("places")


class Terminal:
    """Runs bitproof in a directory, and gives the JSON that it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *argv: str) -> dict[str, object]:
        self.capsys.readouterr()
        code = main([*argv, "--json"])
        out, _ = self.capsys.readouterr()
        assert code == 0, out
        told: dict[str, object] = json.loads(out)
        return told


def store_from(place: str, name: str, bitproof: Terminal) -> dict[str, bytes | None]:
    """Two releases published and updated to, one after the other; what is then in the store, but for its own notes."""
    assets, keys, root, base = (Path(f"{name}-{what}") for what in ("assets", "keys", "root.json", "store"))
    recorded(assets, "a")
    common = ("--place", place, "--keys", str(keys))
    bitproof("channel", "init", *common, "--make-keys", "-W", "--root", str(root))
    bitproof("channel", "publish", *common, "--assets", str(assets))
    update = ("update", "--from", place, "--root", str(root), "--base", str(base), "--arch", "x86_64")
    assert bitproof(*update)["changed"]
    recorded(assets, "b")
    bitproof("channel", "publish", *common, "--assets", str(assets))
    assert bitproof(*update)["changed"]
    assert not bitproof(*update)["changed"]
    return {path: data for path, data in tree(base).items() if not path.startswith(".bitproof-channel")}


def test_directory_store_and_registry_leave_the_same_store(
    tmp_path: Path,
    s3_address: str,
    registry_address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{s3_address}")
    bitproof = Terminal(capsys)
    first = store_from("place", "directory", bitproof)
    assert len(first) > len(("vmlinuz", "initrd.img", "rootfs.squashfs"))
    assert store_from(f"s3://{BUCKET}/same-stores", "s3", bitproof) == first
    assert store_from(f"oci://{registry_address}/same-stores", "oci", bitproof) == first


def test_a_release_that_was_carried_into_a_registry_is_there_as_if_published(
    tmp_path: Path, registry_address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    bitproof = Terminal(capsys)
    first = store_from("place", "directory", bitproof)
    bitproof("channel", "export", "release.tar", "--place", "place")
    carried = f"oci://{registry_address}/carried"
    told = bitproof("channel", "import", "release.tar", "--place", carried, "--root", "directory-root.json")
    place = OciPlace(carried, HASTY)
    release = read_manifest(place.registry, str(told["asset_version"]))
    assert release is not None
    assert {layer.annotations[TITLE] for layer in parse_descriptors(release.data, "layers", "the release")} >= {
        f"x86_64/{name}" for name in ("vmlinuz", "initrd.img", "rootfs.squashfs")
    }
    assert [entry.artifact_type for entry in find_referrers(place.registry, release.digest)] == [BUNDLE_TYPE]
    update = ("update", "--from", carried, "--root", "directory-root.json", "--base", "carried", "--arch", "x86_64")
    assert bitproof(*update)["changed"]
    assert {path for path in tree(Path("carried")) if not path.startswith(".")} < set(first)
