"""The values of the domain: months, timeframes, files, the exchange calendar, manifest entries. No arrays, no I/O."""
