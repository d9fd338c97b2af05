from mohlcv_dagster.sandbox.market import LruCache


def test_what_was_made_is_kept_and_the_least_recently_used_goes_first():
    made = []

    def make(thing):
        return lambda: made.append(thing) or thing

    cache = LruCache(max_bytes=3, size=len)
    for thing in ("a", "b", "c", "a", "d", "a", "b"):
        assert cache.get(thing, make(thing)) == thing
    assert made == ["a", "b", "c", "d", "b"]


def test_a_value_larger_than_the_cache_is_kept_alone():
    cache = LruCache(max_bytes=2, size=len)
    assert cache.get(1, lambda: "large") is cache.get(1, lambda: "never made")
