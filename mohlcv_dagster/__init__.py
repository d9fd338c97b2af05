"""1-second OHLCV bars of US stocks, month by month: downloaded, resampled exactly, and checked.

The packages and modules, each of which imports only from those below it::

    cli/             the `mohlcv` command, a file a sub-command
    definitions      the Dagster code location
    defs/            Dagster definitions, a file a concept: assets, checks, partitions, IO managers, jobs, sensors
    query            bars for a program: `read` and `duckdb_view`
    validation/      any folder of files checked without Dagster, and the report of it
    storage/         an archive's files: atomic writes, listing, manifest entries, reading, verifying, repairing
    providers/       where bars come from: `base`, what a provider must provide; `massive/`, the one for Massive.com
    charts/          small SVG pictures of bars and of quality
    sandbox/         a stand-in vendor over HTTP; only the command imports it
    alerting         who is notified when something is wrong: a webhook, a command, the log
    dagster_patches/ every private part of Dagster that is used, each with its reason and a fallback
    settings         the environment, read once; the days that a user overrides in the exchange calendar
    login            asks for the UI's password
    same_origin      which requests the UI answers: never those of other web pages
    checks/          the rules, each a function with its sentence, threshold and cure; the registry; the runner
    reconciliation/  our minutes compared with the vendor's own
    bars/            arrays of bars: table, CSV, Parquet, resampling, coverage
    model/           values: months, timeframes, file names, exchange calendar, manifest entries, decisions
    formatting       counts and durations in messages
    errors           the one error tree

A run completes a month before it begins the next (`defs.partition_loop`): `providers` (pages, verified, to a
table) → `storage.archive` (written) → `checks` on the file as written → `bars.resample` → written and checked again,
for each aggregate → the vendor's own minutes (`reconciliation`).

`read` and `duckdb_view` are attributes of this package. It imports nothing before one of them is used, so that
`import mohlcv_dagster.bars.resample` loads no Dagster.
"""

TYPE_CHECKING = False  # what type checkers take for true, without importing `typing`
if TYPE_CHECKING:
    from mohlcv_dagster.query import duckdb_view, read

__all__ = ["duckdb_view", "read"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mohlcv_dagster import query  # noqa: PLC0415 - see above

    return getattr(query, name)
