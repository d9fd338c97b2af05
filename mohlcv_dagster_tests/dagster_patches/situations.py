"""What happens to a history, one thing after the other: each is done to the instances that `compared` reads."""

import dagster as dg
from dagster_shared.record import replace

from mohlcv_dagster_tests.dagster_patches.compared import RAW, SYMBOLS, Run, latest, make, report
from mohlcv_dagster_tests.dagster_patches.twelve_checks import CHECKS, FAILING, JOB

FIFTEEN = dg.AssetKey(["aggregated", "15s"])
MINUTE = dg.AssetKey(["aggregated", "1min"])


def writer(instances):
    """An instance of ours."""
    return next(iter(instances.ours.values()))


def nothing_at_all(instances):
    pass


def symbols_and_months_that_passed(instances):
    instances.stock.add_dynamic_partitions("symbol", SYMBOLS)
    for symbol in SYMBOLS[:2]:
        make(writer(instances), f"2024-01|{symbol}", assets=list(CHECKS))
        make(writer(instances), f"2024-02|{symbol}")


def a_question_asked_again(instances):
    pass


def a_real_run(instances):
    tags = {FAILING: "valid,matches_raw"}
    assert JOB.execute_in_process(instance=writer(instances), partition_key="2023-12|SA", tags=tags).success


def a_new_month_of_another_process(instances):
    make(instances.stock, "2025-01|SA")


def two_checks_that_fail_when_made_again(instances):
    make(writer(instances), "2024-01|SB", failing=("valid", "current"))


def the_same_checks_that_pass_again(instances):
    make(instances.stock, "2024-01|SB")


def a_run_in_progress(instances):
    Run(instances.stock, "2024-02|SC").plan().materialize()


def a_run_in_progress_with_some_evaluations(instances):
    Run(writer(instances), "2024-02|SB").plan().materialize().evaluate(names=["intact"], failing=["intact"])


def a_run_that_fails(instances):
    Run(instances.stock, "2024-02|SD").plan().fail()


def a_run_in_progress_that_then_fails(instances):
    run = Run(instances.stock, "2024-03|SD").plan().materialize()
    assert not instances.differences()
    run.fail()


def a_run_that_is_cancelled(instances):
    Run(writer(instances), "2024-03|SA").plan().cancel()


def a_run_that_ends_without_an_evaluation(instances):
    Run(instances.stock, "2024-03|SB").plan().materialize().evaluate(names=["intact", "valid"]).succeed()


def a_run_in_progress_deleted_by_another_process(instances):
    run = Run(instances.stock, "2024-04|SA").plan()
    assert not instances.differences()
    instances.stock.delete_run(run.id)


def a_failed_run_deleted(instances):
    run = Run(instances.stock, "2024-04|SB").plan().fail()
    assert not instances.differences()
    writer(instances).delete_run(run.id)


def the_latest_run_deleted_with_its_materialization(instances):
    make(instances.stock, "2024-04|SC")
    run = make(instances.stock, "2024-04|SC", failing=["intact"])
    assert not instances.differences()
    instances.stock.delete_run(run.id)


def numbers_of_events_given_again(instances):
    run = make(instances.stock, "2024-04|SD")
    assert not instances.differences()
    instances.stock.delete_run(run.id)
    make(instances.stock, "2024-04|SE", failing=["current"])


def numbers_given_again_to_the_same_partition(instances):
    run = make(instances.stock, "2024-04|SF")
    assert not instances.differences()
    instances.stock.delete_run(run.id)
    make(instances.stock, "2024-04|SF", failing=["current"])


def an_old_run_deleted_by_another_process(instances):
    run = make(instances.stock, "2024-05|SA")
    make(instances.stock, "2024-05|SB")
    make(instances.stock, "2024-05|SC")
    assert not instances.differences()
    instances.stock.delete_run(run.id)


def a_materialization_with_no_checks(instances):
    make(instances.stock, "2024-05|SE")
    assert not instances.differences()
    instances.stock.report_runless_asset_event(dg.AssetMaterialization(RAW, partition="2024-05|SE"))


def an_evaluation_reported_by_hand(instances):
    report(instances.stock, "complete", "2024-05|SE", passed=False)


def the_same_evaluation_reported_again(instances):
    report(writer(instances), "complete", "2024-05|SE", passed=True)


def a_symbol_deleted_by_another_process(instances):
    make(instances.stock, "2024-05|SF")
    instances.stock.delete_dynamic_partition("symbol", "SF")


def a_symbol_deleted_by_the_same_process(instances):
    make(writer(instances), "2024-05|SG")
    writer(instances).delete_dynamic_partition("symbol", "SG")


def symbols_added_again(instances):
    instances.stock.add_dynamic_partitions("symbol", ["SF", "SNEW"])


def the_first_month_of_a_new_symbol(instances):
    make(instances.stock, "2024-06|SNEW")


def a_deleted_symbol_with_a_run_in_progress(instances):
    Run(instances.stock, "2024-06|SH").plan()
    assert not instances.differences()
    instances.stock.delete_dynamic_partition("symbol", "SH")


def keys_that_no_definition_has(instances):
    make(instances.stock, "1999-01|SA")
    make(instances.stock, "no month")
    make(instances.stock, "2024-06|SA|more")


def an_evaluation_told_twice_in_a_run(instances):
    run = make(instances.stock, "2024-06|SB")
    assert not instances.differences()
    run.evaluate(failing=["plausible"])


def an_evaluation_that_no_run_planned(instances):
    Run(instances.stock, "2024-06|SC").evaluate(failing=["intact"]).succeed()


def an_evaluation_of_an_older_materialization(instances):
    run = make(instances.stock, "2024-06|SD")
    target = latest(instances.stock, RAW, "2024-06|SD")
    Run(instances.stock, "2024-06|SD").materialize().succeed()
    assert latest(instances.stock, RAW, "2024-06|SD") != target
    run.evaluate()
    assert replace(target, timestamp=0.0) != target


def changes_that_a_new_process_finds(instances):
    make(instances.stock, "2024-07|SA")
    instances.renew()
    make(instances.stock, "2024-07|SB", failing=["valid"])


def a_new_process_and_nothing_new(instances):
    instances.renew()


def a_materialization_without_a_partition(instances):
    instances.stock.report_runless_asset_event(dg.AssetMaterialization(RAW))


def a_month_after_it(instances):
    make(instances.stock, "2024-07|SC")


def an_asset_wiped(instances):
    writer(instances).wipe_assets([RAW])


def a_month_after_the_wipe(instances):
    make(instances.stock, "2024-07|SD")


def an_asset_wiped_by_another_process(instances):
    make(instances.stock, "2024-07|SE", assets=[FIFTEEN])
    assert not instances.differences()
    instances.stock.wipe_assets([FIFTEEN])


def an_asset_wiped_and_made_again(instances):
    make(instances.stock, "2024-07|SA", assets=[MINUTE])
    assert not instances.differences()
    instances.stock.wipe_assets([MINUTE])
    make(instances.stock, "2024-07|SB", assets=[MINUTE], failing=["matches_vendor"])


def evaluations_wiped_that_had_no_materialization(instances):
    instances.stock.wipe_assets([FIFTEEN])
    Run(instances.stock, "2024-08|SA", [FIFTEEN]).evaluate(failing=["intact"]).succeed()
    assert not instances.differences()
    instances.stock.wipe_assets([FIFTEEN])


def all_of_it_wiped(instances):
    instances.stock.wipe()


def a_history_begun_again(instances):
    instances.stock.add_dynamic_partitions("symbol", SYMBOLS)
    make(instances.stock, "2024-01|SA", failing=["valid"])
    make(instances.stock, "2024-01|SB", failing=["intact"], assets=[FIFTEEN])


IN_TURN = [thing for name, thing in list(globals().items()) if callable(thing) and thing.__module__ == __name__]
IN_TURN = [thing for thing in IN_TURN if thing is not writer]
