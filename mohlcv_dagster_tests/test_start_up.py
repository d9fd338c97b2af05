"""What a process loads before and while it works: each library is paid for at every start."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mohlcv_dagster
from mohlcv_dagster.bars.rules import AGAINST_VENDOR, RULES

QUIET_MONTH = """
import pyarrow as pa
from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.sandbox.synthetic import Synthetic

def quiet_month(symbol, month):
    market = Synthetic()
    days = market.days(symbol, month.start.date(), month.end.date())
    bars = pa.concat_tables([market.bars(symbol, day, RAW, adjusted=False) for day in days])
    return bars.slice(0, int((schema.seconds(bars) < month.end_second).sum()))
"""

THE_WAY_OF_A_BAR = (
    QUIET_MONTH
    + """
import sys
from datetime import UTC, datetime
from mohlcv_dagster.bars import csv_codec, resample, rules, timeframes
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules import Evidence, Recorded
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.providers.massive.decoder import decode_page
from mohlcv_dagster.providers.massive.pages import merge
from mohlcv_dagster.providers.massive.pages import PageRequest
from mohlcv_dagster.providers.massive.windows import Timespan, Window

def judged(file, content, rows, raw=None):
    settled = datetime(2024, 3, 2, tzinfo=UTC)
    recorded = Recorded(rows, rules.Reading.of(content).sha256, settled, file.month.end, adjusted=False)
    findings = rules.judge(Evidence.of(file, content, raw=raw, recorded=recorded))
    failed = [found.message for found in findings if not found.passed]
    assert not failed, failed

T = 1704205800000
row = '{{"v":{},"o":475.32,"c":475,"h":475.45,"l":475,"t":{}}}'
rows = ",".join(row.format(volume, T + 1000 * n) for n, volume in enumerate((100, 0.5, 1.3e2)))
body = '{"ticker":"SPY","status":"OK","resultsCount":3,"adjusted":false,"results":[' + rows + "]}"
request = PageRequest("SPY", Timespan("second", 1000), Window(T, T + 9_999), adjusted=False)
assert merge([decode_page(body.encode(), request)]).num_rows == 3

bars = quiet_month("AAC", Month(2024, 2))
raw, content = BarFile.parse("raw_1s/AAC/AAC_2024_02.csv"), csv_codec.encode(bars)
assert csv_codec.decode(content).equals(bars)
judged(raw, content, len(bars))
for name in ("15s", "1min"):
    file = BarFile("AAC", timeframes.parse(name), raw.month)
    folded = resample.fold(bars, file.timeframe)
    judged(file, csv_codec.encode(folded), len(folded), content)
print(sorted({"dagster", "pandas", "numpy.ma", "exchange_calendars", "pyarrow.dataset"} & set(sys.modules)))
"""
)


A_RUN = (
    QUIET_MONTH
    + """
import sys, tempfile
import dagster as dg
from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster_tests.defs.location import location, run

content = csv_codec.encode(quiet_month("AAC", Month(2024, 2)))
with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral() as instance:
    definitions = location(folder, {("AAC", "2024-02"): content}, timeframes="15s,1min", parquet=True)
    result = run(definitions, instance, "2024-02|AAC", "raw_1s", "aggregated/15s", "aggregated/1min")
    assert run(definitions, instance, None, "quality/coverage").success
failed = [each.check_name for each in result.get_asset_check_evaluations() if not each.passed]
assert result.success and not failed, failed
print(sorted({"pandas", "exchange_calendars", "pyarrow.dataset", "massive"} & set(sys.modules)))
"""
)


def test_a_green_partition_and_the_quality_table_through_dagster_load_no_pandas_and_no_calendar():
    done = subprocess.run([sys.executable, "-c", A_RUN], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_way_of_a_bar_from_page_to_judged_files_loads_no_pandas_no_masked_arrays_no_calendar_and_no_dagster():
    done = subprocess.run([sys.executable, "-c", THE_WAY_OF_A_BAR], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


THE_LOCATION = """
import sys
from mohlcv_dagster.definitions import defs
defs.get_repository_def().load_all_definitions()
print(sorted({"numpy", "pyarrow", "pandas", "massive"} & set(sys.modules)))
"""


def test_the_code_location_loads_no_library_that_works_on_bars():
    done = subprocess.run([sys.executable, "-c", THE_LOCATION], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


A_COMMAND = """
import sys
from mohlcv_dagster.cli import main
try:
    main()
except SystemExit:
    print(sorted({"numpy", "pyarrow", "pandas", "massive"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["plan", "--symbol", "SPY", "--start", "2024-01-01", "--end", "2024-02-28", "--offline"],
        ["symbols", "add", "SPY", "--offline"],
        ["symbols", "list"],
        ["doctor", "--offline"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_command_that_looks_at_no_bars_loads_no_library_that_works_on_them(words, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", A_COMMAND, *words], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def imported_late():
    """What functions of ours import when they run and the process does not when it starts: names by module."""
    late = {f"mohlcv_dagster.bars.rules.{rule.judged_in}": set() for rule in (*RULES, *AGAINST_VENDOR)}
    for path in Path(mohlcv_dagster.__file__).parent.rglob("*.py"):
        functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        for node in (each for function in functions for each in ast.walk(function)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("mohlcv_dagster"):
                late.setdefault(node.module, set()).update(each.name for each in node.names)
    return late


EACH_FIRST = """
import dagster, importlib, os, sys

def bring(module, names):
    found = importlib.import_module(module)
    for name in names:
        if not hasattr(found, name):
            importlib.import_module(f"{{module}}.{{name}}")

failed = []
for module, names in {late!r}.items():
    child = os.fork()
    if not child:
        try:
            bring(module, names)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(module)
print(failed)
"""


def test_all_that_is_imported_late_can_be_imported_whatever_was_before_it():
    late = imported_late()
    assert {"mohlcv_dagster.storage.reader", "mohlcv_dagster.bars.rules.values"} <= late.keys()
    assert {"partition_loop", "recheck", "summing_up", "storing", "loading"} <= late["mohlcv_dagster.defs"]
    code = EACH_FIRST.format(late=late)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
