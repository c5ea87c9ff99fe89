from pathlib import Path
from urllib.error import URLError

import pytest

from tests.servers import nginx


def test_nginx_serves_a_directory_tells_what_it_was_asked_and_is_ended(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "file").write_bytes(b"bytes")
    with nginx(served, tmp_path / "own", "location = /old { return 302 /file; }") as server:
        assert server.get("/file") == b"bytes"
        assert server.get("/old") == b"bytes"
        assert server.asked() == ["GET /file 200 5 -", "GET /old 302 145 -", "GET /file 200 5 -"]
    assert server.process.returncode == 0
    with pytest.raises(URLError, match="Connection refused"):
        server.get("/file")
