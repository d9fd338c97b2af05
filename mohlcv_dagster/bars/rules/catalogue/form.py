"""The rules on form: what every file of bars must be, by itself and, of an aggregate, compared with its raw file."""

from typing import Final

from mohlcv_dagster.bars.rules.rule import AFTER_RAW, RECORD_AGAIN, WRITE_AGAIN, Ground, Rule, Scope, Severity

FORM: Final = (
    Rule(
        name="readable",
        sentence="The file is CSV with ts_event, open, high, low, close and volume, each field a time or a number.",
        threshold="0 faults",
        judged_in="writing",
        ground=Ground.FILE,
    ),
    Rule(
        name="as_recorded",
        sentence="Row count and sha256 are those recorded when the file was written.",
        threshold="equal",
        judged_in="writing",
        cure=RECORD_AGAIN,
        aggregate_cure=RECORD_AGAIN,
    ),
    Rule(
        name="exact_form",
        sentence="The file is, byte for byte, what the contract writes for its bars.",
        threshold="0 bytes",
        judged_in="writing",
        counts="lines",
        cure=WRITE_AGAIN,
        aggregate_cure=WRITE_AGAIN,
    ),
    Rule(
        name="not_empty",
        sentence="The month has bars, or was proven empty and cannot have any.",
        threshold="at least 1 bar",
        judged_in="values",
        holds_back=False,
        cure="Is the symbol right, and was it listed then? Re-materialize {asset} for {partition}, or delete the file.",
    ),
    Rule(
        name="no_missing_values",
        sentence="No field is empty, NaN or infinite.",
        threshold="0 bars",
        judged_in="values",
    ),
    Rule(
        name="rising_time",
        sentence="Each bar starts later than the one before it; none is repeated.",
        threshold="0 bars",
        judged_in="values",
    ),
    Rule(
        name="inside_month",
        sentence="Every bar starts in the file's UTC month: first second inclusive, next month's exclusive.",
        threshold="0 bars",
        judged_in="values",
    ),
    Rule(
        name="aligned",
        sentence="Every bar starts on a multiple of the timeframe, counted from midnight UTC.",
        threshold="0 bars",
        judged_in="values",
        scope=Scope.AGGREGATE,
        aggregate_cure=AFTER_RAW,
    ),
    Rule(
        name="ohlc_order",
        sentence="High is the highest and low the lowest of open, high, low and close.",
        threshold="0 bars, no tolerance",
        judged_in="values",
    ),
    Rule(
        name="positive_prices",
        sentence="Open, high, low and close are above zero.",
        threshold="0 bars",
        judged_in="values",
    ),
    Rule(
        name="non_negative_volume",
        sentence="Volume is zero or more.",
        threshold="0 bars",
        judged_in="values",
    ),
    Rule(
        name="volume_traded",
        sentence="Volume is above zero: a bar stands for at least one trade.",
        threshold="0 bars",
        judged_in="values",
        severity=Severity.WARN,
    ),
    Rule(
        name="volume_type",
        sentence="Volume is written as integers exactly where every volume of the raw file is whole.",
        threshold="0 files",
        judged_in="writing",
        ground=Ground.RAW,
        cure=WRITE_AGAIN,
        aggregate_cure=AFTER_RAW,
    ),
    Rule(
        name="volume_precision",
        sentence="No volume has more than 6 decimals, or an exponent where 0.0001 share or more traded.",
        threshold="0 bars",
        judged_in="writing",
    ),
    Rule(
        name="volume_conserved",
        sentence="Each bucket, and the file as a whole, holds exactly the volume of its raw bars.",
        threshold="0 shares",
        judged_in="against_raw",
        scope=Scope.AGGREGATE,
        ground=Ground.RECOMPUTED,
        aggregate_cure=AFTER_RAW,
    ),
    Rule(
        name="equals_recomputation",
        sentence="The aggregate equals, bar for bar, what a second engine makes from the raw file.",
        threshold="0 bars",
        judged_in="against_raw",
        scope=Scope.AGGREGATE,
        ground=Ground.RAW,
        aggregate_cure=AFTER_RAW,
    ),
)
