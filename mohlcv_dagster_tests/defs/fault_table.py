"""docs/faults.md, made of what was observed: each kind of fault once and on every request, and a vendor that fails.

`uv run python -m mohlcv_dagster_tests.defs.fault_table > docs/faults.md` tries them all and writes the page. What is
right is not said here but in `test_faults`; an outcome for which there is no sentence is an error.
"""

import re
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from mohlcv_dagster.sandbox import FAULT_KINDS, InjectedFault
from mohlcv_dagster_tests.defs.fault_lab import Lab, Observed, fault
from mohlcv_dagster_tests.defs.impatient import Vendor
from mohlcv_dagster_tests.defs.quiet_market import LISTED, LISTED_LATER, NO_SUCH_SYMBOL, UNTOLD

ONCE, FOR_EVER = 1, None
RAW_FILE, MINUTE_FILE = "raw_1s/ABC/ABC_2024_01.csv", "aggregated/1min/ABC_2024_01_1min.csv"

_SPECS = {
    "plan-date": "plan-date:before=2025-01",
    "rate-limit-retry-after": "rate-limit-retry-after:seconds=30",
}
_HEAD = """# Faults and their outcomes

What happens when the vendor, or the network before it, gives a wrong answer or none. Each fault is tried with the
[sandbox](sandbox.md): a symbol's month is fetched over HTTP, resampled and checked in a run of Dagster. Files from an
earlier fetch are in place before. The fault occurs once, or on every request.

- **identical**: every file is byte for byte that of a fetch without faults, and all checks pass.
- **fails**: the run fails. It does not try the month again unless the row says so.
- **no file changes**: nothing in the data folder appears, disappears or differs.

Where a fetch fails, the message is in the run's log and on the step. Its metadata has the name of the error and the
vendor's `request_id`.

`uv run python -m mohlcv_dagster_tests.defs.fault_table > docs/faults.md` makes this page: every row is observed, none
is written by hand. A test compares the page with what is observed.

"""


class Board:
    """The outcomes, each observed once.

    Args:
        lab: where the faults are tried.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.of = cache(self._of)
        self.away = cache(self._away)

    def _of(self, kind: str, times: int | None) -> Observed:
        """A kind of fault, so many times; without end, windows are asked one by one, so that the same one fails."""
        patience = {"attempt_seconds": 0.4, "tries": 2} if kind == "drip" else {}
        concurrency = 1 if times is FOR_EVER else 8
        return self.lab.run([fault(_SPECS.get(kind, kind), times)], Vendor(concurrency=concurrency, **patience))

    def _away(self, circumstance: str) -> Observed:
        return CIRCUMSTANCES[circumstance](self.lab)

    def page(self) -> str:
        """The whole of docs/faults.md."""
        rows = [
            (f"`{name}`", kind.sentence, outcome(self.of(name, ONCE)), outcome(self.of(name, FOR_EVER)))
            for name, kind in FAULT_KINDS.items()
        ]
        others = [(name, outcome(self.away(name))) for name in CIRCUMSTANCES]
        struck = _table(("fault", "what it does", "once", "on every request"), rows)
        return "\n".join(
            [
                _HEAD + struck,
                _table(("what happens", "outcome"), others),
                "## The messages\n\nOf faults on every request. Lengths, times and request ids are left out.\n",
                _table(("fault", "message"), self._messages()),
            ]
        )

    def _messages(self) -> list[tuple[str, str]]:
        seen = {f"`{name}`": self.of(name, FOR_EVER) for name in FAULT_KINDS} | {
            name: self.away(name) for name in CIRCUMSTANCES
        }
        return [(name, " · ".join(observed.reasons)) for name, observed in seen.items() if observed.reasons]


CIRCUMSTANCES: dict[str, Callable[[Lab], Observed]] = {
    "no key is set": lambda lab: lab.run([], Vendor(key="")),
    "nobody listens at the base URL": Lab.without_vendor,
    "the vendor stops in the middle of a month": Lab.dying_vendor,
    "the month is empty: the vendor knows no such symbol": lambda lab: lab.run([], symbol=NO_SUCH_SYMBOL),
    "the month is empty: the symbol was listed later": lambda lab: lab.run([], symbol=LISTED_LATER),
    "the month is empty: the symbol was listed all the time": lambda lab: lab.run([], symbol=LISTED),
    "the month is empty: the vendor refuses its reference data": lambda lab: lab.run(
        [InjectedFault.parse("plan-date:on=reference")], symbol=UNTOLD
    ),
    "the vendor fails during one fetch and works when the run tries again": lambda lab: lab.run(
        [fault("server-error", 8)], Vendor(concurrency=1)
    ),
    "the vendor has seconds and no minutes": lambda lab: lab.run([fault("server-error:timespan=minute")]),
    "the vendor answers 500 twice, then that the key is unknown": lambda lab: lab.run(
        [fault("server-error", 2), fault("unknown-key")], Vendor(concurrency=1)
    ),
}
"""What no kind of fault alone can show."""


def outcome(observed: Observed) -> str:
    """What came of a run, in a few words.

    Raises:
        ValueError: it is neither of the outcomes that there may be.
    """
    if observed.succeeded and observed.wanted and not observed.failed_rules:
        return _identical(observed)
    if observed.succeeded and observed.facts["dagster/partition_row_count"] == 0:
        return _empty(observed)
    if observed.succeeded and observed.wanted and not observed.reasons:
        [name] = observed.failed_rules
        return f"identical; `{name}` warns that it could not compare"
    if observed.succeeded or len(observed.reasons) != 1:
        raise ValueError(f"no outcome of a fault: {observed}")
    if not observed.changed and len(observed.errors) == 1:
        return _failed(observed)
    if observed.changed == {RAW_FILE} and observed.failed_rules:
        names = ", ".join(f"`{name}`" for name in observed.failed_rules)
        return f"fails: {names}; the raw file stays to be looked at, no aggregate is written"
    raise ValueError(f"no outcome of a fault: {observed}")


def tries(observed: Observed) -> int:
    """How often the page that failed was asked for, by the message; 1 where it says nothing."""
    said = re.search(r"tried (\d+) times", observed.reasons[0])
    return int(said[1]) if said else 1


def _identical(observed: Observed) -> str:
    retries = int(str(observed.facts["retries"]))
    words = f"identical, after {_times(retries, 'retry', 'retries')}" if retries else "identical, no retry"
    if observed.tried_again:
        words += f", the run tried {_times(observed.tried_again, 'time', 'times')} more"
    return words + (", recorded as `delayed`" if observed.facts["delayed"] else "")


def _empty(observed: Observed) -> str:
    if observed.changed != {RAW_FILE, MINUTE_FILE} or set(observed.failed_rules) - {"not_empty"}:
        raise ValueError(f"no outcome of an empty month: {observed}")
    verdict = "is an error" if observed.reasons else "warns" if observed.failed_rules else "passes and says why"
    return f"each file is its header only; `not_empty` {verdict}"


def _failed(observed: Observed) -> str:
    tried = tries(observed)
    when = (
        f"after {tried} tries"
        if tried > 1
        else "at once"
        if observed.asked_again == 0
        else f"after {observed.asked_again} retries"
    )
    again = f", the run tries {_times(observed.tried_again, 'time', 'times')} more"
    return f"fails: `{observed.errors[0]}` {when}{again if observed.tried_again else ''}; no file changes"


def _times(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [
        head,
        ("---",) * len(head),
        *(tuple(cell.replace("|", "\\|").replace("<", "&lt;") for cell in row) for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab:
        sys.stdout.write(Board(lab).page())
