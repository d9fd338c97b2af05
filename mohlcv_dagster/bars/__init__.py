"""WHAT a bar is: columns, timeframes, months, file names, the CSV form, folding and the rules that must hold.

Nothing here knows of Dagster, of HTTP, of the environment or of the clock.
"""
