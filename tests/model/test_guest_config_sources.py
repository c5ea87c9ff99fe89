"""Where an arch's packages come from: the keys of its mirror, and the base image of the container driver."""

import pytest

from tests.model.samples import hex_of
from tests.model.test_guest_config import BUILD, X86, config, problems

DIGEST = f"@sha256:{hex_of('image')}"
HEAD = '"bookworm"'


def with_image(image: str) -> str:
    return BUILD.replace(HEAD, f'{HEAD}\ncontainer = {{image = "{image}"}}')


@pytest.mark.parametrize(
    "image",
    [
        f"debian{DIGEST}",
        f"registry.example.org/library/debian{DIGEST}",
        f"registry.example.org:5000/team/debian-slim{DIGEST}",
        "localhost/debian",
        "localhost/team/debian:12-slim",
        f"localhost/debian{DIGEST}",
    ],
)
def test_a_base_image_has_a_digest_or_is_local(image: str) -> None:
    assert config(with_image(image)).arch("x86_64").base_image == image


@pytest.mark.parametrize(
    "image",
    [
        "debian",
        "debian:12",
        f"debian:12{DIGEST}",
        f"-v/:/x/debian{DIGEST}",
        f"registry.example.org/../debian{DIGEST}",
        f"debian{DIGEST[:-1]}",
        "localhost/",
        "localhost/a b",
        "localhost/a\\nRUN true",
        "LOCALHOST/a",
    ],
)
def test_an_image_that_may_change_or_says_more_than_a_name_is_refused(image: str) -> None:
    expected = "not an image with its digest (name@sha256:…), or a local one (localhost/…): found "
    (problem,) = problems(with_image(image))
    assert problem.startswith(f"{X86}.container.image: {expected}")


def test_what_is_not_a_key_of_the_container_is_refused() -> None:
    assert problems(BUILD.replace(HEAD, f'{HEAD}\ncontainer = {{imgae = "x"}}')) == [
        f"{X86}.container.imgae: not a known key: expected 'image'"
    ]


def test_a_keyring_is_a_file_of_the_config() -> None:
    assert config(BUILD.replace(HEAD, f'{HEAD}\nkeyring = "keys/team.gpg"')).arch("x86_64").keyring == "keys/team.gpg"


@pytest.mark.parametrize("file", ["/etc/apt/trusted.gpg", "../team.gpg", "team.txt", "te am.gpg"])
def test_another_keyring_is_refused(file: str) -> None:
    (problem,) = problems(BUILD.replace(HEAD, f'{HEAD}\nkeyring = "{file}"'))
    assert problem.startswith(f"{X86}.keyring: not a ")
