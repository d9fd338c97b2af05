"""`mohlcv validate`: the findings are those of the asset checks, and the exit codes those of the original."""

import json

import dagster as dg
import pytest

from mohlcv_dagster.checks import registry
from mohlcv_dagster.cli.dagster_home import DAGSTER_HOME
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.checks.clean_files import WHOLE, WHOLE_15S
from mohlcv_dagster_tests.defs.location import rules_of
from mohlcv_dagster_tests.validation.test_validation import CROOKED, OFF_BY_ONE, SPY, SPY_15S

MINUTES = ("--input-dir", "data/aggregated/15s", "--timeframe", "15s")
RAW = ("--input-dir", "data/raw_1s", "--timeframe", "1s")


@pytest.fixture
def tree(project):
    """A tree that no Dagster saw: the raw file is clean, the aggregate has one share too many."""
    archive = Archive(project / "data")
    archive.write(SPY, WHOLE)
    archive.write(SPY_15S, OFF_BY_ONE)
    return archive


def test_an_aggregate_is_held_against_the_raw_files_beside_it_and_an_error_exits_with_1(mohlcv, tree, project):
    said = mohlcv("validate", *MINUTES)

    assert said.code == 1
    assert "✗ SPY 2024-01 15s  3 bars, 13 rules passed, 2 failed, 1 not checked" in said.out
    assert "error volume_conserved: aggregated/15s/SPY_2024_01_15s.csv does not equal what" in said.out
    assert "(volume 15635, expected 15634); in total it has 16,655 shares, its raw file 16,654" in said.out
    command = f"--force --timeframes 15s --input-dir {project}/data/raw_1s --output-dir data/aggregated"
    assert f"In the terminal: mohlcv resample --symbol SPY --start 2024-01-01 --end 2024-01-31 {command}" in said.out
    assert "1 file checked: 1 with errors, 0 with warnings alone, 0 without either." in said.out
    assert "Not checked for every file: as_recorded (nothing is recorded of this file" in said.out
    assert not (project / ".mohlcv").exists()


def test_a_clean_aggregate_and_warnings_alone_exit_with_0(mohlcv, tree):
    tree.write(SPY_15S, WHOLE_15S)

    assert mohlcv("validate", *MINUTES, "--raw_data_dir", "data/raw_1s").code == 0
    warned = mohlcv("validate", *RAW)
    assert warned.code == 0
    assert "warning sessions_present: " in warned.out
    assert "Look at the warnings; the bars can be used." in warned.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--input-dir", "data/nowhere", "--timeframe", "15s"], 1, "there is no folder"),
        (["--input-dir", "data/aggregated", "--timeframe", "15s"], 1, "did you mean"),
        (["--input-dir", "empty", "--timeframe", "15s"], 1, "empty holds no file of 15s bars"),
        ([*MINUTES, "--symbol", "QQQ"], 1, "holds no file of QQQ; there are SPY"),
        ([*MINUTES, "--raw-data-dir", "nowhere"], 1, "name the folder of raw files with --raw-data-dir"),
        (["--input-dir", "data", "--timeframe", "7s"], 2, "choose from 15s, 30s"),
        (["--input-dir", "data", "--timeframe", "7s"], 2, "or 1s for raw files"),
        ([*MINUTES, "--report", "report.pdf"], 2, ".pdf is not a format; end it in .txt, .json or .html"),
        ([*MINUTES, "--format", "html"], 2, "name its file with --report"),
        (["--timeframe", "15s"], 2, "--input-dir"),
    ],
)
@pytest.mark.usefixtures("tree")
def test_what_cannot_be_validated_is_refused_with_what_is_there(mohlcv, project, words, code, told):
    (project / "empty").mkdir()
    said = mohlcv("validate", *words)

    assert said.code == code
    assert told in said.err


def test_the_form_of_a_report_is_told_by_its_suffix_or_by_an_option(mohlcv, tree, project):
    for name, words in {"r.txt": (), "r.json": (), "r.html": (), "report": ("--format", "json")}.items():
        said = mohlcv("validate", *MINUTES, "--report", name, *words)
        assert said.err == f"The report is in {name}\n"

    assert (project / "r.txt").read_text().startswith("Validation of data/aggregated/15s, 15s bars\n")
    assert (project / "r.html").read_text().startswith("<!doctype html>")
    assert (
        json.loads((project / "r.json").read_text())["files"] == json.loads((project / "report").read_text())["files"]
    )


def test_json_is_one_document_on_standard_output_and_all_else_is_on_standard_error(mohlcv, tree):
    said = mohlcv("validate", *MINUTES, "--json")

    assert json.loads(said.out)["counts"] == {"files": 1, "error": 1, "warn": 0, "ok": 0}
    assert "1 file checked" in said.err


@pytest.mark.slow
def test_in_the_projects_own_folders_the_findings_are_word_for_word_those_of_the_asset_checks(mohlcv, project, vendor):
    mohlcv("fetch", "--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-02-28")
    stored = project / "data/raw_1s/ABC/ABC_2024_01.csv"
    stored.write_bytes(stored.read_bytes().replace(b"\n", b"\r\n", 3))
    judged = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DAGSTER_HOME, str(project / ".mohlcv/home"))
        from mohlcv_dagster.cli import runs  # noqa: PLC0415 - as above
        from mohlcv_dagster.cli.dagster_home import Home  # noqa: PLC0415 - as above
        from mohlcv_dagster.definitions import build  # noqa: PLC0415 - it reads the settings of the test
        from mohlcv_dagster.model import timeframes  # noqa: PLC0415 - as above
        from mohlcv_dagster.storage.inventory import list_folder  # noqa: PLC0415 - as above

        definitions = build(Home.real(project).settings())
        with dg.DagsterInstance.get() as instance:
            for file in list_folder("data/raw_1s", timeframes.RAW).files:
                outcome = runs.check(definitions, instance, file)
                rows = rows_of(instance, outcome.run_id)
                judged[str(file.month)] = {
                    name: row["what was found"] for name, row in rows.items() if row["result"] in {"warning", "error"}
                }
                assert rows.keys() == {rule.name for rule in registry.for_timeframe(file.timeframe)}
    told = json.loads(mohlcv("validate", *RAW, "--json").out)["files"]

    assert [file["not_judged"] for file in told] == [[], []]
    assert judged["2024-01"].keys() == {"as_recorded", "exact_form"}
    assert judged["2024-02"].keys() == {"not_empty"}
    for file in told:
        messages = {found["rule"]: f"{found['fault']} {found['cure']}" for found in file["findings"]}
        assert messages == judged[file["month"]]


def rows_of(instance, run_id):
    """What the checks of a run say of each rule."""
    events = [entry.dagster_event for entry in instance.all_logs(run_id) if entry.dagster_event]
    evaluated = [event for event in events if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION]
    return {rule: row for event in evaluated for rule, row in rules_of(event.asset_check_evaluation_data).items()}


def test_a_raw_file_that_breaks_a_rule_exits_with_1(mohlcv, tree):
    tree.write(SPY, CROOKED)

    assert mohlcv("validate", *RAW, "--symbol", "SPY").code == 1
