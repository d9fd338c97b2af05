"""Every private part of Dagster that is used, each in a module that says why and what it gains.

Each has a guard: where the installed Dagster is not one that it was tested with, or lacks a name that it needs,
Dagster's own way is taken and the log says so once (`guard`). Nothing here knows of bars.
"""
