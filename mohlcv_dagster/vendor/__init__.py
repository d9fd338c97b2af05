"""WHERE bars come from: requests to Massive.com, the proof of every page, retries and limits; bytes to table.

Enter by `massive.MassiveVendor`. The way of a month through the room::

    massive     what is asked for and given back; joins the parts
    windows     the month in stretches that one page each can answer, joined where little trades
    month       pages side by side, everything counted      gather: threads
    retry       when to ask again                           limits: requests a minute
    client      the official client, with our pool inside
    transport   the edge: HTTP to answers or errors         cutoff, allowance: in time; answers: what a status means
    decoder     a body to typed columns                     pages: the proof
    merge       pages to one table
    reference   listings, renames and splits, where a month needs them; reference_pages: documents to what they say

Beside it: `fetched` (what comes back), `plans` (what a subscription reaches), `secret` (the key), `clock`, `cost` (what
a fetch will ask, counted), `probe` (single questions about the key and the plan).

This module imports nothing; neither the client nor HTTP is loaded before the first request.
"""
