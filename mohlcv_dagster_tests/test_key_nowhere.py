"""The API key is in no byte that is written or served, after runs with every fault of the vendor and debug logging.

The one place where it is, apart from `.env`, is the environment of processes: SECURITY.md says so.
"""

import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mohlcv_dagster.sandbox import FAULT_KINDS, InjectedFault, ReplayedMarket, Sandbox
from mohlcv_dagster_tests.defs.quiet_market import LISTED, LISTED_LATER, NO_SUCH_SYMBOL, UNTOLD, AnySymbol, recorded
from mohlcv_dagster_tests.defs.served import OVER, serve, until
from mohlcv_dagster_tests.leaks import files_with, spellings, texts_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KEY = "pk/Never+5how~Th1s=Key-0123456"
SPELLINGS = spellings(KEY)
SPECS = {"plan-date": "plan-date:before=2025-01,", "drip": "drip:seconds=1,"}
EMPTY = (LISTED, LISTED_LATER, NO_SUCH_SYMBOL, UNTOLD)
SYMBOLS = {kind: f"F{number}" for number, kind in enumerate(FAULT_KINDS)}
DEBUG = "\npython_logs:\n  managed_python_loggers: [root]\n  python_log_level: DEBUG\n"

EVERYTHING = """{
  instance {info runLauncher {name} daemonHealth {allDaemonStatuses {daemonType lastHeartbeatErrors {message}}}}
  runsOrError {...on Runs {results {runId runConfigYaml tags {key value} stats {__typename}}}}
  assetNodes {assetKey {path} description metadataEntries {...entry} op {metadata {key value}}
    assetMaterializations {metadataEntries {...entry}}}
  workspaceOrError {...on Workspace {locationEntries {displayMetadata {key value} locationOrLoadError {
    ...on RepositoryLocation {environmentPath repositories {allTopLevelResourceDetails {name configuredValues {
      key value type} description} schedules {name} sensors {name sensorState {ticks {status error {message stack}}}}}}
  }}}}
  partitionBackfillsOrError {...on PartitionBackfills {results {id error {message stack} tags {key value}}}}
}
fragment entry on MetadataEntry {label description ...on TextMetadataEntry {text} ...on JsonMetadataEntry {jsonString}
  ...on MarkdownMetadataEntry {mdStr} ...on PathMetadataEntry {path} ...on UrlMetadataEntry {url}
  ...on TableMetadataEntry {table {records}}}"""
LOGS = """query($id: ID!) {logsForRun(runId: $id) {...on EventConnection {events {
  ...on MessageEvent {message level}
  ...on ErrorEvent {error {message stack causes {message stack} errorChain {error {message stack}}}}
  ...on DisplayableEvent {label description metadataEntries {label ...on TextMetadataEntry {text}
    ...on MarkdownMetadataEntry {mdStr} ...on JsonMetadataEntry {jsonString}}}
  ...on LogsCapturedEvent {fileKey}}}}}"""
CAPTURED = "query($key: [String!]!) {capturedLogs(logKey: $key) {stdout stderr}}"


class Processes(threading.Thread):
    """Looks at the words of every process of the machine until it is stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen = set()
        self._over = threading.Event()

    def run(self):
        while not self._over.wait(0.2):
            for words in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(words.read_bytes())
                except OSError:
                    continue  # it has ended

    def stop(self):
        self._over.set()
        self.join()


@pytest.fixture(scope="module")
def webhook():
    bodies = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", bodies
        server.shutdown()


def faults():
    """Each kind with a symbol of its own, on bars and, where it can be, on the reference of those without bars too."""
    for name in FAULT_KINDS:
        spec = SPECS.get(name, f"{name}:")
        yield InjectedFault.parse(f"{spec}symbol={SYMBOLS[name]}")
    for name in ("key-echoed", "escape-codes", "huge-request-id", "hostile-error"):
        for symbol in EMPTY:
            yield InjectedFault.parse(f"{name}:on=reference,symbol={symbol},times=1")


def answers(webserver):
    """What the webserver answers: the text of pages, and of GraphQL about everything there is."""
    found = webserver.ask(EVERYTHING)
    yield json.dumps(found)
    keys = []
    for run in found["runsOrError"]["results"]:
        logs = webserver.ask(LOGS, id=run["runId"])["logsForRun"]["events"]
        keys += [[run["runId"], "compute_logs", each["fileKey"]] for each in logs if each.get("fileKey")]
        yield json.dumps(logs)
    for key in keys:
        yield json.dumps(webserver.ask(CAPTURED, key=key))
    for path in ("", "runs", "assets/raw_1s", "asset-groups", "deployment/config", "server_info"):
        with urllib.request.urlopen(f"{webserver.url}/{path}", timeout=30) as page:  # noqa: S310 - http, ours
            yield page.read().decode("utf-8", "replace")


def validated(folder):
    """The reports of `validate` on what was fetched, in each form, and what it prints."""
    words = [sys.executable, "-c", "from mohlcv_dagster.cli import main; main()", "validate", "--timeframe", "1s"]
    words += ["--input-dir", str(folder / "data" / "raw_1s")]
    environment = {**os.environ, "MASSIVE_API_KEY": KEY}
    for form in ([], ["--json"], ["--report", str(folder / "report.html")]):
        done = subprocess.run([*words, *form], env=environment, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        yield done.stdout + done.stderr


@pytest.fixture(scope="module")
def served(tmp_path_factory, webhook):
    """What was said and written by a day with every fault: texts by where they were, and the folder."""
    folder = tmp_path_factory.mktemp("key")
    market = AnySymbol(ReplayedMarket(recorded(folder / "replay")))
    processes = Processes()
    processes.start()
    settings = {"MASSIVE_API_KEY": KEY, "MOHLCV_ALERT_URL": webhook[0]}
    with (
        Sandbox(market, faults=list(faults()), keys=[KEY]) as vendor,
        serve(folder, vendor.url, more=DEBUG, **settings) as webserver,
    ):
        for sensor in ("alert_on_failing_check", "alert_on_failed_run"):
            webserver.turn_on(sensor)
        symbols = [*SYMBOLS.values(), *EMPTY]
        for symbol in symbols:
            webserver.add_symbol(symbol)
        refused = SYMBOLS["unknown-key"]  # it ends its run at once
        for part in ([refused], [symbol for symbol in symbols if symbol != refused]):
            backfill = webserver.launch_backfill([f"2024-01|{symbol}" for symbol in part])
            until(lambda backfill=backfill: webserver.completed(backfill), "the backfill is over", 300)
        until(lambda: webhook[1], "an alert", 120)
        until(lambda: all(run.status in OVER for run in webserver.runs()), "all runs are over", 120)
        texts = list(answers(webserver))
        struck = {request.fault for request in vendor.requests}
        assert all(b"authorization" not in body.lower() for body in webhook[1])
    processes.stop()
    texts += list(validated(folder))
    return folder, texts, struck, [body.decode() for body in webhook[1]], processes.seen


def test_every_fault_was_met_and_debug_logging_was_on(served):
    folder, _, struck, alerts, processes = served
    assert struck - {None} == set(FAULT_KINDS)
    kept = "".join(texts_of(folder).values())
    assert re.search(r"GET /v2/aggs/ticker/F\d+/range", kept)  # of urllib3, on level debug
    assert "***" in kept
    assert alerts
    assert any(b"dagster" in words for words in processes)


def test_the_key_is_in_no_file_of_home_data_logs_and_reports(served):
    folder, *_ = served
    assert list(folder.rglob("*.db"))
    assert files_with(folder, SPELLINGS) == []


def test_the_key_is_in_no_page_no_answer_of_graphql_and_no_report(served):
    _, texts, *_ = served
    assert len(texts) > 10
    assert [text[:200] for text in texts if any(each.decode() in text for each in SPELLINGS)] == []


def test_the_key_is_in_no_alert_and_in_the_words_of_no_process(served):
    *_, alerts, processes = served
    assert [alert[:200] for alert in alerts if any(each.decode() in alert for each in SPELLINGS)] == []
    assert [words for words in processes if any(each in words for each in SPELLINGS)] == []
