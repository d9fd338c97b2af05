"""How fast the project is compared with the original's way: `uv run python -m benchmarks --help`.

- `case`: what one measurement works on; `generated_market` has its bars.
- `sandbox_process`: the sandbox that serves them, in a process of its own.
- `ways`: one module for each way of doing the job, with functions of the same names.
- `worker`: one measurement, in a fresh process; `trials` starts the workers in turn and compares their proofs.
- `stages`, `runs`, `backfills`, `growth`, `pages`: what can be measured; `history` fills a home for `pages`.
- `results`: medians, ratios, targets and the tables.

A time is printed only after every way has given the same bytes. The process that measures imports nothing heavy.
"""
