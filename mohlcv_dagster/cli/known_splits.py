"""The splits of symbols as the vendor has them now, asked for once a symbol and command, only where they matter."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mohlcv_dagster.model.listings import KnownSplits

if TYPE_CHECKING:
    from mohlcv_dagster.providers.base import BarProvider
    from mohlcv_dagster.settings import Settings


@dataclass
class KnownSplitsOf:
    """Asks the vendor for the splits of a symbol when it is first called with that symbol.

    Attributes:
        provider: who is asked.
        answers: by symbol.
    """

    provider: "BarProvider"
    answers: dict[str, KnownSplits] = field(default_factory=dict)

    def __call__(self, symbol: str) -> KnownSplits:
        """The splits of `symbol`, or why the vendor did not say."""
        if symbol not in self.answers:
            self.answers[symbol] = self.provider.splits(symbol)
        return self.answers[symbol]

    @property
    def unknown(self) -> Sequence[str]:
        """What the vendor did not say and why, clauses."""
        return [
            f"which splits of {symbol} were executed is known from earlier fetches alone: {known.why_unknown}"
            for symbol, known in self.answers.items()
            if known.splits is None
        ]


@contextmanager
def asked(settings: "Settings") -> Iterator[KnownSplitsOf]:
    """A lookup of splits at the vendor of these settings; nothing is requested before it is called."""
    from mohlcv_dagster.providers import create  # noqa: PLC0415 - not for the help text

    with create.provider(settings) as provider:
        yield KnownSplitsOf(provider)
