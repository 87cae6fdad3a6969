"""From an order of ours to the typed data that its owner signed."""

from __future__ import annotations

from system.model import typed_data
from system.model.market import MarketKind, MarketSpec
from system.model.order import BUY, Order
from system.model.units import NS

_KIND = {
    MarketKind.SPOT: typed_data.KIND_SPOT,
    MarketKind.PERP: typed_data.KIND_PERP,
    MarketKind.FUTURE: typed_data.KIND_FUTURE,
    MarketKind.OPTION: typed_data.KIND_OPTION,
}


def instrument(spec: MarketSpec) -> tuple[int, str, int, int, bool, int]:
    """Return the market as OrderLib.Instrument: kind, symbol, expiry, strike, whether a call, multiplier."""
    is_call = spec.option_type == "CALL"
    return _KIND[spec.kind], spec.symbol, spec.expiry_s, spec.strike_e6, is_call, 1


def instrument_id(spec: MarketSpec) -> bytes:
    """Return the market's instrument as the chain names it (EIP-712 hashStruct)."""
    return typed_data.instrument_hash(*instrument(spec))


def side_code(order: Order) -> int:
    """Return the signed side."""
    return typed_data.SIDE_BUY if order.side == BUY else typed_data.SIDE_SELL


def tif_code(order: Order) -> int:
    """Return the signed time in force with its flag bits."""
    return typed_data.tif_bits(order.tif, order.post_only, order.reduce_only, order.order_type == "MARKET")


def order_digest(order: Order, spec: MarketSpec, separator: bytes) -> bytes:
    """Return the digest that the order's account must have signed.

    Raises:
        ValueError: a field does not fit its EIP-712 type, or the address is malformed.
    """
    return typed_data.order_digest(
        separator,
        order.account,
        order.subaccount,
        instrument_id(spec),
        side_code(order),
        tif_code(order),
        order.qty_e8,
        order.limit_price_e6,
        order.expire_ns // NS,
        order.nonce,
        order.max_fee_bps,
    )
