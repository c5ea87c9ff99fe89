import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.errors import BitproofError
from bitproof.model.guest_config import read_guest_config
from tests.model.test_guest_config import BUILD

NAMES = st.sampled_from(
    ["build.toml", "packages/a.toml", "vm/resources.toml", "vm/environment.toml", "manifest.toml", "x"]
)


@given(st.dictionaries(NAMES, st.binary() | st.text().map(str.encode)))
def test_any_bytes_are_read_or_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(BitproofError):
        read_guest_config(files)


@given(st.data())
def test_any_mutation_of_a_config_is_read_or_refused(data: st.DataObject) -> None:
    lines = (BUILD + "cpus = 3\nmemory = 0\npackages = []\nmin_binary = 'x'").splitlines()
    words = st.sampled_from([*lines, "x = 1979-05-27", "suite = {a.b = 1}", "[[arch]]", "level = nan", "mirror = ['']"])
    text = "\n".join(data.draw(st.lists(words, max_size=12)))
    try:
        read_guest_config({data.draw(NAMES): text.encode(), "build.toml": text.encode()})
    except BitproofError as error:
        assert "guest/config" in str(error)  # noqa: PT017 - any refusal is fine, any other exception is not
