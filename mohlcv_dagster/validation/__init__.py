"""Check a folder of files without Dagster, and report the results.

`folder_check` reads and checks the files one after the other, `report` keeps the results as plain values, and
`report_forms` writes these as text, JSON or HTML. The rules are in `checks`.
"""
