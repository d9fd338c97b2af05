"""What one measurement works on: the vendor's address, a symbol, months, a data folder. Imports nothing heavy."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

TIMEFRAMES: Final = {"15s": 15, "30s": 30, "1min": 60}
"""Name to seconds: the timeframes of the contract's default."""


@dataclass(frozen=True)
class Case:
    """The subject of a measurement: the sandbox's URL, a symbol, UTC months such as `2024-01`, the data folder."""

    url: str
    symbol: str
    months: tuple[str, ...]
    folder: str

    @property
    def month(self) -> str:
        """The first month."""
        return self.months[0]

    def raw(self, month: str | None = None) -> Path:
        """The path of the raw file of a month, of the first one by default."""
        form = (month or self.month).replace("-", "_")
        return Path(self.folder, "raw_1s", self.symbol, f"{self.symbol}_{form}.csv")

    def aggregate(self, timeframe: str, month: str | None = None) -> Path:
        """The path of an aggregate."""
        form = (month or self.month).replace("-", "_")
        return Path(self.folder, "aggregated", timeframe, f"{self.symbol}_{form}_{timeframe}.csv")

    def files(self) -> list[Path]:
        """Every file of the case: for each month the raw one, then the aggregates."""
        return [
            path for month in self.months for path in (self.raw(month), *(self.aggregate(t, month) for t in TIMEFRAMES))
        ]

    def to_json(self) -> str:
        """The case as one argument of a command."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The case in an argument that `to_json` made."""
        fields = json.loads(text)
        return cls(**{**fields, "months": tuple(fields["months"])})
