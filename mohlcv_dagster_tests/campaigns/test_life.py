"""Lives decided by a seed: a short one every day, longer ones among the slow tests, the campaign by its command."""

import pytest

from mohlcv_dagster.storage import atomic_writes
from mohlcv_dagster_tests.campaigns import life


def test_a_short_life_holds_and_its_seed_repeats_it_to_the_byte():
    first, again = (life.lived(4, 0.2) for _ in range(2))

    assert first.counts["months"] == 4
    assert (again.steps, again.hash.hexdigest()) == (first.steps, first.hash.hexdigest())


@pytest.mark.slow
def test_a_life_is_the_same_whether_dagsters_own_instance_remembers_it_or_our_lists():
    ours, dagsters = (life.lived(7, 0.5, real=real) for real in (False, True))

    assert ours.hash.hexdigest() == dagsters.hash.hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_a_life_holds(seed):
    life.lived(seed, 1)


@pytest.mark.slow
def test_a_file_that_is_written_in_place_ends_a_life(monkeypatch):
    """What a campaign is worth: a fault that it is there to find."""

    def write(at, content):
        at.parent.mkdir(parents=True, exist_ok=True)
        with at.open("wb") as out:
            for piece in content:
                out.write(piece)
        return at.stat()

    monkeypatch.setattr(atomic_writes, "write", write)
    with pytest.raises(life.Wrong, match="seed"):
        [life.lived(seed, 0.5) for seed in range(1, 20)]
