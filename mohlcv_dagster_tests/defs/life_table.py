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

A month's bars are *provisional* while the vendor may still add or correct some. They are *final* if they were fetched
at or after 11:00 Eastern on the trading day after the month's last session. The metadata of the materialization says
which of the two a file is (`state`: `provisional` or `settled`, which means final; with `fetched_at` and
`complete_through`). So does the check `current`, whose rule `settled` warns while the month is provisional. Both follow
from the clock and the exchange calendar, never from the last bar.

**Incremental refresh.** When a provisional month is materialized again, only bars that were not final are requested,
plus an overlap: the last final session from one hour before its close. The bars of the overlap must come back unchanged
(metadata `topped_up_from`, `compared`). Bars that were not final are replaced, and changes are counted
(`unsettled_revised`). If the overlap has changed, or if the stored file is broken, edited, from another vendor or on
another basis of splits, the complete month is fetched, and the log says why. In either case the complete file is
written.

**Revision.** When a complete month is fetched again, its final bars are compared before they are replaced. Bars that
were changed, added or lost are counted (`settled_changed`, `settled_gained`, `settled_lost`), the first twenty are
shown before and after (`revision`), and the rule `revised` of the check `current` warns. A stored file with values that
no bar can have, such as a volume below zero, is compared too if it is as the vendor gave it; a file that was edited or
is unreadable is not. If more than 10 final bars (or 0.1 %, if that is more) are lost, the run fails and the
stored file stays unchanged.

**Decision.** One function decides what is done about a month: `decide` in `model/month_decision.py`. `mohlcv fetch`,
`mohlcv plan`, the automation, its schedule and materializing in the UI all use it. It considers the file and what
Dagster recorded, never how an earlier run ended:

| the stored file | `fetch` and `plan` | materialized in the UI |
| --- | --- | --- |
| is missing | downloaded | downloaded |
| is not the one recorded (size or digest) | downloaded again | downloaded |
| has no record: the run that was to write it ended without recording it | downloaded again | downloaded |
| has no record, and its manifest entry is of another file | downloaded again | downloaded |
| has no record, and was written while the month was provisional | downloaded again | downloaded |
| has no record, and was written later | recorded and checked, without a request | downloaded |
| is recorded, and fails a check that blocks | downloaded again | as below |
| is recorded, and a check has no result | checked; completed if it is provisional | as below |
| is provisional, and there is something new | completed | completed |
| is provisional, and there is nothing new | skipped | completed |
| is final | skipped | downloaded and compared |

A file's stamp is recorded with it (`file_stamp`: inode, size and time, or an object store's ETag). If the stamp is
unchanged, which one `stat` shows, the file is the recorded one. If it differs, as in a restored copy, the file is read
and its size and digest decide. `mohlcv verify` also finds an edit that leaves inode, size and time unchanged. If a
file is checked and fails a blocking check, the same `fetch` downloads it again.

**Options.** The tags of a run (*Tags* in the launch dialog, or options of `mohlcv fetch`) change how it fetches:

| tag | option | does |
| --- | --- | --- |
| `mohlcv/force = true` | `--force` | downloads complete months; final bars are still compared |
| `mohlcv/accept_loss = true` | `--accept-loss` | accepts that final bars are lost |

**Automation.** The sensor `keep_current` on the page *Automation* is off until you turn it on. Then, each day at 11:15
Eastern, it requests the provisional months for which there is something new, and starts the month in progress for every
symbol that has a stored month among the last thirteen. It makes aggregates whenever their raw month was made, and
then the quality table. It does not touch final months.

## Day by day

This table is measured: `uv run python -m mohlcv_dagster_tests.defs.life_table > docs/life-of-a-month.md` moves the
clock of the sandbox, of the fetch and of the automation through these days and writes this page; a test compares the
two. The symbol has a bar in each half hour of extended hours. The bar before the close is corrected once its day is
final. A user materializes the first month; the automation does the rest. On days that are not listed nothing was
requested. Times are UTC. The requests are those for bars; which company has the symbol is asked with up to two when a
month is begun, and with one when it is final, as far as it is not recorded.

These days include the turn of a month (bars from 00:00Z on February 1st, which is still January 31st in Eastern time,
are the first of 2024-02), February 29th, the change to daylight saving time on March 10th, Good Friday, Thanksgiving,
and the early close of November 29th.

| day | month | requested | requests | bars | corrected | complete through | state | warns |
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
