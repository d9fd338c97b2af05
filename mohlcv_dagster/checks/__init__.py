"""What must be true of a file of bars: the rules, the asset checks that group them, and the code that runs them.

A rule is a function with the decorator `@rule`, which states what must hold, how much is allowed, how bad a failure is
and what to do about it. The rules are in modules named after what they look at:

- `file_form`: how the file is written
- `values`: each bar, and its order in the file
- `completeness`, `session_coverage`, `trading_hours`: the month compared with the exchange calendar
- `spikes`, `bad_prints`, `price_jumps`: prices that are probably wrong
- `volume_level`, `fields_together`: volumes and fields that are not the bar's own
- `finality`: when, on which basis of splits and of which company the bars were fetched
- `aggregates`: an aggregate compared with its raw file, by way of a second engine (`recompute`)
- `vendor_minutes`: 1-minute bars compared with the vendor's own

`registry` lists all rules and groups them into the asset checks. `check_input` has everything that a rule may look at,
and `runner` runs the rules on it, without Dagster::

    given = CheckInput.of(BarFile.parse("raw_1s/SPY/SPY_2024_01.csv"), content)
    faults = [result.message for result in check_file(given) if not result.passed]
"""
