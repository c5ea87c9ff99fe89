import pytest

from bitproof.assets.keep import MAX_KEEP_LIST, parse_keep_list, pinned_names
from bitproof.errors import InputError
from bitproof.model.version import Version
from tests.assets.layouts import stored
from tests.evidence import refusal
from tests.model.samples import FIRST, sample

HASH_NAME = "vmlinuz-0123456789abcdef"


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "  \t\r\n  # a comment"])
def test_a_list_without_a_name_keeps_nothing(text: str) -> None:
    assert parse_keep_list(text.encode(), "keep", sample()) == ()


def test_a_line_names_a_file_or_a_release_and_may_end_in_a_comment() -> None:
    text = f"# customers\r\n{FIRST}   # until May\n\n  {HASH_NAME}\n2026.415.1"
    assert parse_keep_list(text.encode(), "keep", sample()) == (FIRST, HASH_NAME, "2026.415.1")


def test_every_line_that_names_nothing_is_told_by_its_number() -> None:
    text = f"{FIRST}\n2026.0415.2\n\nvmlinuz\n{HASH_NAME} {FIRST}\n../x\n"
    assert refusal(InputError, lambda: parse_keep_list(text.encode(), "store/keep", sample())) == (
        "the keep list is not usable\n"
        "  where:    store/keep\n"
        "  - line 2: neither a hash name nor a release of the manifest: found '2026.0415.2'\n"
        "  - line 4: neither a hash name nor a release of the manifest: found 'vmlinuz'\n"
        f"  - line 5: neither a hash name nor a release of the manifest: found '{HASH_NAME} {FIRST}'\n"
        "  - line 6: neither a hash name nor a release of the manifest: found '../x'\n"
        "  fix:      correct or remove these lines; until then nothing is removed"
    )


def test_a_list_that_is_no_text_or_endless_is_refused() -> None:
    assert refusal(InputError, lambda: parse_keep_list(b"\xff", "keep", sample())).startswith("the file is not UTF-8")
    data = b"#" * (MAX_KEEP_LIST + 1)
    assert refusal(InputError, lambda: parse_keep_list(data, "keep", sample())) == (
        f"the file is too large\n  where:    keep\n  expected: at most {MAX_KEEP_LIST} bytes"
    )


def test_pins_name_the_three_files_of_their_boot_set() -> None:
    pins = sample().releases[Version(FIRST)].pins("x86_64", "pins.json")
    assert pins is not None
    assert pinned_names([]) == ()
    assert sorted(pinned_names([pins])) == stored("a")
