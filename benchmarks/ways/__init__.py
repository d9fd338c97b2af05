"""Ways of doing the same job, each a module with functions of the same names, which `worker` calls by name.

`fetch(case)`, `read(path)` and `load(path)` give bars in the way's own form; `text(bars)` makes of them the file that
proves them. `write(bars, path)`, `aggregate(case)` and `month(case)` leave files; `check(case)` gives the faults found.
A way that cannot do something has no function for it.
"""
