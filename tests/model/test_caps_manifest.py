import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import BitproofError, InputError
from bitproof.model.caps_manifest import (
    MAX_CAPS_MANIFEST,
    NO_DIGEST,
    Cap,
    CapsManifest,
    check_repo,
    parse_caps_manifest,
)
from bitproof.model.digest import Digest
from tests.model.pins import AEAD, PRODUCT, SHA, SHA256, ZEROS, block, manifest

URLS = "expected https://, ssh://, git:// or git@host:path"


def read(*blocks: str, allow_local: bool = False) -> CapsManifest:
    return parse_caps_manifest(manifest(*blocks), allow_local_repos=allow_local)


def problems(data: bytes, *, allow_local: bool = False) -> list[str]:
    with pytest.raises(InputError) as refused:
        parse_caps_manifest(data, allow_local_repos=allow_local)
    assert refused.value.what == "the caps manifest is not usable"
    assert refused.value.where == "caps-manifest.toml"
    return [str(problem) for problem in refused.value.problems]


def problems_of(**changes: object) -> list[str]:
    """What is wrong with one cap, without its place."""
    name = changes.get("id", "aead")
    place = f"cap {name} (line 3): " if name == "aead" else "cap 1 (line 3): "
    return [problem.removeprefix(place) for problem in problems(manifest(block(**changes)))]


def test_the_seeds_cap_is_read_as_it_stands() -> None:
    whole = read(block())

    assert whole == CapsManifest(
        "pylon",
        Digest("sha256", PRODUCT),
        (
            Cap(
                id="aead",
                repo="https://example.org/aead-multiplexer.git",
                sha=SHA,
                target="wasm32-wasip1",
                artifact="target/component/aead_multiplexer.wasm",
                digest=Digest("sha256", SHA256),
                line=3,
            ),
        ),
    )
    assert (whole.composed, whole.digest_is_placeholder) == ("build/pylon.wasm", False)
    assert (whole.caps[0].sha_is_placeholder, whole.caps[0].digest_is_placeholder) == (False, False)


@pytest.mark.parametrize("length", [40, 64])
def test_a_commit_of_either_object_format_is_read_and_zeros_are_a_placeholder(length: int) -> None:
    pinned, placeholder = read(block(sha="a" * length), block(id="b", sha="0" * length, sha256=ZEROS)).caps

    assert (pinned.sha, pinned.sha_is_placeholder) == ("a" * length, False)
    assert (placeholder.sha_is_placeholder, placeholder.digest, placeholder.digest_is_placeholder) == (
        True,
        NO_DIGEST,
        True,
    )


def test_a_manifest_without_caps_is_read() -> None:
    assert parse_caps_manifest(f'x_sha256 = "{ZEROS}"'.encode()) == CapsManifest("x", NO_DIGEST, ())


def test_unknown_keys_are_left_to_whoever_wrote_them() -> None:
    data = manifest(block(owner="someone")) + b"[other]\nkey = 1\n"

    assert [cap.id for cap in parse_caps_manifest(data).caps] == ["aead"]


@pytest.mark.parametrize(
    ("repo", "name"),
    [
        ("https://example.org/a/b.git", "b"),
        ("https://example.org/a/b/", "b"),
        ("ssh://git@example.org/b", "b"),
        ("git@example.org:b.git", "b"),
        ("git@example.org:a/b.git", "b"),
        ("git://example.org/b.git.git", "b.git"),
    ],
)
def test_the_sibling_is_the_last_part_of_the_url_without_git(repo: str, name: str) -> None:
    assert read(block(repo=repo)).caps[0].sibling == name


def test_local_dir_beats_the_urls_last_part() -> None:
    assert read(block(local_dir="v86")).caps[0].sibling == "v86"


@pytest.mark.parametrize("repo", ["file:///srv/b.git", "/srv/b.git", "./b.git", "../b.git"])
def test_a_local_repo_needs_leave(repo: str) -> None:
    assert problems_of(repo=repo) == [f"repo: a local repo needs --allow-local-repos: found {repo!r}"]
    assert read(block(repo=repo), allow_local=True).caps[0].sibling == "b"


@pytest.mark.parametrize(
    "repo",
    [
        "--upload-pack=touch canary",
        "-u",
        "ext::sh -c touch% canary",
        "fd::7",
        "http://example.org/b.git",
        "HTTPS://example.org/b.git",
        "ftp://example.org/b",
        "file://example.org/b",
        "https://",
        "https://-oProxyCommand=touch/b",
        "ssh://-oProxyCommand=touch/b",
        "ssh://git@-oProxyCommand=touch/b",
        "git@-oProxyCommand=touch:b",
        "git@example.org:--upload-pack=touch",
        "other@example.org:b",
        "https://example.org/b c",
        "https://example.org/b\n",
        "https://example.org/b\u202egit",
        "https://example.org/b\u2028",
        "/srv/b\u202egit",
        "srv/b.git",
        "C:\\b",
        " https://example.org/b",
    ],
)
def test_a_repo_that_is_an_option_or_another_transport_is_refused(repo: str) -> None:
    with pytest.raises(ValueError, match=r"^not an allowed URL: ") as refused:
        check_repo(repo, allow_local=True)

    assert str(refused.value) == f"not an allowed URL: {URLS}, found {repo!r}"


def test_only_a_precomposed_cap_has_no_repo() -> None:
    assert problems_of(repo="") == ["repo: empty, which only a precomposed cap may be"]
    assert read(block(repo="", precomposed=True)).caps[0].precomposed


@pytest.mark.parametrize(
    "repo", ["https://example.org/.git", "https://example.org/..", "https://example.org/.bitproof"]
)
def test_a_repo_that_names_no_directory_needs_local_dir(repo: str) -> None:
    expected = "expected a last part that is a name, or local_dir"

    assert problems_of(repo=repo) == [f"repo: names no directory to clone into: {expected}, found {repo!r}"]
    assert read(block(repo=repo, local_dir="b")).caps[0].sibling == "b"


@pytest.mark.parametrize(
    "sha",
    ["", "HEAD", "--upload-pack=x", SHA[:39], SHA + "0", SHA.upper(), "٣" * 40, f"{SHA}\n", f" {SHA[1:]}", "a" * 63],
)
def test_a_commit_that_is_not_40_or_64_lower_case_hex_digits_is_refused(sha: str) -> None:
    assert problems_of(sha=sha) == [f"sha: not a commit: expected 40 or 64 lower-case hex digits, found {sha!r}"]


@pytest.mark.parametrize("digest", ["", "1" * 63, "1" * 65, "g" * 64, "٣" * 64])
def test_a_digest_that_is_not_64_hex_digits_is_refused(digest: str) -> None:
    assert problems_of(sha256=digest) == [f"sha256: not 64 hex digits: {digest!r}"]


def test_another_algorithm_is_named() -> None:
    expected = "sha256: unsupported algorithm 'blake3', this digest must be sha256"
    assert problems_of(sha256=f"blake3:{SHA256}") == [expected]


@pytest.mark.parametrize("name", ["", "-x", "../x", "a/b", "a b", "é", "x\n", ".x", "a\u202e", "a" * 129])
def test_an_id_that_is_not_a_plain_name_is_refused(name: str) -> None:
    found = repr(name) if len(name) < 80 else repr(name)[:79] + "…"
    assert problems_of(id=name) == [f"id: expected [A-Za-z0-9][A-Za-z0-9._-]*, found {found}"]


@pytest.mark.parametrize("target", ["--config=x", "a b", "../t.json", "a\n", "é"])
def test_a_target_that_could_be_an_option_or_a_path_is_refused(target: str) -> None:
    assert problems_of(target=target) == [f"target: expected a target triple, or nothing, found {target!r}"]


@pytest.mark.parametrize(
    "artifact",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/",
        "./a",
        "-a",
        "a\0b",
        "a\nb",
        ".git/HEAD",
        "a/.GIT/b",
        ".bitproof/x",
        "é" * 128,
        "a\u202e",
    ],
)
def test_an_artifact_that_leaves_its_repository_is_refused(artifact: str) -> None:
    found = repr(artifact) if len(repr(artifact)) <= 80 else repr(artifact)[:79] + "…"
    assert problems_of(artifact=artifact) == [f"artifact: not a path inside the repository: found {found}"]


def test_an_artifact_longer_than_any_path_is_refused() -> None:
    (problem,) = problems_of(artifact="a/" * 1024 + "b")

    assert problem.startswith("artifact: not a path inside the repository: found 'a/a/a/")


@pytest.mark.parametrize(
    "name", ["..", ".", ".git", ".GIT", "a/b", "/a", "../a", "-a", "a\nb", ".bitproof", ".bitproof-digests.json"]
)
def test_a_local_dir_that_is_no_name_of_a_directory_is_refused(name: str) -> None:
    assert problems_of(local_dir=name) == [f"local_dir: not the name of a directory: found {name!r}"]


def test_a_missing_field_is_named() -> None:
    for field in AEAD:
        place = "cap 1 (line 3)" if field == "id" else "cap aead (line 3)"
        assert problems(manifest(block(**{field: None}))) == [f"{place}: {field}: missing: expected a string"]


def test_a_field_of_another_type_is_named() -> None:
    assert problems_of(sha=7) == ["sha: the wrong type: expected a string, found an integer, 7"]
    assert problems_of(precomposed="yes") == ["precomposed: the wrong type: expected a boolean, found a string, 'yes'"]


def test_every_problem_is_reported_at_once_with_id_and_line() -> None:
    data = manifest(
        block(),
        block(id="two", sha="HEAD", artifact="/x"),
        "# a comment\n" + block(id="three", repo="ext::sh"),
        block(id="-4", target="--x"),
        product='pylon_sha256 = "zz"\n',
    )

    assert problems(data) == [
        "pylon_sha256: not 64 hex digits: 'zz'",
        "cap two (line 11): sha: not a commit: expected 40 or 64 lower-case hex digits, found 'HEAD'",
        "cap two (line 11): artifact: not a path inside the repository: found '/x'",
        f"cap three (line 20): repo: not an allowed URL: {URLS}, found 'ext::sh'",
        "cap 4 (line 28): id: expected [A-Za-z0-9][A-Za-z0-9._-]*, found '-4'",
        "cap 4 (line 28): target: expected a target triple, or nothing, found '--x'",
    ]


def test_an_id_stands_once_whatever_its_case() -> None:
    other = block(id="AEAD", local_dir="other")

    assert problems(manifest(block(), other)) == [
        "cap AEAD (line 11): id: another cap has this id: found aead at line 3"
    ]
    inline = f"cap = [{', '.join(_inline(name) for name in ('x', 'X'))}]\n"
    assert problems(manifest(inline)) == ["cap X: id: another cap has this id: found x"]


def _inline(name: str) -> str:
    keys = {**AEAD, "id": name}
    return "{" + ", ".join(f'{key} = "{value}"' for key, value in keys.items()) + "}"


def test_a_sibling_is_pinned_at_one_commit_of_one_repo() -> None:
    repo, sha = "https://example.org/fork/aead-multiplexer.git", "1" * 40
    what = "cap b (line 11): the sibling aead-multiplexer is pinned differently by cap aead"
    expected = f"expected {AEAD['repo']} {SHA}"

    assert problems(manifest(block(), block(id="b", sha=sha))) == [f"{what}: {expected}, found {AEAD['repo']} {sha}"]
    assert problems(manifest(block(), block(id="b", repo=repo))) == [f"{what}: {expected}, found {repo} {SHA}"]


def test_two_caps_of_one_sibling_at_one_commit_and_a_placeholder_beside_them_are_fine() -> None:
    caps = read(block(), block(id="b", artifact="b.wasm"), block(id="c", sha="0" * 40)).caps

    assert [cap.sibling for cap in caps] == ["aead-multiplexer"] * 3


@pytest.mark.parametrize(
    ("product", "found"),
    [("", "none"), (f'a_sha256 = "{ZEROS}"\nb_sha256 = "{ZEROS}"\n', "a_sha256, b_sha256")],
)
def test_there_is_one_composed_artifact(product: str, found: str) -> None:
    assert problems(manifest(block(), product=product)) == [
        f"the composed artifact is not pinned: expected one key <name>_sha256, found {found}"
    ]


def test_the_composed_artifact_has_the_name_of_a_file() -> None:
    assert problems(manifest(product=f'"../x_sha256" = "{ZEROS}"\n')) == [
        "[\"../x_sha256\"]: not the name of an artifact: expected [A-Za-z0-9][A-Za-z0-9._-]*, found '../x'"
    ]


def test_caps_that_are_no_tables_are_named() -> None:
    assert problems(manifest("cap = 7\n")) == ["cap: the wrong type: expected an array, found an integer, 7"]
    assert problems(manifest("cap = [7]\n")) == ["cap 1: the wrong type: expected a table, found an integer"]


def test_the_line_is_left_out_when_it_is_not_known() -> None:
    headers = 'note = """\n[[cap]]\n"""\n'

    assert problems(manifest(headers + block(sha="x"))) == [
        "cap aead: sha: not a commit: expected 40 or 64 lower-case hex digits, found 'x'"
    ]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xef\xbb\xbf", "the file begins with a byte order mark"),
        (b"\xff", "the file is not UTF-8"),
        (b"[[cap]", "the file is not TOML"),
        (b"a = " + b"[" * 5000, "the file is nested too deep"),
        (b"a." * 20000 + b"a = 1", "a line has too many dots"),
        (b'pylon_sha256 = "x"\npylon_sha256 = "y"', "the file is not TOML"),
        (b" " * (MAX_CAPS_MANIFEST + 1), "the file is too large"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_and_named(data: bytes, sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_caps_manifest(data, "pins.toml")

    assert refused.value.what == sentence
    assert refused.value.where.startswith("pins.toml")


def test_select_keeps_the_manifests_order_and_names_every_unknown_id() -> None:
    whole = read(block(), block(id="b", local_dir="b"), block(id="c", local_dir="c"))

    assert whole.select(()) == whole.caps
    assert [cap.id for cap in whole.select(("c", "aead", "c"))] == ["aead", "c"]
    with pytest.raises(InputError) as refused:
        whole.select(("x", "b", "y"))
    assert str(refused.value) == (
        "the manifest does not know these caps\n"
        "  - x: no cap has this id\n"
        "  - y: no cap has this id\n"
        "  fix:      bitproof caps list"
    )


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_our_errors(data: bytes) -> None:
    with pytest.raises(BitproofError):
        parse_caps_manifest(data)


VALUES = st.one_of(
    st.text(max_size=12),
    st.sampled_from([SHA, SHA256, ZEROS, "", "a/b", "https://example.org/x"]),
    st.integers(),
    st.booleans(),
    st.lists(st.integers(), max_size=2),
)


@given(st.dictionaries(st.sampled_from([*AEAD, "local_dir", "precomposed", "other"]), VALUES), st.booleans())
def test_arbitrary_fields_raise_nothing_but_our_errors(changes: dict[str, object], allow_local: bool) -> None:
    try:
        (cap,) = parse_caps_manifest(manifest(block(**changes)), allow_local_repos=allow_local).caps
    except BitproofError:
        return
    assert cap.artifact
    assert cap.precomposed or "/" not in cap.sibling
