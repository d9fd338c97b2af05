"""What was measured, as rows, and what was to be reached, as targets. No measuring here, no printing."""

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.trials import Series

MEGABYTE = 2**20


@dataclass(frozen=True)
class Row:
    """One way at one stage.

    Attributes:
        stage: what was done.
        way: who did it.
        seconds: wall time, median.
        cpu: seconds of CPU, median; 0 where it was not looked at.
        peak: bytes held at the most; 0 where it was not looked at.
        runs: how many the medians are of.
        fastest: wall time of the quickest run; 0 where there was one only. On a shared machine it tells what the work
            takes, the median what the neighbours do as well.
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
    """A target and what was reached.

    Attributes:
        what: the stage.
        wanted: in words.
        reached: in words.
        met: whether it was.
    """

    what: str
    wanted: str
    reached: str
    met: bool


class Results:
    """Everything a run of the benchmark found, in order.

    Attributes:
        rows: what was measured.
        targets: what of it had a target.
        notes: sentences a reader must know.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.targets: list[Target] = []
        self.notes: list[str] = []

    def add(self, stage: str, found: dict[str, Series]) -> None:
        """Keep what `trials.in_turn` gave."""
        self.rows += [Row.of(stage, way, series) for way, series in found.items()]

    def row(self, stage: str, way: str) -> Row | None:
        """A row, if it was measured."""
        return next((row for row in self.rows if (row.stage, row.way) == (stage, way)), None)

    def times_faster(self, stage: str, wanted: float, *, ours: str = "ours", other: str = "original") -> None:
        """Add the target of being so many times as fast as another way."""
        mine, theirs = self.row(stage, ours), self.row(stage, other)
        if mine is not None and theirs is not None:
            ratio = theirs.seconds / mine.seconds
            beside = [f"{theirs.cpu / mine.cpu:.1f}× in CPU"] if mine.cpu else []
            if mine.fastest:
                beside.append(f"{(theirs.fastest or theirs.seconds) / mine.fastest:.1f}× by the fastest runs")
            reached = f"{ratio:.1f}×" + (f" ({', '.join(beside)})" if beside else "")
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
