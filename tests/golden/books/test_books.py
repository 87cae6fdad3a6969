"""Short stories of one market, told as pictures of its book. `make golden` rewrites the .txt files beside.

A line is what somebody does, what happens follows indented, then the book: who rests with how
much on which side of which price, first to trade first.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from system.matcher.book import Level
from system.matcher.steps import Cancel, Done, Fill, Reduced, Refused, Rested, Step, StpMode
from system.model.order import Side
from tests.rules import rule
from tests.unit.matcher.venue import E6, E8, Venue

STORIES: dict[str, tuple[str, str]] = {
    "price_then_time": (
        "The best price trades first, and at one price whoever came first.",
        """
        ann sells 2 at 102
        bob sells 1 at 101
        cat sells 3 at 101
        dan buys 3 at 102
        """,
    ),
    "walking_the_book": (
        "A large order walks through the prices and rests with what is left, at its limit.",
        """
        ann sells 1 at 101
        ann sells 1 at 102
        ann sells 1 at 105
        bob buys 4 at 103
        """,
    ),
    "makers_price": (
        "Whoever waits names the price; the better price is the arriving trader's gain.",
        """
        ann buys 2 at 99
        ann buys 2 at 98
        bob sells 3 at 95
        """,
    ),
    "ioc_and_fok": (
        "IOC takes what is there; FOK takes all or nothing.",
        """
        ann sells 2 at 101
        bob buys 3 at 101 FOK
        bob buys 3 at 101 IOC
        """,
    ),
    "market_order": (
        "A market order stops at the worst price it signed.",
        """
        ann buys 1 at 99
        ann buys 1 at 90
        bob sells 5 at 95 MARKET
        """,
    ),
    "post_only": (
        "A post-only order is refused when it would trade.",
        """
        ann sells 2 at 101
        bob buys 1 at 101 post-only
        bob buys 1 at 100 post-only
        """,
    ),
    "replace": (
        "Less at the same price keeps the place; more goes to the end.",
        """
        ann buys 5 at 100
        bob buys 5 at 100
        ann buys 3 at 100 replacing 1
        ann buys 4 at 100 replacing 3
        """,
    ),
    "cancel": (
        "A cancel takes an order out of the middle; coming too late changes nothing.",
        """
        ann buys 1 at 100
        bob buys 2 at 100
        cat buys 3 at 100
        bob cancels 2
        bob cancels 2
        dan sells 2 at 100
        """,
    ),
    "self_trade": (
        "An order that would meet its own trader's order ends; strangers before it still trade.",
        """
        bob sells 1 at 101
        ann sells 2 at 102
        ann buys 3 at 102
        """,
    ),
    "reduce_only": (
        "A reduce-only order closes a position and cannot turn it over.",
        """
        ann buys 3 at 100
        bob sells 3 at 100
        ann sells 5 at 104 reduce-only
        cat buys 9 at 104
        """,
    ),
}
LINE = re.compile(
    r"(?P<who>\w+) (?P<what>buys|sells|cancels) (?P<number>\d+)(?: at (?P<price>\d+))?(?: (?P<how>.*))?"
)


@rule(
    "MATC-001", "MATC-002", "MATC-003", "MATC-020", "MATC-021", "MATC-022", "MATC-023", "MATC-025",
    "MATC-026", "MATC-028", "MATC-035", "MATC-041",
)  # fmt: skip
@pytest.mark.parametrize("name", STORIES)
def test_story(name: str, golden: Callable[[str, str], None]) -> None:
    title, story = STORIES[name]
    golden(f"books/{name}.txt", "\n".join([title, "", *told(story)]) + "\n")


def told(story: str) -> list[str]:
    """Play a story and write down what happens."""
    venue, page = Venue(stp=StpMode.EXPIRE_TAKER), []
    for line in story.strip().splitlines():
        page.append(line.strip())
        page += [f"    {sentence(step)}" for step in play(venue, line.strip())]
        page += ["", *picture(venue), ""]
    return page[:-1]


def play(venue: Venue, line: str) -> list[Step]:
    """Read one line and carry it out; orders are numbered 1, 2, 3 as they come."""
    said = LINE.fullmatch(line)
    assert said is not None, line
    who, number = said["who"], int(said["number"])
    if said["what"] == "cancels":
        return venue.run(Cancel(str(number), who))
    how = said["how"] or ""
    terms: dict[str, Any] = {"uuid": str(len(venue.orders) + 1)}
    if how in ("IOC", "FOK"):
        terms["tif"] = how
    elif how == "MARKET":
        terms |= {"order_type": "MARKET", "tif": "IOC"}
    elif how.startswith("replacing"):
        terms["replaces"] = "TOY-PERP:" + how.split()[1]
    elif how:
        terms[how.replace("-", "_")] = True
    side: Side = "BUY" if said["what"] == "buys" else "SELL"
    return venue.send(who, side, number, int(said["price"]), **terms)


def sentence(step: Step) -> str:
    """Tell a step in words."""
    match step:
        case Fill():
            verb, from_ = ("takes", "from") if step.taker.side == "BUY" else ("gives", "to")
            lots, price = step.qty_e8 // E8, step.price_e6 // E6
            return f"{step.taker.trader} {verb} {lots} at {price} {from_} {step.maker.trader}"
        case Rested():
            order = step.order
            return f"{order.trader} waits with {order.leaves_e8 // E8} at {order.limit_price_e6 // E6}"
        case Reduced():
            return f"{step.order.trader} keeps {step.order.leaves_e8 // E8}"
        case Done():
            order = step.order
            return f"{order.trader}'s order {order.uuid} ends: {order.status}, {order.reason}"
        case Refused():
            return f"refused: {step.reason}"


def picture(venue: Venue) -> list[str]:
    """Draw the book, highest price on top."""
    book = venue.engine.book
    asks = [(level.price_e6, "", crowd(level)) for level in book.asks]
    bids = [(level.price_e6, crowd(level), "") for level in book.bids]
    rows = [*reversed(asks), *bids]
    drawn = [f"{bid:>24} | {price // E6:>5} | {ask}".rstrip() for price, bid, ask in rows]
    return [f"{'bid':>24} | price | ask", *(drawn or [f"{'':>24} |       |"])]


def crowd(level: Level) -> str:
    """Say who waits at a price, first to trade first."""
    return ", ".join(f"{order.trader} {order.leaves_e8 // E8}" for order in level)
