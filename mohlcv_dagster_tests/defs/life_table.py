"""docs/life-of-a-month.md, made of what was seen.

`uv run python -m mohlcv_dagster_tests.defs.life_table > docs/life-of-a-month.md` lives through all days and writes the
page. What is right is said in `test_life`.
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from mohlcv_dagster_tests.defs.life import Life, Row

SPANS = (
    ("2024-01|ABC", date(2024, 1, 30), date(2024, 4, 3)),
    ("2024-10|ABC", date(2024, 10, 31), date(2024, 12, 4)),
)
_HEAD = """# The life of a month

A month's bars are *provisional* while the vendor may still add or correct some, and *final* (recorded as `settled`)
once they were fetched from 11:00 Eastern on the trading day after the month's last session on. Which of them a file is,
is recorded in the metadata of its materialization (`state`, with `fetched_at` and `complete_through`) and in the check
`current`, whose rule `settled` warns until then. Both come from the clock and the exchange calendar, never from the
last bar.

**Topped up.** Materializing a provisional month again asks only for what was not final when it was fetched, and
before that for the last final session from an hour before its closing bell on: these bars must come back unchanged
(`topped_up_from`, `compared`). Bars that were not final are replaced and counted (`unsettled_revised`). If the
overlap is not as it was, or the stored file is broken, edited, from another vendor or of another basis, the whole
month is fetched, and the log says why. The file is written whole, as always.

**Revised.** Of a month that is fetched whole again the final bars are compared before they are replaced. Those that
changed, came or went are counted (`settled_changed`, `settled_gained`, `settled_lost`), the first twenty are shown
before and after (`revision`), and the rule `revised` of the check `current` warns. A file with values that no bar has,
such as a volume below zero, is compared like others where it is as the vendor gave it; one that was edited since, or
cannot be read, is not. If more than 10 final bars (or 0.1 %, where that is more) are lost, the run fails and the
stored file stays byte for byte.

**Decided in one place.** What is done about a month is decided by one function, and `mohlcv fetch`, `mohlcv plan`, the
automation, its schedule and materializing in the UI all ask it. It goes by the file and by what Dagster recorded, never
by how a former run ended:

| the stored file | `fetch` and `plan` | materialized in the UI |
| --- | --- | --- |
| there is none, or it is gone | downloaded | downloaded |
| is not the one recorded (size or digest) | downloaded again | downloaded |
| has no record, and a run that was to write it began before it was written | downloaded again | downloaded |
| has no record, and its manifest entry is of another file | downloaded again | downloaded |
| has no record, and was written while the month was provisional | downloaded again | downloaded |
| has no record, and was written later | recorded and checked, without a request | downloaded |
| is recorded, and fails a check that blocks | downloaded again | as below |
| is recorded, and a check has no result | checked; completed if it is provisional | as below |
| is provisional, and there is something new | completed | completed |
| is provisional, and there is nothing new | skipped | completed |
| is final | skipped | downloaded and compared |

With each file its stamp is recorded (`file_stamp`: inode, size and time, or an object store's ETag). A file that still
has it is the one recorded, told by one `stat`. Where it differs, as in a copy that was put back, size and digest tell,
for which the file is read. An edit that leaves inode, size and time as they were is found by `mohlcv verify`. A
file that is checked and fails a check that blocks is downloaded again by the same `fetch`.

**Ordered otherwise.** A run's tags (*Tags* in the launch dialog, or the options of `mohlcv fetch`) say how it
fetches:

| tag | option | does |
| --- | --- | --- |
| `mohlcv/force = true` | `--force` | downloads whole months; final bars are compared all the same |
| `mohlcv/accept_loss = true` | `--accept-loss` | lets final bars be lost |

**By itself.** The sensor `keep_current` on the page *Automation* is off until you turn it on. Then, each day at 11:15
Eastern, it asks for the provisional months for which there is something new, begins the month in progress for every
symbol that has a month of the last thirteen, and makes aggregates whenever their raw month was, and the table of
quality after them. A final month is left alone.

## Day by day

Seen, not planned: `uv run python -m mohlcv_dagster_tests.defs.life_table > docs/life-of-a-month.md` moves the clock
of the sandbox, of the fetch and of the automation through these days, and a test holds the page equal to what comes
of it. The symbol has a bar each half hour of extended hours; the bar before the closing bell is corrected once its
day is final. A user materializes the first month; the rest is the automation's. On days that are not listed
nothing was asked for. Times are UTC.

In these days: bars from 00:00Z on February 1st, Eastern still January 31st, are the first of 2024-02; February 29th;
clocks that go forward on March 10th; Good Friday; Thanksgiving and the early close of November 29th.

| day | month | asked for | requests | bars | corrected | complete through | state | warns |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def page(lives: Iterable[Iterable[Row | date]]) -> str:
    """The page on what was lived through in each of `SPANS`."""
    rows = [str(row) for days in lives for row in days if isinstance(row, Row)]
    return _HEAD + "\n".join([*rows, ""])


def _live() -> Iterator[list[Row | date]]:
    for partition, first, last in SPANS:
        with tempfile.TemporaryDirectory() as folder, Life(Path(folder)) as life:
            yield list(life.through(partition, first, last))


if __name__ == "__main__":
    sys.stdout.write(page(_live()))
