"""Files of other formats under the name of a CSV file: each is told for what it is, in a message of bounded length."""

import bz2
import gzip
import io
import lzma
import zipfile

import pandas as pd
import pytest

from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage import adoption_survey
from mohlcv_dagster_tests.storage.old_trees import bars, text

JANUARY = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
CLEAN = text(bars("2024-01-02", count=9))
LONGEST = 500
"""Characters of a message about one fault."""


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("SPY.csv", CLEAN)
    return file.getvalue()


def parquet():
    file = io.BytesIO()
    pd.read_csv(io.BytesIO(CLEAN)).to_parquet(file)
    return file.getvalue()


def found(content):
    return [
        (str(each.fault), each.message)
        for each in adoption_survey.examine(JANUARY, Reading.of(content), raw_whole=None)
    ]


@pytest.mark.parametrize(
    ("content", "told", "cure"),
    [
        pytest.param(gzip.compress(CLEAN), "a gzip file", "decompress it", id="gzip"),
        pytest.param(gzip.compress(CLEAN) + b"\n", "a gzip file", "decompress it", id="gzip that ends like a line"),
        pytest.param(bz2.compress(CLEAN), "a bzip2 file", "decompress it", id="bzip2"),
        pytest.param(lzma.compress(CLEAN), "an xz file", "decompress it", id="xz"),
        pytest.param(zipped(), "a ZIP file", "unpack it", id="ZIP"),
        pytest.param(parquet(), "a Parquet file", "write it as CSV", id="Parquet"),
        pytest.param(CLEAN.decode().encode("utf-16"), "UTF-16 text", "save it as UTF-8", id="UTF-16"),
        pytest.param(CLEAN.decode().encode("utf-16-le"), "UTF-16 text", "save it as UTF-8", id="UTF-16 without a mark"),
        pytest.param(CLEAN.decode().encode("utf-16-be"), "UTF-16 text", "save it as UTF-8", id="big-endian UTF-16"),
        pytest.param(CLEAN.replace(b"\n", b"\r"), "end with CR alone", "convert its line ends", id="CR line ends"),
        pytest.param(b'{"status":"ERROR","error":"Unknown API Key"}', "JSON", "fetch the month again", id="JSON"),
        pytest.param(b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "HTML", "fetch the month again", id="HTML"),
        pytest.param(bytes(4096), "NUL bytes", "fetch the month again", id="NUL bytes alone"),
        pytest.param(CLEAN[:300] + bytes(4096), "4,096 NUL bytes", "fetch the month again", id="NUL bytes at the end"),
        pytest.param(CLEAN + bytes(4096) + b"\n", "4,096 NUL bytes", "fetch the month again", id="a line of NUL bytes"),
    ],
)
def test_a_file_of_another_format_is_unreadable_and_told_for_what_it_is_with_the_cure(content, told, cure):
    [(fault, message)] = found(content)

    assert fault == "unreadable"
    assert told in message
    assert cure in message
    assert len(message) < LONGEST


def test_a_csv_file_cut_anywhere_is_a_half_file_or_ends_with_a_line():
    by_end = {(CLEAN[at - 1 : at] == b"\n", *{fault for fault, _ in found(CLEAN[:at])}) for at in range(1, len(CLEAN))}

    assert by_end == {(True,), (False, "half file")}


def test_a_file_with_a_bad_line_before_its_end_is_not_a_half_file():
    [(fault, message)] = found(CLEAN.replace(b",475.0,", b",abc,", 1)[:-1])

    assert fault == "unreadable"
    assert "'abc' is not a number" in message


LONG = b"7" * 20_000


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(CLEAN + b"2024-01-02 15:00:00+00:00,1,1,1,1," + LONG + b"x\n", id="a field"),
        pytest.param(CLEAN + LONG + b"\n", id="a row"),
        pytest.param(b'"' + LONG + b"\n" + CLEAN, id="a header"),
        pytest.param(LONG + b"," + CLEAN, id="a column's name"),
        pytest.param(CLEAN.replace(b",475.0,", b",475." + b"0" * 20_000 + b",", 1), id="a number's form"),
        pytest.param(CLEAN.replace(b"volume", b"volume," + b"x" * 20_000), id="a further column"),
        pytest.param(CLEAN + b"\x1b[2J" * 4_000 + b"\n", id="codes of a terminal"),
    ],
)
def test_every_value_of_a_file_that_a_message_quotes_is_cut_and_printable(content):
    messages = [message for _, message in found(content)]

    assert messages
    assert all(len(message) < LONGEST and message.isprintable() for message in messages)
