"""Which libraries a process loads before and while it works: each one costs time at every start."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mohlcv_dagster


def printed(program):
    """What a program prints in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def loaded(libraries, *statements):
    """Which of these libraries a fresh interpreter has loaded after some statements."""
    return printed("\n".join([*statements, f"import sys; print(sorted({libraries!r} & set(sys.modules)))"]))


@pytest.mark.slow
def test_a_green_partition_and_the_quality_table_through_dagster_load_no_pandas_and_no_calendar():
    libraries = {"pandas", "exchange_calendars", "pyarrow.dataset", "massive"}
    assert loaded(libraries, "from mohlcv_dagster_tests.programs.green_run import main", "main()") == "[]"


def test_bars_from_page_to_checked_files_load_no_pandas_no_masked_arrays_no_calendar_and_no_dagster():
    libraries = {"dagster", "pandas", "numpy.ma", "exchange_calendars", "pyarrow.dataset"}
    assert loaded(libraries, "from mohlcv_dagster_tests.programs.checked_files import main", "main()") == "[]"


def test_the_code_location_loads_no_pandas_no_client_and_no_calendar():
    load = "from mohlcv_dagster.definitions import defs", "defs.get_repository_def().load_all_definitions()"
    assert loaded({"pandas", "massive", "exchange_calendars", "pyarrow.dataset"}, *load) == "[]"


COMMAND_LINE = """
import sys
from mohlcv_dagster.cli import main
try:
    main()
except SystemExit:
    print(sorted({"numpy", "pyarrow", "pandas", "massive"} & set(sys.modules)))
"""


@pytest.mark.slow
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
        [sys.executable, "-c", COMMAND_LINE, *words], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def imported_late():
    """What our functions import when they run, not when the process starts: names by module."""
    late = {}
    for path in Path(mohlcv_dagster.__file__).parent.rglob("*.py"):
        functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        for node in (each for function in functions for each in ast.walk(function)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("mohlcv_dagster"):
                late.setdefault(node.module, set()).update(each.name for each in node.names)
    return late


EACH_LATE_IMPORT = """
import dagster, importlib, os, sys

def load(module, names):
    found = importlib.import_module(module)
    for name in names:
        if not hasattr(found, name):
            importlib.import_module(f"{{module}}.{{name}}")

failed = []
for module, names in {late!r}.items():
    child = os.fork()
    if not child:
        try:
            load(module, names)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(module)
print(failed)
"""


@pytest.mark.slow
def test_each_late_import_works_whatever_was_imported_before():
    late = imported_late()
    found = late.keys() | {f"{module}.{name}" for module, names in late.items() for name in names}
    assert found >= {
        "mohlcv_dagster.storage.reader",
        "mohlcv_dagster.defs.partition_loop",
        "mohlcv_dagster.defs.check_runner",
        "mohlcv_dagster.defs.quality_step",
    }
    assert printed(EACH_LATE_IMPORT.format(late=late)) == "[]"
