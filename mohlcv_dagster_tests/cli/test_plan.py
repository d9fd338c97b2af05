"""What is planned is what a fetch takes, and nothing is spent or written to find it out."""

import json
import re
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from mohlcv_dagster.cli import dagster_home, plan, plan_report, runs
from mohlcv_dagster.cli.dagster_home import Home
from mohlcv_dagster.cli.plan import Density, Planner
from mohlcv_dagster.definitions import build
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.listings import Listing
from mohlcv_dagster.model.month_decision import NOT_STORED, Action, Decision
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.project import project_root
from mohlcv_dagster.providers import create
from mohlcv_dagster.providers.massive.plans import PLANS
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster.settings import Settings
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.defs.quiet_market import LISTED_LATER, NO_SUCH_SYMBOL, AnySymbol

JANUARY = ("--start", "2024-01-01", "--end", "2024-01-31")
PAGE = Path(__file__).parents[2] / "docs" / "plan-and-doctor.md"
FILE = BarFile("ABC", RAW, Month(2024, 1))
MIDDLE = dg.MetadataValue.timestamp(datetime(2024, 1, 30, 17, tzinfo=UTC))
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def planned(mohlcv):
    """The document of a plan."""

    def made(*words):
        said = mohlcv("plan", *words, "--json")
        assert (said.code, said.err) == (0, "")
        return json.loads(said.out)

    return made


def test_a_fetch_and_its_aggregates_ask_exactly_what_was_planned_and_then_nothing(mohlcv, planned, home, vendor):
    told = planned("--symbol", "ABC", *JANUARY, "--offline")
    assert vendor.requests == []
    assert told["partitions"] == {"all": 1, "downloaded": 1, "completed": 0, "checked": 0, "skipped": 0}

    assert mohlcv("fetch", "--symbol", "ABC", *JANUARY).code == 0
    # of 21 sessions of 330 bars, and of as many as SPY has, and two that ask for the company
    assert told["requests"]["fetch"] == {"least": 2 + 2, "most": 25 + 2}
    assert len(vendor.requests) == 2 + 2
    vendor.requests.clear()
    _aggregate("ABC")
    assert len(vendor.requests) == told["requests"]["minutes"] == 1

    again = planned("--symbol", "ABC", *JANUARY, "--offline")
    assert again["partitions"]["skipped"] == 1
    assert (again["requests"]["fetch"]["most"], again["seconds"]["most"]) == (0, 0.0)
    assert again["bytes"]["raw"] == {"least": 0, "most": 0}
    forced = planned("--symbol", "ABC", *JANUARY, "--offline", "--force")
    vendor.requests.clear()
    mohlcv("fetch", "--symbol", "ABC", *JANUARY, "--force")
    assert forced["requests"]["fetch"] == {"least": 2 + 1, "most": 2 + 2}  # told from the stored month
    assert len(vendor.requests) == 2 + 1


def _aggregate(symbol):
    settings = Home.real(project_root()).settings()
    with dagster_home.open_instance() as instance:
        outcome = runs.materialize(
            build(settings), instance, BarFile(symbol, RAW, Month(2024, 1)), list(settings.timeframes)
        )
    assert outcome.succeeded


@pytest.mark.slow
def test_a_provisional_month_is_planned_from_where_its_completion_begins(mohlcv, planned, memory, project, vendor):
    mohlcv("fetch", "--symbol", "ABC", *JANUARY)
    memory.record(FILE, fetched_at=MIDDLE, complete_through=MIDDLE)
    told = planned("--symbol", "ABC", *JANUARY, "--offline")
    vendor.requests.clear()
    mohlcv("fetch", "--symbol", "ABC", *JANUARY)

    assert told["partitions"]["completed"] == 1
    assert told["requests"]["fetch"] == {"least": 2, "most": 2 + 1}
    assert len(vendor.requests) == 2 + 1  # it was not recorded which company had the symbol
    # from 20:00Z of the 29th on there are three of the month's 21 sessions
    size = (project / "data/raw_1s/ABC/ABC_2024_01.csv").stat().st_size
    assert told["bytes"]["raw"]["least"] == pytest.approx(size * 3 / 21, abs=1)
    assert told["bytes"]["measured_in_months"] == {"ABC": 1}


def test_months_before_the_listing_are_named_and_what_they_take_is_counted(planned, mohlcv, home, market, monkeypatch):
    with Sandbox(AnySymbol(market)) as sandbox:
        monkeypatch.setenv("MASSIVE_BASE_URL", sandbox.url)
        monkeypatch.setenv("MASSIVE_API_KEY", "a-key-that-no-word-holds")
        told = planned("--symbol", LISTED_LATER, *JANUARY)
        asked = [request.path for request in sandbox.requests]
        sandbox.requests.clear()
        fetched = mohlcv("fetch", "--symbol", LISTED_LATER, *JANUARY)
        taken = len(sandbox.requests)
        sandbox.requests.clear()
        words = mohlcv("plan", "--symbol", NO_SUCH_SYMBOL, *JANUARY)
        unknown = planned("--symbol", NO_SUCH_SYMBOL, *JANUARY)

    assert asked == [f"/v3/reference/tickers/{LISTED_LATER}"]  # one request
    assert "was listed 2024-02-05, after this month" in told["months"][0]["empty_because"]
    assert (fetched.code, taken) == (0, 4)  # two for the bars, two that ask why
    assert told["requests"]["fetch"] == {"least": 4, "most": 4}
    assert told["bytes"]["raw"] == {"least": 0, "most": 0}
    assert f"the vendor knows no symbol {NO_SUCH_SYMBOL}" in words.out
    assert (unknown["unknown_symbols"], unknown["requests"]["fetch"]["most"]) == ([NO_SUCH_SYMBOL], 4)


def test_the_document_has_the_entries_that_the_page_tells(planned, home, project):
    told = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert list(planned("--symbol", "ABC", *JANUARY, "--offline")) == told


def test_without_a_key_it_works_and_says_what_it_could_not_ask_and_leaves_nothing(mohlcv, project):
    said = mohlcv("plan", "--symbol", "SPY, QQQ", "--symbol", "SPY", "--start", "2024-01-15", "--end", "2024-03-02")

    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("SPY, QQQ, 2024-01 to 2024-03: 6 partitions; nothing was fetched.\n")
    assert "! when the symbols were listed was not asked: MASSIVE_API_KEY is not set" in said.out
    # 57,600 seconds of extended hours a session, at most 50,000 a request: 25 for 21 sessions, 24 for 20, twice; and
    # for the company of each symbol two, and at most one more of each later month
    assert "requests     16 to 154, 8 of them for reference data, without retries" in said.out
    assert "time         at least 2 s (5 s with the most requests) at 8 in flight, 0.15 s an answer" in said.out
    assert "none stored: quiet to SPY-like" in said.out
    assert tree(project) == []


def test_a_vendor_that_refuses_the_key_leaves_the_listing_unknown_and_the_rest_told(planned, vendor):
    vendor.inject("unknown-key:on=reference")
    told = planned("--symbol", "ABC", "--symbol", "DEF", *JANUARY)

    assert len(told["not_asked"]) == 1
    assert "when ABC was listed is not known" in told["not_asked"][0]
    assert told["requests"]["fetch"] == {"least": 2 * (2 + 2), "most": 2 * (25 + 2)}
    assert len(vendor.requests) == 1  # the second symbol would be refused as well


def test_files_that_no_home_recorded_are_planned_to_be_checked_and_no_home_is_made(planned, mohlcv, project, vendor):
    stored = project / "data/raw_1s/ABC/ABC_2024_01.csv"
    stored.parent.mkdir(parents=True)
    stored.write_text("ts_event,open,high,low,close,volume\n")

    [month] = planned("--symbol", "ABC", *JANUARY, "--offline")["months"]
    assert (month["outcome"], month["because"]) == ("checked", "stored, and not recorded here yet")
    told = mohlcv("plan", "--symbol", "ABC", *JANUARY, "--offline").out
    assert (
        "! 2024-01: ABC checking and recording: stored, and not recorded here yet; downloaded again if a "
        "blocking check fails" in " ".join(told.split())
    )
    assert "requests     none: there is nothing to fetch" in told
    assert not (project / ".mohlcv").exists()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--symbol", "SPY", "--start", "1999-01-01", "--end", "2024-01-31"), "1999-01 is before 2003-09"),
        (("--symbol", "SPY", "--start", "2024-01-01", "--end", "2023-01-31"), "swap them"),
        (("--symbol", "S/Y", *JANUARY), "not a US stock symbol"),
        (("--symbol", "SPY", *JANUARY, "--plan", "business"), "business"),
        (("--symbol", "SPY", *JANUARY, "--latency", "0"), "latency"),
    ],
)
def test_what_is_invalid_is_refused_as_a_fetch_refuses_it(mohlcv, words, error):
    said = mohlcv("plan", *words)

    assert said.code == 2
    assert error in said.err


class _Decided(dict):
    """Decisions by raw file: those made for some months, and to fetch for all others."""

    def __init__(self, by_month):
        super().__init__()
        self._by_month = by_month

    def __missing__(self, file):
        return self._by_month.get(str(file.month), Decision(Action.FETCH, NOT_STORED))


def planner(*, stored=None, subscription=None, listings=(), **environment):
    """A planner for whom months of `stored` are decided about as it says, and others are not stored."""
    settings = Settings.from_environment({"MASSIVE_API_KEY": "not-asked", **environment})
    return Planner(
        settings=settings,
        provider=create.provider(settings),
        now=NOW,
        decisions=_Decided(stored or {}),
        plan=next((each for each in PLANS if each.name == subscription), None),
        listings={known.symbol: known for known in listings},
        densities={"SPY": Density()},
    )


def months(planner, *keys):
    return [planner.month(BarFile("SPY", RAW, Month.parse(key))) for key in keys]


def test_months_beyond_the_plan_are_refused_and_cost_nothing():
    # five years before 2026-11-25 is in 2021-11, of which a part is missing
    told = months(planner(subscription="Starter"), "2021-10", "2021-11", "2021-12")

    assert [(month.refused, month.cost[1].fetch) for month in told] == [(True, 0), (True, 0), (False, 26)]
    assert plan.months_by_plan(told, NOW.date()) == {"Basic": 0, "Starter": 1, "Developer": 3, "Advanced": 3}


def test_a_limit_of_requests_decides_the_time_and_without_minutes_no_check_asks():
    told = months(planner(MASSIVE_REQUESTS_PER_MINUTE="5", MOHLCV_TIMEFRAMES="15s"), "2024-01")

    # two requests, one behind the other; 25 requests, 5 a minute: the last ones leave after four minutes
    assert plan.seconds(told, planner(MASSIVE_REQUESTS_PER_MINUTE="5").settings, 0.2) == (0.4, 240.2)
    assert told[0].cost[1].minutes == 0


def test_bytes_are_a_range_by_sessions_where_nothing_is_stored():
    (january,) = months(planner(MOHLCV_TIMEFRAMES="1min"), "2024-01")

    # 21 sessions of 330 or 44,400 bars of 58 bytes; of minutes no more than 960 a session
    assert january.size[0].raw == 21 * 330 * 58
    assert january.size[1].raw == 21 * 44_400 * 58
    assert january.size[0].aggregated == 21 * 330 * 58
    assert january.size[1].aggregated == 21 * 960 * 58


def test_a_month_in_progress_counts_the_sessions_that_are_over():
    (november,) = months(planner(), "2026-11")

    # 2026-11-02 to 24 has 17 weekdays, all of them sessions
    assert november.size[0].raw == 17 * 330 * 58


def test_the_density_is_that_of_whole_months_and_never_of_the_one_in_progress(tmp_path):
    folder = tmp_path / "raw_1s" / "SPY"
    folder.mkdir(parents=True)
    for key, size in {"2024_01": 21 * 1000, "2024_02": 20 * 3000, "2024_03": 40, "2026_11": 7}.items():
        (folder / f"SPY_{key}.csv").write_bytes(b"-" * size)
    (folder / "SPY_notes.csv").write_bytes(b"-" * 10**6)

    # a session of 1,000 bytes in January and of 3,000 in February; March is a header, November is in progress
    density = plan.density_of(Archive(tmp_path), "SPY", NOW)
    assert (density.least, density.most, density.months) == (2000 / 58, 2000 / 58, 2)
    assert plan.density_of(Archive(tmp_path), "QQQ", NOW) == Density()


def test_a_delisted_symbol_is_asked_why_with_four_requests():
    gone = Listing("SPY", known=True, exists=True, delisted=date(2020, 1, 1))
    (later,) = months(planner(listings=[gone]), "2024-01")

    assert "was delisted 2020-01-01" in later.empty
    assert (later.cost[1].bars, later.cost[1].reference) == (2, 4)


def test_totals_add_up_months_requests_and_bytes():
    stored = {"2024-01": Decision(Action.SKIP, "stored"), "2024-02": Decision(Action.RECORD, "stored")}
    totals = plan.Totals.of(months(planner(stored=stored), "2024-01", "2024-02", "2024-03"))

    assert totals.done == Counter(skipped=1, checked=1, downloaded=1)
    assert [cost.fetch for cost in totals.cost] == [2, 24]
    assert totals.size[0].raw == 20 * 330 * 58  # the sessions of March, less Good Friday


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ([], ""),
        (["2024-01"], "2024-01"),
        (["2024-02", "2023-12", "2024-01", "2024-01"], "2023-12 to 2024-02"),
        (["2023-12", "2024-02"], "2023-12, 2024-02"),
    ],
)
def test_months_are_told_in_runs(keys, told):
    assert plan_report.month_ranges(map(Month.parse, keys)) == told


def test_a_disk_too_small_is_told(capsys, tmp_path, monkeypatch):
    from mohlcv_dagster.cli.console import open_console  # noqa: PLC0415 - it looks at the standard output of now

    monkeypatch.setattr(plan.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    made = plan_report.PlanReport(
        planner(), months(planner(), "2024-01"), 0.15, plan.disk_of(str(tmp_path / "data")), ()
    )
    made.show(open_console())

    assert "the disk may not hold all of it" in capsys.readouterr().out
    assert plan.disk_of("s3://bucket/bars") is None
