"""The campaign `mutation`: which mutants it takes, and what it counts. Trying them takes a quarter of an hour."""

from mohlcv_dagster_tests.campaigns import mutation

MADE = [f"mohlcv_dagster.{module}.x_{number}__mutmut_1" for module in ("bars.a", "storage.b") for number in range(50)]


def test_a_sample_is_the_same_for_the_same_seed_in_whatever_order_the_mutants_come():
    taken = mutation.sample(MADE, 20, 14)

    assert len(set(taken)) == 20
    assert taken == mutation.sample(MADE[::-1], 20, 14)
    assert taken != mutation.sample(MADE, 20, 15)
    assert mutation.sample(MADE, 0, 14) == sorted(MADE)


def test_a_mutant_that_no_test_reaches_or_notices_survives_and_is_named():
    told = dict(zip(MADE[48:52], ("killed", "survived", "timeout", "no tests"), strict=True))

    assert mutation.table(told) == (
        "| module | mutants | noticed | survived | score |\n"
        "|---|--:|--:|--:|--:|\n"
        "| bars/a.py | 2 | 1 | 1 | 50.0% |\n"
        "| storage/b.py | 2 | 1 | 1 | 50.0% |\n"
        "| all | 4 | 2 | 2 | 50.0% |\n"
        "\n"
        "1 killed, 1 survived, 1 timeout, 1 no tests\n"
        "- mohlcv_dagster.bars.a.x_49__mutmut_1\n"
        "- mohlcv_dagster.storage.b.x_1__mutmut_1"
    )


def test_a_copy_has_the_project_and_says_what_is_to_be_mutated(tmp_path):
    mutation.prepare(tmp_path)

    assert (tmp_path / "mohlcv_dagster/bars/resample.py").is_file()
    assert not (tmp_path / ".venv").exists()
    assert "\n\tmohlcv_dagster/storage/*.py\n" in (tmp_path / "setup.cfg").read_text()
