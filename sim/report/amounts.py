"""Whole numbers in their smallest units, as people read them: in the terminal and on the page."""

from __future__ import annotations

USDC = 1_000_000
_NS_PER_MS = 1_000_000
_PPM_PER_PERCENT = 10_000
_IN_USDC = frozenset(
    {
        *("volume", "fees", "bad_debt", "liquidated", "withdrawn", "cxpt_minted", "cxpt_redeemed"),
        *("adl_taken", "adl_overshoot", "synth_liability"),
    }
)


def usdc(amount: int) -> str:
    """Return uUSDC in USDC: two decimals, cut off.

    >>> usdc(12_345_678_901), usdc(-5_000)
    ('12,345.67', '-0.00')
    """
    whole, rest = divmod(abs(int(amount)), USDC)
    return f"{'-' if amount < 0 else ''}{whole:,}.{rest // 10_000:02}"


def counted(name: str, value: int) -> str:
    """Return one of a run's counts with its unit.

    >>> counted("fills", 8161), counted("fees", 116_754_308_186), counted("reject_share", 5_371)
    ('8,161', '116,754.30 USDC', '0.54 %')
    """
    if name in _IN_USDC:
        return f"{usdc(value)} USDC"
    return measured(value, "ppm" if name.endswith("_share") else "count")


def measured(value: float, unit: str) -> str:
    """Return a measured value; unit is that of a threshold: ns, count, uUSDC or ppm.

    >>> [measured(1_500_000, unit) for unit in ("ns", "count", "uUSDC", "ppm")]
    ['1.500 ms', '1,500,000', '1.50 USDC', '150.00 %']
    """
    if unit == "ns":
        return f"{value / _NS_PER_MS:,.3f} ms"
    if unit == "uUSDC":
        return f"{usdc(int(value))} USDC"
    if unit == "ppm":
        return f"{value / _PPM_PER_PERCENT:,.2f} %"
    return f"{value:,}"


def milliseconds(value: float) -> str:
    """Return milliseconds with as many digits as matter.

    >>> milliseconds(39.94), milliseconds(41_444.9)
    ('39.9', '41,445')
    """
    return f"{value:,.1f}" if value < 10_000 else f"{value:,.0f}"


def span(seconds: float) -> str:
    """Return a length of time.

    >>> span(3_670), span(60), span(0.2)
    ('1 h 1 min 10 s', '1 min', '0 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest} s" if rest else ""]
    return " ".join(part for part in parts if part) or "0 s"
