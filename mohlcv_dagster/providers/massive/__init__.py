"""Bars from Massive.com: requests, the check that each page is complete, retries and rate limits.

Start with `provider.MassiveProvider`. How a month is fetched::

    provider    takes the request, returns the month
    paging      cuts the month into windows that one page each can answer; fetches the pages in a thread pool
    retry       when to ask again, and deadlines
    rate_limits how many requests may be sent a minute; limit_stores: where processes count together
    account     the API key and the official client; what the key may access
    transport   HTTP: a body, or an error of `mohlcv_dagster.errors`
    decoder     the bytes of a page to columns
    pages       verifies a page; pages to one table
    reference   listings, symbol changes and splits
    plans       what a subscription covers and what a fetch costs
"""
