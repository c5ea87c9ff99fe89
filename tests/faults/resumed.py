"""An update that is killed goes on with what had landed, and proves it as if it had fetched it now."""

from pathlib import Path

from bitproof.channel.state import DOWNLOADS
from bitproof.model.names import CHANNEL_STATE
from bitproof.system.hashing import bytes_digest
from bitproof.system.net.partial import SUFFIX
from tests.faults.campaign import KILL, Injection
from tests.faults.cases import STORE, case
from tests.faults.channels import CHANGED_AT, PLACE, SECOND_ROOTFS
from tests.faults.commands import Outcome, Zygote
from tests.faults.served import server
from tests.faults.trace import Call

UPDATE = case("update", "over HTTP")
PART = f"{STORE}/{CHANNEL_STATE}/{DOWNLOADS}/{bytes_digest(SECOND_ROOTFS).value}.part"


def resumed(zygote: Zygote, root: Path) -> list[str]:
    """Kill an update when all has landed; the next one asks for none of it again, but for all when a byte is wrong."""
    template, run = root / "template", root / "run"
    template.mkdir()
    UPDATE.lay_out(template)
    zygote.warm(UPDATE.argv, UPDATE.copy(template, run))
    _, calls = zygote.traced(UPDATE.argv, UPDATE.copy(template, run), "-f")
    stop = _after_the_last_record(calls)
    found = []
    for name, size in (("as it was", 0), ("damaged", len(SECOND_ROOTFS))):
        killed, _ = zygote.traced(UPDATE.argv, UPDATE.copy(template, run), *stop.options(KILL))
        if killed.code != KILL.codes[0] or not (run / f"{PART}{SUFFIX}").exists():
            return [f"nothing is kept: {killed}"]
        if size:
            with (run / PART).open("r+b") as part:
                part.seek(CHANGED_AT)
                part.write(b"\xff")
        asked, done = _asked(zygote, run, template / PLACE / "blobs" / bytes_digest(SECOND_ROOTFS).value)
        right = done.code == 0 and SECOND_ROOTFS in {path.read_bytes() for path in (run / STORE).glob("rootfs-*")}
        found += [] if right else [f"a download, {name}: {done}"]
        found += [] if asked == size else [f"a download, {name}: {asked} bytes of it are asked for again"]
    return found


def _asked(zygote: Zygote, run: Path, blob: Path) -> tuple[int, Outcome]:
    """Run an update; how many bytes of a blob it got from the server."""
    server().asked.clear()
    done = zygote.run(UPDATE.argv, run)
    return sum(size for path, size in server().asked if path == str(blob)), done


def _after_the_last_record(calls: list[Call]) -> Injection:
    """The call that follows the last line of a journal."""
    main = [call for call in calls if call.tid == calls[0].tid]
    last = max(at for at, call in enumerate(main) if call.name == "write" and call.path.endswith(SUFFIX))
    return Injection(main[last + 1].name, main[last + 1].number, threads=False)
