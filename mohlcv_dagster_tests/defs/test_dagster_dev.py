"""The location under the real webserver, daemon and run processes, driven through GraphQL as the UI drives it.

One server and one story for all tests of the module, in their order: what one leaves stored, the next looks at. Two
of the slow ones start four runs more, each a process of its own, and wait on purpose.
"""

import itertools
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.defs.served import ASSETS, OVER, Webserver, serve, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SYMBOLS = ("ABC", "XYZ")
FIRST = ("2024-01", "2024-02", "2024-03")
LATER = "2024-04"
SIX = {f"{month}|{symbol}" for month in FIRST for symbol in SYMBOLS}
TWO = {f"{LATER}|{symbol}" for symbol in SYMBOLS}
SHARES = {"ABC": 100, "XYZ": 300}

JSON = {"Content-Type": "application/json"}
ADDED = {
    "query": """mutation {addDynamicPartition(partitionKey: "STOLEN", partitionsDefName: "symbol", repositorySelector: {
      repositoryName: "__repository__", repositoryLocationName: "mohlcv_dagster.definitions"}) {__typename}}"""
}
HEADER = "ts_event,open,high,low,close,volume\n"
SECONDS = """{month}-05 14:30:00+00:00,10.0,10.5,9.5,10.25,{v}
{month}-05 14:30:14+00:00,10.25,10.75,10.25,10.5,7
{month}-05 14:30:20+00:00,10.5,10.5,9.25,9.75,11
{month}-05 14:30:45+00:00,9.75,9.75,9.75,9.75,2
{month}-05 14:31:00+00:00,9.75,10.0,9.75,10.0,5
"""
NOT_WHOLE = {"complete": ("WARN", "sessions_present")}
"""Of months of one session, of symbols that trade five times in it: the check that fails, its severity and its rule."""
CHECKS = {
    "raw_1s": {"intact", "valid", "complete", "plausible", "current"},
    "aggregated/15s": {"intact", "matches_raw"},
    "aggregated/30s": {"intact", "matches_raw"},
    "aggregated/1min": {"intact", "matches_raw", "matches_vendor"},
}
FOLDED = {
    "15s": """{month}-05 14:30:00+00:00,10.0,10.75,9.5,10.5,{v7}
{month}-05 14:30:15+00:00,10.5,10.5,9.25,9.75,11
{month}-05 14:30:45+00:00,9.75,9.75,9.75,9.75,2
{month}-05 14:31:00+00:00,9.75,10.0,9.75,10.0,5
""",
    "30s": """{month}-05 14:30:00+00:00,10.0,10.75,9.25,9.75,{v18}
{month}-05 14:30:30+00:00,9.75,9.75,9.75,9.75,2
{month}-05 14:31:00+00:00,9.75,10.0,9.75,10.0,5
""",
    "1min": """{month}-05 14:30:00+00:00,10.0,10.75,9.25,9.75,{v20}
{month}-05 14:31:00+00:00,9.75,10.0,9.75,10.0,5
""",
}


def text_of(rows, symbol, month):
    volumes = {f"v{more or ''}": SHARES[symbol] + more for more in (0, 7, 18, 20)}
    return HEADER + rows.format(month=month, **volumes)


def files_of(partitions):
    """Every file that `partitions` of all assets are, with its text, worked out by hand above."""
    files = {}
    for partition in partitions:
        month, symbol = partition.split("|")
        name = f"{symbol}_{month.replace('-', '_')}"
        files[f"raw_1s/{symbol}/{name}.csv"] = text_of(SECONDS, symbol, month)
        files |= {f"aggregated/{each}/{name}_{each}.csv": text_of(rows, symbol, month) for each, rows in FOLDED.items()}
    return files


@dataclass(frozen=True)
class Stage:
    webserver: Webserver
    sandbox: Sandbox
    data: Path

    def tree(self):
        """Everything under the data folder, whatever its name, but manifest entries."""
        return {str(at.relative_to(self.data)): at.read_text() for at in self._files()}

    def written(self):
        """When and as which file each was written."""
        found = {str(at.relative_to(self.data)): at.stat() for at in self._files()}
        return {name: (seen.st_ino, seen.st_mtime_ns) for name, seen in found.items()}

    def _files(self):
        return [at for at in self.data.rglob("*") if at.is_file() and "manifest" not in at.parts]

    def asked(self):
        """The symbols of the requests for seconds that the sandbox answered or began to, in order."""
        return [path.split("/")[4] for path in self.paths() if "/second/" in path]

    def paths(self):
        """What was asked of the sandbox, in order."""
        return [request.path for request in self.sandbox.requests]

    def to_do(self):
        return self.webserver.failed_and_missing("raw_1s", SYMBOLS, (*FIRST, LATER))

    def complete(self, backfill):
        return until(lambda: self.webserver.completed(backfill), f"backfill {backfill} is over")

    def ended(self, *run_ids):
        """How these runs ended, once all have."""

        def statuses():
            found = {run.run_id: run.status for run in self.webserver.runs() if run.run_id in run_ids}
            return found if set(found.values()) <= OVER else None

        return until(statuses, f"runs {run_ids} are over")


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dagster_dev")
    (folder / "replay" / "second").mkdir(parents=True)
    for symbol, month in itertools.product(SYMBOLS, (*FIRST, LATER)):
        served = folder / "replay" / "second" / f"{symbol}_{month.replace('-', '_')}.csv"
        served.write_text(text_of(SECONDS, symbol, month))
    market = ReplayedMarket(folder / "replay")
    with Sandbox(market, latency=0.1) as sandbox, serve(folder, sandbox.url) as webserver:
        yield Stage(webserver, sandbox, folder / "data")


@pytest.mark.parametrize(
    ("resource", "field", "value"),
    [("massive", "base_url", "http://127.0.0.1:1"), ("bars_csv", "data_dir", "elsewhere")],
)
def test_a_launch_cannot_configure_where_the_key_is_sent_or_what_is_written(stage, resource, field, value):
    config = {"resources": {resource: {"config": {field: value}}}}

    (said,) = stage.webserver.refused_launch("raw_1s", "2024-01|ABC", config)

    path = f"root:resources:{resource}:config"
    assert said == f'Received unexpected config entry "{field}" at path {path}. Expected: "{{ }}".'
    assert (stage.webserver.runs(), stage.paths()) == ([], [])


@pytest.mark.parametrize(
    ("query", "headers", "body", "said"),
    [
        (ADDED, {}, None, "The Dagster UI executes no GraphQL by GET"),
        (ADDED, {}, b"any=form", "The Dagster UI takes only JSON, and this POST"),
        ({}, {"Content-Type": "text/plain"}, ADDED, "The Dagster UI takes only JSON, and this POST"),
        ({}, {**JSON, "Origin": "http://127.0.0.1:1"}, ADDED, "The Dagster UI does not answer to pages of the origin"),
        ({}, {**JSON, "Host": "evil.example"}, ADDED, "The Dagster UI does not answer to the host 'evil.example'"),
    ],
)
def test_a_mutation_that_another_page_may_have_sent_is_refused_and_not_executed(stage, query, headers, body, said):
    url = f"{stage.webserver.url}/graphql?{urlencode(query)}"
    body = json.dumps(body).encode() if isinstance(body, dict) else body

    with pytest.raises(HTTPError) as refused:
        urlopen(Request(url, body, headers), timeout=30)  # noqa: S310 - http, ours

    with refused.value as answer:
        assert answer.code == 403
        assert answer.read().decode().startswith(said)
    assert stage.webserver.symbols() == []


def test_a_backfill_of_three_months_of_two_symbols_stores_every_file(stage):
    for symbol in SYMBOLS:
        stage.webserver.add_symbol(symbol)
    assert stage.to_do() == SIX | TWO

    backfill = stage.webserver.launch_backfill(SIX)

    assert stage.complete(backfill) == "COMPLETED_SUCCESS"
    assert stage.tree() == files_of(SIX)
    # a symbol's months share a run
    spans = sorted(run.span for run in stage.webserver.runs(backfill=backfill))
    assert spans == [("2024-01|ABC", "2024-03|ABC"), ("2024-01|XYZ", "2024-03|XYZ")]


def test_every_check_but_that_of_whole_months_has_passed_on_every_partition_of_the_backfill_and_says_which(stage):
    for asset in ASSETS:
        checks = stage.webserver.checks(asset)
        assert {check["name"] for check in checks} == CHECKS[asset]
        for check in checks:
            found = stage.webserver.evaluations(asset, check["name"], None)
            assert {each["evaluation"]["partition"] for each in found} == SIX
            assert [each["evaluation"]["success"] for each in found] == [check["name"] not in NOT_WHOLE] * 6
            assert {each["name"] for each in check["partitionDefinition"]["dimensionTypes"]} == {"month", "symbol"}


def test_runs_killed_in_the_middle_of_a_fetch_fail_and_leave_no_file(stage):
    before = stage.written()
    stage.sandbox.clear()
    stage.sandbox.inject(f"drip:month={LATER},times=all,seconds=600")
    assert stage.to_do() == TWO

    backfills = [stage.webserver.launch_backfill({partition}) for partition in TWO]
    until(lambda: set(stage.asked()) == set(SYMBOLS), "both months are being fetched, at once")
    runs = [run for backfill in backfills for run in stage.webserver.runs(backfill=backfill)]
    for run in runs:
        os.kill(stage.webserver.process_of(run.run_id), signal.SIGKILL)

    assert stage.webserver.pool()["activeSlotCount"] == 2
    assert [stage.complete(backfill) for backfill in backfills] == ["COMPLETED_FAILED"] * 2
    assert set(stage.ended(*(run.run_id for run in runs)).values()) == {"FAILURE"}
    assert stage.written() == before
    assert {str(file.path) for file in Archive(stage.data).files()} == set(before)


def test_checks_executed_alone_pass_on_a_whole_file_and_fail_on_one_that_was_corrupted(stage):
    whole, corrupted = "2024-01|ABC", "2024-01|XYZ"
    broken = stage.data / "raw_1s" / "XYZ" / "XYZ_2024_01.csv"
    right = broken.read_text()
    broken.write_text(right.replace("10.25,10.75,", "10.25,1.75,"))
    stage.sandbox.clear()
    before = stage.written()
    names = [check["name"] for check in stage.webserver.checks("raw_1s")]

    runs = {each: stage.webserver.execute_checks("raw_1s", each, names) for each in (whole, corrupted)}
    stage.ended(*runs.values())

    assert failed(stage.webserver, names, runs[whole], whole) == NOT_WHOLE
    errors = {"intact": ("ERROR", "as_recorded"), "valid": ("ERROR", "ohlc_order")}
    assert failed(stage.webserver, names, runs[corrupted], corrupted) == errors | NOT_WHOLE
    assert stage.written() == before
    assert stage.paths() == []
    broken.write_text(right)


def failed(webserver, names, run_id, partition):
    """Severity and first rule of each check that the run found broken on the partition; it must have evaluated each."""
    latest = {name: webserver.evaluations("raw_1s", name, partition)[0] for name in names}
    assert {each["runId"] for each in latest.values()} == {run_id}
    assert {each["evaluation"]["partition"] for each in latest.values()} == {partition}
    found = {name: each["evaluation"] for name, each in latest.items()}
    broken = {name: each for name, each in found.items() if not each["success"]}
    return {name: (each["severity"], each["description"].partition(":")[0]) for name, each in broken.items()}


def test_only_failed_and_missing_does_only_the_rest_and_one_month_at_a_time_where_the_pool_has_one_place(stage):
    before = stage.written()
    stage.sandbox.clear()
    stage.webserver.limit_fetches(1)
    # the month that comes first asks once more at its end: behind the other's requests, if that were let in meanwhile
    stage.sandbox.inject("rate-limit-retry-after:times=1,seconds=6")
    assert stage.to_do() == TWO

    backfills = [stage.webserver.launch_backfill({partition}) for partition in stage.to_do()]

    # also shows that the killed runs have given their places back: one of them would fill the pool
    assert [stage.complete(backfill) for backfill in backfills] == ["COMPLETED_SUCCESS"] * 2
    assert stage.tree() == files_of(SIX | TWO)
    assert {name: stage.written()[name] for name in before} == before
    assert all(april(path) for path in stage.paths() if "/aggs/" in path)
    assert {symbol for symbol, _ in itertools.groupby(stage.asked())} == set(SYMBOLS)
    assert len(list(itertools.groupby(stage.asked()))) == 2
    assert stage.to_do() == set()


def april(path):
    """Whether a request lies in April 2024, 1711929600 to 1714521599 in Unix seconds."""
    first, last = map(int, path.split("/")[-2:])
    return 1711929600000 <= first < last <= 1714521599999


def test_the_automation_is_off_until_it_is_turned_on_and_then_looks_without_an_error(stage):
    assert stage.webserver.sensor("keep_current") == {"status": "STOPPED", "ticks": []}

    stage.webserver.turn_on("keep_current")
    ended = {"SKIPPED", "SUCCESS", "FAILURE"}
    ticks = until(
        lambda: [each for each in stage.webserver.sensor("keep_current")["ticks"] if each["status"] in ended],
        "the automation has looked",
    )
    assert ticks[-1] == {"status": "SKIPPED", "error": None}  # all months of 2024 are final
