"""What a stack leaves behind, as the marks of tests/inventory.yaml: rows, news, functions, routes, lake.

The same reading serves a run in virtual time and a stack on an emulator, so that one table can tell of
both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sim.kernel.history import HistoryReader
from sim.kernel.template.stack import Template, load_template
from system.metrics.histogram import PREFIX
from system.model import keys

Row = Mapping[str, Any]

_WORDS = ("tradeType", "orderType")
_OF_MARKETS = (keys.STATS_INTRADAY, keys.STATS_DAILY, keys.STATS_LIFETIME)


def of_rows(table: str, rows: Iterable[Row]) -> set[str]:
    """Return `T.attribute`, of statistics also `T.attribute@BTC-PERP`, and of kinds of rows `T.kind=WORD`."""
    marks: set[str] = set()
    for row in rows:
        owner = row["PK"].partition("#")[2]
        for name, value in row.items():
            attribute, _, market = name.partition("#")
            plain = f"{table}.{'h' if attribute.startswith(PREFIX) else attribute}"
            marks.add(plain)
            if table in _OF_MARKETS:
                marks.add(f"{plain}@{market or owner}")
            if name in _WORDS:
                marks.add(f"{table}.{name}={value}")
    return marks


def of_history(history: HistoryReader) -> set[str]:
    """Return the functions that ran without a fault, the news that was published, and the lake's folders."""
    marks: set[str] = set()
    for _, event in history.of_kind("invoke"):
        if event["ok"]:
            marks.add(event["by"] + "()")
    for _, event in history.of_kind("publish"):
        marks.update(of_news(event["m"]))
    for _, event in history.of_kind("lake"):
        marks.add(of_lake(event["key"]))
    for _, event in history.of_kind("response"):
        if event["s"] < 500:
            marks.add("api()")
    return marks


def of_news(messages: Iterable[Row]) -> set[str]:
    return {f"{message['channel'].partition('.')[0]}.{message['kind']}" for message in messages}


def of_lake(key: str) -> str:
    return "/" + key.partition("/")[0]


def route_of(template: Template, method: str, path: str) -> str:
    """Return the route's key that API Gateway would find for a request: the most exact that fits."""
    asked = path.partition("?")[0]
    fitting = [
        route.key
        for route in template.http_routes()
        if route.key.startswith(method + " ")
        and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.key.partition(" ")[2]), asked)
    ]
    return min(fitting, key=lambda key: key.count("{"), default="")


def of_requests(history: HistoryReader) -> set[str]:
    """Return the routes that answered something of theirs, by what a history tells of them."""
    template = load_template()
    asked = {event["who"]: event for _, event in history.of_kind("request")}
    return {
        route_of(template, asked[event["who"]]["m"], asked[event["who"]]["p"])
        for _, event in history.of_kind("response")
        if event["s"] < 300
    } - {""}
