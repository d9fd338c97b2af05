"""A real `mohlcv up` in processes of its own, and the little of its GraphQL API that a user's browser uses. No test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from mohlcv_dagster.cli import home_creation

PATIENCE = 90.0
LOCATION = "mohlcv_dagster.definitions"
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
ASSETS = ("raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min")
POOL = "massive_api"
OVER = {"SUCCESS", "FAILURE", "CANCELED"}

_UP = "from mohlcv_dagster.cli import main; main()"
_FOREIGN = ("MASSIVE_", "MOHLCV_", "DAGSTER_", "PYTEST_")

_IN_EACH_PROCESS = """\
import os, pathlib
pathlib.Path(__file__).with_name(f"{os.getpgrp()}.group").touch()
"""
"""Leaves a note of its process group, so that all can be ended."""


def until(found, what, patience=PATIENCE):
    """The first true thing that `found()` gives; asked again and again, and an error when time is up."""
    over = time.monotonic() + patience
    while time.monotonic() < over:
        if result := found():
            return result
        time.sleep(0.1)
    raise AssertionError(f"not after {patience:g} s: {what}")


def key_of(asset):
    return {"path": asset.split("/")}


@dataclass(frozen=True)
class Run:
    run_id: str
    status: str
    span: tuple[str, str]


class Webserver:
    """What the UI asks of the webserver, with the words it uses."""

    def __init__(self, url, **headers):
        self.url = url
        self._url = f"{url}/graphql"
        self._headers = {"Content-Type": "application/json", **headers}

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self._url, body, self._headers)  # noqa: S310 - http, ours
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - as above
            told = json.load(answer)
        assert not told.get("errors"), told
        return told["data"]

    def is_loaded(self):
        with suppress(OSError):
            entries = self.ask(
                "{workspaceOrError{...on Workspace{locationEntries{loadStatus locationOrLoadError{__typename "
                "...on PythonError{message}}}}}}"
            )["workspaceOrError"]["locationEntries"]
            kinds = [entry["locationOrLoadError"] for entry in entries if entry["loadStatus"] == "LOADED"]
            assert all(kind["__typename"] == "RepositoryLocation" for kind in kinds), kinds
            return bool(kinds)
        return False

    def add_symbol(self, symbol):
        query = """mutation($where: RepositorySelector!, $key: String!) {
          addDynamicPartition(partitionKey: $key, partitionsDefName: "symbol", repositorySelector: $where) {
            __typename}}"""
        told = self.ask(query, where=REPOSITORY, key=symbol)["addDynamicPartition"]
        assert told["__typename"] == "AddDynamicPartitionSuccess", told

    def symbols(self):
        """The symbols that the launch dialog offers."""
        node = self.ask(
            """query($key: AssetKeyInput!) {assetNodeOrError(assetKey: $key) {...on AssetNode {
              partitionKeysByDimension {name partitionKeys}}}}""",
            key=key_of("raw_1s"),
        )["assetNodeOrError"]
        return {each["name"]: each["partitionKeys"] for each in node["partitionKeysByDimension"]}["symbol"]

    def limit_fetches(self, months):
        query = f'mutation($months: Int!) {{setConcurrencyLimit(concurrencyKey: "{POOL}", limit: $months)}}'
        assert self.ask(query, months=months)["setConcurrencyLimit"]

    def pool(self):
        return self.ask(f'{{instance {{concurrencyLimit(concurrencyKey: "{POOL}") {{slotCount activeSlotCount}}}}}}')[
            "instance"
        ]["concurrencyLimit"]

    def launch_backfill(self, partitions):
        told = self.ask(
            """mutation($what: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $what) {
              __typename ...on LaunchBackfillSuccess {backfillId} ...on PythonError {message}}}""",
            what={"assetSelection": [key_of(asset) for asset in ASSETS], "partitionNames": sorted(partitions)},
        )["launchPartitionBackfill"]
        assert told["__typename"] == "LaunchBackfillSuccess", told
        return told["backfillId"]

    def backfill_status(self, backfill):
        query = "query($id: String!) {partitionBackfillOrError(backfillId: $id) {...on PartitionBackfill {status}}}"
        return self.ask(query, id=backfill)["partitionBackfillOrError"]["status"]

    def completed(self, backfill):
        """The status in which the backfill ended, once it has."""
        status = self.backfill_status(backfill)
        return None if status == "REQUESTED" else status

    def runs(self, **tags):
        """The runs with these tags, `dagster/` left out of their names."""
        found = self.ask(
            """query($tags: [ExecutionTag!]) {runsOrError(filter: {tags: $tags}) {...on Runs {
              results {runId status tags {key value}}}}}""",
            tags=[{"key": f"dagster/{name}", "value": value} for name, value in tags.items()],
        )["runsOrError"]["results"]
        told = [(each, {tag["key"]: tag["value"] for tag in each["tags"]}) for each in found]
        return [Run(each["runId"], each["status"], _range_of(tags)) for each, tags in told]

    def process_of(self, run_id):
        """The process in which a run's executor said that it runs."""
        events = self.ask(
            """query($id: ID!) {logsForRun(runId: $id) {...on EventConnection {events {
              ...on EngineEvent {metadataEntries {label ...on TextMetadataEntry {text}}}}}}}""",
            id=run_id,
        )["logsForRun"]["events"]
        entries = [entry for event in events for entry in event.get("metadataEntries", ())]
        return int(next(entry["text"] for entry in entries if entry["label"] == "pid"))

    def failed_and_missing(self, asset, symbols, months):
        """What the launch dialog leaves of `symbols` × `months` when asked for failed and missing partitions only."""
        told = self.ask(
            """query($key: AssetKeyInput!) {assetNodeOrError(assetKey: $key) {...on AssetNode {assetPartitionStatuses {
              ...on MultiPartitionStatuses {primaryDimensionName ranges {primaryDimStartKey primaryDimEndKey
                secondaryDim {...on DefaultPartitionStatuses {materializedPartitions failedPartitions}}}}}}}}""",
            key=key_of(asset),
        )["assetNodeOrError"]["assetPartitionStatuses"]
        assert told["primaryDimensionName"] == "month"
        there = {
            f"{month}|{symbol}"
            for span in told["ranges"]
            for month in months
            if span["primaryDimStartKey"] <= month <= span["primaryDimEndKey"]
            for symbol in set(span["secondaryDim"]["materializedPartitions"])
            - set(span["secondaryDim"]["failedPartitions"])
        }
        return {f"{month}|{symbol}" for month in months for symbol in symbols} - there

    def checks(self, asset):
        """Every check of an asset with the dimensions of its partitions."""
        return self.ask(
            """query($key: AssetKeyInput!) {assetNodeOrError(assetKey: $key) {...on AssetNode {assetChecksOrError {
              ...on AssetChecks {checks {name partitionDefinition {dimensionTypes {name}}}}}}}}""",
            key=key_of(asset),
        )["assetNodeOrError"]["assetChecksOrError"]["checks"]

    def execute_checks(self, asset, partition, names):
        """The run that the Execute button of the checks tab starts."""
        month, symbol = partition.split("|")
        tags = {"partition": partition, "partition/month": month, "partition/symbol": symbol}
        selected = [{"assetKey": key_of(asset), "name": name} for name in names]
        told = self.ask(
            """mutation($what: ExecutionParams!) {launchPipelineExecution(executionParams: $what) {
              __typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}}}""",
            what={
                "selector": {
                    **REPOSITORY,
                    "pipelineName": "__ASSET_JOB",
                    "assetSelection": [],
                    "assetCheckSelection": selected,
                },
                "mode": "default",
                "executionMetadata": {"tags": [{"key": f"dagster/{name}", "value": tags[name]} for name in tags]},
            },
        )["launchPipelineExecution"]
        assert told["__typename"] == "LaunchRunSuccess", told
        return told["run"]["runId"]

    def refused_launch(self, asset, partition, config):
        """What is said of a launch of a partition whose config is refused."""
        told = self.ask(
            """mutation($what: ExecutionParams!) {launchPipelineExecution(executionParams: $what) {
              __typename ...on RunConfigValidationInvalid {errors {message}}}}""",
            what={
                "selector": {**REPOSITORY, "pipelineName": "__ASSET_JOB", "assetSelection": [key_of(asset)]},
                "mode": "default",
                "runConfigData": config,
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": partition}]},
            },
        )["launchPipelineExecution"]
        assert told["__typename"] == "RunConfigValidationInvalid", told
        return [each["message"] for each in told["errors"]]

    def launch_job(self, job, **config):
        """The run that the button of a job's launchpad starts."""
        told = self.ask(
            """mutation($what: ExecutionParams!) {launchPipelineExecution(executionParams: $what) {
              __typename ...on LaunchRunSuccess {run {runId}} ...on PythonError {message}
              ...on RunConfigValidationInvalid {errors {message}}}}""",
            what={"selector": {**REPOSITORY, "pipelineName": job}, "mode": "default", "runConfigData": config},
        )["launchPipelineExecution"]
        assert told["__typename"] == "LaunchRunSuccess", told
        return told["run"]["runId"]

    def launchpad(self, job):
        """The config that a job's launchpad shows at first."""
        query = """query($which: PipelineSelector!) {runConfigSchemaOrError(selector: $which, mode: "default") {
          ...on RunConfigSchema {rootDefaultYaml} ...on PythonError {message}}}"""
        return self.ask(query, which={**REPOSITORY, "pipelineName": job})["runConfigSchemaOrError"]["rootDefaultYaml"]

    def backfills(self):
        """The ids of the backfills there are, the latest first."""
        query = "{partitionBackfillsOrError {...on PartitionBackfills {results {id}}}}"
        return [each["id"] for each in self.ask(query)["partitionBackfillsOrError"]["results"]]

    def found(self, **tags):
        """The jobs of the runs that the page of runs leaves when it is filtered by these tags of ours, sorted."""
        query = """query($tags: [ExecutionTag!]) {runsOrError(filter: {tags: $tags}) {...on Runs {
          results {pipelineName}}}}"""
        wanted = [{"key": f"mohlcv/{name}", "value": value} for name, value in tags.items()]
        return sorted(each["pipelineName"] for each in self.ask(query, tags=wanted)["runsOrError"]["results"])

    def evaluations(self, asset, check, partition):
        """What was found of a partition, the latest first."""
        found = self.ask(
            """query($key: AssetKeyInput!, $check: String!, $partition: String) {
              assetCheckExecutions(assetKey: $key, checkName: $check, partition: $partition, limit: 10) {
                runId status partition evaluation {partition success severity description}}}""",
            key=key_of(asset),
            check=check,
            partition=partition,
        )
        return found["assetCheckExecutions"]

    def sensor(self, name):
        """Whether a sensor is on, and how its latest ticks ended."""
        query = """query($which: SensorSelector!) {sensorOrError(sensorSelector: $which) {...on Sensor {
          sensorState {status ticks(limit: 3) {status error {message}}}}}}"""
        return self.ask(query, which={**REPOSITORY, "sensorName": name})["sensorOrError"]["sensorState"]

    def turn_on(self, name):
        """What the switch on the Automation page does."""
        query = """mutation($which: SensorSelector!) {startSensor(sensorSelector: $which) {
          __typename ...on PythonError {message}}}"""
        told = self.ask(query, which={**REPOSITORY, "sensorName": name})["startSensor"]
        assert told["__typename"] == "Sensor", told


def _range_of(tags):
    """The first and the last partition of a run, as its tags tell; of a run of one they are the same."""
    one = tags.get("dagster/partition", "")
    return (
        tags.get("dagster/asset_partition_range_start", one),
        tags.get("dagster/asset_partition_range_end", one),
    )


@contextmanager
def serve(folder, vendor_url, words=(), headers=None, *, more="", **settings):
    """`mohlcv up` in `folder`, asking the vendor at `vendor_url`; gone with all it started when the block is left.

    Further `words` are of its command line, `settings` variables of its environment; `headers` go with each request;
    `more` is added to `dagster.yaml`.
    """
    port = _free_port()
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_IN_EACH_PROCESS)
    (folder / "home").mkdir(exist_ok=True)
    often = home_creation.configuration().replace("backfill_interval_seconds: 2", "backfill_interval_seconds: 1")
    (folder / "home" / "dagster.yaml").write_text(often + more)
    own = {
        "MASSIVE_API_KEY": "sandbox",
        "MASSIVE_BASE_URL": vendor_url,
        "MOHLCV_DATA_DIR": str(folder / "data"),
        "MOHLCV_START": "2024-01",
        "DAGSTER_HOME": str(folder / "home"),
        "PYTHONPATH": str(site),
        **settings,
    }
    # the shell's variables win over these; a run that heeded one of them would fail
    (folder / ".env").write_text(f"MOHLCV_DATA_DIR={folder / 'not-here'}\nMASSIVE_BASE_URL=http://127.0.0.1:1\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)} | own
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _UP, "up", "--port", str(port), *words],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            webserver = Webserver(f"http://127.0.0.1:{port}", **(headers or {}))
            until(lambda: process.poll() is not None or webserver.is_loaded(), "the location is loaded")
            assert process.poll() is None, (folder / "up.log").read_text()
            yield webserver
        finally:
            _end(process, site)


def _end(process, site):
    process.terminate()
    try:
        process.wait(30)
    finally:
        # code servers outlive `dagster dev` for some seconds
        for group in site.glob("*.group"):
            with suppress(ProcessLookupError):
                os.killpg(int(group.stem), signal.SIGKILL)
        process.wait()


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
