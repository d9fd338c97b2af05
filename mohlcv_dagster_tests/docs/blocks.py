"""Finds the fenced blocks of the pages and the commands in them. No test."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "SECURITY.md",
    *sorted(page for page in (REPOSITORY / "docs").rglob("*.md") if "_site" not in page.parts),
    REPOSITORY / "data/README.md",
]
COMMAND = "mohlcv"

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[^`\n]*)$")
_ASSIGNED = re.compile(r"[A-Z_]+=")
_INTO = re.compile(r" >{1,2} ?[\w./-]+$", re.MULTILINE)
_SPAN = re.compile(r"`((?:uv run )?mohlcv [^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line of its fence, its language, its text without indent."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command line split into words, without `uv run` and comments."""

    where: str
    words: tuple[str, ...]

    def __str__(self):
        return f"{self.where} {shlex.join(self.words)}"


def blocks(page):
    """The blocks of a page, in order; one that is not closed is an error."""
    found, opened = [], None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, start, text = fence, number, []
        elif fence and fence["fence"] == opened["fence"] and not fence["language"]:
            found.append(Block(page, start, opened["language"].strip(), "".join(text)))
            opened = None
        else:
            text.append(f"{line.removeprefix(opened['indent'])}\n")
    assert opened is None, f"{page.name}:{start} is not closed"
    return found


def commands(block):
    """The commands of a block of bash; continued lines are joined, redirections are left out."""
    lines = _INTO.sub("", block.text.replace("\\\n", " ")).splitlines()
    told = [tuple(shlex.split(line, comments=True)) for line in lines]
    return [Command(str(block), _bare(words)) for words in told if words]


def spans(page):
    """The calls of `mohlcv` within a page's sentences and tables."""
    inside = page.read_text(encoding="utf-8")
    for block in blocks(page):
        inside = inside.replace(block.text, "")
    return [Command(page.name, _bare(tuple(shlex.split(text, comments=True)))) for text in _SPAN.findall(inside)]


def _bare(words):
    while words and _ASSIGNED.match(words[0]):  # a variable for this command alone
        words = words[1:]
    if words[:2] != ("uv", "run"):
        return words
    words = words[2:]
    while words[0] in {"--group", "--with"}:
        words = words[2:]
    return words
