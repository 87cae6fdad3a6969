"""DynamoDB's JSON: `{"S": "text"}`, `{"N": "1"}`. Streams and pipes hand items over in it."""

from __future__ import annotations

import base64
from typing import Any

from system.model.keys import Item

Typed = dict[str, Any]


def marshal(item: Item) -> dict[str, Typed]:
    """Return the item with every value typed.

    >>> marshal({"PK": "MARKET#BTC-PERP", "seq": 7, "post_only": False})
    {'PK': {'S': 'MARKET#BTC-PERP'}, 'seq': {'N': '7'}, 'post_only': {'BOOL': False}}
    """
    image: dict[str, Typed] = {}
    for name, value in item.items():
        # texts and integers are nearly all there is: a call for each would cost a quarter more
        kind = type(value)
        if kind is str:
            image[name] = {"S": value}
        elif kind is int:
            image[name] = {"N": str(value)}
        else:
            image[name] = _typed(value)
    return image


def _typed(value: Any) -> Typed:
    kind = type(value)
    if kind is str:
        return {"S": value}
    if kind is int:
        return {"N": str(value)}
    if kind is bool:
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if kind is bytes:
        return {"B": base64.b64encode(value).decode()}
    if kind is list:
        return {"L": [_typed(element) for element in value]}
    if kind is dict:
        return {"M": marshal(value)}
    raise TypeError(f"expected str, int, bool, None, bytes, list or dict, was {kind.__name__}")


def unmarshal(image: dict[str, Typed]) -> Item:
    """Return the plain item of a typed image.

    >>> unmarshal({"qty_e8": {"N": "10000"}, "side": {"S": "BUY"}})
    {'qty_e8': 10000, 'side': 'BUY'}
    """
    item: Item = {}
    for name, typed in image.items():
        if "S" in typed:
            item[name] = typed["S"]
        elif "N" in typed:
            item[name] = int(typed["N"])
        else:
            [(kind, value)] = typed.items()
            item[name] = _plain(kind, value)
    return item


def _plain(kind: str, value: Any) -> Any:
    if kind == "BOOL":
        return value
    if kind == "NULL":
        return None
    if kind == "B":
        return base64.b64decode(value) if isinstance(value, str) else bytes(value)
    if kind == "L":
        return list(unmarshal({str(place): typed for place, typed in enumerate(value)}).values())
    if kind == "M":
        return unmarshal(value)
    raise TypeError(f"expected one of S N BOOL NULL B L M, was {kind}")
