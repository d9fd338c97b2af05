"""What importing the vendor's room loads."""

import subprocess
import sys


def test_importing_the_vendor_loads_neither_the_client_nor_pandas_nor_dagster():
    code = (
        "import sys, mohlcv_dagster.vendor.massive; "
        "print(sorted({'massive', 'urllib3', 'pandas', 'dagster', 'exchange_calendars'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # our own code
    assert loaded.stdout.strip() == "[]"
