"""A stand-in vendor over HTTP: synthetic or replayed bars in the vendor's wire format, faults on demand.

It never answers unless it was started, and what it serves is marked in each answer's `request_id`.
"""
