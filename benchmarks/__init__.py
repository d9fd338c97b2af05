"""How fast the project is beside the original's way, measured by one command: `uv run python -m benchmarks --help`.

::

    months      the generated bars            served     the sandbox that serves them, in a process of its own
    case        what one measurement works on worker     one measurement, in a fresh process
    ways/       one module for each way of doing the job, all with functions of the same names
    stages      ways in turn, proofs compared runs       the same of whole runs: processes, Dagster
    figures     medians, ratios and targets   report     the table, on the terminal and in docs/performance.md

A time is printed only after every way has given the same bytes. The process that measures imports nothing heavy.
"""
