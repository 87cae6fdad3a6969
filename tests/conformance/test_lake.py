"""What every lake must do."""


def test_objects(world):
    """LAKE-010 An object is read as it was written last; a missing one is None."""
    lake = world.backend.lake
    lake.put("trades/2025/05/03/0001.json", b"one")
    lake.put("trades/2025/05/03/0001.json", b"two \x00\xff")
    lake.put("empty", b"")

    assert lake.get("trades/2025/05/03/0001.json") == b"two \x00\xff"
    assert lake.get("empty") == b""
    assert lake.get("trades/2025") is None


def test_listing(world):
    """LAKE-011 A listing has all keys below a prefix, sorted, also when they are many."""
    lake = world.backend.lake
    names = [f"trades/{n:04d}" for n in range(1_005)]
    for name in [*reversed(names), "daily/a"]:
        lake.put(name, b"")

    assert lake.list("trades/") == names
    assert lake.list("trades/0001") == ["trades/0001"]
    assert lake.list("nothing") == []
    assert len(lake.list("")) == len(names) + 1
