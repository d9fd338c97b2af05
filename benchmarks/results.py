"""Results: measured rows, targets, and their tables in Markdown for the terminal and docs/performance.md."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.trials import Series

MEGABYTE = 2**20
BEGIN: Final = "<!-- benchmarks: begin -->"
END: Final = "<!-- benchmarks: end -->"
"""The lines before and after the tables in docs/performance.md."""


@dataclass(frozen=True)
class Row:
    """One way at one stage: medians of `runs` runs; 0 where not measured.

    Attributes:
        seconds: wall time.
        cpu: seconds of CPU.
        peak: most bytes held.
        fastest: wall time of the fastest run; 0 where there was only one. On a shared machine it is nearer to what the
            work takes than the median.
    """

    stage: str
    way: str
    seconds: float
    cpu: float
    peak: int
    runs: int
    fastest: float = 0.0

    @classmethod
    def of(cls, stage: str, way: str, series: Series) -> "Row":
        """The row of a series."""
        return cls(stage, way, series.seconds, series.cpu, series.peak, len(series.trials), series.fastest)


@dataclass(frozen=True)
class Target:
    """A target and the result, in words."""

    what: str
    wanted: str
    reached: str
    met: bool


class Results:
    """Everything that the benchmark found, in order; `notes` are sentences that a reader needs."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.targets: list[Target] = []
        self.notes: list[str] = []

    def add(self, stage: str, found: dict[str, Series]) -> None:
        """Add the series that `trials.in_turn` returned."""
        self.rows += [Row.of(stage, way, series) for way, series in found.items()]

    def row(self, stage: str, way: str) -> Row | None:
        """A row, if it was measured."""
        return next((row for row in self.rows if (row.stage, row.way) == (stage, way)), None)

    def times_faster(self, stage: str, wanted: float, *, ours: str = "ours", other: str = "original") -> None:
        """Add the target of being so many times as fast as another way."""
        mine, theirs = self.row(stage, ours), self.row(stage, other)
        if mine is not None and theirs is not None:
            ratio = theirs.seconds / mine.seconds
            details = [f"{theirs.cpu / mine.cpu:.1f}× in CPU"] if mine.cpu else []
            if mine.fastest:
                details.append(f"{(theirs.fastest or theirs.seconds) / mine.fastest:.1f}× by the fastest runs")
            reached = f"{ratio:.1f}×" + (f" ({', '.join(details)})" if details else "")
            self.targets.append(Target(stage, f"{wanted:g}× the {other}", reached, ratio >= wanted))

    def at_most(self, what: str, wanted: float, reached: float, unit: str) -> None:
        """Add a target that a number must not exceed."""
        self.targets.append(Target(what, f"at most {wanted:.3g} {unit}", f"{reached:.3g} {unit}", reached <= wanted))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rows": [asdict(row) for row in self.rows],
            "targets": [asdict(target) for target in self.targets],
            "notes": self.notes,
        }


def markdown(results: Results, command: str) -> str:
    """The table of targets, the table of measurements and the notes."""
    parts = [f"Made by `{command}`; ratios hold within one run, seconds only on the machine that gave them.", ""]
    if results.targets:
        parts += ["| | wanted | reached | |", "|---|---|---|---|"]
        parts += [
            f"| {t.what} | {t.wanted} | {t.reached} | {'met' if t.met else '**missed**'} |" for t in results.targets
        ]
        parts.append("")
    parts += [
        "| stage | way | seconds | fastest | CPU | peak MB | original ÷ this | in CPU | this ÷ floor | runs |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    parts += [_line(row, results) for row in results.rows]
    parts += ["", *(f"- {note}" for note in results.notes)]
    return "\n".join(parts).rstrip() + "\n"


def _line(row: Row, results: Results) -> str:
    original, floor = results.row(row.stage, "original"), results.row(row.stage, "floor")
    ratio = f"{original.seconds / row.seconds:.1f}×" if original is not None else ""
    cpu_ratio = f"{original.cpu / row.cpu:.1f}×" if original is not None and row.cpu else ""
    floor_ratio = f"{row.seconds / floor.seconds:.1f}×" if floor is not None else ""
    cpu = f"{row.cpu:.2f}" if row.cpu else ""
    peak = f"{row.peak / MEGABYTE:.0f}" if row.peak else ""
    fastest = f"{row.fastest:.3f}" if row.fastest else ""
    numbers = f"{row.seconds:.3f} | {fastest} | {cpu} | {peak} | {ratio} | {cpu_ratio} | {floor_ratio} | {row.runs}"
    return f"| {row.stage} | {row.way} | {numbers} |"


def replace_section(page: Path, section: str) -> None:
    """Replace the text between the marks of `page`.

    Raises:
        ValueError: a mark is missing.
    """
    text = page.read_text(encoding="utf-8")
    head, begun, rest = text.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"{page} does not have the marks {BEGIN} and {END}: nothing was written")
    page.write_text(f"{head}{BEGIN}\n{section}{END}{tail}", encoding="utf-8")
