"""What `mohlcv doctor` looks at, a module each; nothing is repaired, and nothing is left behind.

    settings   every variable, where its value came from, and slips of the pen
    machine    versions against the package's bounds, time zones
    folder     the data folder: disk, leftovers, files that are not the layout's
    home       Dagster's memory: does it open, is it in use
    vendor     key, plan and clock, by single questions

An examination gives `finding.Finding`s and raises nothing of what it looks for.
"""
