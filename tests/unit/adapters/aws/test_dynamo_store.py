"""What the DynamoDB store does before the wire, and what it makes of the answers."""

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from system.adapters.aws.store import DynamoStore
from system.model.errors import ConditionFailed, PortError, Throttled, TimedOut
from system.model.keys import Key
from system.ports.store import EXISTS, NOT_EXISTS, Action, Check, Clause, Delete, Put, Update
from tests.unit.adapters.aws.fake import FakeClient, refused

KEY = Key("TRADER#1", "ASSET#USDC")
HOLD = Update("Balances", KEY, add={"available": -5}, when=(Clause("available", ">=", 5),))
ORDER = Put("Orders", {"PK": "MARKET#BTC-PERP", "SK": "TS#1", "qty_e8": 7}, NOT_EXISTS)


def cancelled(*reasons: dict[str, Any]) -> Exception:
    return refused("TransactionCanceledException", CancellationReasons=list(reasons))


NONE = {"Code": "None"}
POOR = {"Code": "ConditionalCheckFailed", "Item": {"available": {"N": "3"}, "PK": {"S": "TRADER#1"}}}


def test_requests_of_a_transaction() -> None:
    client = FakeClient({})
    actions: list[Action] = [
        ORDER,
        HOLD,
        Delete("Balances", Key("a", "b")),
        Check("Markets", Key("c", "d"), EXISTS),
    ]

    DynamoStore(client, "blue-").transact(actions, token="t-1")

    [(operation, request)] = client.asked
    assert (operation, request["ClientRequestToken"]) == ("transact_write_items", "t-1")
    put, update, delete, check = request["TransactItems"]
    assert put["Put"]["TableName"] == "blue-Orders"
    assert put["Put"]["Item"]["qty_e8"] == {"N": "7"}
    assert update["Update"]["Key"] == {"PK": {"S": "TRADER#1"}, "SK": {"S": "ASSET#USDC"}}
    assert update["Update"]["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert delete["Delete"] == {"TableName": "blue-Balances", "Key": {"PK": {"S": "a"}, "SK": {"S": "b"}}}
    assert check["ConditionCheck"]["ConditionExpression"] == "attribute_exists(#n0)"


def test_no_token_is_none() -> None:
    client = FakeClient({})

    DynamoStore(client).transact([ORDER])

    assert "ClientRequestToken" not in client.asked[0][1]


OUTCOMES: list[tuple[Exception, type[Exception]]] = [
    (cancelled(NONE, {"Code": "TransactionConflict"}), Throttled),
    (cancelled({"Code": "ThrottlingError"}, NONE), Throttled),
    (cancelled(NONE, {"Code": "ValidationError", "Message": "no"}), ValueError),
    (cancelled(NONE, {"Code": "Unheard"}), PortError),
    (refused("ThrottlingException"), Throttled),
    (ReadTimeoutError(endpoint_url="http://aws"), TimedOut),
]


@pytest.mark.parametrize(("answer", "kind"), OUTCOMES)
def test_outcome_of_a_transaction(answer: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        DynamoStore(FakeClient(answer)).transact([ORDER, HOLD])

    assert type(caught.value) is kind


def test_reasons_name_the_clause_of_each_action() -> None:
    with pytest.raises(ConditionFailed) as caught:
        DynamoStore(
            FakeClient(cancelled({"Code": "ConditionalCheckFailed", "Item": {"PK": {"S": "x"}}}, POOR))
        ).transact([ORDER, HOLD])

    assert caught.value.reasons == ("PK", "available")


def test_a_lost_condition_outweighs_a_conflict() -> None:
    with pytest.raises(ConditionFailed) as caught:
        DynamoStore(FakeClient(cancelled({"Code": "TransactionConflict"}, POOR))).transact([ORDER, HOLD])

    assert caught.value.reasons == ("", "available")


def test_a_lost_write_names_its_clause() -> None:
    answer = refused("ConditionalCheckFailedException", Item=POOR["Item"])

    with pytest.raises(ConditionFailed) as caught:
        DynamoStore(FakeClient(answer)).write(HOLD)

    assert caught.value.reasons == ("available",)


def test_an_item_that_changed_meanwhile_still_has_a_reason() -> None:
    rich = {"available": {"N": "9"}}

    with pytest.raises(ConditionFailed) as caught:
        DynamoStore(FakeClient(refused("ConditionalCheckFailedException", Item=rich))).write(HOLD)

    assert caught.value.reasons == ("available",)


def put(sk: str, size: int = 1) -> Put:
    return Put("Orders", {"PK": "MARKET#BTC-PERP", "SK": sk, "blob": "x" * size})


TOO_MUCH: list[tuple[list[Action], str]] = [
    ([], "1 to 100 actions, was 0"),
    ([put(str(number)) for number in range(101)], "1 to 100 actions, was 101"),
    ([put("1"), Delete("Orders", Key("MARKET#BTC-PERP", "1"))], "two actions name one item"),
    ([put(str(number), 390_000) for number in range(11)], "4194304 bytes"),
    ([put("1", 409_600)], "409600 bytes"),
]


@pytest.mark.parametrize(("actions", "problem"), TOO_MUCH)
def test_limits_before_the_wire(actions: list[Action], problem: str) -> None:
    client = FakeClient()

    with pytest.raises(ValueError, match=problem):
        DynamoStore(client).transact(actions)

    assert client.asked == []


def test_a_hundred_actions_are_not_too_many() -> None:
    client = FakeClient({})

    DynamoStore(client).transact([put(str(number)) for number in range(100)])

    assert len(client.asked[0][1]["TransactItems"]) == 100


def test_a_big_item_is_refused_before_the_wire() -> None:
    with pytest.raises(ValueError, match="409600 bytes"):
        DynamoStore(FakeClient()).write(put("1", 409_600))


def image(key: Key) -> dict[str, dict[str, str]]:
    return {"PK": {"S": key.pk}, "SK": {"S": key.sk}}


def test_get_many_asks_again_and_keeps_the_order() -> None:
    keys = [Key("a", str(number)) for number in range(3)]
    rest = {"Orders": {"Keys": [image(keys[0])], "ConsistentRead": True}}
    client = FakeClient(
        {"Responses": {"Orders": [image(keys[2])]}, "UnprocessedKeys": rest},
        {"Responses": {"Orders": [image(keys[0])]}},
    )

    items = DynamoStore(client).get_many("Orders", keys)

    assert [item["SK"] for item in items] == ["0", "2"]
    assert client.asked[1][1] == {"RequestItems": rest}


def test_get_many_gives_up() -> None:
    keys = [Key("a", "b")]
    busy = {"Responses": {}, "UnprocessedKeys": {"Orders": {"Keys": [image(keys[0])]}}}

    with pytest.raises(Throttled, match="unprocessed 5 times"):
        DynamoStore(FakeClient(*[busy] * 5)).get_many("Orders", keys)


def test_get_many_of_nothing_asks_nobody() -> None:
    assert DynamoStore(FakeClient()).get_many("Orders", []) == []


def test_index_query_names_its_attributes() -> None:
    client = FakeClient({"Items": [], "LastEvaluatedKey": {"PK": {"S": "x"}}})

    page = DynamoStore(client).query(
        "Trades", "TRADER#1", index="maker", sk_from="TS#1", limit=5, descending=True
    )

    [(_, request)] = client.asked
    assert request["KeyConditionExpression"] == "#n0 = :v0 AND #n1 >= :v1"
    assert request["ExpressionAttributeNames"] == {"#n0": "maker_key", "#n1": "SK"}
    assert (request["IndexName"], request["Limit"], request["ScanIndexForward"]) == ("maker", 5, False)
    assert "ConsistentRead" not in request
    assert page.after == {"PK": "x"}


def test_an_empty_range_asks_nobody() -> None:
    assert DynamoStore(FakeClient()).query("Orders", "x", sk_from="b", sk_to="a").items == []
