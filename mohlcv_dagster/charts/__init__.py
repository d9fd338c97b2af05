"""Small SVG pictures of bars and of quality. No Dagster, no file, no clock: the same bars give the same text.

Each picture stays in an event log, so it is small: a month's are below 6 kB each as markdown. Colours are of
middle brightness on a transparent background, readable on white and on black.
"""
