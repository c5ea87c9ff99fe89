"""The tree of commands. A command's module is imported when it is called, not before: start-up is a promise."""

from importlib import import_module

import click

from bitproof.cli.session import common, current_session

COMMANDS = {
    "assets": "bitproof.cli.commands:assets",
    "caps": "bitproof.cli.commands:caps",
    "channel": "bitproof.cli.commands:channel",
    "doctor": "bitproof.cli.doctor:doctor",
    "history": "bitproof.cli.delivery.history:history",
    "init": "bitproof.cli.commands:init",
    "pin": "bitproof.cli.delivery.pin:pin",
    "rollback": "bitproof.cli.delivery.rollback:rollback",
    "trust": "bitproof.cli.commands:trust",
    "update": "bitproof.cli.delivery.update:update",
    "verify-bundle": "bitproof.cli.delivery.verify_bundle:verify_bundle",
    "vm": "bitproof.cli.commands:vm",
}
ASSETS = {
    "build": "bitproof.cli.assets.produce:build",
    "lock": "bitproof.cli.assets.lock:lock",
    "repack": "bitproof.cli.assets.produce:repack",
    "manifest": "bitproof.cli.assets.produce:manifest",
    "deprecate": "bitproof.cli.assets.produce:deprecate",
    "check": "bitproof.cli.assets.inspect:check",
    "list": "bitproof.cli.assets.releases:list_releases",
    "why": "bitproof.cli.assets.releases:why",
    "hashes": "bitproof.cli.assets.inspect:hashes",
    "install": "bitproof.cli.assets.store:install",
    "resolve": "bitproof.cli.assets.store:resolve",
    "verify": "bitproof.cli.assets.store:verify",
    "cleanup": "bitproof.cli.assets.store:cleanup",
}
CAPS = {
    "sync": "bitproof.cli.caps.sync:sync",
    "verify": "bitproof.cli.caps.pins:verify",
    "regen": "bitproof.cli.caps.pins:regen",
    "compose": "bitproof.cli.caps.pins:compose",
    "check": "bitproof.cli.caps.inspect:check",
    "list": "bitproof.cli.caps.inspect:list_caps",
    "push": "bitproof.cli.caps.push:push",
}
CHANNEL = {
    "init": "bitproof.cli.channel.begin:init",
    "publish": "bitproof.cli.channel.publish:publish",
    "promote": "bitproof.cli.channel.publish:promote",
    "deprecate": "bitproof.cli.channel.publish:deprecate",
    "revoke": "bitproof.cli.channel.publish:revoke",
    "status": "bitproof.cli.channel.inspect:status",
    "check": "bitproof.cli.channel.inspect:check",
    "manifest": "bitproof.cli.channel.inspect:manifest",
    "export": "bitproof.cli.channel.archive:export_release",
    "import": "bitproof.cli.channel.archive:import_release",
    "renew": "bitproof.cli.channel.keys:renew",
    "rotate": "bitproof.cli.channel.keys:rotate",
    "sign-root": "bitproof.cli.channel.keys:sign_root",
}
INIT = {
    "vm": "bitproof.cli.init:vm",
    "caps": "bitproof.cli.init:caps",
}
TRUST = {
    "keygen": "bitproof.cli.trust.keygen:keygen",
    "sign": "bitproof.cli.trust.sign:sign",
    "verify": "bitproof.cli.trust.verify:verify",
}
VM = {
    "boot": "bitproof.cli.vm:boot",
    "shell": "bitproof.cli.vm:shell",
    "doctor": "bitproof.cli.vm:doctor",
}


class LazyGroup(click.Group):
    """A group that knows where its commands are and imports them when they are asked for."""

    def __init__(self, *args: object, homes: dict[str, str], **settings: object) -> None:
        super().__init__(*args, **settings)  # type: ignore[arg-type]  # click's own, passed through
        self.homes = homes

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the table."""
        return list(self.homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the module of one command."""
        home = self.homes.get(cmd_name)
        if home is None:
            return None
        module, _, name = home.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, and say the nearest command for one that there is not."""
        if args[0] not in self.homes and not args[0].startswith("-") and not ctx.resilient_parsing:
            from bitproof.model.decode import nearest

            ctx.fail(f"no such command {args[0]!r}: expected {nearest(args[0], self.homes)}")
        return super().resolve_command(ctx, args)


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        number = version("bitproof")
        current_session(context).result(f"bitproof {number}", {"ok": True, "version": number})
        context.exit()


@click.group(cls=LazyGroup, homes=COMMANDS, context_settings=SETTINGS)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
@common
def bitproof() -> None:
    """Prove that what you build, ship, install and boot is, bit for bit, what you pinned."""


@click.group(cls=LazyGroup, homes=ASSETS)
@common
def assets() -> None:
    """Kernel, initrd and rootfs, from config to resolved paths."""


@click.group(cls=LazyGroup, homes=CAPS)
@common
def caps() -> None:
    """Pin sibling repositories, rebuild them, and prove that they match."""


@click.group(cls=LazyGroup, homes=CHANNEL)
@common
def channel() -> None:
    """Publish releases for others to update from, and keep the channel alive."""


@click.group(cls=LazyGroup, homes=INIT)
@common
def init() -> None:
    """Write a small working project."""


@click.group(cls=LazyGroup, homes=TRUST)
@common
def trust() -> None:
    """Sign releases, and check who signed them."""


@click.group(cls=LazyGroup, homes=VM)
@common
def vm() -> None:
    """Boot what was verified."""
