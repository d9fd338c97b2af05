"""Dagster definitions: assets and asset checks, partitions, resources, IO manager, jobs, schedules, sensors.

All assets of bars and their checks are one `multi_asset` (`assets`), whose step takes one month after the other its
whole way (`partition_loop`, `month_steps`). The rules are those of `bars.rules`; none is named here.

What the code location is made of (`assets`, `quality_asset`, `re_verify`, `io_manager`, …) loads with it, and loads no
bars: no NumPy, no Arrow, no reader. What its steps do is in modules of their own (`partition_loop`, `month_steps`,
`check_runner`, `recheck`, `quality_step`, `storing`, `loading`), which a step imports when it begins: a process that
shows or launches needs none of it. Tests check both: what a load imports, and that every step's module can be
imported.
"""
