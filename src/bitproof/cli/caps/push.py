"""``bitproof caps push``: verified caps into an OCI registry, as wasm that other tools pull."""

import os
from typing import TYPE_CHECKING

import click

from bitproof.cli.caps.settings import Product, manifest_options, product_wanted
from bitproof.cli.progress import byte_progress
from bitproof.cli.session import Session, pass_session
from bitproof.model.caps_manifest import Cap

if TYPE_CHECKING:  # imported where used: --help needs no network
    from bitproof.delivery.components import PushedCap


@click.command()
@manifest_options
@click.option(
    "--to",
    "target",
    required=True,
    metavar="URL",
    help="oci://host[:port]/repository[:tag]; without a tag, each cap's id is its tag.",
)
@pass_session
def push(session: Session, ids: tuple[str, ...], target: str, **where: object) -> None:
    """Push verified caps to an OCI registry, for wkg and wasm runtimes to pull.

    Every artifact is compared with its pin before anything is pushed. What it was built from, where that is recorded,
    is attached to it.
    """
    from bitproof.channel.backends.registry.connection import Registry
    from bitproof.channel.backends.urls import OciAddress
    from bitproof.delivery.components import push_caps

    address = OciAddress.parse(target, tagged=True)
    product = product_wanted(where)
    caps = product.manifest.select(ids)
    registry = Registry(address._replace(tag=""), os.environ)
    pushed = []
    with byte_progress(session, "pushing", sum(_size(product, cap) for cap in caps)) as progress:
        for cap in push_caps(caps, product.roots, registry, address.tag, progress):
            pushed.append(cap)
            if not session.json:
                session.out(f"{cap.cap.id}  {cap.reference}")
                session.detail(f"{cap.cap.id}: " + ("inputs attached" if cap.inputs else "no inputs are recorded"))
    if session.json:
        session.print_json({"ok": True, "caps": [_document(cap) for cap in pushed]})


def _size(product: Product, cap: Cap) -> int:
    """Bytes of an artifact, for the progress bar; 0 when there is none."""
    path = product.roots.artifact(cap)
    return path.lstat().st_size if path.is_file() else 0


def _document(pushed: "PushedCap") -> dict[str, str]:
    return {
        "id": pushed.cap.id,
        "reference": pushed.reference,
        "sha256": pushed.cap.digest.value,
        "manifest": str(pushed.manifest.digest),
        "inputs": "" if pushed.inputs is None else str(pushed.inputs.digest),
    }
