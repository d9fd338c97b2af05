"""`mohlcv resample` on folders that Dagster never saw, and on the project's own."""

import json

import dagster as dg
import pytest

from mohlcv_dagster.cli.dagster_home import DAGSTER_HOME
from mohlcv_dagster.defs.partitions import asset_key
from mohlcv_dagster.model.timeframes import MINUTE
from mohlcv_dagster_tests.checks.clean_files import HEADER, WHOLE_15S
from mohlcv_dagster_tests.validation.test_validation import CROOKED, SIBLING

FOREIGN = ("--symbol", "SPY", "--input-dir", "old/raw", "--output-dir", "old/folded")


@pytest.fixture
def old(project):
    """A tree of somebody else's: a file of the sibling's with its further columns, and one that is no file of bars."""
    folder = project / "old/raw/SPY"
    folder.mkdir(parents=True)
    (folder / "SPY_2024_01.csv").write_bytes(SIBLING)
    (folder / "readme.txt").write_text("mine")
    return project / "old"


def made(old):
    return sorted(str(path.relative_to(old)) for path in old.rglob("*1*s*.csv") if "folded" in path.parts)


def test_a_tree_that_dagster_never_saw_is_resampled_without_key_and_network_and_not_remembered(mohlcv, old, project):
    said = mohlcv("resample", *FOREIGN, "--timeframes", "15s")

    assert (said.code, said.err) == (0, "")
    assert (old / "folded/15s/SPY_2024_01_15s.csv").read_bytes() == WHOLE_15S
    assert "readme.txt is skipped: not named as the layout has it, such as SPY_2024_01.csv" in said.out
    assert "✓ SPY 2024-01  aggregated/15s   2 of 2 checks passed" in said.out
    assert said.out.endswith("1 resampled, 0 skipped, 0 failed\n")
    assert not (project / "data").exists()
    assert mohlcv("symbols").out == "Nothing is stored yet. Fetch SPY first.\n"


def test_of_a_broken_raw_file_nothing_is_resampled_and_the_fault_is_told_once(mohlcv, old):
    (old / "raw/SPY/SPY_2024_01.csv").write_bytes(CROOKED)
    said = mohlcv("resample", *FOREIGN, "--timeframes", "15s,30s", "--json")
    [month] = json.loads(said.out)["months"]

    assert said.code == 1
    assert made(old) == []
    assert month["outcome"] == "failed"
    [reason] = month["reasons"]
    assert reason.startswith("nothing is made from raw_1s/SPY/SPY_2024_01.csv, which breaks 1 rule. ohlc_order: 1 of 6")
    assert "0 resampled, 0 skipped, 1 failed" in said.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--symbol", "QQQ", "--input-dir", "old/raw"], 1, "No raw file of QQQ is stored in"),
        (["--symbol", "QQQ", "--input-dir", "old/raw"], 1, "raw; there are SPY. Fetch QQQ first"),
        (["--symbol", "SPY"], 1, "Nothing is stored yet. Fetch SPY first."),
        ([*FOREIGN, "--timeframes", "7s"], 2, "'7s' is not offered; choose from 15s, 30s, 45s, 1min, 2min, 5min"),
        ([*FOREIGN, "--start", "2024-02-01"], 1, "no stored month is from 2024-02 to the last: there are 2024-01 to"),
        ([*FOREIGN, "--start", "2024-02-01", "--end", "2024-01-01"], 2, "swap them"),
        (["--symbol", "S/PY"], 2, "is not a US stock symbol"),
    ],
)
def test_what_cannot_be_resampled_is_refused_with_what_is_there(mohlcv, old, words, code, told):
    said = mohlcv("resample", *words)

    assert said.code == code
    assert told in said.err
    assert made(old) == []


@pytest.mark.slow
def test_the_projects_own_months_are_resampled_where_the_ui_shows_them_and_again_only_after_a_change(
    mohlcv, project, vendor
):
    mohlcv("fetch", "--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-01-31")
    asked = len(vendor.requests)
    words = ("resample", "--symbol", "ABC", "--timeframes", "1min", "--input_dir", "data/raw_1s")
    first, second = mohlcv(*words), mohlcv(*words)

    folded = project / "data/aggregated/1min/ABC_2024_01_1min.csv"
    content = folded.read_bytes()
    assert content.count(b"\n") == 1 + 21 * 13
    assert first.out.endswith("1 resampled, 0 skipped, 0 failed\n")
    assert "- ABC 2024-01  skipped: its aggregates are up to date\n" in second.out
    assert len(vendor.requests) == asked  # nobody is asked, not even for the vendor's own minutes
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DAGSTER_HOME, str(project / ".mohlcv/home"))
        with dg.DagsterInstance.get() as instance:
            assert instance.get_materialized_partitions(asset_key(MINUTE)) == {"2024-01|ABC"}

    folded.write_bytes(HEADER)  # somebody's slip
    assert mohlcv(*words).out.endswith("1 resampled, 0 skipped, 0 failed\n")
    assert folded.read_bytes() == content
