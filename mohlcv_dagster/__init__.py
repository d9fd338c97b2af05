"""1-second OHLCV bars of US stocks, month by month: downloaded whole, folded exactly, proven right.

The rooms, each knowing only those below it::

    cli/          the `mohlcv` command, thin
    definitions   the Dagster code location: everything joined
    defs/         HOW it runs: assets, partitions, IO manager, checks. No rule, no format, no URL
    vendor/       WHERE bars come from: requests, page proofs, retries, limits
    sandbox/      a stand-in vendor over HTTP; only the command imports it
    adoption/     an existing tree: what of it is not as the contract says, and mending that
    manifest/     what stands beside the files: passports, the Parquet mirror, proving a tree by them
    validation/   any folder of files judged, without Dagster, and the report of it
    reader        files as read and judged, each once
    tree          which files of bars a folder holds, whoever made it
    charts/       what bars look like: small SVG pictures
    archive       WHERE bars stay: whole files in a folder or an fsspec URL
    whole_files   a file put whole in the place of another
    calendar_file the days a user overrides in the exchange calendar
    alerting      WHO is told when something is wrong: a webhook, a command, the log
    dagster_patches/ where private names of Dagster are used, each with its reason
    same_origin   which requests the UI answers: never those of other web pages
    settings      the environment, read once
    bars/         WHAT a bar is: columns, months, file names, CSV, folding, rules
    errors        the one error tree

The way of one bar: `vendor` (JSON page, proven, to table) → `bars.csv_codec` and `archive` (whole file) →
`bars.rules` on the file as written → `bars.resample` → the same two steps for each aggregate.

This module imports nothing, so that `import mohlcv_dagster.bars.resample` loads no Dagster.
"""
