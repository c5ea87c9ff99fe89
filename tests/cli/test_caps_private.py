"""What docs/how-to/use-private-repositories.md promises, with real servers, keys, certificates and agents."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.caps.repositories import git
from tests.caps.servers import (
    Account,
    Certificates,
    HttpsServer,
    Proxy,
    SshServer,
    agent,
    certificates,
    running,
)
from tests.cli.products import BITPROOF, LOCAL, Product, Told, run

ALL_OK = "OK one\nOK two\nOK three\n"


class Private(NamedTuple):
    """A product of which one cap's repository is private, and whose login syncs it."""

    product: Product
    account: Account

    def settings(self, *env: str) -> None:
        names = ", ".join(f'"{name}"' for name in env)
        (self.product.own / "bitproof.toml").write_text(f'[caps]\ngit_root = "../git"\nenv = [{names}]\n')

    def sync(self, *, trusting: Path | None = None, **environ: str) -> Told:
        return self.run("sync", "one", "two", "three", trusting=trusting, **environ)

    def run(self, command: str, *ids: str, trusting: Path | None = None, **environ: str) -> Told:
        program = [*self.account.within(trusting), str(BITPROOF)]
        cache = self.product.root / "cache"
        return run(self.product.own, command, LOCAL, *ids, cache=cache, program=program, **environ)


@pytest.fixture
def private(tmp_path: Path) -> Private:
    if os.geteuid() != 0:
        pytest.skip("only root can give a program a password file of its own")
    return Private(Product(tmp_path), Account(tmp_path / "login"))


@pytest.fixture
def ssh(private: Private, tmp_path: Path) -> Iterator[SshServer]:
    with running(SshServer(tmp_path / "ssh", private.account.within())) as server:
        yield server


@pytest.fixture
def known(tmp_path: Path) -> Certificates:
    return certificates(tmp_path / "certificates")


def failure(told: Told) -> str:
    """What is told of the one cap that failed; exit 3, and the others are OK."""
    assert (told.code, told.err) == (3, "")
    assert told.out.startswith("OK one\nFAIL two: git could not ")
    assert told.out.endswith("\nOK three\n")
    return told.out


def test_a_deploy_key_of_ssh_config_needs_no_setting(private: Private, ssh: SshServer) -> None:
    key = private.account.key("deploy_two")
    private.account.knows("127.0.0.1", ssh)
    config = f"Host git.example.org\n    HostName 127.0.0.1\n    Port {ssh.port}\n    IdentityFile {key}\n"
    (private.account.home / ".ssh/config").write_text(config)
    private.product.move("two", f"git@git.example.org:{private.product.remotes['two']}")

    assert private.sync() == Told(0, ALL_OK, "")
    assert private.run("regen", "two").out == f"{private.product.manifest_path}: unchanged\n"


def test_an_agent_is_asked_when_its_socket_is_named(private: Private, ssh: SshServer, tmp_path: Path) -> None:
    key = private.account.key("from_the_agent")
    private.account.knows("127.0.0.1", ssh)
    private.product.move("two", f"ssh://git@127.0.0.1:{ssh.port}{private.product.remotes['two']}")

    with agent(tmp_path, key) as socket:
        key.unlink()
        told = failure(private.sync(SSH_AUTH_SOCK=str(socket)))
        assert "  | git@127.0.0.1: Permission denied (publickey).\n" in told
        private.settings("SSH_AUTH_SOCK")
        assert private.sync(SSH_AUTH_SOCK=str(socket)) == Told(0, ALL_OK, "")


def test_a_host_key_that_nobody_compared_is_refused(private: Private, ssh: SshServer) -> None:
    private.account.key("id_ed25519").rename(private.account.home / ".ssh/id_ed25519")
    private.product.move("two", f"ssh://git@127.0.0.1:{ssh.port}{private.product.remotes['two']}")

    assert "  | Host key verification failed.\n" in failure(private.sync())
    assert not (private.account.home / ".ssh/known_hosts").exists()
    private.account.knows("127.0.0.1", ssh)
    assert private.sync() == Told(0, ALL_OK, "")


def test_no_ssh_command_is_taken_over_even_when_it_is_named(private: Private, ssh: SshServer, tmp_path: Path) -> None:
    private.account.key("id_ed25519").rename(private.account.home / ".ssh/id_ed25519")
    private.account.knows("127.0.0.1", ssh)
    private.product.move("two", f"ssh://git@127.0.0.1:{ssh.port}{private.product.remotes['two']}")
    private.settings("GIT_SSH_COMMAND", "GIT_SSH", "GIT_PROXY_COMMAND")
    canary = tmp_path / "canary"
    evil = f"touch {canary}; ssh"

    told = private.sync(GIT_SSH_COMMAND=evil, GIT_SSH=evil, GIT_PROXY_COMMAND=evil)

    assert told == Told(0, ALL_OK, "")
    assert not canary.exists()


def test_a_ca_that_the_system_knows_needs_no_setting(private: Private, known: Certificates) -> None:
    with running(HttpsServer(private.product.root / "remotes", known)) as server:
        private.product.move("two", server.url("two"))

        refused = failure(private.sync())
        assert f"  | fatal: unable to access '{server.url('two')}/': server certificate verification failed." in refused
        assert server.asked == []
        assert private.sync(trusting=known.authority) == Told(0, ALL_OK, "")
        assert private.run("regen", "two", trusting=known.authority).code == 0


def test_a_ca_of_your_own_is_believed_when_it_is_named(private: Private, known: Certificates) -> None:
    with running(HttpsServer(private.product.root / "remotes", known)) as server:
        private.product.move("two", server.url("two"))

        assert "certificate verification failed" in failure(private.sync(GIT_SSL_CAINFO=str(known.authority)))
        private.settings("GIT_SSL_CAINFO", "GIT_SSL_NO_VERIFY")
        assert "certificate verification failed" in failure(private.sync(GIT_SSL_NO_VERIFY="1"))
        assert private.sync(GIT_SSL_CAINFO=str(known.authority)) == Told(0, ALL_OK, "")


def test_a_password_is_never_asked_for_and_comes_from_netrc_alone(private: Private, known: Certificates) -> None:
    with running(HttpsServer(private.product.root / "remotes", known, login="me:s3cret")) as server:
        private.product.move("two", server.url("two"))

        refused = failure(private.sync(trusting=known.authority))
        port = server.server_address[1]
        assert (
            f"  | fatal: could not read Username for 'https://127.0.0.1:{port}': terminal prompts disabled\n" in refused
        )
        netrc = private.account.home / ".netrc"
        netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
        netrc.chmod(0o600)
        assert private.sync(trusting=known.authority) == Told(0, ALL_OK, "")


def test_a_proxy_is_used_when_it_is_named(private: Private, known: Certificates) -> None:
    with running(HttpsServer(private.product.root / "remotes", known)) as server, running(Proxy()) as proxy:
        private.product.move("two", server.url("two"))
        gone = "http://127.0.0.1:9"  # discard: nobody listens

        private.settings("https_proxy")
        assert "  | fatal: unable to access" in failure(private.sync(trusting=known.authority, https_proxy=gone))
        assert private.sync(trusting=known.authority, https_proxy=proxy.url) == Told(0, ALL_OK, "")

    assert set(proxy.asked) == {f"127.0.0.1:{server.server_address[1]}"}


def test_a_proxy_that_is_not_named_is_not_used(private: Private, known: Certificates) -> None:
    with running(HttpsServer(private.product.root / "remotes", known)) as server, running(Proxy()) as proxy:
        private.product.move("two", server.url("two"))
        assert private.sync(trusting=known.authority, https_proxy=proxy.url) == Told(0, ALL_OK, "")

    assert proxy.asked == []


def test_a_page_in_place_of_a_repository_has_no_commit(private: Private, known: Certificates) -> None:
    page = b"<html>\x1b[31mplease log in</html>"
    with running(HttpsServer(private.product.root / "remotes", known, page=page)) as server:
        private.product.move("two", server.url("two"))
        told = private.sync(trusting=known.authority)

    assert told == Told(
        3,
        "OK one\n"
        "FAIL two: the repository does not have the pinned commit\n"
        f"  where:    {server.url('two')}\n"
        f"  expected: {private.product.shas['two']}\n"
        "  fix:      check the pin: was it pushed, and is it of this repository?\n"
        "OK three\n",
        "",
    )


def test_a_commit_that_was_fetched_by_other_means_is_not_asked_for(private: Private) -> None:
    product = private.product
    assert product.sync("two").code == 0
    product.pin("two", product.publish("two", "printf two >out/two.wasm # again"))
    git(product.roots.git_root / "two", "fetch", "--quiet", str(product.remotes["two"]), "main")
    product.move("two", "git@git.invalid:two.git")

    assert private.sync() == Told(0, ALL_OK, "")
