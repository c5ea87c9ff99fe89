import json
import subprocess
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from bitproof.images.inventory.sbom import describe, sbom
from bitproof.model.digest import Digest
from bitproof.model.inventory import Inventory, Package, read_lock
from tests.conftest import EPOCH

BUSYBOX = Package(
    name="busybox-static", version="1:1.35-4+b1", arch="amd64", suite="bookworm", sha256=Digest("sha256", "a" * 64)
)
OF_THE_BASE = Package(name="libstdc++6", version="12.2~rc1-14", arch="amd64")
INVENTORY = Inventory(arch="x86_64", kernel=(BUSYBOX,), rootfs=(BUSYBOX, OF_THE_BASE), base=f"debian@sha256:{'b' * 64}")


def test_the_document_is_valid_against_the_schema() -> None:
    for inventory in (INVENTORY, Inventory(arch="arm64", kernel=(), rootfs=())):
        document = sbom(inventory, "bookworm", EPOCH).decode()
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document) is None


def test_a_package_stands_once_with_its_purl_its_digest_and_its_parts() -> None:
    document = json.loads(sbom(INVENTORY, "bookworm", EPOCH))

    busybox, bare = document["components"]
    purl = "pkg:deb/debian/busybox-static@1:1.35-4%2Bb1?arch=amd64&distro=bookworm"
    assert busybox == {
        "bom-ref": purl,
        "hashes": [{"alg": "SHA-256", "content": "a" * 64}],
        "name": "busybox-static",
        "properties": [
            {"name": "bitproof:part", "value": "kernel"},
            {"name": "bitproof:part", "value": "rootfs"},
            {"name": "bitproof:suite", "value": "bookworm"},
        ],
        "purl": purl,
        "type": "library",
        "version": "1:1.35-4+b1",
    }
    assert (bare["purl"], "hashes" in bare) == (
        "pkg:deb/debian/libstdc%2B%2B6@12.2~rc1-14?arch=amd64&distro=bookworm",
        False,
    )
    image = document["metadata"]["component"]
    assert (image["name"], image["properties"][0]["value"]) == ("debian-bookworm-amd64", INVENTORY.base)
    (edges,) = [entry["dependsOn"] for entry in document["dependencies"] if entry["ref"] == "image"]
    assert edges == sorted([purl, bare["purl"]])
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


def test_a_package_that_the_base_image_has_too_stands_once_with_its_digest() -> None:
    bare = Package(name=BUSYBOX.name, version=BUSYBOX.version, arch=BUSYBOX.arch)
    inventory = Inventory(arch="x86_64", kernel=(BUSYBOX,), rootfs=(bare,), base=INVENTORY.base)

    (component,) = json.loads(sbom(inventory, "bookworm", EPOCH))["components"]

    assert component["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert [fact["value"] for fact in component["properties"]] == ["kernel", "rootfs", "bookworm"]


def test_the_same_inventory_gives_the_same_bytes_and_another_one_another_serial_number() -> None:
    first, second = (describe(INVENTORY, "bookworm", EPOCH) for _ in range(2))
    other = describe(Inventory(arch="x86_64", kernel=(), rootfs=(BUSYBOX,)), "bookworm", EPOCH)

    assert first == second
    assert list(first) == ["inventory.json", "sbom.cdx.json"]
    assert read_lock(first["inventory.json"], "x").inventories == (INVENTORY,)
    serials = {json.loads(files["sbom.cdx.json"])["serialNumber"] for files in (first, other)}
    assert len(serials) == 2


def test_the_libraries_of_sbom_and_dockerfile_are_imported_only_where_they_are_used() -> None:
    code = "import bitproof.images.build, sys; print({'cyclonedx', 'jinja2'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
