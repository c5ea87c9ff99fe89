"""Links between the documents lead to files and headings that exist."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.conftest import ROOT
from tests.docs.console import documents

LINK = re.compile(r"(?<!`)\[[^\]\n]*\]\(([^)\s]+)\)|<img[^>]*\bsrc=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
MAX_LINE = 125
PAGES = [path for path in documents(ROOT) if path.parent.name in {"explanation", "how-to", "reference"}]
PAGES += [ROOT / "README.md", ROOT / "docs" / "README.md", *(ROOT / "docs").glob("tutorial*.md")]


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as the usual renderers make them."""
    found: dict[str, int] = {}
    made = set()
    for heading in HEADING.findall(CODE.sub("", path.read_text("utf-8"))):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")
        made.add(anchor if anchor not in found else f"{anchor}-{found[anchor]}")
        found[anchor] = found.get(anchor, 0) + 1
    return made


def fault(document: Path, link: str) -> str:
    """What is wrong with a relative link; empty when it is right, or leads out of the project."""
    if re.match(r"[a-z]+:", link):
        return ""
    name, _, anchor = unquote(link).partition("#")
    target = (document.parent / name).resolve() if name else document
    if not target.is_relative_to(ROOT) or not target.exists():
        return f"{link}: no such file"
    if anchor and anchor not in anchors(target):
        return f"{link}: no such heading"
    return ""


@pytest.mark.parametrize("path", documents(ROOT), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    text = CODE.sub("", path.read_text("utf-8"))
    links = [first or second for first, second in LINK.findall(text)]
    assert [told for link in links if (told := fault(path, link))] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_are_no_longer_than_125_characters(path: Path) -> None:
    """Lines of transcripts are as long as what was printed."""
    text = CODE.sub(lambda block: "\n" * block[0].count("\n"), path.read_text("utf-8"))
    long = [number for number, line in enumerate(text.splitlines(), 1) if len(line) > MAX_LINE]
    assert long == []


def test_the_index_of_the_documentation_names_every_document() -> None:
    listed = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").glob("**/*.md")]
    pages = [page for page in pages if page != "README.md" and not re.match(r"decisions/\d", page)]
    assert [page for page in pages if f"({page})" not in listed] == []


def test_a_link_to_nothing_is_found() -> None:
    assert fault(ROOT / "README.md", "docs/no-such.md") == "docs/no-such.md: no such file"
    assert fault(ROOT / "README.md", "CONTRIBUTING.md#no-such") == "CONTRIBUTING.md#no-such: no such heading"
    assert not fault(ROOT / "README.md", "CONTRIBUTING.md#where-things-go")
