"""The vendor asked for its own minutes of a month, and ours judged by them.

Its silence is a finding, a warning that says why; it never fails a run.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules import Finding, VendorMinutes
from mohlcv_dagster.bars.rules.rule import Facts
from mohlcv_dagster.defs.failures import HOPELESS
from mohlcv_dagster.defs.records import Record
from mohlcv_dagster.defs.resources import MassiveResource
from mohlcv_dagster.errors import MohlcvError, NoTradesError
from mohlcv_dagster.reader import Reader

if TYPE_CHECKING:
    from mohlcv_dagster.vendor.massive import MassiveVendor


class Asking:
    """Judges files of minutes by what the vendor has of them, as a context manager.

    Args:
        massive: the vendor.
        reader: reads our side.
    """

    def __init__(self, massive: MassiveResource, reader: Reader) -> None:
        self._reader = reader
        self._vendor: MassiveVendor | None = None
        self._given_up: str | None = None
        try:
            self._vendor = massive.create_vendor()
        except MohlcvError as error:
            self._given_up = str(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._vendor is not None:
            self._vendor.close()

    def judge(self, file: BarFile, record: Record | None) -> list[Finding]:
        """What is found of a file; the vendor is asked only where ours is there to be compared."""
        own = self._reader.read(file)
        there = own.bars is not None and self._reader.read(file.raw).bars is not None
        answer = self._ask(file, record) if there else _Answer(None)
        found = self._reader.judge_against(file, own, record, answer.minutes)
        return [replace(finding, facts={**finding.facts, **answer.facts}) for finding in found]

    def _ask(self, file: BarFile, record: Record | None) -> "_Answer":
        if self._vendor is None or self._given_up is not None:
            return _Answer(VendorMinutes(None, self._given_up))
        try:
            month = self._vendor.fetch_month(
                file.symbol, file.month, timeframe="minute", adjusted=record.adjusted if record else None
            )
        except NoTradesError as error:
            return _Answer(VendorMinutes(schema.empty()), {"the vendor's answer": str(error)})
        except MohlcvError as error:
            self._given_up = str(error) if isinstance(error, HOPELESS) else None
            return _Answer(VendorMinutes(None, str(error)))
        facts: Facts = {
            "vendor": month.vendor,
            "requests": f"{month.requests:,}",
            "request ids": ", ".join(month.request_ids),
        }
        return _Answer(VendorMinutes(month.bars, complete_through=month.complete_through), facts)


@dataclass(frozen=True)
class _Answer:
    """What the vendor said of a month, and what is worth keeping of how it did; `minutes` is `None` if not asked."""

    minutes: VendorMinutes | None
    facts: Facts = field(default_factory=dict)
