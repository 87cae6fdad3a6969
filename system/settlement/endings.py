"""Options end on chain as they ended in the ledger: the price is published, every holder's claim is sent.

The ledger pays when a market is settled, into what is reserved. The chain follows when all its trades
are final, by steps that Clearing takes only once each; so nothing is stored before it is sent, and
whoever dies in between leaves nothing half done. What was paid is available when the claims are final.
"""

from __future__ import annotations

from typing import Any

from system.config import Config
from system.model import keys, trade
from system.model.errors import ChainReverted, ConditionFailed
from system.model.keys import BALANCES, MARKETS, META, ORDERS, POSITIONS, SETTLEMENTS, TRADES, Item, Key
from system.model.market import MarketState, spec_from_item
from system.model.order import trader_of
from system.model.position import Position
from system.model.signing import instrument_id
from system.ports.chain import Chain, PreparedTx
from system.ports.clock import Clock
from system.ports.store import NOT_EXISTS, Clause, Put, Store, Update, query_all
from system.risk.holds import USDC

CLAIMING = "CLAIMING"
"""Status of an ending whose claims are not all final; then CONFIRMED."""

_GET_MANY = 100
_AT_ONCE = 50
"""Claims that are sent in one watch; a block has room for some hundred."""


def ending_key(symbol: str) -> Key:
    """Return the key of a market's row in Settlements: {symbol, status, accounts}.

    While positions are left, `stage` is [whether it has its price, how many are left], since `stage_ns`.
    """
    return Key(f"ENDING#{symbol}", META)


def end_markets(store: Store, chain: Chain, clock: Clock, config: Config) -> None:
    """Bring every settled market on chain a step further. Rules: SETL-019 to SETL-021."""
    for market in query_all(store, MARKETS, MarketState.CLOSED.value, index="status"):
        if spec_from_item(market).ends_on_chain:
            _bring_on(store, chain, clock, config, market)


def _bring_on(store: Store, chain: Chain, clock: Clock, config: Config, market: Item) -> None:
    symbol = market["symbol"]
    key = ending_key(symbol)
    row = store.get(SETTLEMENTS, key) or _open(store, symbol)
    if row is None or row["status"] == trade.CONFIRMED:
        return
    spec = spec_from_item(market)
    instrument, accounts = instrument_id(spec), row["accounts"]
    height = chain.block_number()
    left = _holders(chain, instrument, accounts, height)
    if left:
        has_price = bool(chain.ending(instrument))
        waited_ns = _waited_ns(store, row, [int(has_price), len(left)], clock.now_ns())
        raises = waited_ns // config.stuck_ns
        if has_price:
            _send(chain, chain.prepare_claims(instrument, left[:_AT_ONCE], raises))
        else:
            _send(chain, chain.prepare_ending(instrument, market["settle_e6"], spec.expiry_s, raises))
    elif not _holders(chain, instrument, accounts, height - config.confirmations):
        _release(store, symbol, accounts)
        done = {"status": trade.CONFIRMED}
        store.write(Update(SETTLEMENTS, key, put=done, remove=("stage", "stage_ns")))


def _holders(chain: Chain, instrument: bytes, accounts: list[str], at_block: int) -> list[str]:
    """Return which of the accounts had a position when a block was mined."""
    sizes = chain.sizes(instrument, accounts, at_block) if accounts else []
    return [account for account, size in zip(accounts, sizes, strict=True) if size]


def _waited_ns(store: Store, row: Item, stage: list[int], now_ns: int) -> int:
    """Return how long it has been at this stage; a new one is noted."""
    if row.get("stage") == stage:
        return now_ns - int(row["stage_ns"])
    put = {"stage": stage, "stage_ns": now_ns}
    store.write(Update(SETTLEMENTS, Key(row["PK"], row["SK"]), put=put))
    return 0


def _release(store: Store, symbol: str, accounts: list[str]) -> None:
    """Make available what the ledger has paid, position by position, each once. Rule: EXPI-011."""
    traders = dict.fromkeys(map(trader_of, accounts))
    places = [Position(trader=trader, symbol=symbol).key for trader in traders]
    for start in range(0, len(places), _GET_MANY):
        for row in store.get_many(POSITIONS, places[start : start + _GET_MANY]):
            paid = row.get("claiming", 0)
            if not paid:
                continue
            same = (Clause("claiming", "=", paid),)
            balance = Key(keys.trader_pk(row["trader"]), keys.asset_sk(USDC))
            try:
                store.transact(
                    [
                        Update(POSITIONS, Key(row["PK"], row["SK"]), remove=("claiming",), when=same),
                        Update(BALANCES, balance, add={"available": paid, "reserved": -paid, "backed": paid}),
                    ]
                )
            except ConditionFailed:
                continue  # another watch was faster


def _open(store: Store, symbol: str) -> Item | None:
    """Note who held the market, once all its trades are final; before, a fill could still come too late."""
    rows = query_all(store, TRADES, keys.market_pk(symbol))
    fills = [row for row in rows if row["tradeType"] == "TRADE"]
    if any(row["settlementStatus"] not in {trade.CONFIRMED, trade.SKIPPED} for row in fills):
        return None
    names = {row[side] for row in fills for side in ("maker_order_id", "taker_order_id")}
    wanted = [key for key in map(keys.order_key, sorted(names)) if key is not None]
    accounts: dict[str, None] = {}
    for start in range(0, len(wanted), _GET_MANY):
        for order in store.get_many(ORDERS, wanted[start : start + _GET_MANY]):
            accounts[order["account"]] = None
    pk, sk = ending_key(symbol)
    row: dict[str, Any] = {"PK": pk, "SK": sk, "symbol": symbol, "status": CLAIMING}
    row["accounts"] = sorted(accounts)
    try:
        store.write(Put(SETTLEMENTS, row, NOT_EXISTS))
    except ConditionFailed:
        return store.get(SETTLEMENTS, ending_key(symbol))
    return row


def _send(chain: Chain, txs: list[PreparedTx]) -> None:
    """Send them in order; what the node does not take now is prepared again by the next watch."""
    for tx in txs:
        try:
            chain.send(tx)
        except ChainReverted:
            return
