"""How many files of the package a reader of a materialization passes through: fewer files make it easier to follow.

The vendor is a handed one, so `providers.massive` is not among them. Of the rest most are the rules
(`checks`, `reconciliation`) and the Dagster definitions (`defs`), a file a concept.
"""

import sys
import threading
from pathlib import Path

import mohlcv_dagster
from mohlcv_dagster_tests.checks.clean_files import WHOLE
from mohlcv_dagster_tests.defs.location import location, run

BOUND = 66
"""Each rule in a file of its own is one more: 59 with 29 rules of raw files, 66 with 33."""
ASSETS = ("raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min")
PACKAGE = Path(mohlcv_dagster.__file__).parent


def test_materializing_a_month_enters_few_files_of_the_package(tmp_path, instance):
    definitions, entered = location(tmp_path, {("SPY", "2024-01"): WHOLE}, timeframes="15s,30s,1min"), set()

    def note(frame, event, _):
        is_function = (
            frame.f_code.co_flags & 1
        )  # CO_OPTIMIZED: not the body of a module or a class, which an import runs
        if event == "call" and is_function:
            entered.add(frame.f_code.co_filename)

    before = sys.getprofile()
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        result = run(definitions, instance, "2024-01|SPY", *ASSETS)
    finally:
        sys.setprofile(before)
        threading.setprofile(None)
    files = sorted(str(Path(at).relative_to(PACKAGE)) for at in entered if Path(at).is_relative_to(PACKAGE))

    assert len(result.get_asset_check_evaluations()) == 12
    print(len(files), *files)  # noqa: T201 - shown by `pytest -s`
    assert len(files) <= BOUND
