"""How a registry lets somebody in: Debian's own with passwords, and one that wants tokens."""

import base64
import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bitproof.channel.backends.oci import OciPlace
from bitproof.channel.backends.registry.challenge import Challenge, parse_challenge
from bitproof.channel.backends.registry.credentials import Login, find_login
from bitproof.channel.backends.urls import OciAddress
from bitproof.errors import InputError, UnavailableError
from tests.channel.places import servers
from tests.channel.places.blobs import HASTY
from tests.channel.places.servers import Asked, Fault, Forward, Reply
from tests.evidence import refusal

TIMESTAMP = "stable/metadata/timestamp.json"
USER, PASSWORD = "somebody", "pass:word"
HASH = "$2y$04$abcdefghijklmnopqrstuu7govE5p0NSk1WUEk5C2Qm3hpPC6VJ66"  # bcrypt of the password, of the least cost

pytestmark = pytest.mark.xdist_group("places")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that asks for a name and a password."""
    directory = tmp_path_factory.mktemp("guarded")
    (directory / "htpasswd").write_text(f"{USER}:{HASH}\n")
    auth = f"auth: {{htpasswd: {{realm: registry, path: {directory}/htpasswd}}}}\n"
    with servers.registry(directory / "server", auth) as address:
        yield address


Log = Callable[[str, object], Path]


@pytest.fixture
def logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Log:
    """Write the file of logins, with one entry."""

    def log_in(key: str, entry: object) -> Path:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"auths": {key: entry}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        return path

    return log_in


def test_a_login_is_never_printed() -> None:
    assert repr(Login(USER, PASSWORD, "identity")) == "Login(…)"


def test_without_a_home_requests_are_anonymous() -> None:
    assert find_login(OciAddress("registry.example.org", "a"), {}) is None


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_login_that_docker_wrote_is_used(guarded: str, logged_in: Log) -> None:
    logged_in(guarded, {"auth": encoded(f"{USER}:{PASSWORD}")})
    place = OciPlace(f"oci://{guarded}/a", HASTY)
    assert place.create(TIMESTAMP, b"1")
    assert place.read(TIMESTAMP, 1) == b"1"


@pytest.mark.parametrize("key", ["{host}/team/product", "{host}/team", "https://{host}/v1/", "https://{host}"])
def test_a_login_may_be_for_a_repository_or_written_as_old_clients_do(guarded: str, logged_in: Log, key: str) -> None:
    logged_in(key.format(host=guarded), {"username": USER, "password": PASSWORD})
    assert OciPlace(f"oci://{guarded}/team/product", HASTY).read(TIMESTAMP, 1) is None


def test_podmans_file_is_used_where_it_is_named(guarded: str, logged_in: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    path = logged_in(guarded, {"auth": encoded(f"{USER}:{PASSWORD}")})
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(path))
    monkeypatch.setenv("DOCKER_CONFIG", "/nonexistent")
    assert OciPlace(f"oci://{guarded}/a", HASTY).read(TIMESTAMP + "x.json", 1) is None


def test_home_is_where_logins_are_when_nothing_is_said(
    guarded: str, logged_in: Log, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = logged_in(guarded, {"auth": encoded(f"{USER}:{PASSWORD}")})
    (tmp_path / ".docker").mkdir()
    path.rename(tmp_path / ".docker/config.json")
    monkeypatch.delenv("DOCKER_CONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert OciPlace(f"oci://{guarded}/a", HASTY).read(TIMESTAMP + "x.json", 1) is None


@pytest.mark.parametrize("entry", [None, {}, {"auth": encoded(f"{USER}:wrong")}, {"identitytoken": "x"}])
def test_without_a_good_login_nobody_gets_in_and_the_message_says_how(
    guarded: str, logged_in: Log, entry: object
) -> None:
    logged_in(guarded, entry)
    place = OciPlace(f"oci://{guarded}/a", HASTY)
    assert refusal(UnavailableError, lambda: place.read(TIMESTAMP, 1)) == (
        "the registry refused the request\n"
        f"  where:    {place.where}/manifests/stable-timestamp.json\n"
        "  found:    401, UNAUTHORIZED\n"
        f"  fix:      log in with an account that may do this: docker login {guarded}"
    )


@pytest.mark.parametrize("text", ["{", '{"auths": 1, "auths": 2}', "\xff"])
def test_a_file_of_logins_that_is_not_usable_is_not_quoted(guarded: str, logged_in: Log, text: str) -> None:
    path = logged_in(guarded, None)
    path.write_text(text)
    assert refusal(InputError, lambda: OciPlace(f"oci://{guarded}/a", HASTY).read(TIMESTAMP, 1)) == (
        f"the registry's logins are not usable\n  where:    {path}\n  expected: JSON with a table auths"
    )


@pytest.mark.parametrize("auth", ["no base64!", encoded("no colon"), encoded(":only a password"), ""])
def test_a_login_that_is_not_usable_is_not_quoted(guarded: str, logged_in: Log, auth: str) -> None:
    path = logged_in(guarded, {"auth": auth})
    assert refusal(InputError, lambda: OciPlace(f"oci://{guarded}/a", HASTY).read(TIMESTAMP, 1)) == (
        f"a login in the registry's logins is not usable\n  where:    {path}\n  fix:      log in again"
    )


def tokens(realm: str, token: str = "good", *, expected: str = "") -> Fault:  # noqa: S107 - no secret
    """A registry that wants the token ``good``, and a server that gives ``token`` to who has ``expected``."""

    def fault(asked: Asked, forward: Forward) -> Reply:
        if asked.path.startswith("/token"):
            if expected and expected not in asked.headers.get("Authorization", "") + asked.body.decode():
                return Reply(401)
            return Reply(200, {}, json.dumps({"token": token}).encode())
        if asked.headers.get("Authorization") != "Bearer good":
            challenge = f'Bearer realm="{realm}",service="the registry",scope="repository:a:pull,push"'
            return Reply(401, {"WWW-Authenticate": challenge})
        return forward(asked)

    return fault


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (None, ""),
        ({"auth": encoded(f"{USER}:{PASSWORD}")}, f"Basic {encoded(f'{USER}:{PASSWORD}')}"),
        ({"auth": encoded(f"{USER}:x"), "identitytoken": "identity"}, "refresh_token=identity"),
    ],
    ids=["anonymous", "password", "identity token"],
)
def test_a_token_is_asked_for_once_and_kept(
    registry_address: str, logged_in: Log, entry: object, expected: str
) -> None:
    with servers.proxy(registry_address) as proxy:
        logged_in(proxy.address, entry)
        proxy.fault = tokens(f"http://{proxy.address}/token", expected=expected)
        place = OciPlace(f"oci://{proxy.address}/tokens", HASTY)
        assert place.read(TIMESTAMP, 1) is None
        assert place.read(TIMESTAMP, 1) is None
        (asked,) = [asked for asked in proxy.asked if asked.path.startswith("/token")]
        if asked.method == "GET":
            assert asked.path == "/token?service=the+registry&scope=repository%3Aa%3Apull%2Cpush"
        else:
            assert b"scope=repository%3Aa%3Apull%2Cpush" in asked.body


def test_a_token_that_has_expired_is_renewed_also_during_an_upload(registry_address: str) -> None:
    with servers.proxy(registry_address) as proxy:
        inner = tokens(f"http://{proxy.address}/token")
        expired: list[str] = []

        def fault(asked: Asked, forward: Forward) -> Reply | None:
            if asked.method == "PATCH" and not expired:
                expired.append(asked.path)
                return inner(asked._replace(headers={}), forward)
            return inner(asked, forward)

        proxy.fault = fault
        place = OciPlace(f"oci://{proxy.address}/expiring", HASTY)
        assert place.create(TIMESTAMP, b"1")
        assert len([asked for asked in proxy.asked if asked.path.startswith("/token")]) == 2


def test_a_token_that_is_not_taken_is_told(registry_address: str) -> None:
    with servers.proxy(registry_address) as proxy:
        proxy.fault = tokens(f"http://{proxy.address}/token", "bad")
        message = refusal(UnavailableError, lambda: OciPlace(f"oci://{proxy.address}/a", HASTY).read(TIMESTAMP, 1))
        assert message.splitlines()[0] == "the registry refused the request"
        assert len(proxy.asked) == 3


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (Reply(403), "403"),
        (Reply(200, {}, b"{}"), "an answer without a token"),
        (Reply(200, {}, b"[1]"), "an answer without a token"),
        (Reply(200, {}, b'{"token": "with\\r\\nHeader: x"}'), "an answer without a token"),
        (Reply(200, {}, b"x" * (65 << 10)), "an answer without a token"),
    ],
)
def test_a_server_that_gives_no_token_is_told_and_the_login_is_not(
    registry_address: str, logged_in: Log, reply: Reply, found: str
) -> None:
    with servers.proxy(registry_address) as proxy:
        logged_in(proxy.address, {"username": USER, "password": PASSWORD})
        inner = tokens(f"http://{proxy.address}/token")
        proxy.fault = lambda asked, forward: reply if asked.path.startswith("/token") else inner(asked, forward)
        with pytest.raises(UnavailableError) as caught:
            OciPlace(f"oci://{proxy.address}/a", HASTY).read(TIMESTAMP, 1)
        assert str(caught.value) == (
            "no token for the registry\n"
            "  where:    127.0.0.1\n"
            f"  found:    {found}\n"
            f"  fix:      docker login {proxy.address}"
        )
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_a_login_never_goes_to_a_server_without_https(registry_address: str, logged_in: Log) -> None:
    with servers.proxy(registry_address) as proxy:
        logged_in(proxy.address, {"username": USER, "password": PASSWORD})
        proxy.fault = tokens("http://example.org/token")
        place = OciPlace(f"oci://{proxy.address}/a", HASTY)
        assert refusal(UnavailableError, lambda: place.read(TIMESTAMP, 1)) == (
            "the registry sends logins to where they may not go\n"
            f"  where:    {place.where}\n"
            "  expected: a server of tokens with https\n"
            "  found:    http://example.org"
        )


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ('Basic realm="x"', Challenge("basic", "x")),
        ("basic", Challenge("basic")),
        ('Bearer scope="s", realm="https://a/b?c=d"', Challenge("bearer", "https://a/b?c=d", "", "s")),
        ("Negotiate", None),
        ("", None),
        ('Bearer realm="a\r\nb"', Challenge("bearer")),
    ],
)
def test_challenges_are_read(header: str, challenge: Challenge | None) -> None:
    assert parse_challenge(header) == challenge
