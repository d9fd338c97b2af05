"""An existing tree of CSV files: what of it is not as the contract says, and what of that can be mended without loss.

`survey` finds the files and names their faults, `mend` gives the bars that a faulty file is to hold, `rewrite` puts
them in its place. How a tree is made known to Dagster is in `defs.adoption`.
"""
