"""The benchmark on a month of a few hundred bars: it compares equal work, and refuses what would be unfair."""

import importlib.util
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import __main__ as main
from benchmarks import results, trials, worker
from benchmarks.case import Case
from benchmarks.generated_market import GeneratedMarket
from benchmarks.results import Results
from benchmarks.trials import Series, Trial
from benchmarks.ways import floor, original, ours, vectorised
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.sandbox import Sandbox

WAYS = (ours, original, vectorised)
FULL_FLOOR = {"fetch", "fetch_packed", "write", "read", "aggregate", "check"}


def _polars():
    """Polars' way where it is installed, which the project does not ask for."""
    return [importlib.import_module("benchmarks.ways.polars_best")] if importlib.util.find_spec("polars") else []


@pytest.fixture(scope="module", params=["int", "fractional"])
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    with Sandbox(GeneratedMarket("tiny", request.param)) as sandbox:
        case = Case(sandbox.url, worker.TINY, ("2024-01",), str(folder / "data"))
        assert ours.month(case) == []
        yield case


@pytest.mark.parametrize("stage", ["fetch", "write", "read", "aggregate", "check"])
def test_every_way_proves_the_same_at_a_stage(case, stage):
    proofs = set()
    for way in (*WAYS, *_polars()):
        trial = worker.STAGES[stage](way, case)
        proofs.add(trial.prove(trial.act()))
    assert len(proofs) == 1
    assert proofs != {""}


@pytest.mark.parametrize("stage", sorted(FULL_FLOOR))
def test_the_floor_touches_bytes_and_makes_nothing_of_them(case, stage):
    worker.STAGES[stage](floor, case).act()
    assert floor.drain(case.url, case.symbol, case.month) > floor.drain(case.url, case.symbol, case.month, unpack=False)


def test_the_five_scripts_leave_the_files_that_this_project_leaves(case, tmp_path):
    scripted = Case(case.url, case.symbol, case.months, str(tmp_path))
    assert not any(getattr(original, script)(scripted) for script in original.SCRIPTS)
    assert [path.read_bytes() for path in scripted.files()] == [path.read_bytes() for path in case.files()]


def test_a_way_whose_checks_find_nothing_is_refused(case):
    blind = SimpleNamespace(__name__="blind", check=lambda _: [])
    with pytest.raises(AssertionError, match="does not find a volume that was changed"):
        worker.check(blind, case)


def test_ways_are_run_in_turn_and_the_slow_one_once():
    ran = []

    def way(name):
        return lambda prove: ran.append((name, prove)) or Trial(1, 1, 1)

    found = trials.in_turn({"a": way("a"), "b": way("b"), "slow": way("slow")}, 3, once=("slow",))
    assert ran == [("a", True), ("b", True), ("slow", True), ("a", False), ("b", False), ("a", False), ("b", False)]
    assert [len(series.trials) for series in found.values()] == [3, 3, 1]


def test_ways_that_disagree_give_no_time():
    ways = {"a": lambda _: Trial(1, 1, 1, proof="x"), "b": lambda _: Trial(9, 9, 9, proof="y")}
    with pytest.raises(AssertionError, match="the ways disagree"):
        trials.in_turn(ways, 1)


def test_a_target_is_judged_by_medians_of_the_same_stage():
    found = Results()
    mine = Series([Trial(seconds, 1, 1) for seconds in (1.0, 9.0, 2.0)])
    found.add("read", {"ours": mine, "original": Series([Trial(30.0, 1, 1)])})
    found.times_faster("read", 15)
    found.times_faster("read", 16)
    assert [(target.reached, target.met) for target in found.targets] == [
        ("15.0× (1.0× in CPU, 30.0× by the fastest runs)", True),
        ("15.0× (1.0× in CPU, 30.0× by the fastest runs)", False),
    ]


def test_the_section_of_the_docs_is_replaced_and_nothing_else(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
    results.replace_section(page, "new\n")
    assert page.read_text() == f"before\n{results.BEGIN}\nnew\n{results.END}\nafter\n"


def test_the_page_names_no_file_of_the_machine_that_measured():
    told = main._shown_options(["--stage", "read", "--out", "/home/me/x.json", "--docs"])
    assert told == ["--stage", "read", "--docs"]
    assert main._shown_options(["--docs"]) == ["--docs"]


def test_a_page_without_marks_is_left_alone(tmp_path):
    page = tmp_path / "performance.md"
    page.write_text("before")
    with pytest.raises(ValueError, match="does not have the marks"):
        results.replace_section(page, "new\n")
    assert page.read_text() == "before"


def test_generated_days_are_the_same_every_time_and_have_millionths_at_the_finest():
    day = date(2024, 1, 17)
    first, again = (GeneratedMarket("quiet", "fractional").bars("SPY", day, RAW, adjusted=False) for _ in range(2))
    assert first.equals(again)
    assert first.num_rows == 1_950
    volume = first["volume"].to_numpy()
    assert np.array_equal(np.round(volume, 6), volume)
    assert 0.3 < np.mean(volume % 1 != 0) < 0.5
