import subprocess
import sys


def test_arrow_takes_memory_where_numpy_takes_it():
    code = (
        "import pyarrow as pa; from mohlcv_dagster.bars import schema; "
        "print(pa.default_memory_pool().backend_name, schema.empty()['open'].num_chunks)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "system"
