"""Every private part of Dagster that is used, and nothing else.

Each module says what it gains and what it falls back to where Dagster has no such part.
"""
