"""One attempt at a page of bars from the address given: how it ended, and what time and memory it took. No test.

Prints JSON: `error`, `seconds`, and `megabytes`, by which the most memory grew meanwhile.
"""

import json
import re
import sys
import time
from pathlib import Path

from mohlcv_dagster.errors import VendorError
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.retry import RetryPolicy


def most_memory():
    """The most resident memory so far, MB."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


def main(url):
    policy = RetryPolicy(attempt_seconds=6, tries=1, page_tries=1)
    with MassiveProvider("pk-Never5how-Th1s", url, concurrency=1, retry=policy) as vendor:
        vendor.fetch_month("FIRST", Month(2024, 2), timeframe="minute")  # loads what is needed
        before, began, error = most_memory(), time.monotonic(), ""
        try:
            vendor.fetch_month("SPY", Month(2024, 2), timeframe="minute")
        except VendorError as failed:
            error = f"{type(failed).__name__}: {failed}"
    took = {"error": error, "seconds": time.monotonic() - began, "megabytes": most_memory() - before}
    sys.stdout.write(json.dumps(took))


if __name__ == "__main__":
    main(sys.argv[1])
