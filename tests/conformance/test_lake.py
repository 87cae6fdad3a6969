"""What every lake must do."""

import pytest


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
    """LAKE-011 A listing has all keys below a prefix, sorted."""
    lake = world.backend.lake
    for key in ("trades/2", "trades/10", "trades/1", "daily/a"):
        lake.put(key, b"")

    assert lake.list("trades/") == ["trades/1", "trades/10", "trades/2"]
    assert lake.list("trades/1") == ["trades/1", "trades/10"]
    assert lake.list("nothing") == []
    assert len(lake.list("")) == 4


@pytest.mark.deep
def test_long_listing(world):
    """LAKE-012 A listing is whole even when S3 gives it in pages of a thousand."""
    names = [f"trades/{n:04d}" for n in range(1_005)]
    for name in reversed(names):
        world.backend.lake.put(name, b"")

    assert world.backend.lake.list("trades/") == names
