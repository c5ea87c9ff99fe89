import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.system.git.config import HARDENED, judge, parse_listing


def test_what_git_and_people_usually_write_is_harmless() -> None:
    usual = """
    core.repositoryformatversion core.filemode core.bare core.logallrefupdates core.ignorecase core.precomposeunicode
    extensions.objectformat remote.origin.url remote.origin.fetch branch.main.remote branch.main.merge user.email
    submodule.active submodule.vendor/x.url lfs.repositoryformatversion gc.auto pull.rebase alias.st push.default
    """.split()  # noqa: SIM905 - reads better than a list

    assert judge(usual) == ((), ())


def test_filters_are_set_to_nothing_whatever_their_name() -> None:
    keys = ["filter.a=b.c.clean", "filter.a=b.c.smudge", "filter.a=b.c.process", "filter.a=b.c.required"]

    assert judge(keys) == (
        (
            ("filter.a=b.c.clean", ""),
            ("filter.a=b.c.smudge", ""),
            ("filter.a=b.c.process", ""),
            ("filter.a=b.c.required", "false"),
        ),
        (),
    )


@pytest.mark.parametrize(
    "key",
    [
        "include.path",
        "includeif.gitdir:/.path",
        "url.x.insteadof",
        "core.worktree",
        "core.unheardof",
        "extensions.partialclone",
        "extensions.refstorage",
        "remote.https://example.org/x.url",
        "remote./etc.url",
        "remote.url",
        "remote.origin.proxy",
        "filter.x.unheardof",
        "hook.x.command",
        "unheardof.key",
        "core",
        "",
    ],
)
def test_every_other_key_is_refused(key: str) -> None:
    assert judge([key, key]) == ((), (key,))


@given(st.lists(st.text()))
def test_any_key_is_judged(keys: list[str]) -> None:
    settings, refused = judge(keys)

    assert {key for key, _ in settings}.isdisjoint(refused)


@given(st.binary())
def test_any_listing_is_read(data: bytes) -> None:
    assert len(parse_listing(data)) == len([entry for entry in data.split(b"\0") if entry])


def test_what_is_overridden_is_accepted() -> None:
    assert judge([key.lower() for key, _ in HARDENED]) == ((), ())
