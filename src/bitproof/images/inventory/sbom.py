"""The inventory as a CycloneDX document, for the tools that look for known vulnerabilities and licences.

Made with the CycloneDX library, which is imported here only: it costs 0.15 s. The same inventory gives the same bytes:
the serial number is derived from it and the time is the build's. Sources: CycloneDX 1.6; the purl type ``deb``.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bitproof.images.debian import debian_arch
from bitproof.model.inventory import Inventory, Lock, Package
from bitproof.model.names import INVENTORY, SBOM

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

NAMESPACE = uuid.UUID("b17b00f0-0000-5000-8000-000000000000")
"""Of the serial numbers, which are name-based (RFC 9562, version 5)."""


def describe(inventory: Inventory, suite: str, epoch: int) -> dict[str, bytes]:
    """The files that say what an arch's images are made of, by name: inventory and SBOM."""
    return {INVENTORY: Lock((inventory,)).to_bytes(), SBOM: sbom(inventory, suite, epoch)}


def sbom(inventory: Inventory, suite: str, epoch: int) -> bytes:
    """One arch's images and their packages.

    Args:
        inventory: what they are made of.
        suite: Debian's release name, the ``distro`` of each package.
        epoch: the time of the document, seconds since 1970.

    Returns:
        CycloneDX 1.6, as JSON; a package of both kernel and rootfs stands once, with both in its properties.
    """
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    arch = debian_arch(inventory.arch)
    base = [Property(name="bitproof:base", value=inventory.base)] if inventory.base else []
    image = Component(
        name=f"debian-{suite}-{arch}",
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref="image",
        version=suite,
        properties=base,
    )
    components = [_component(package, parts, suite) for package, parts in _merged(inventory)]
    bom = Bom(
        serial_number=uuid.uuid5(NAMESPACE, Lock((inventory,)).to_bytes().decode()),
        metadata=BomMetaData(component=image, timestamp=datetime.fromtimestamp(epoch, UTC)),
        components=components,
    )
    bom.register_dependency(image, components)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _merged(inventory: Inventory) -> list[tuple[Package, list[str]]]:
    """Every package once, with the parts that have it; the one whose .deb is known stands for both."""
    merged: dict[tuple[str, str, str], tuple[Package, list[str]]] = {}
    for part, packages in inventory.parts():
        for package in packages:
            before, parts = merged.get((package.name, package.version, package.arch), (package, []))
            known = before if before.sha256 else package
            merged[package.name, package.version, package.arch] = known, [*parts, part]
    return list(merged.values())


def _component(package: Package, parts: list[str], suite: str) -> "Component":
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    where = {"arch": package.arch, "distro": suite}
    purl = PackageURL("deb", "debian", package.name, package.version, where)
    digest = [HashType(alg=HashAlgorithm.SHA_256, content=package.sha256.value)] if package.sha256 else []
    facts = [Property(name="bitproof:part", value=part) for part in parts]
    facts += [Property(name="bitproof:suite", value=package.suite)] if package.suite else []
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl.to_string(),
        purl=purl,
        hashes=digest,
        properties=facts,
    )
