"""What bars look like: small pictures drawn from arrays, as SVG text. No Dagster, no file, no clock.

Each picture is kept in an event log for ever, so it is small: a month's are below 6 kB each as markdown. The same bars
give the same text. Colours and ink are of middle brightness on a transparent ground, readable on white and on black.
"""
