"""For every rule the corruptions made for it. No test lives here.

A corruption is made on file bytes, as a user meets it. `also` are the other rules that rightly fail with it: the
scoreboard demands exactly these, so a rule that cries at everything does not count as one that sees its own fault.
"""

from dataclasses import replace

from mohlcv_dagster_tests.checks.clean_files import (
    AGGREGATE,
    AGGREGATE_FRACTIONAL,
    HEADER,
    RAW,
    RAW_FRACTIONAL,
    Corruption,
    Edit,
    everywhere,
    gone,
    lines,
    recorded,
    reorder,
    swap,
    widen,
)

AGAINST_RAW = ("volume_conserved", "equals_recomputation")


def _unreadable(what: str, edit: Edit) -> Corruption:
    return Corruption("readable", what, RAW, edit)


def _below_a_dollar(content: bytes) -> bytes:
    return content.replace(b"475.", b"0.47").replace(b"0.4736", b"0.473601")


CORRUPTIONS = (
    _unreadable("no volume column", everywhere("volume", "shares")),
    _unreadable("a price that is no number", swap("475.32", "n/a")),
    _unreadable("the last row cut off after three fields", lambda content: content[: content.rindex(b",475.3,475.3")]),
    _unreadable("a time without its offset from UTC", swap("14:30:07+00:00", "14:30:07")),
    _unreadable("a time with half a second", swap("14:30:07+00:00", "14:30:07.500+00:00")),
    _unreadable("gzip instead of text", lambda content: b"\x1f\x8b\x08\x00\xff\xfe" + content[6:]),
    _unreadable("nothing, not even a header", lambda _: b""),
    Corruption("readable", "the file is absent", RAW, gone),
    Corruption("as_recorded", "a price changed after writing", RAW, swap("475.32", "475.33"), facts=recorded),
    Corruption("as_recorded", "a row lost after writing", RAW, lines(lambda rows: rows[:-1]), facts=recorded),
    Corruption("as_recorded", "nothing was recorded", RAW, severity="warn", facts=lambda _: None),
    Corruption("exact_form", "a price with a trailing zero", RAW, swap("475.45,", "475.450,")),
    Corruption("exact_form", "times with Z for +00:00", RAW, everywhere("+00:00", "Z")),
    Corruption("exact_form", "the last digit and line end cut off", RAW, lambda content: content[:-2]),
    Corruption("exact_form", "a blank line at the end", RAW, lambda content: content + b"\n"),
    Corruption("exact_form", "CRLF line ends", RAW, everywhere("\n", "\r\n"), severity="warn"),
    Corruption("exact_form", "the sibling's additional columns", RAW, widen, severity="warn"),
    Corruption("exact_form", "another order of columns", RAW, reorder, severity="warn"),
    Corruption(
        "exact_form",
        "additional columns and a price with a trailing zero",
        RAW,
        lambda c: widen(swap("475.45,", "475.450,")(c)),
    ),
    Corruption("not_empty", "a header and no bar", RAW, lambda _: HEADER),
    Corruption(
        "no_missing_values", "an empty price", RAW, swap("475.32,", ","), also=("ohlc_order", "positive_prices")
    ),
    Corruption(
        "no_missing_values",
        "NaN prices in a whole bar",
        RAW,
        swap("475.32,475.45,475.28,475.4,15234", "nan,nan,nan,nan,15234"),
        also=("exact_form", "ohlc_order", "positive_prices"),
    ),
    Corruption("no_missing_values", "an infinite high", RAW, swap("475.45", "inf")),
    Corruption(
        "no_missing_values", "an empty volume", RAW, swap("15234", ""), also=("non_negative_volume", "volume_traded")
    ),
    Corruption(
        "no_missing_values",
        "an empty time",
        RAW,
        swap("2024-01-02 14:30:07+00:00", ""),
        also=("rising_time", "inside_month"),
    ),
    Corruption("rising_time", "unsorted rows", RAW, lines(lambda rows: [rows[1], rows[0], *rows[2:]])),
    Corruption("rising_time", "a row repeated", RAW, lines(lambda rows: [rows[0], *rows])),
    Corruption("rising_time", "rows falling in time", RAW, lines(lambda rows: rows[::-1])),
    Corruption("inside_month", "a wrong year throughout", RAW, everywhere("2024-", "2023-")),
    Corruption(
        "inside_month",
        "a bar on the next month's first second",
        RAW,
        swap("2024-01-02 14:31:00", "2024-02-01 00:00:00"),
    ),
    Corruption(
        "inside_month", "a bar on the last month's last second", RAW, swap("2024-01-02 14:30:00", "2023-12-31 23:59:59")
    ),
    Corruption(
        "aligned", "a bucket labelled one second late", AGGREGATE, swap("14:30:15", "14:30:16"), also=AGAINST_RAW
    ),
    Corruption(
        "aligned",
        "buckets labelled by their end less a second",
        AGGREGATE,
        lambda c: swap("14:31:00", "14:31:14")(swap("14:30:15", "14:30:29")(swap("14:30:00", "14:30:14")(c))),
        also=AGAINST_RAW,
    ),
    Corruption("ohlc_order", "a high below the close", RAW, swap("475.36", "475.22")),
    Corruption("ohlc_order", "a low above the open", RAW, swap("475.28", "475.33")),
    Corruption(
        "ohlc_order",
        "a high a hundredth of a millionth too low",
        RAW,
        swap("475.41,475.39,475.4,100", "475.39999999,475.39,475.4,100"),
        also=("price_precision",),
    ),
    Corruption(
        "positive_prices", "zero prices in a whole bar", RAW, swap("475.32,475.45,475.28,475.4,", "0.0,0.0,0.0,0.0,")
    ),
    Corruption("positive_prices", "a negative low", RAW, swap("475.28", "-475.28")),
    Corruption("non_negative_volume", "a negative volume", RAW, swap("15234", "-15234"), also=("volume_traded",)),
    Corruption(
        "non_negative_volume",
        "a negative fraction of a share",
        RAW_FRACTIONAL,
        swap(",0.1", ",-0.1"),
        also=("volume_traded",),
    ),
    Corruption(
        "volume_traded", "a volume of zero among fractions", RAW_FRACTIONAL, swap(",0.2", ",0.0"), severity="warn"
    ),
    Corruption("ohlc_order", "a high below the open alone", RAW, swap("475.36", "475.3")),
    Corruption("ohlc_order", "a high below the close alone", RAW, swap("475.45", "475.35")),
    Corruption("ohlc_order", "a low above the close alone", RAW, swap("475.2,475.25", "475.3,475.25")),
    Corruption("no_missing_values", "an infinite volume", RAW_FRACTIONAL, swap(",300.0", ",inf")),
    Corruption(
        "no_missing_values",
        "an empty time in the first bar",
        RAW,
        swap("2024-01-02 14:30:00+00:00", ""),
        also=("rising_time", "inside_month"),
    ),
    Corruption(
        "no_missing_values",
        "an empty time in an aggregate",
        AGGREGATE,
        swap("2024-01-02 14:30:15+00:00", ""),
        also=("rising_time", "inside_month", "aligned", *AGAINST_RAW),
    ),
    Corruption("exact_form", "a byte order mark", RAW, lambda content: b"\xef\xbb\xbf" + content),
    Corruption("exact_form", "a blank line in between", RAW, swap("15234\n", "15234\n\n")),
    Corruption("price_precision", "a price with nine decimals", RAW, swap("475.36", "475.360000001"), severity="warn"),
    Corruption("price_precision", "a price with five decimals", RAW, swap("475.36", "475.36001"), severity="warn"),
    Corruption("price_precision", "six decimals below a dollar", RAW, _below_a_dollar, severity="warn"),
    Corruption(
        "price_precision",
        "nine decimals in prices recorded as unadjusted",
        RAW,
        swap("475.36", "475.360000001"),
        also=("as_recorded",),
        facts=lambda content: replace(recorded(content), adjusted=False),
    ),
    Corruption(
        "volume_precision",
        "a volume written with a capital exponent",
        RAW_FRACTIONAL,
        swap(",300.0", ",3E+02"),
        also=("exact_form",),
    ),
    Corruption("volume_traded", "a volume of zero", RAW, swap("15234", "0"), severity="warn"),
    Corruption(
        "volume_type",
        "whole volumes written as decimals",
        RAW,
        lines(lambda rows: [row[:-1] + b".0\n" for row in rows]),
    ),
    Corruption(
        "volume_type",
        "an aggregate with decimals of a raw file without",
        AGGREGATE,
        lines(lambda rows: [row[:-1] + b".0\n" for row in rows]),
    ),
    Corruption(
        "volume_type",
        "an aggregate without decimals of a raw file with them",
        AGGREGATE_FRACTIONAL,
        lambda c: swap("300.3", "301")(swap("9099.618093", "9099")(c)),
        raw=lambda c: swap("0.1", "0.5")(swap(",0.2", ",0.5")(swap("9099.618093", "9099.0")(c))),
    ),
    Corruption("volume_precision", "a volume with seven decimals", RAW_FRACTIONAL, swap("9099.618093", "9099.6180931")),
    Corruption(
        "volume_precision",
        "a volume written with an exponent",
        RAW_FRACTIONAL,
        swap(",300.0", ",3e+02"),
        also=("exact_form",),
    ),
    Corruption("volume_precision", "a tiny volume with seven decimals", RAW_FRACTIONAL, swap(",0.1", ",5.1e-06")),
    Corruption(
        "volume_conserved",
        "a share too many in one bucket",
        AGGREGATE,
        swap("15634", "15635"),
        also=("equals_recomputation",),
    ),
    Corruption(
        "volume_conserved",
        "a share in the wrong bucket, the total right",
        AGGREGATE,
        lambda c: swap(",300\n", ",301\n")(swap("15634", "15633")(c)),
        also=("equals_recomputation",),
    ),
    Corruption(
        "volume_conserved",
        "a float sum's rounding noise",
        AGGREGATE_FRACTIONAL,
        swap("300.3", "300.30000000000007"),
        also=("volume_precision", "equals_recomputation"),
    ),
    Corruption(
        "volume_conserved",
        "a bucket lost",
        AGGREGATE,
        lines(lambda rows: [rows[0], rows[2]]),
        also=("equals_recomputation",),
    ),
    Corruption(
        "volume_conserved",
        "a bucket twice",
        AGGREGATE,
        lines(lambda rows: [rows[0], *rows]),
        also=("rising_time", "equals_recomputation"),
    ),
    Corruption(
        "equals_recomputation", "an open that is not the first, in order of size", AGGREGATE, swap("475.32", "475.4")
    ),
    Corruption("equals_recomputation", "a close of the next bucket", AGGREGATE, swap("475.35,15634", "475.3,15634")),
    Corruption(
        "equals_recomputation",
        "a quiet bucket filled in",
        AGGREGATE,
        lines(lambda rows: [*rows[:2], b"2024-01-02 14:30:30+00:00,475.3,475.3,475.3,475.3,0\n", rows[2]]),
        also=("volume_traded", "volume_conserved"),
    ),
    Corruption("equals_recomputation", "a raw file fetched again since", AGGREGATE, raw=swap("475.32", "475.33")),
    Corruption(
        "equals_recomputation",
        "an unsorted raw file",
        AGGREGATE,
        raw=lines(lambda rows: rows[::-1]),
    ),
    Corruption(
        "equals_recomputation",
        "a raw file with an empty price",
        AGGREGATE,
        raw=swap("475.32,", ","),
    ),
)
