"""The same releases, published to each kind of place and updated from it, leave the same store, byte for byte."""

import json
from pathlib import Path

import pytest

from bitproof.cli.main import main
from tests.assets.layouts import recorded
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
