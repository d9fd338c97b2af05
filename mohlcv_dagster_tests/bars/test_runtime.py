"""What is done in threads, what is too little for that, and where memory is allocated."""

import subprocess
import sys
import threading

import pytest

from mohlcv_dagster.bars import runtime
from mohlcv_dagster.bars.runtime import FEW_BARS, pool, start


@pytest.mark.parametrize(("bars", "at_once"), [(0, True), (FEW_BARS, True), (FEW_BARS + 1, False)])
def test_few_bars_are_worked_on_at_once_and_many_in_another_thread(bars, at_once):
    worked = start(pool, bars, threading.get_ident).result()
    assert (worked == threading.get_ident()) is at_once


@pytest.mark.parametrize("bars", [1, FEW_BARS + 1])
def test_an_error_is_raised_where_the_result_is_asked_for(bars):
    promised = start(pool, bars, int, "no number")
    with pytest.raises(ValueError, match="no number"):
        promised.result()


def test_results_come_in_order_and_what_has_not_begun_is_cancelled():
    results = runtime.map_in_order(abs, [-1, 2, -3, 4])
    assert [next(results), next(results)] == [1, 2]
    results.close()
    assert list(runtime.map_in_order(abs, [-1, 2, -3, 4])) == [1, 2, 3, 4]


def printed(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_where_files_are_read_arrow_takes_memory_where_numpy_takes_it_and_an_import_alone_changes_nothing():
    code = (
        "import pyarrow as pa; before = pa.default_memory_pool().backend_name; "
        "from mohlcv_dagster.storage.archive import Archive; from mohlcv_dagster.storage.reader import BarReader; "
        "print(pa.default_memory_pool().backend_name == before); BarReader(Archive('data')); "
        "print(pa.default_memory_pool().backend_name)"
    )
    assert printed(code).split() == ["True", "system"]


HEAPS = """
import ctypes, threading
import numpy, pyarrow
{first}
library = ctypes.CDLL(None)
together = threading.Barrier(9)

def work():
    library.calloc(64, 1)
    together.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
together.wait()
library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the C library keeps no heap for each thread")
def test_threads_take_memory_from_heaps_that_are_there():
    before, shared = (
        printed(HEAPS.format(first=first)).count("<heap nr=")
        for first in ("", "from mohlcv_dagster.bars import runtime; runtime.use_one_allocator()")
    )
    if before < 8:
        pytest.skip("this C library keeps no heap for each thread")

    assert shared <= 2
