"""WHERE bars come from: requests to Massive.com, the proof of every page, retries and limits; bytes to table."""
