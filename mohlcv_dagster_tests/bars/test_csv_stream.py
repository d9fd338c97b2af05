"""A file read piece by piece: the bars are those of the whole file, and what is proven of it is so."""

import hashlib
import io
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import csv_codec, csv_stream
from mohlcv_dagster.checks import file_form, reading
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.errors import CsvFormatError
from mohlcv_dagster_tests.bars.strategies import nasty_floats, tables
from mohlcv_dagster_tests.checks import clean_files
from mohlcv_dagster_tests.checks.clean_files import CLEAN, HEADER, RAW, RAW_FRACTIONAL, WHOLE, check_form
from mohlcv_dagster_tests.checks.corruptions import CORRUPTIONS

A_ROW_OR_TWO = 70
"""Bytes of a piece."""
EDITED = st.sampled_from([b"", *(bytes([byte]) for byte in b'0123456789.,\n\r-+eEnaif" :T#\x00\xff'), b"00", b"\n\n"])


@pytest.fixture(autouse=True)
def _by_pieces():
    with mock.patch.object(csv_stream, "_AT_ONCE", A_ROW_OR_TWO), mock.patch.object(reading, "AT_ONCE", 0):
        yield


def read(content, *, verify):
    return csv_stream.read(io.BytesIO(content), verify=verify)


def decoded(content):
    try:
        return csv_codec.decode(content)
    except CsvFormatError:
        return None


def told(outcome):
    return outcome.fault, outcome.bars and outcome.bars.to_pylist()


def same(one, other):
    """Whether tables are the same to the bit, NaN and the sign of zero included."""
    return one.schema.equals(other.schema) and csv_codec.encode(one) == csv_codec.encode(other)


FEWER = settings(max_examples=50)
"""Each example goes through threads."""


@FEWER
@given(tables(min_size=1))
def test_a_file_of_the_encoder_is_read_as_it_was_written_and_its_digest_is_proven(bars):
    content = csv_codec.encode(bars)

    proven, unproven = (read(content, verify=verify) for verify in (True, False))
    assert proven.bars.equals(bars)
    assert unproven.bars.equals(bars)
    assert proven.sha256 == hashlib.sha256(content).hexdigest()
    assert unproven.sha256 is None


@given(
    st.one_of(tables(min_size=1), tables(min_size=1, prices=nasty_floats, volumes=nasty_floats)),
    st.data(),
)
@example(csv_codec.decode(WHOLE), None)
def test_what_is_proven_of_an_edited_file_is_what_encoding_it_again_proves(bars, data):
    content = csv_codec.encode(bars)
    if data is not None:
        at = data.draw(st.integers(0, len(content)))
        content = content[:at] + data.draw(EDITED) + content[at + data.draw(st.integers(0, 3)) :]
    whole = decoded(content)
    exact = whole is not None and csv_codec.is_exact_form(content, whole)

    proven = read(content, verify=True)
    missing = whole is not None and any(column.null_count for column in whole.columns)
    assert (proven is not None) == (exact and not missing)
    if proven is not None:
        assert same(proven.bars, whole)
        assert proven.sha256 == hashlib.sha256(content).hexdigest()


@given(tables(min_size=1), st.integers(0), EDITED, st.integers(0, 3))
def test_what_is_read_of_an_edited_file_unproven_is_what_the_decoder_reads_or_left_to_it(bars, place, edit, gone):
    content = csv_codec.encode(bars)
    at = place % len(content)
    content = content[:at] + edit + content[at + gone :]

    found = read(content, verify=False)
    if found is not None:
        assert same(found.bars, decoded(content))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        HEADER[:-1],
        HEADER,
        WHOLE + b"\n" * 3 * A_ROW_OR_TWO,
        b"\xef\xbb\xbf" + WHOLE,
        WHOLE.replace(b"\n", b"\r\n"),
        WHOLE.replace(b",100\n", b',"100"\n'),
        WHOLE.replace(b",100\n", b",\n"),
        WHOLE.replace(b",100\n", b",n/a\n"),
        HEADER + b"2024-01-02 14:30:00Z,1,1,1,1,1\n" * 9,
        HEADER + b"2024-01-02 14:30:00+00:00,1.0,1.0,1.0,1.0,1\n" + b"2024-01-02 14:30:01+00:00,1.0,1.0,1.0,1.0,1.5\n",
        HEADER + b"2024-01-02 14:30:00+00:00,1.0,1.0,1.0,1.0,1",
        HEADER + b"2024-01-02 14:30:00+00:00,1.0,1.0,1.0,1.0,0x1F\n",
        WHOLE + b"0001-01-01 00:30:00+01:00,1.0,1.0,1.0,1.0,1\n",
    ],
)
def test_a_file_that_is_not_the_encoders_is_left_to_the_decoder(content):
    unproven = read(content, verify=False)

    assert unproven is None or same(unproven.bars, decoded(content))
    assert read(content, verify=True) is None


@pytest.mark.parametrize("path", [RAW, RAW_FRACTIONAL])
def test_a_sound_files_bytes_are_let_go_of_and_told_all_the_same(path):
    found = Reading.of_stream(io.BytesIO(CLEAN[path]), verify=True)

    assert (found.content, found.is_absent, found.is_exact) == (None, False, True)
    assert found.text == CLEAN[path]
    assert found.sha256 == hashlib.sha256(CLEAN[path]).hexdigest()


def test_of_a_file_that_was_read_without_proof_nobody_is_told_more():
    found = Reading.of_stream(io.BytesIO(WHOLE), verify=False)

    assert not found.has_form
    with pytest.raises(ValueError, match="were released"):
        _ = found.text


def by_pieces(found):
    return found if found.is_absent else Reading.of_stream(io.BytesIO(found.content), verify=True)


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=str)
def test_every_rule_says_the_same_of_a_file_that_was_read_by_pieces(corruption):
    whole = corruption.given()
    own, raw = by_pieces(whole.own), by_pieces(whole.raw)
    pieces = replace(whole, own=own, raw=own if whole.is_raw else raw)

    assert [finding.message for finding in check_form(pieces)] == [finding.message for finding in check_form(whole)]


@FEWER
@given(tables(min_size=1, volumes=nasty_floats))
def test_the_rule_on_volumes_says_the_same_of_a_file_that_was_read_by_pieces(bars):
    whole = clean_files.input_of(RAW, csv_codec.encode(bars), raw=None)
    own = by_pieces(whole.own)

    assert told(file_form.volume_precision(replace(whole, own=own))) == told(file_form.volume_precision(whole))
