"""The rule on whose bars they are: a symbol is a name, and the vendor serves under it whatever company had it then."""

from mohlcv_dagster.checks.check_input import CheckInput, StoredMonth
from mohlcv_dagster.checks.rule import RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.model.company import Company


@rule(
    sentence="The month's bars are of the same company as those of the months around it, by FIGI or CIK.",
    threshold="one company",
    severity=Severity.WARN,
    scope=Scope.RAW,
    cure="Read the months of each company apart; the bars of a renamed company's earlier time are under its former "
    "symbol. Nothing need be fetched again: docs/add-a-symbol.md.",
)
def same_company(given: CheckInput) -> RuleOutcome:
    """Compared are the nearest stored months with bars on each side; what is not recorded is not judged."""
    recorded, rows = given.provenance, given.own.rows
    own = recorded.company if recorded else None
    if not rows or own is None:
        why = f": {recorded.company_unknown}" if rows and recorded and recorded.company_unknown else ""
        return RuleOutcome(of=rows, note=f"not judged: the company is not recorded{why}" if rows else "no bars")
    symbol = f"{given.file.symbol} {given.file.month}"
    if own.conflict:
        fault = f"The reference data say that the bars of {symbol} may be another company's: {own.conflict}"
        return RuleOutcome(of=rows, fault=fault, count=0)
    sides = [side for side in (given.neighbours.before, given.neighbours.after) if side is not None]
    verdicts = [(side, own.is_same_as(side.recorded.company)) for side in sides if side.recorded.company]
    others = [side for side, same in verdicts if same is False]
    if others:
        fault = f"{symbol} is of {own}, and {' and '.join(map(_told, others))}: bars of two stand under one symbol"
        return RuleOutcome(of=rows, fault=fault, count=0)
    return RuleOutcome(of=rows, note=_note(own, [side for side, same in verdicts if same]))


def _told(side: StoredMonth) -> str:
    return f"{side.month} is of {side.recorded.company}"


def _note(own: Company, same: list[StoredMonth]) -> str:
    as_of = f"{own} on {own.as_of}"
    if not same:
        return f"{as_of}; not judged: of no stored month before or after it is the company known"
    return f"{as_of}, as in {' and '.join(str(side.month) for side in same)}"
