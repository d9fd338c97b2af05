"""Bars as arrays: the table in memory, CSV and Parquet, resampling, comparison of two fetches, coverage of sessions.

Nothing here depends on Dagster, HTTP, the environment or the clock.
"""
