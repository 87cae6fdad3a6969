"""What must hold in every run: one rule a file, registered by name, with its source.

Importing this package fills `INVARIANTS`. `judge` looks at one state, `Judge` at a whole run.
"""

from sim.invariants import (
    books_agree,
    chain_against_ledger,
    door_keeps_its_word,
    door_tells_the_rows,
    every_trade_settled,
    feed_against_rows,
    feeds_heal,
    fills_count_once,
    funding_follows_sizes,
    i1_sizes_cancel_out,
    i2_clearing_mirrors_cost,
    i3_vault_equals_accounts,
    i4_assets_equal_deposits,
    i5_holds_cover_orders,
    i6_nothing_negative,
    i7_funding_is_zero_sum,
    i8_writers_lock_the_payoff,
    i9_transactions_balance,
    i10_log_makes_the_state,
    lake_against_trades,
    liquidations_have_a_reason,
    nobody_is_locked_in,
    options_pay_the_payoff,
    orders_keep_their_words,
    price_time_priority,
    prices_have_grounds,
    sequence,
    stats_against_trades,
    tiers_add_up,
)
from sim.invariants.judge import Judge, chosen, judge, overall
from sim.invariants.registry import INVARIANTS, Found, Invariant, invariant
from sim.invariants.state import ChainPosition, ChainView, State
from sim.invariants.verdict import Outcome, Verdict, Violation, worse

__all__ = [
    "INVARIANTS",
    "ChainPosition",
    "ChainView",
    "Found",
    "Invariant",
    "Judge",
    "Outcome",
    "State",
    "Verdict",
    "Violation",
    "chosen",
    "invariant",
    "judge",
    "overall",
    "worse",
]
