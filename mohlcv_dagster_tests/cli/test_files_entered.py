"""How many files of the package a reader of `mohlcv validate` passes through: fewer files make it easier to follow."""

import json
import subprocess
import sys

from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.checks.clean_files import WHOLE, WHOLE_15S
from mohlcv_dagster_tests.validation.test_validation import SPY, SPY_15S

BOUND = 35
COUNTING = """
import json, sys, threading
from pathlib import Path
import mohlcv_dagster
from mohlcv_dagster.cli import main

folder = str(Path(mohlcv_dagster.__file__).parent)
entered = set()

def note(frame, event, _):
    code = frame.f_code
    is_function = code.co_flags & 1  # CO_OPTIMIZED: not the body of a module or a class, which an import executes
    if event == "call" and is_function and code.co_filename.startswith(folder):
        entered.add(code.co_filename[len(folder) + 1 :])

threading.setprofile(note)
sys.setprofile(note)
try:
    main()
except SystemExit as end:
    sys.setprofile(None)
    print(json.dumps({"code": end.code, "files": sorted(entered)}))
"""


def test_validating_an_aggregate_enters_few_files_of_the_package(project):
    archive = Archive(project / "data")
    archive.write(SPY, WHOLE)
    archive.write(SPY_15S, WHOLE_15S)
    words = ["validate", "--input-dir", "data/aggregated/15s", "--timeframe", "15s"]
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, *words], cwd=project, capture_output=True, text=True, check=False
    )
    entered = json.loads(done.stdout.splitlines()[-1])

    assert entered["code"] == 0, done.stderr
    print(len(entered["files"]), *entered["files"])  # noqa: T201 - shown by `pytest -s`
    assert len(entered["files"]) <= BOUND
