"""Random histories replay exactly, and a revision of a busy month takes little room."""

import random
from hashlib import sha256

import numpy as np
import pytest

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.model.manifest_entry import RecordedResult
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.history import VersionHistory
from mohlcv_dagster_tests.checks.clean_files import HEADER, WHOLE
from mohlcv_dagster_tests.real import REAL, needs_real
from mohlcv_dagster_tests.storage.revisions import (
    FEBRUARY,
    FILE,
    described,
    differences,
    kept,
    killed_before_the_file_is_replaced,
    replace,
    versions,
)


def random_version(chance, earlier):
    """Bytes that may follow others: revised, cut, completed, written in another form, or what was there before."""
    lines = [line + b"\n" for line in chance.choice(earlier).splitlines()[1:]]
    volumes = [b"%d\n" % chance.randrange(10 ** chance.randrange(1, 17)), b"%.6f\n" % chance.uniform(0, 9e4)]
    for _ in range(chance.randrange(4)):
        at = chance.randrange(1, 60 * 10)
        moment = b"2024-01-02 14:%02d:%02d+00:00," % (at // 60, at % 60)
        lines = [line for line in lines if not line.startswith(moment)]
        price = repr(round(chance.uniform(0.0001, 999), chance.choice([0, 2, 4, 12]))).encode()
        lines += [moment + b",".join([price] * 4) + b"," + chance.choice(volumes)] * chance.choice([0, 1, 1, 1])
    content = HEADER + b"".join(sorted(lines) if chance.random() < 0.9 else lines)
    forms = [
        content,
        content,
        csv_codec.encode(csv_codec.decode(content)),
        content.replace(b"\n", b"\r\n"),
        content[:-1],
    ]
    return chance.choice([*forms, chance.choice(earlier)])


def replays(seed, root):
    chance, archive, stored = random.Random(seed), Archive(root), [WHOLE]  # noqa: S311 - a seed
    archive.write(FILE, WHOLE)
    for _ in range(chance.randrange(1, 7)):
        content = random_version(chance, stored)
        begun = random_version(chance, stored)
        if chance.random() < 0.1 and begun != stored[-1]:
            killed_before_the_file_is_replaced(archive, begun)
        replace(archive, content)
        stored += [content] * (content != stored[-1])
    assert versions(archive) == stored, seed
    assert differences(archive) == [], seed


def test_random_histories_of_revisions_replay_exactly(tmp_path):
    for seed in range(15):
        replays(seed, f"memory://{tmp_path.name}/{seed}")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_random_histories_of_revisions_replay_exactly(tmp_path):
    for seed in range(40, 1040):
        replays(seed, f"memory://{tmp_path.name}/{seed}")


def busy_month():
    """The bars of SPY in a month: two thirds of the seconds of regular hours."""
    chance = np.random.default_rng(1)
    opens = [1_704_205_800 + 86_400 * day for day in range(30) if day % 7 not in (4, 5)]
    starts = np.concatenate([np.sort(chance.choice(23_400, 16_000, replace=False)) + each for each in opens])
    close = np.round(475 + np.cumsum(chance.normal(0, 0.02, len(starts))), 2)
    spread = np.round(chance.exponential(0.03, (2, len(starts))), 2)
    prices = {
        "open": close,
        "high": np.round(close + spread[0], 2),
        "low": np.round(close - spread[1], 2),
        "close": close,
    }
    return bar_table.from_arrays(starts, prices, chance.integers(1, 20_000, len(starts)))


def revised(content, bars, seed=1):
    """The file with other values in so many bars."""
    lines, chance = content.splitlines(keepends=True), random.Random(seed)  # noqa: S311 - as above
    for at in chance.sample(range(1, len(lines)), bars):
        moment, *values = lines[at].split(b",")
        lines[at] = b",".join([moment, *values[:3], b"%.2f" % (chance.randrange(100, 90_000) / 100 + 0.01), b"77\n"])
    return csv_codec.encode(csv_codec.decode(b"".join(lines)))


def on_disk(archive):
    return sum((archive.root / path).stat().st_size for path in kept(archive))


def test_a_revision_of_twenty_bars_of_a_busy_month_costs_at_most_4_kb(tmp_path):
    archive, content = Archive(tmp_path), csv_codec.encode(busy_month())
    archive.write(FILE, content)
    checks = tuple(
        RecordedResult(
            f"a_rule_of_name_{number}", number != 7, "warn", f"{number * 7919:,} bars are as they should be."
        )
        for number in range(35)
    )
    ids = tuple(sha256(b"%d" % number).hexdigest()[:32] for number in range(25))
    described(archive, content, fetched_at=FEBRUARY, vendor="Massive.com", checks=checks, request_ids=ids)
    replace(archive, revised(content, 20))

    assert VersionHistory(archive).versions(FILE)[0].following.changed == 20
    assert on_disk(archive) <= 4000
    assert versions(archive)[0] == content


def test_a_month_that_is_completed_costs_no_more_than_one_that_is_revised(tmp_path):
    archive, content = Archive(tmp_path), csv_codec.encode(busy_month())
    begun = content[: content.rfind(b"\n", 0, len(content) * 2 // 3) + 1]
    archive.write(FILE, begun)
    replace(archive, content)

    assert on_disk(archive) <= 4000
    assert versions(archive)[0] == begun


@needs_real
def test_a_revision_of_twenty_bars_of_a_real_month_costs_at_most_4_kb(tmp_path):
    archive, content = Archive(tmp_path), (REAL / "second/SPY_2013_10.csv").read_bytes()
    archive.write(FILE, content)
    replace(archive, revised(content, 20))

    assert on_disk(archive) <= 4000
    assert versions(archive)[0] == content
