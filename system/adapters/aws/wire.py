"""Items on DynamoDB's wire: hand-written, as boto3's own serialiser takes eight times as long.

Numbers are integers only, of at most 38 digits (DynamoDB's precision). Bytes stay bytes: boto3
encodes them itself, unlike the JSON of streams (system/model/dynamo_json.py), which reads both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from system.model.dynamo_json import unmarshal
from system.model.keys import Item

Typed = dict[str, Any]
_MAX_DIGITS = 38

from_wire = unmarshal


def to_wire(item: Mapping[str, Any]) -> dict[str, Typed]:
    """Return the item with every value typed.

    >>> to_wire({"PK": "WS#1", "n": -7, "ok": True, "raw": b"x"})
    {'PK': {'S': 'WS#1'}, 'n': {'N': '-7'}, 'ok': {'BOOL': True}, 'raw': {'B': b'x'}}
    """
    return {name: typed(value) for name, value in item.items()}


def typed(value: Any) -> Typed:
    """Return one value typed. Raises TypeError for what no table may hold, ValueError for too many digits."""
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is int:
        text = str(value)
        if len(text) > _MAX_DIGITS and len(text.lstrip("-")) > _MAX_DIGITS:
            raise ValueError(f"expected at most {_MAX_DIGITS} digits, was {text}")
        return {"N": text}
    if kind is bool:
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if kind is bytes:
        return {"B": value}
    if kind is list:
        return {"L": [typed(element) for element in value]}
    if kind is dict:
        return {"M": to_wire(value)}
    if isinstance(value, str):  # an enum of words
        return {"S": str.__str__(value)}
    raise TypeError(f"expected str, int, bool, None, bytes, list or dict, was {kind.__name__}")


def size_of(item: Mapping[str, Any]) -> int:
    """Estimate the bytes that DynamoDB counts for these attributes.

    Source: DynamoDB developer guide, "DynamoDB item sizes and formats".
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, bool) or value is None:
        return 1
    if isinstance(value, int):
        # two digits a byte, one byte for the exponent, one for the sign
        return len(str(value)) // 2 + 2
    if isinstance(value, list):
        return 3 + sum(1 + _value_size(element) for element in value)
    return 3 + sum(1 + len(name.encode()) + _value_size(element) for name, element in value.items())


def item_of(image: Mapping[str, Typed] | None) -> Item | None:
    """Return the plain item of an answer, None where there was none."""
    return None if not image else from_wire(dict(image))
