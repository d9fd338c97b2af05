"""Where private names of Dagster are used: a module for each thing that Dagster has no public way for.

Each module says why it is needed and which names it relies on, checks that they are there, and otherwise falls back to
Dagster's own, or fails with a sentence where that would not be safe.
"""
