"""Reads the recipes of CONTRIBUTING and applies their blocks to a copy of the project. No test.

The first line of a block says where its other lines go: `# FILE, WHERE`. WHERE is *at the end*, *a new file*, or
*before*, *after* or *in place of* a line in backticks, which must occur once; with *each*, wherever it occurs. Blanks
around that line do not count, and an ellipsis at its end stands for any rest.
"""

import re
import shutil
from dataclasses import dataclass

from mohlcv_dagster_tests.docs.blocks import REPOSITORY, blocks

PAGE = REPOSITORY / "CONTRIBUTING.md"
COPIED = (
    "mohlcv_dagster",
    "mohlcv_dagster_tests",
    "docs",
    "data/README.md",
    "README.md",
    "CONTRIBUTING.md",
    "pyproject.toml",
)
NOT_COPIED = shutil.ignore_patterns("_site", "*.pyc.*")

_WHERE = re.compile(
    r"# (?P<path>[\w./-]+), (?:(?P<whole>at the end|a new file)|"
    r"(?P<how>before|after|in place of) (?P<each>each )?(?P<ticks>`+)(?P<line>.+)(?P=ticks))"
)


@dataclass(frozen=True)
class Edit:
    """A block of a recipe: lines, and where they go.

    Attributes:
        where: the block's place on the page, for messages.
        path: the file, from the root of the project.
        how: `at the end`, `a new file`, `before`, `after` or `in place of`.
        line: what the line must be, without the blanks around it; empty for the first two.
        each: whether it may occur more than once.
        text: the lines, the last one ended.
    """

    where: str
    path: str
    how: str
    line: str
    each: bool
    text: str

    @classmethod
    def of(cls, block):
        """The edit that a block describes; `None` where its first line says no place."""
        first, _, text = block.text.partition("\n")
        said = _WHERE.fullmatch(first)
        if said is None:
            return None
        return cls(str(block), said["path"], said["whole"] or said["how"], said["line"] or "", bool(said["each"]), text)

    def apply(self, root):
        """Make the edit in the project under `root`."""
        file = root / self.path
        assert file.exists() == (self.how != "a new file"), f"{self.where}: {self.path}"
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.write_text(before + self.text if not self.line else self._edited(before), encoding="utf-8")

    def _edited(self, before):
        lines = before.splitlines(keepends=True)
        found = [number for number, line in enumerate(lines) if self._is_meant(line.strip())]
        assert found, f"{self.where}: {self.path} has no line {self.line}"
        assert self.each or len(found) == 1, f"{self.where}: {self.path} has {self.line} {len(found)} times"
        for number in found:
            kept = {"before": self.text + lines[number], "after": lines[number] + self.text, "in place of": self.text}
            lines[number] = kept[self.how]
        return "".join(lines)

    def _is_meant(self, line):
        beginning = self.line.removesuffix("…")
        return line == self.line if beginning == self.line else line.startswith(beginning.rstrip())


def recipes(page=PAGE):
    """The blocks of each recipe by its heading, those that are there: `### …` in the section *Recipes*."""
    lines = page.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines, start=1) if re.match(r"##+ ", line)]
    spans = zip(starts, [*starts[1:], len(lines) + 1], strict=True)
    every = blocks(page)
    sections = {lines[start - 1]: [each for each in every if start < each.line < end] for start, end in spans}
    return {head.removeprefix("### "): found for head, found in sections.items() if head.startswith("### ") and found}


def copy(root):
    """Copy the project as far as recipes and their proofs need it."""
    for name in COPIED:
        source, target = REPOSITORY / name, root / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=NOT_COPIED)
        else:
            target.parent.mkdir(exist_ok=True)
            shutil.copy(source, target)
