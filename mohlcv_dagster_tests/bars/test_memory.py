import subprocess
import sys

import pytest


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
        for first in ("", "from mohlcv_dagster.bars import memory; memory.share()")
    )
    if before < 8:
        pytest.skip("this C library keeps no heap for each thread")

    assert shared <= 2
