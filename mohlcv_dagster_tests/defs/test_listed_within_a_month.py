"""Months in which a symbol was listed, delisted or renamed: a sandbox, the real client, the real graph."""

import numpy as np
import pytest

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.cli import runs
from mohlcv_dagster.definitions import build
from mohlcv_dagster.defs import records
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket
from mohlcv_dagster.settings import Settings
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.defs.impatient import ImpatientMassive
from mohlcv_dagster_tests.defs.location import latest_evaluation, rules_of


class OpeningsAlone(SyntheticMarket):
    """The synthetic market, of which each session has the first bars of regular hours alone."""

    def bars(self, symbol, day, timeframe, *, adjusted):
        whole = super().bars(symbol, day, timeframe, adjusted=adjusted)
        opening = exchange_calendar.session_on(day).regular_open.timestamp()
        return whole.slice(int(np.searchsorted(bar_table.seconds(whole), opening)), 300)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(OpeningsAlone()) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("symbol", "month", "sessions", "days"),
    [
        ("TSLA", "2010_06", "2 sessions on which TSLA was listed by then, of 22", ("2010-06-29", "None")),
        ("FB", "2022_06", "6 sessions on which FB was listed by then, of 21", ("None", "2022-06-09")),
        ("META", "2022_06", "15 sessions on which META was listed by then, of 21", ("2022-06-09", "None")),
    ],
)
def test_sessions_before_a_symbol_was_listed_or_after_it_was_delisted_are_not_missed(  # noqa: PLR0913, PLR0917
    sandbox, tmp_path, instance, symbol, month, sessions, days
):
    settings = Settings.from_environment(
        {"MOHLCV_DATA_DIR": str(tmp_path), "MOHLCV_TIMEFRAMES": "1min", "MOHLCV_START": "2003-09"}
    )
    raw = BarFile.parse(f"raw_1s/{symbol}/{symbol}_{month}.csv")
    definitions = build(settings, massive=ImpatientMassive(base_url=sandbox.url, attempt_seconds=5))
    runs.materialize(definitions, instance, raw, [raw.timeframe])
    complete = latest_evaluation(instance, "raw_1s", "complete", f"{raw.month}|{symbol}")
    found, listed = rules_of(complete)["sessions_present"], records.latest(instance, raw).listed
    written = manifest.read_if_valid(Archive(str(tmp_path)), raw).listed

    assert found["result"] == "passed"
    assert sessions in found["what was found"]
    assert (str(listed.first), str(listed.end)) == (str(written.first), str(written.end)) == days
