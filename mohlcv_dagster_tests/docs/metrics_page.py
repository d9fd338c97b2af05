"""The table of docs/metrics.md, made from the metrics.

`uv run python -m mohlcv_dagster_tests.docs.metrics_page` writes it; a test compares it with the code.
"""

import re
from pathlib import Path

from mohlcv_dagster.defs.home_metrics import METRICS

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)


def table() -> str:
    """The table of all metrics."""
    rows = [
        f"| `{name}` | {each.kind.value} | {', '.join(f'`{label}`' for label in each.labels)} | {each.meaning} |"
        for name, each in METRICS.items()
    ]
    return "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(_TABLE.sub(lambda _: table(), PAGE.read_text(encoding="utf-8"), count=1), encoding="utf-8")
