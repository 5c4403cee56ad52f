"""What the documentation points to is there: links, files, names of C."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FOLDERS = "bench|docs|examples|include|machines|python|src|tests|tools"
SOURCES = [*(ROOT / "include").rglob("*.h"), *(ROOT / "src").rglob("*.[ch]")]


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchor(heading: str) -> str:
    """The name that GitHub gives to a heading."""
    plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return plain.replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = without_code(page.read_text(encoding="utf-8"))
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


@lru_cache
def names_of_c() -> set[str]:
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    return set(re.findall(r"\b(?:ironmap|IRONMAP)_\w+", text)) | statuses(text)


def statuses(text: str) -> set[str]:
    """The names that the table of statuses makes."""
    return {f"IRONMAP_{name}" for name in re.findall(r"\bX\((E_\w+|OK),", text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = without_code(page.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, name = link.partition("#")
        target = (page.parent / path) if path else page
        assert target.exists(), link
        assert not name or name in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(rf"`((?:{FOLDERS})/[\w./*-]+?)(?:::\w+)?`", text):
        assert any(ROOT.glob(name.rstrip("/"))), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_names_of_c_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:ironmap|IRONMAP)_\w*[a-zA-Z0-9])[`(.]", text):
        assert name in names_of_c(), name


def test_architecture_is_read_in_minutes() -> None:
    assert len((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_glossary_is_short_and_in_order() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE)[2:]
    assert len(words) <= 40
    assert words == sorted(words)


def test_times_are_those_of_make_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    usual = dict(re.findall(r"^([a-z-]+):.*## ([^|]+) \|", makefile, re.MULTILINE))
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| [^|]+ \| `make ([a-z-]+)` \| ([^|]+) \|$", text, re.MULTILINE)
    assert len(told) >= 5
    assert told == [(command, usual[command]) for command, _ in told]
