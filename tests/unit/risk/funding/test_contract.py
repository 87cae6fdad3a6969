"""What every funding model promises, whatever its rule."""

from __future__ import annotations

import msgspec
import pytest

from system.model.units import NS
from system.risk.funding import PRESETS, Holding, apply_funding, funding_model
from system.risk.funding.model import E6, Window, open_window
from system.risk.insurance import Fund
from tests.rules import rule
from tests.unit.risk.funding.hours import INDEX_E6, START_NS, intervals, last, model_of, sample, sampled

NAMES = tuple(PRESETS)
INTEREST = {"bitmex", "binance", "hyperliquid"}
"""Their interest shows as long as the premium is within the clamp; drift's offset always does."""
STEEP = 20_000
"""A premium beyond every interest and damper, in ppm."""

every_model = pytest.mark.parametrize("name", NAMES)


def wavy(second: int) -> int:
    return 7_000 + 3_000 * (second // 600 % 3)


@rule("FUND-001")
def test_the_seeds_rule_is_a_choice_and_so_are_eleven_others() -> None:
    assert len(NAMES) == 12
    assert {"seed_literal", "none"} <= set(NAMES)
    with pytest.raises(KeyError, match="expected one of none, seed_literal"):
        funding_model("generous")


@every_model
@rule("FUND-004")
@pytest.mark.parametrize("premium", [STEEP, -STEEP])
def test_whoever_is_on_the_dear_side_pays(name: str, premium: int) -> None:
    paid = last(model_of(name), lambda _: premium).per_unit_e12
    assert paid == 0 if name == "none" else paid * premium > 0


@every_model
@rule("FUND-004")
@pytest.mark.parametrize("small", [True, False])
def test_mirrored_premiums_give_mirrored_payments(name: str, small: bool) -> None:
    def premium(at: int) -> int:
        return wavy(at) // 100 if small else wavy(at)

    dear = last(model_of(name), premium).per_unit_e12
    cheap = last(model_of(name), lambda at: -premium(at)).per_unit_e12
    if name == "drift" or (small and name in INTEREST):
        assert dear + cheap > 0, "longs pay the interest"
    else:
        assert dear + cheap == 0


@every_model
@rule("FUND-002")
def test_closing_again_says_the_same(name: str) -> None:
    model = model_of(name)
    window = sampled(model, open_window(START_NS), (sample(at, 5_000) for at in range(0, 3_600, 30)))
    boundary_ns = START_NS + model.interval_s * NS
    assert model.close(window, boundary_ns) == model.close(window, boundary_ns)


@every_model
@rule("FUND-002")
def test_late_and_repeated_samples_change_nothing(name: str) -> None:
    model = model_of(name)
    window = sampled(model, open_window(START_NS), (sample(at, wavy(at)) for at in range(0, 1_800, 30)))
    assert model.sample(window, sample(1_770, 90_000)) == window
    assert model.sample(window, sample(30, 90_000)) == window


@every_model
@rule("FUND-003")
def test_a_window_that_was_stored_goes_on_as_if_nothing_had_happened(name: str) -> None:
    model = model_of(name)
    kept = stored = open_window(START_NS)
    for at in range(0, 2 * model.interval_s, 300):
        if at == model.interval_s:
            kept, stored = (model.renew(one, START_NS + at * NS) for one in (kept, stored))
        one = sample(at, wavy(at))
        kept = model.sample(kept, one)
        stored = msgspec.convert(msgspec.to_builtins(model.sample(stored, one)), Window)
    boundary_ns = START_NS + 2 * model.interval_s * NS
    assert model.close(stored, boundary_ns) == model.close(kept, boundary_ns)


@every_model
@rule("FUND-003")
def test_the_same_samples_give_the_same_payments(name: str) -> None:
    assert intervals(model_of(name), wavy, 3) == intervals(model_of(name), wavy, 3)


@every_model
@rule("FUND-008")
@pytest.mark.parametrize("premium", [300_000, -300_000])
def test_the_markets_cap_bounds_every_model(name: str, premium: int) -> None:
    model = model_of(name, cap_ppm_per_hour=1_000)
    result = last(model, lambda _: premium)
    most = INDEX_E6 * 1_000 * (model.interval_s // 3_600)
    assert abs(result.per_unit_e12) <= most
    if name != "none":
        assert (abs(result.per_unit_e12), result.capped) == (most, True)
        assert result.rate_e12 == (1 if premium > 0 else -1) * 1_000 * E6 * (model.interval_s // 3_600)


@every_model
@rule("FUND-005", "FUND-006")
def test_a_pause_pays_for_the_time_around_it(name: str) -> None:
    """The quarter of each interval before its last quarter does not count; the premium never moves."""
    model = model_of(name)
    whole = last(model, lambda _: STEEP)

    def paused(at: int) -> bool:
        return model.interval_s // 2 <= at % model.interval_s < model.interval_s * 3 // 4

    window = open_window(START_NS)
    for number in range(2):
        start_s = number * model.interval_s
        samples = (
            sample(at, STEEP, valid=not paused(at)) for at in range(start_s, start_s + model.interval_s, 30)
        )
        window = sampled(model, window, samples)
        boundary_ns = START_NS + (start_s + model.interval_s) * NS
        result = model.close(window, boundary_ns)
        window = model.renew(window, boundary_ns)
    assert result.active_s == model.interval_s * 3 // 4
    assert result.per_unit_e12 == whole.per_unit_e12 * 3 // 4


@every_model
@rule("FUND-005")
def test_without_samples_nobody_pays(name: str) -> None:
    model = model_of(name)
    window = open_window(START_NS)
    empty = model.close(window, START_NS + model.interval_s * NS)
    assert (empty.per_unit_e12, empty.active_s, empty.reason) == (0, 0, "NO_SAMPLES")
    window = model.sample(window, sample(10, STEEP, valid=False))
    paused = model.close(window, START_NS + model.interval_s * NS)
    assert (paused.per_unit_e12, paused.active_s, paused.reason) == (0, 0, "PAUSED")


@every_model
@rule("FUND-005")
def test_what_was_carried_into_an_interval_pays_nothing(name: str) -> None:
    model = model_of(name)
    boundary_ns = START_NS + model.interval_s * NS
    window = model.sample(open_window(START_NS), sample(model.interval_s - 10, STEEP))
    result = model.close(model.renew(window, boundary_ns), boundary_ns + model.interval_s * NS)
    assert (result.per_unit_e12, result.active_s, result.reason) == (0, 80, "NO_SAMPLES")
    assert result.index_e6 == INDEX_E6


@every_model
@rule("FUND-005")
def test_an_observation_stands_in_for_the_next_for_a_while_only(name: str) -> None:
    model = model_of(name)
    window = sampled(model, open_window(START_NS), [sample(0, STEEP), sample(1_000, STEEP)])
    assert model.close(window, START_NS + model.interval_s * NS).active_s == 180


@every_model
@rule("FUND-007")
def test_a_chatty_minute_weighs_no_more_than_a_quiet_one(name: str) -> None:
    model = model_of(name, sample_s=60)
    quiet = intervals(model, lambda _: 1_000, every_s=60)[-1]
    chatty = intervals(model, lambda _: 1_000, every_s=1)[-1]
    assert quiet.n_samples == chatty.n_samples == model.interval_s // 60
    assert quiet.per_unit_e12 == chatty.per_unit_e12


@every_model
@rule("FUND-020", "FUND-021", "FUND-024")
def test_what_is_paid_is_received(name: str) -> None:
    result = last(model_of(name), wavy)
    sizes = (33_333, 1_234_567, 1, -1_267_901)
    holdings = [Holding(str(at), size, size * 600, 10**12) for at, size in enumerate(sizes)]
    applied = apply_funding(holdings, result.per_unit_e12, result.mark_e6, Fund(), 0)
    assert sum(move.cash for move in applied.moves) == -applied.dust
    assert 0 <= applied.dust < len(sizes)
    assert applied.fund.balance == applied.dust


@rule("FUND-009")
def test_thin_books_are_told() -> None:
    model = model_of("hyperliquid")
    samples = [msgspec.structs.replace(sample(at, 5_000), thin=at % 90 != 0) for at in range(0, 3_600, 30)]
    window = sampled(model, open_window(START_NS), samples)
    assert model.close(window, START_NS + 3_600 * NS).reason == "THIN_BOOK"
    half = [msgspec.structs.replace(one, thin=at % 2 == 0) for at, one in enumerate(samples)]
    window = sampled(model, open_window(START_NS), half)
    assert model.close(window, START_NS + 3_600 * NS).reason == ""
