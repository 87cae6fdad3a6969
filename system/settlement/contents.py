"""A batch as the contract takes it: read anew from Trades and Orders whenever it is signed."""

from __future__ import annotations

from typing import Any, NamedTuple

from system.model import keys, typed_data
from system.model.keys import ORDERS, TRADES, Item, Key
from system.model.market import spec_from_item
from system.model.order import order_from_item
from system.model.signing import instrument_id, side_code, tif_code
from system.model.units import NS
from system.ports.chain import ChainFill, SignedOrder
from system.ports.store import Store

_GET_MANY = 100


class Contents(NamedTuple):
    """Each order once, and fills in the order of the trades."""

    orders: list[SignedOrder]
    fills: list[ChainFill]


def sent_places(batch: Item) -> list[int]:
    """Return the places, among a batch's trades, of the fills that it carries, in their order.

    >>> sent_places({"trades": ["a", "b", "c"], "excluded": [[1, "BadIndex"]]})
    [0, 2]
    """
    excluded = {place for place, _ in batch.get("excluded", ())}
    return [place for place in range(len(batch["trades"])) if place not in excluded]


def refusals(batch: Item, tx_hash: str, skipped: tuple[tuple[int, str], ...]) -> dict[int, str]:
    """Return why trades of a batch did not settle, by place: left out by us, or skipped by the contract.

    What counts is what the transaction carried that was mined: an earlier one of the same batch may
    have carried more.
    """
    left_out: list[list[Any]] = next(
        (some for named, some in batch.get("left_out", ()) if named == tx_hash), []
    )
    places = sent_places({**batch, "excluded": left_out})
    found: dict[int, str] = dict(left_out)
    return found | {places[index]: reason for index, reason in skipped}


class Reading:
    """Reads what batches carry. The terms of a market never change, so they are kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._instruments: dict[str, bytes] = {}

    def contents(self, batch: Item) -> Contents:
        """Return a batch without the trades that were found to spoil it."""
        wanted = [Key(*batch["trades"][place]) for place in sent_places(batch)]
        trades = [
            row
            for start in range(0, len(wanted), _GET_MANY)
            for row in self._store.get_many(TRADES, wanted[start : start + _GET_MANY])
        ]
        assert len(trades) == len(wanted), f"batch {batch['number']}: some of its trades are gone"
        places: dict[str, int] = {}
        for row in trades:
            places.setdefault(row["maker_order_id"], len(places))
            places.setdefault(row["taker_order_id"], len(places))
        fills = [
            ChainFill(
                places[row["maker_order_id"]],
                places[row["taker_order_id"]],
                row["qty_e8"],
                row["maker_fee"],
                row["taker_fee"],
                row.get("margin_floors", 0),
            )
            for row in trades
        ]
        return Contents([self._signed(row) for row in self._orders(list(places))], fills)

    def _orders(self, order_ids: list[str]) -> list[Item]:
        found: list[Item] = []
        wanted = [keys.order_key(order_id) for order_id in order_ids]
        for start in range(0, len(wanted), _GET_MANY):
            chunk = [key for key in wanted[start : start + _GET_MANY] if key is not None]
            found += self._store.get_many(ORDERS, chunk)
        assert len(found) == len(order_ids), f"orders of trades: expected {len(order_ids)}, was {len(found)}"
        return found

    def _signed(self, row: Item) -> SignedOrder:
        """Return the terms of an Orders row that its account signed."""
        order = order_from_item(row)
        return SignedOrder(
            account=order.account,
            subaccount=order.subaccount,
            instrument_id=self._instrument(order.symbol),
            side=side_code(order),
            tif=tif_code(order),
            qty=order.qty_e8,
            limit_price=order.limit_price_e6,
            expiry=order.expire_ns // NS,
            nonce=order.nonce,
            max_fee_bps=order.max_fee_bps,
            signature=typed_data.signature_bytes(order.signature),
        )

    def _instrument(self, symbol: str) -> bytes:
        if symbol not in self._instruments:
            market = self._store.get(keys.MARKETS, Key(keys.market_pk(symbol), keys.META))
            assert market is not None, f"{symbol}: has trades, but no row in Markets"
            self._instruments[symbol] = instrument_id(spec_from_item(market))
        return self._instruments[symbol]
