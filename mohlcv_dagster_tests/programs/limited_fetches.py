"""Fetches a month of a symbol again and again for some seconds, under a limit of 20 requests in two seconds. No test.

Says `ready`, and begins when a line is read.
"""

import sys
import time

from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive import rate_limits
from mohlcv_dagster.providers.massive.provider import MassiveProvider

rate_limits.MINUTE = 2.0


def main(url, store, symbol, seconds):
    with MassiveProvider("pk-Never5how-Th1s", url, requests_per_minute=20, limit_store=store) as vendor:
        vendor.fetch_month("FIRST", Month(2024, 1), timeframe="minute")  # loads what is needed
        print("ready", flush=True)  # noqa: T201 - it is how it is started
        sys.stdin.readline()
        ends = time.monotonic() + float(seconds)
        while time.monotonic() < ends:
            vendor.fetch_month(symbol, Month(2024, 1), timeframe="minute")


if __name__ == "__main__":
    main(*sys.argv[1:])
