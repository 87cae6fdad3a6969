"""Items on DynamoDB's wire: there and back, and like boto3's own serialiser."""

import enum
import json
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from system.adapters.aws.wire import from_wire, item_of, size_of, to_wire
from system.model.dynamo_json import marshal, unmarshal

INTEGERS = st.integers(-(10**38) + 1, 10**38 - 1)
SCALARS = st.text() | INTEGERS | st.booleans() | st.none() | st.binary(max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)
ITEMS = st.dictionaries(st.text(min_size=1), VALUES, max_size=8)


@given(ITEMS)
def test_there_and_back(item: dict[str, Any]) -> None:
    back = from_wire(to_wire(item))

    assert back == item
    assert _kinds(back) == _kinds(item)


@given(ITEMS)
def test_as_boto3_does_it(item: dict[str, Any]) -> None:
    serialise = TypeSerializer().serialize

    assert to_wire(item) == {name: _plain_binary(serialise(value)) for name, value in item.items()}


@given(ITEMS)
def test_a_stream_record_reads_the_same(item: dict[str, Any]) -> None:
    assert unmarshal(json.loads(json.dumps(marshal(item)))) == item


@given(ITEMS)
def test_size_grows_with_the_item(item: dict[str, Any]) -> None:
    assert size_of({**item, "another": 1}) > size_of(item) - size_of({"another": item.get("another", 0)})
    assert size_of(item) >= sum(len(name.encode()) for name in item)


def test_size_of_text_and_numbers() -> None:
    assert size_of({"PK": "é" * 10}) == 2 + 20
    assert size_of({"n": 10**37}) == 1 + 21


def test_a_bool_is_no_number() -> None:
    assert to_wire({"a": True, "b": 1}) == {"a": {"BOOL": True}, "b": {"N": "1"}}


def test_a_word_of_an_enum_is_its_text() -> None:
    class Word(enum.StrEnum):
        BUY = "BUY"

    assert to_wire({"side": Word.BUY}) == {"side": {"S": "BUY"}}


@pytest.mark.parametrize("value", [1.5, Decimal(1), (1,), {1}, object()])
def test_what_no_table_holds_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="expected str, int"):
        to_wire({"value": value})


def test_too_many_digits_are_refused() -> None:
    assert to_wire({"n": -(10**38) + 1})
    with pytest.raises(ValueError, match="38 digits"):
        to_wire({"n": 10**38})


def test_no_answer_is_no_item() -> None:
    assert item_of(None) is None
    assert item_of({"n": {"N": "3"}}) == {"n": 3}


def _kinds(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _kinds(each) for name, each in value.items()}
    return [_kinds(each) for each in value] if isinstance(value, list) else type(value)


def _plain_binary(value: Any) -> Any:
    [(kind, held)] = value.items()
    if kind == "L":
        return {"L": [_plain_binary(each) for each in held]}
    if kind == "M":
        return {"M": {name: _plain_binary(each) for name, each in held.items()}}
    return {"B": bytes(held.value)} if kind == "B" and hasattr(held, "value") else value
