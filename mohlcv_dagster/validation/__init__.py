"""Judging a folder of files without Dagster, by the rules of `bars.rules`, and the report of it.

`judging` reads and judges, a month at a time; `report` is what is kept of it, as plain values; `as_text`, `as_json` and
`as_html` write it. What was recorded of a file is handed in; no rule lives here.
"""
