"""What the rules on whole months found of what was seeded, and their false alarms on clean months."""

from collections import Counter
from collections.abc import Iterable, Iterator

from mohlcv_dagster_tests.bars.whole_corruptions import WHOLE_CORRUPTIONS, WholeCorruption
from mohlcv_dagster_tests.bars.whole_months import failing, judge_whole, whole_month

SEEDS = 3


def found(
    seeds: int = SEEDS, corruptions: Iterable[WholeCorruption] = WHOLE_CORRUPTIONS
) -> Iterator[tuple[str, str, str, str]]:
    """A row for each corruption: rule, corruption, found of seeded, severity. Found is what failed as was due."""
    for corruption in corruptions:
        tried = range(corruption.seeds or seeds)
        severities = [corruption.failing(seed).get(corruption.rule) for seed in tried]
        due = corruption.due[corruption.rule]
        yield corruption.rule, corruption.what, f"{severities.count(due)} of {len(tried)}", due


def false_alarms(months: Iterable[tuple[str, str]]) -> tuple[Counter[str], int]:
    """How often each rule failed on clean months, given as symbol and month, and how many months there were."""
    alarms: Counter[str] = Counter()
    judged = 0
    for symbol, month in months:
        alarms.update(failing(judge_whole(whole_month(symbol, month), symbol, month)).keys())
        judged += 1
    return alarms, judged
