"""Bars from Massive.com: requests, the proof that each page is complete, retries and rate limits.

Start with `provider.MassiveProvider`. How a month is fetched::

    provider    takes the question, returns the month
    windows     cuts the month into windows that one page each can answer
    paging      fetches the pages in a thread pool
    retry       when to ask again, deadlines, requests a minute
    account     the API key and the official client; what the key may do
    transport   HTTP: a body, or an error of `mohlcv_dagster.errors`
    decoder     the bytes of a page to columns
    pages       proves a page complete; pages to one table
    reference   listings, symbol changes and splits
    plans       what a subscription covers and what a fetch costs
"""
