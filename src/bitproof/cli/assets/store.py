"""``bitproof assets install | resolve | verify | cleanup``: what concerns a store."""

import os
from pathlib import Path

import click

from bitproof.assets.resolve import BootSet
from bitproof.assets.store import load_keep_list, load_manifest
from bitproof.cli.project import (
    MAKE_LAYOUT,
    MAKE_STORE,
    PATH,
    arch_option,
    arches_option,
    arches_or_host,
    assets_option,
    base_option,
    binary_version,
    binary_version_option,
    human_size,
    settings,
    store_or_layout,
    vm_option,
    wait_option,
    waiting_note,
    when_unusable,
)
from bitproof.cli.render import facts
from bitproof.cli.session import Session, pass_session
from bitproof.cli.settings import host_arch
from bitproof.cli.signatures import keys_wanted, signature_option
from bitproof.model.names import MANIFEST
from bitproof.model.version import Version
from bitproof.signed.resolve import resolve_signed

FORMATS = ("text", "args", "env", "json")


@click.command()
@assets_option
@base_option
@arches_option
@signature_option
@wait_option
@pass_session
def install(
    session: Session,
    assets: Path | None,
    base: Path | None,
    arches: tuple[str, ...],
    signers: tuple[str, ...],
    wait: bool,
) -> None:
    """Copy the current release of a dev layout into the store.

    Files get hash names, and every byte that lands is proved. What is there already is not copied; what is damaged is
    replaced. A manifest's signature goes along; after a signed manifest no unsigned one is accepted.
    """
    from bitproof.assets.install import planned_size
    from bitproof.cli.progress import byte_progress
    from bitproof.signed.install import check_layout
    from bitproof.signed.install import install as install_release

    found = settings()
    layout = assets or found.directory("assets").value
    store = base or found.store(os.environ).value
    wanted = arches_or_host(arches)
    keys = keys_wanted(signers, found)
    with when_unusable(layout / MANIFEST, MAKE_LAYOUT):
        check_layout(layout, store, keys)
        size = planned_size(layout, wanted)
    with when_unusable(store / MANIFEST, MAKE_STORE), byte_progress(session, "installing", size) as progress:
        done = install_release(layout, store, wanted, keys, progress=progress, wait=wait, waiting=waiting_note(session))
    lines = [f"{done.base}: assets {done.version}"]
    lines += [
        f"  {'installed' if name in done.copied else 'present':<9} {name}" for name in (*done.copied, *done.present)
    ]
    session.result("\n".join(lines), {"ok": True, **done.document()})


@click.command()
@binary_version_option
@arch_option
@base_option
@assets_option
@signature_option
@vm_option
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    help="For people, a command line, a shell, a program.",
)
@click.option("--explain", is_flag=True, help="Say which mode, manifest and release, and why.")
@pass_session
def resolve(
    session: Session,
    arch: str | None,
    base: Path | None,
    assets: Path | None,
    signers: tuple[str, ...],
    vm: str | None,
    form: str,
    explain: bool,
    **versions: Version | None,
) -> None:
    """Find kernel, initrd and rootfs for a binary version.

    Nothing is read but the manifest: whether the bytes are right is for `assets verify`, and for `vm boot`.
    """
    found = settings()
    version = binary_version(versions["binary_version"], found)
    where = store_or_layout(base, assets, found)
    with when_unusable(where / MANIFEST, MAKE_STORE if assets is None else MAKE_LAYOUT):
        keys = keys_wanted(signers, found)
        boot = resolve_signed(where, version, arch or host_arch(), keys, dev=assets is not None, vm=vm or "")
    if explain:
        session.note(explanation(boot))
    if session.json or form == "json":
        session.print_json(boot.document())
    else:
        click.echo(_printed(boot, form))


def explanation(boot: BootSet) -> str:
    """Why this boot set, a fact a line."""
    told = [
        ("mode", str(boot.mode)),
        ("manifest", str(boot.manifest)),
        ("release", f"{boot.asset_version}: {boot.reason}"),
        ("binary", f"{boot.binary_version} on {boot.arch}"),
    ]
    return facts(told + [("rejected", str(problem)) for problem in boot.rejected])


def _printed(boot: BootSet, form: str) -> str:
    paths = {"kernel": boot.kernel, "initrd": boot.initrd, "rootfs": boot.rootfs}
    if form == "args":
        import shlex

        return shlex.join(part for name, path in paths.items() for part in (f"--{name}", str(path)))
    if form == "env":
        import shlex

        values = {"ASSET_VERSION": boot.asset_version, **{name.upper(): str(path) for name, path in paths.items()}}
        return "\n".join(f"{name}={shlex.quote(value)}" for name, value in values.items())
    rows = {"assets": boot.asset_version, "binary": str(boot.binary_version), "arch": boot.arch, "mode": str(boot.mode)}
    return "\n".join(
        f"{name:<8} {value}" for name, value in (rows | {name: str(path) for name, path in paths.items()}).items()
    )


@click.command()
@base_option
@assets_option
@arches_option
@pass_session
def verify(session: Session, base: Path | None, assets: Path | None, arches: tuple[str, ...]) -> int:
    """Read every byte, and compare with what the manifest says."""
    from bitproof.assets.verify import check_files, planned
    from bitproof.cli.progress import byte_progress
    from bitproof.cli.render import print_report

    where = store_or_layout(base, assets, settings())
    with when_unusable(where / MANIFEST, MAKE_STORE if assets is None else MAKE_LAYOUT):
        files = planned(where, arches_or_host(arches))
    with byte_progress(session, "verifying", sum(asset.size for asset, _ in files.values())) as progress:
        report = check_files(files, progress)
    return print_report(session, report)


@click.command()
@base_option
@click.option("--keep", multiple=True, metavar="NAME", help="A hash name or an asset version to keep, repeatable.")
@click.option(
    "--pins",
    "pin_files",
    type=PATH,
    multiple=True,
    metavar="FILE",
    help="Compile-time pins whose files to keep (`assets hashes --format json`), repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@wait_option
@pass_session
def cleanup(
    session: Session,
    base: Path | None,
    keep: tuple[str, ...],
    pin_files: tuple[Path, ...],
    dry_run: bool,
    wait: bool,
) -> None:
    """Remove from the store what no release in force needs.

    Also what dead writers left, and legacy v*/ directories. What a running VM holds stays, what the store's keep list
    names, and what is pinned or rolled back to; -v says which files these are.
    """
    from bitproof.assets.cleanup import cleanup as clean_up
    from bitproof.assets.pins import parse_pins
    from bitproof.assets.selection import listed_selection
    from bitproof.model.decode import MAX_JSON
    from bitproof.system.opened import read_file

    store = base or settings().store(os.environ).value
    pins = [parse_pins(read_file(path, MAX_JSON, "the pins"), str(path)) for path in pin_files]
    with when_unusable(store / MANIFEST, MAKE_STORE):
        manifest = load_manifest(store / MANIFEST)
        load_keep_list(store, manifest)  # so that a refusal leaves no lock behind
        listed_selection(store, manifest)
    done = clean_up(store, keep=keep, pins=pins, dry_run=dry_run, wait=wait, waiting=waiting_note(session))
    verb = "would remove" if dry_run else "removed"
    lines = [f"{verb} {one.path} ({human_size(one.size)}): {one.reason}" for one in done.removed]
    lines += [f"kept {path}: a running VM holds it" for path in done.held]
    for one in done.selected:
        session.detail(f"kept {one.path}: {one.reason}")
    count = "1 file" if len(done.removed) == 1 else f"{len(done.removed)} files"
    lines.append(f"{done.base}: {verb} {count}, {human_size(done.size)}")
    session.result("\n".join(lines), {"ok": True, "dry_run": dry_run, **done.document()})
