"""What a transaction offers for gas: a first offer that needs no question, and better ones when it waits.

Nodes take another transaction with the same nonce only when it offers a tenth more of both fees.
A quarter more is a step that reaches any price soon; twice the base fee of the head survives six
full blocks, each of which may raise it by an eighth.
"""

from __future__ import annotations

from system.ports.chain import Fees

GWEI = 10**9
FIRST_OFFER = Fees(max_fee=100 * GWEI, priority_fee=GWEI)
MOST_WE_PAY = Fees(max_fee=5_000 * GWEI, priority_fee=500 * GWEI)
_MOST_RAISES = 9
"""With so many, both fees are at the ceiling."""


def offer_above(offer: Fees, base_fee: int, most: Fees) -> Fees:
    """Return the next offer for the same nonce; the same offer when it would pass the ceiling.

    >>> offer_above(Fees(100, 4), 0, Fees(1000, 1000))
    Fees(max_fee=125, priority_fee=5)
    >>> offer_above(Fees(100, 4), 300, Fees(1000, 1000))
    Fees(max_fee=605, priority_fee=5)
    >>> offer_above(Fees(900, 4), 0, Fees(1000, 1000))
    Fees(max_fee=900, priority_fee=4)
    """
    priority_fee = _quarter_more(offer.priority_fee)
    better = Fees(max(_quarter_more(offer.max_fee), 2 * base_fee + priority_fee), priority_fee)
    return better if better.max_fee <= most.max_fee and better.priority_fee <= most.priority_fee else offer


def offer_for(base_fee: int, raises: int = 0) -> Fees:
    """Return the keeper's first offer, doubled so often, and until it is twice the base fee.

    So a repeat is the same offer, or one that replaces it. It is a wei below the operator's: of two senders
    who offer the same, a block may hold either first, and the same run would make other blocks.

    >>> offer_for(0).max_fee - FIRST_OFFER.max_fee, -(-offer_for(60 * GWEI).max_fee // GWEI)
    (-1, 200)
    >>> [-(-fee // GWEI) for fee in offer_for(0, 3)], -(-offer_for(0, 99).max_fee // GWEI)
    ([800, 8], 5000)
    """
    times = 1 << min(raises, _MOST_RAISES)
    while times * FIRST_OFFER.max_fee < 2 * base_fee:
        times *= 2
    max_fee = min(times * FIRST_OFFER.max_fee, MOST_WE_PAY.max_fee)
    return Fees(max_fee - 1, min(times * FIRST_OFFER.priority_fee, MOST_WE_PAY.priority_fee))


def _quarter_more(fee: int) -> int:
    return -(-fee * 5 // 4)
