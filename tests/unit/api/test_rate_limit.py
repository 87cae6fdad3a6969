"""Token buckets."""

from system.api import rate_limit
from system.api.rate_limit import RateLimit
from system.model.units import NS
from tests.rules import rule
from tests.unit.floor import Floor


@rule("RATE-001")
def test_a_burst_and_then_the_rate():
    limit = RateLimit(10, 5)
    assert [limit.allows("a", 0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert not limit.allows("a", NS // 10 - 1)
    assert limit.allows("a", NS // 10)
    assert not limit.allows("a", NS // 10)
    assert limit.allows("b", 0)


@rule("RATE-001")
def test_over_a_long_time_it_is_the_rate():
    limit = RateLimit(50, 200)
    allowed = sum(limit.allows("a", ms * NS // 1000) for ms in range(10_000))
    assert allowed == 200 + 50 * 10 - 1


def test_a_rest_fills_the_bucket_and_not_more():
    limit = RateLimit(10, 5)
    for _ in range(5):
        limit.allows("a", 0)
    assert [limit.allows("a", 3_600 * NS) for _ in range(6)] == [True] * 5 + [False]


def test_a_clock_that_steps_back_gives_nothing_away():
    limit = RateLimit(10, 1)
    assert limit.allows("a", NS)
    assert not limit.allows("a", 0)


def test_who_has_rested_is_forgotten(monkeypatch):
    monkeypatch.setattr(rate_limit, "MAX_KEYS", 3)
    limit = RateLimit(1, 2)
    for key in "abc":
        limit.allows(key, 0)
    assert limit.allows("d", 0)
    assert limit.allows("e", 5 * NS)
    assert set(limit._full_at_ns) == {"e"}


@rule("RATE-002")
def test_addresses_and_api_keys_have_buckets_of_their_own():
    floor = Floor(edge_rate_per_s=1, edge_burst=2)

    def ask(key: str = "") -> tuple[int, str]:
        status, said = floor.http("GET /markets", headers={"x-api-key": key} if key else {})
        return status, said.get("field", "")

    assert [ask() for _ in range(3)] == [(200, ""), (200, ""), (429, "sourceIp")]
    floor.clock.advance(2 * NS)
    assert ask("k") == (200, "")
    floor.clock.advance(NS // 2)

    limit = rate_limit.EdgeLimit(1, 2)
    events = [
        {"requestContext": {"http": {"sourceIp": f"10.0.0.{place}"}}, "headers": {"x-api-key": "k"}}
        for place in range(3)
    ]
    refused = [limit.refuse(event, 0) for event in events]
    assert refused[:2] == [None, None]
    assert refused[2] is not None
    assert refused[2].field == "x-api-key"
