"""Requests are API Gateway events that the door can read and the chain could verify."""

import msgspec
import orjson
import pytest

from sim.client.requests import CANCEL_LIFE_S, Draft, Requests, SignaturePolicy, Signing
from sim.world.purse import purse_of
from system.config import SAMPLE_EVERY, Config
from system.model import typed_data
from tests.unit.sim.exchange import PERP, SPECS, START_NS

DOMAIN = typed_data.Domain(31337, "0x" + "11" * 20)
SEPARATOR = typed_data.domain_separator(DOMAIN)
PURSE = purse_of(1, "ann")
DRAFT = Draft("BTC-PERP", "SELL", 30_000, 59_000_000_000, tif="GTT", post_only=True, expire_s=2_000_000_000)


def requests(policy: SignaturePolicy = "real") -> Requests:
    return Requests("ann", PURSE, SPECS, Signing(policy, SEPARATOR))


def test_an_order_is_signed_as_the_contract_reads_it() -> None:
    event = requests().order(DRAFT, 7, "ann-7", START_NS)
    body = orjson.loads(event["body"])

    digest = typed_data.order_digest(
        SEPARATOR,
        PURSE.account,
        0,
        typed_data.instrument_hash(typed_data.KIND_PERP, "BTC-PERP"),
        typed_data.SIDE_SELL,
        typed_data.tif_bits("GTT", True, False, False),
        30_000,
        59_000_000_000,
        2_000_000_000,
        7,
        50,
    )
    assert typed_data.recover(digest, body["signature"]) == PURSE.account
    assert (body["type"], body["tif"], body["post_only"], body["max_fee_bps"]) == ("limit", "GTT", True, 50)


def test_the_event_is_payload_2_0() -> None:
    event = requests("off").order(DRAFT, 7, "ann-7", START_NS)

    assert (event["version"], event["routeKey"], event["rawPath"]) == ("2.0", "POST /orders", "/orders")
    context = event["requestContext"]
    assert (context["http"]["method"], context["requestId"]) == ("POST", "ann-1")
    assert context["timeEpoch"] == START_NS // 10**6
    assert isinstance(event["body"], str)


def test_a_market_order_has_only_its_own_fields() -> None:
    body = orjson.loads(requests("off").order(Draft("sBTC-USDC", "BUY", 1, 2, market=True), 1, "", 0)["body"])

    assert body["type"] == "market"
    assert not {"tif", "post_only", "replaces"} & set(body)


def test_a_cancel_names_the_order_and_its_nonce() -> None:
    event = requests().cancel("BTC-PERP:1", 9, START_NS)
    body = orjson.loads(event["body"])

    deadline_s = START_NS // 10**9 + CANCEL_LIFE_S
    assert (event["routeKey"], event["pathParameters"]) == ("DELETE /orders/{id}", {"id": "BTC-PERP:1"})
    assert (body["nonce"], body["deadline"]) == (9, deadline_s)
    digest = typed_data.cancel_digest(SEPARATOR, PURSE.account, 0, 9, deadline_s)
    assert typed_data.recover(digest, body["signature"]) == PURSE.account


def test_a_cancel_of_many_is_signed_for_the_lowest_nonce_kept() -> None:
    event = requests().cancel_all("BTC-PERP", 12, START_NS)
    body = orjson.loads(event["body"])

    assert event["queryStringParameters"] == {"symbol": "BTC-PERP"}
    digest = typed_data.cancel_digest(SEPARATOR, PURSE.account, 12, 0, body["deadline"])
    assert typed_data.recover(digest, body["signature"]) == PURSE.account


@pytest.mark.parametrize("policy", ["real", "sampled", "off"])
def test_signs_exactly_what_the_door_asks_for(policy: SignaturePolicy) -> None:
    config = Config(signatures=policy, settlement_address=DOMAIN.verifying_contract)
    writer = requests(policy)

    for nonce in range(1, 2 * SAMPLE_EVERY + 1):
        signed = bool(orjson.loads(writer.order(DRAFT, nonce, "", 0)["body"])["signature"])
        assert signed is config.signature_due(nonce), nonce


def test_the_signed_fee_is_the_published_one() -> None:
    dear = {"BTC-PERP": msgspec.structs.replace(PERP, fee_ppm=5_001)}
    writer = Requests("ann", PURSE, dear, Signing("off", b""))

    assert orjson.loads(writer.order(DRAFT, 1, "", 0)["body"])["max_fee_bps"] == 51


def test_every_request_has_an_id_of_its_own() -> None:
    writer = requests("off")
    ids = [writer.markets(0)["requestContext"]["requestId"] for _ in range(3)]

    assert ids == ["ann-1", "ann-2", "ann-3"]


def test_purses_follow_from_seed_and_name() -> None:
    assert purse_of(1, "ann") == PURSE
    assert len({purse_of(1, "ann").account, purse_of(1, "bob").account, purse_of(2, "ann").account}) == 3
    assert PURSE.account == typed_data.address_of(PURSE.private_key)
