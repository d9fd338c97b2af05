"""Campaigns: faults tried by the thousand; each is a command of `python -m mohlcv_dagster_tests.campaigns`.

A command is a module of this folder with a function `main(argv)`, which prints its table in Markdown. Short versions of
each are in the test suite.
"""
