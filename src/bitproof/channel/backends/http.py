"""A place behind a web server: any that serves files, with ranges or without."""

from collections.abc import Sequence

from bitproof.channel.backends.pieces import landing
from bitproof.channel.layout import blob_path
from bitproof.channel.ports import Blob, Range
from bitproof.errors import InputError
from bitproof.system.net.http import Client
from bitproof.system.net.ranges import Source, download
from bitproof.system.net.urls import parse_url
from bitproof.system.opened import OpenFile, Progress


class HttpPlace:
    """A `Reader` of what lies below a URL. Any number of threads may use it.

    Args:
        base: the URL of the place, with or without a slash at its end.
        client: asks; several places may share it.

    Raises:
        InputError: the URL is none, or has a query.
    """

    def __init__(self, base: str, client: Client) -> None:
        url = parse_url(base)
        if "?" in url.target:
            raise InputError("the URL of a place has no query", where=url.shown, fix="leave out what follows the ?")
        self.base = str(url).rstrip("/")
        self.client = client

    @property
    def where(self) -> str:
        """The URL."""
        return self.base

    def read(self, path: str, limit: int) -> bytes | None:
        """As `Reader.read`."""
        return self.client.get(f"{self.base}/{path}", limit)

    def fetch(self, blob: Blob, target: OpenFile, ranges: Sequence[Range], progress: Progress) -> None:
        """As `Reader.fetch`."""
        landed = landing(target, progress)
        download(self.client, Source(f"{self.base}/{blob_path(blob)}", blob.size), target, ranges, landed)
