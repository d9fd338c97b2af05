"""The rules by name: what each says, its threshold, severity and cure, and where it is judged. Data, and no arrays."""

from typing import Final

from mohlcv_dagster.bars.rules.catalogue.form import FORM
from mohlcv_dagster.bars.rules.catalogue.plausible import PLAUSIBLE
from mohlcv_dagster.bars.rules.catalogue.record import BASIS, LIFE
from mohlcv_dagster.bars.rules.catalogue.vendor import AGAINST_VENDOR
from mohlcv_dagster.bars.rules.catalogue.whole import WHOLE
from mohlcv_dagster.bars.rules.rule import Rule
from mohlcv_dagster.model.timeframes import Timeframe

__all__ = [
    "AGAINST_VENDOR",
    "FORM",
    "LIFE",
    "OF_RECORD",
    "OF_VALUES",
    "PLAUSIBLE",
    "RULES",
    "WHOLE",
    "for_timeframe",
]

OF_VALUES: Final = frozenset({"ohlc_order", "positive_prices", "non_negative_volume"})
"""The rules of `FORM` that only the values of a bar break: its place among the others is still known."""

OF_RECORD: Final = frozenset({"as_recorded", *(rule.name for rule in (*BASIS, *LIFE))})
"""The rules that judge what was recorded of a file when it was written: without that they have nothing to say."""

RULES: Final = (*FORM, *WHOLE, *BASIS, *PLAUSIBLE, *LIFE)
"""Every rule on stored files. The names are kept with what was found: a contract once published.

Those of `AGAINST_VENDOR` are apart: to judge by them the vendor must be asked.
"""


def for_timeframe(timeframe: Timeframe, among: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    """The rules that apply to files of `timeframe`, in the order of `among`."""
    return tuple(rule for rule in among if rule.scope.holds(timeframe))
