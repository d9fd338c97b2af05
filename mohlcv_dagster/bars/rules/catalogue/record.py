"""The rules that judge what was recorded of a file: on what basis its prices are, and the life of its month."""

from typing import Final

from mohlcv_dagster.bars.rules.rule import Rule, Scope, Severity

_TOP_UP: Final = "only what is missing or unsettled is asked for then. The automation, once turned on, does it daily."

BASIS: Final = (
    Rule(
        name="split_basis",
        sentence="Adjusted bars are adjusted for every split that is known to be executed; unadjusted ones for none.",
        threshold="0 splits",
        judged_in="basis",
        holds_back=False,
        scope=Scope.RAW,
        cure="Re-materialize {asset} for {partition}, and each month whose check says the same.",
    ),
)
"""On what basis the prices are."""

LIFE: Final = (
    Rule(
        name="settled",
        sentence="The month was fetched when settled: from 11:00 Eastern on the trading day after its last session.",
        threshold="fetched after it settled",
        judged_in="life",
        severity=Severity.WARN,
        holds_back=False,
        scope=Scope.RAW,
        cure=f"Re-materialize {{asset}} for {{partition}} from then on; {_TOP_UP}",
    ),
    Rule(
        name="revised",
        sentence="Fetching the month anew changed, added and took away no settled bar that was stored.",
        threshold="0 bars",
        judged_in="life",
        severity=Severity.WARN,
        holds_back=False,
        scope=Scope.RAW,
        cure=(
            "The file has the new bars. The first are shown before and after under `revision` in the metadata of this "
            "materialization of {asset}; look at them, and make anew what was made of {partition} before."
        ),
    ),
)
"""The rules on what was recorded of a month's fetch."""
