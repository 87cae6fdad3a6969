"""The WebSocket as an AsyncAPI 3.0 document: the very types of which news is made, and the routes' frames.

Printed by `dexsim asyncapi`, committed as docs/asyncapi.json. `tests/unit/api/test_asyncapi.py` holds it
against AsyncAPI's own schema, and against what a run and the routes really say.
Source: AsyncAPI 3.0.0; API Gateway closes a connection after ten idle minutes, and after two hours.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from system.api.ws import CHANNEL, CONNECTION_TTL_S, MAX_CHANNELS
from system.model import news

Json = dict[str, Any]
Channels = Annotated[
    list[Annotated[str, Meta(pattern=f"^({CHANNEL.pattern})$")]], Meta(min_length=1, max_length=MAX_CHANNELS)
]
Numbers = Annotated[
    dict[str, Annotated[int, Meta(ge=0)]],
    Meta(description="by channel, the number of its last message; 0: none"),
]


class Subscribe(msgspec.Struct):
    """Listen to channels. The answer is `subscribed`."""

    action: Literal["subscribe"]
    channels: Channels


class Unsubscribe(msgspec.Struct):
    """Listen to channels no more. The answer is `unsubscribed`."""

    action: Literal["unsubscribe"]
    channels: Channels


class Ping(msgspec.Struct):
    """Say that the connection lives, every few minutes. The answer is `pong`."""

    action: Literal["ping"]


class Subscribed(msgspec.Struct):
    """The next message of each channel has the next number. Ask for the state now, not before."""

    kind: Literal["subscribed"]
    channels: Numbers


class Unsubscribed(msgspec.Struct):
    """No more of these."""

    kind: Literal["unsubscribed"]
    channels: list[str]


class Pong(msgspec.Struct):
    """What the connection listens to. A number that has not been heard is a message that was missed."""

    kind: Literal["pong"]
    channels: Numbers


class Refused(msgspec.Struct):
    """A frame was not understood; `detail` says what was expected and what was there."""

    kind: Literal["refused"]
    title: str
    detail: str


class Family(NamedTuple):
    """A family of channels: its address, what stands for its parameter, and its kinds of messages."""

    address: str
    parameter: str
    about: str
    kinds: tuple[Any, ...]


FAMILIES = {
    "market": Family(
        "market.{symbol}",
        "a market, as BTC-PERP",
        "News of a market. After a hole ask GET /markets/{symbol}/depth; a later depth heals it, too.",
        (news.Depth, news.Trade, news.MarkPrice, news.FundingRate),
    ),
    "trader": Family(
        "trader.{trader}",
        "a trader's uuid",
        "News of a trader's orders and positions. After a hole, and a second after each subscription, "
        "ask GET /orders and GET /positions: what nobody hears has no number.",
        (news.OrderUpdate, news.PositionUpdate, news.LiquidationAlert),
    ),
    "admin": Family("admin.{symbol}", "a market", "News of a market's state.", (news.StateChange,)),
}
FRAMES = (Subscribe, Unsubscribe, Ping)
ANSWERS = (Subscribed, Unsubscribed, Pong, Refused)
ABOUT = (
    "One WebSocket carries every channel: news names its own, and its number there. Numbers have no holes; "
    "a message may come late or twice. A connection that says nothing is closed after ten minutes, and "
    f"forgotten after {CONNECTION_TTL_S // 60}: send ping. After two hours it is closed in any case: "
    "connect anew and subscribe."
)


def document() -> Json:
    """Return the whole document."""
    kinds = [kind for family in FAMILIES.values() for kind in family.kinds]
    types = [*kinds, *FRAMES, *ANSWERS]
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for kind in FAMILIES["trader"].kinds:  # the number that the fan-out puts in front: FANO-004
        schema = schemas[kind.__name__]
        schema["properties"]["seq"] = schemas["Trade"]["properties"]["seq"]
        schema["required"] = sorted([*schema["required"], "seq"])
    channels = {name: _channel(family) for name, family in FAMILIES.items()}
    channels["connection"] = {
        "address": None,
        "description": "What a client says, and what it is answered.",
        "messages": {each.__name__: _message(each) for each in (*FRAMES, *ANSWERS)},
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "dexsim", "version": "1", "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {"live": {"host": "127.0.0.1:8000", "pathname": "/live", "protocol": "ws"}},
        "channels": channels,
        "operations": _operations(),
        "components": {
            "schemas": schemas,
            "messages": {each.__name__: _described(each, schemas[each.__name__]) for each in types},
        },
    }


def _channel(family: Family) -> Json:
    name = family.address.partition("{")[2].rstrip("}")
    return {
        "address": family.address,
        "description": family.about,
        "parameters": {name: {"description": family.parameter}},
        "messages": {kind.__name__: _message(kind) for kind in family.kinds},
    }


def _message(kind: Any) -> Json:
    return {"$ref": f"#/components/messages/{kind.__name__}"}


def _described(kind: Any, schema: Json) -> Json:
    says = schema["properties"]
    return {
        "name": says.get("kind", says.get("action"))["enum"][0],
        "summary": kind.__doc__.partition("\n")[0],
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }


def _operations() -> Json:
    """Return what the exchange does: it sends news and answers, and receives frames."""
    said: Json = {
        f"send_{name}": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [_sent(name, kind) for kind in family.kinds],
        }
        for name, family in FAMILIES.items()
    }
    for frame, answer in zip(FRAMES, ANSWERS, strict=False):
        said[f"receive_{frame.__name__.lower()}"] = {
            "action": "receive",
            "channel": {"$ref": "#/channels/connection"},
            "messages": [_sent("connection", frame)],
            "reply": {
                "channel": {"$ref": "#/channels/connection"},
                "messages": [_sent("connection", answer), _sent("connection", Refused)],
            },
        }
    return said


def _sent(channel: str, kind: Any) -> Json:
    return {"$ref": f"#/channels/{channel}/messages/{kind.__name__}"}
