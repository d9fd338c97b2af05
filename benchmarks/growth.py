"""The stage `growth`: cost by number of months and symbols, as a plain function and through Dagster, with a chart.

Months are quiet: there, what is done once a process or once a month weighs most.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks import runs, trials
from benchmarks.case import Case
from benchmarks.results import MEGABYTE
from benchmarks.sandbox_process import SandboxProcess
from benchmarks.stages import OWN, Bench
from benchmarks.trials import Series, Trial
from mohlcv_dagster.charts.svg import BLUE, FALL, INK, Scale, number, path, picture, text

PICTURE: Final = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "growth.svg"
MONTHS: Final = tuple(f"{year}-{month:02d}" for year in range(2020, 2025) for month in range(1, 13))
COUNTS: Final = {"months": (1, 3, 12, 60), "symbols": (1, 10, 100)}
PLAIN, DAGSTER = "plain function", "Dagster, a run a month"
_COLOURS: Final = {PLAIN: BLUE, DAGSTER: FALL}
_WIDTH, _HEIGHT = 360, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 350, 40, 205


@dataclass(frozen=True)
class Growth:
    """Seconds of one way, by how many months or symbols.

    Attributes:
        seconds: the whole process, from start to end.
    """

    seconds: Mapping[int, float]

    @property
    def a_piece(self) -> float:
        """Seconds a further month or symbol takes, over all of them."""
        fewest, most = min(self.seconds), max(self.seconds)
        return (self.seconds[most] - self.seconds[fewest]) / (most - fewest)

    @property
    def bend(self) -> float:
        """How much more a piece costs in the upper stretch than in the lower one; 1 for a straight line."""
        low, *_, middle, high = sorted(self.seconds)
        lower = (self.seconds[middle] - self.seconds[low]) / (middle - low)
        return (self.seconds[high] - self.seconds[middle]) / (high - middle) / lower


def growth(bench: Bench) -> None:
    """1, 3, 12, 60 months of a symbol, and a month of 1, 10, 100 symbols."""
    names = [f"GR{chr(ord('A') + n // 26)}{chr(ord('A') + n % 26)}" for n in range(max(COUNTS["symbols"]))]
    with SandboxProcess("quiet", "int") as sandbox:
        for symbol in names:
            sandbox.warm(symbol, MONTHS if symbol == names[0] else MONTHS[:1])
        case = replace(bench.case, url=sandbox.url, symbol=names[0])
        cases = {
            "months": {n: replace(case, months=MONTHS[:n]) for n in COUNTS["months"]},
            "symbols": {n: replace(case, symbol=",".join(names[:n]), months=MONTHS[:1]) for n in COUNTS["symbols"]},
        }
        found = {what: _measure(bench, what, each) for what, each in cases.items()}
    PICTURE.write_text(_draw(found), encoding="utf-8")


def _measure(bench: Bench, what: str, cases: Mapping[int, Case]) -> dict[str, Growth]:
    ways: dict[str, Callable[[int, Case], Trial]] = {
        PLAIN: lambda n, case: _plain(bench, f"{what} {n}", case, "symbols" if what == "symbols" else "month"),
        DAGSTER: lambda n, case: _under_dagster(bench, f"{what} {n}", case),
    }
    found: dict[str, Growth] = {}
    for way, run in ways.items():
        took = {n: run(n, case) for n, case in cases.items()}
        for n, trial in took.items():
            bench.results.add(f"growth: {n} quiet {what}", {f"{OWN}, {way}": Series([trial])})
        found[way] = Growth({n: trial.seconds for n, trial in took.items()})
        held = max(took.values(), key=lambda trial: trial.peak).peak / MEGABYTE
        bench.results.notes.append(
            f"Growth with {what}, {way}: {found[way].a_piece:.2f} s a piece, the upper stretch {found[way].bend:.2f} "
            f"times the lower one, {held:.0f} MB at the most."
        )
    return found


def _plain(bench: Bench, name: str, case: Case, task: str) -> Trial:
    return trials.process(OWN, task, replace(case, folder=str(bench.root / f"growth {name}")))


def _under_dagster(bench: Bench, name: str, case: Case) -> Trial:
    around = runs.environment(bench, bench.root / f"growth home {name}", bench.root / f"growth data {name}")
    around |= {"MASSIVE_BASE_URL": case.url, "MOHLCV_START": MONTHS[0]}
    return trials.process("under_dagster", "materialize_each", case, around)


def _draw(found: Mapping[str, Mapping[str, Growth]]) -> str:
    elements: list[str] = []
    for column, (what, ways) in enumerate(found.items()):
        elements += _panel(column * _WIDTH, what, ways)
    alt = "Seconds by number of quiet months and of symbols, as a plain function and through Dagster: straight lines"
    return picture(2 * _WIDTH, _HEIGHT, alt, elements).svg


def _panel(shift: int, what: str, ways: Mapping[str, Growth]) -> Sequence[str]:
    most = max(max(each.seconds) for each in ways.values())
    slowest = max(max(each.seconds.values()) for each in ways.values())
    across, up = Scale(0, most, shift + _LEFT, shift + _RIGHT), Scale(0, slowest, _BOTTOM, _TOP)
    elements = [text(shift + _LEFT, 20, f"seconds by number of {what}", bold=True)]
    axes = [(across(0), up(slowest)), (across(0), up(0)), (across(most), up(0))]
    elements.append(_line(axes, INK, "1"))
    elements += [text(shift + _LEFT - 6, up(slowest) + 4, f"{slowest:.0f}", anchor="end")]
    elements += [text(shift + _LEFT - 6, up(0) + 4, "0", anchor="end")]
    elements += [text(across(n), _BOTTOM + 16, str(n), anchor="middle") for n in next(iter(ways.values())).seconds]
    for row, (way, each) in enumerate(ways.items()):
        points = [(across(n), up(seconds)) for n, seconds in sorted(each.seconds.items())]
        elements += [_line(points, _COLOURS[way], "2"), *(_dot(x, y, _COLOURS[way]) for x, y in points)]
        elements.append(text(shift + _LEFT + 14, _TOP + 4 + 16 * row, f"{way}: {each.a_piece:.2f} s a piece"))
        elements.append(_dot(shift + _LEFT + 6, _TOP + 16 * row, _COLOURS[way]))
    return elements


def _line(points: Sequence[tuple[float, float]], colour: str, width: str) -> str:
    steps = [("L" if n else "M") + f"{number(x)} {number(y)}" for n, (x, y) in enumerate(points)]
    return path(steps, fill="none", stroke=colour, stroke_width=width)


def _dot(x: float, y: float, colour: str) -> str:
    return path([f"M{number(x)} {number(y)}h0"], stroke=colour, stroke_width="7", stroke_linecap="round")


GROWTHS: Final[dict[str, Callable[[Bench], None]]] = {"growth": growth}
