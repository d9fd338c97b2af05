"""A run over a symbol's year in a process of its own, which may be killed while it fetches a month.

`python -m mohlcv_dagster_tests.defs.year_run HOME DATA [MONTH]`: killed when MONTH is asked for; else run to the end.
"""

import os
import signal
import sys

import dagster as dg

from mohlcv_dagster_tests.checks.clean_files import HEADER
from mohlcv_dagster_tests.defs.location import UNLOGGED, HandedVendor, location, run

MONTHS = tuple(f"2023-{number:02d}" for number in range(1, 13))
PARTITIONS = tuple(f"{month}|SPY" for month in MONTHS)
ASSETS = ("raw_1s", "aggregated/15s")


def content(month):
    return HEADER + f"{month}-05 14:30:01+00:00,10.0,11.0,9.6,10.5,7\n".encode()


class Killing(HandedVendor):
    """Ends the process, as the system would for want of memory, when it is asked for a month."""

    def __init__(self, month):
        super().__init__({("SPY", each): content(each) for each in MONTHS})
        self._month = month

    def fetch_month(self, symbol, month, **options):
        if str(month) == self._month:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fetch_month(symbol, month, **options)


def instance(home):
    return dg.DagsterInstance.local_temp(str(home), overrides=UNLOGGED)


def main(home, data, month=""):
    with instance(home) as opened:
        run(location(data, Killing(month), start="2023-01"), opened, PARTITIONS[0], *ASSETS, until=PARTITIONS[-1])


if __name__ == "__main__":
    main(*sys.argv[1:])
