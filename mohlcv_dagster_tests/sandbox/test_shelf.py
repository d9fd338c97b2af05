from mohlcv_dagster.sandbox.shelf import Shelf


def test_what_was_made_is_kept_and_the_least_recently_used_goes_first():
    made = []

    def make(thing):
        return lambda: made.append(thing) or thing

    shelf = Shelf(room=3, size=len)
    for thing in ("a", "b", "c", "a", "d", "a", "b"):
        assert shelf.get(thing, make(thing)) == thing
    assert made == ["a", "b", "c", "d", "b"]


def test_a_thing_larger_than_the_room_is_kept_alone():
    shelf = Shelf(room=2, size=len)
    assert shelf.get(1, lambda: "large") is shelf.get(1, lambda: "never made")
