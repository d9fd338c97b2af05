"""Every use of private parts of Dagster; no other package imports `dagster._…`, and a test keeps it so.

Each module says why it is needed and which names it relies on. Where it changes what Dagster does, it checks that they
are there (`guard`), and otherwise leaves the work to Dagster's own, or fails with a sentence where that would not be
safe.
"""
