"""Draws walk.svg, the walk of one order: `python docs/pictures/walk.py` writes it beside this file.

The steps below are the picture; tests/test_docs.py asks that each `where` is in the code and that the
committed SVG is what this draws. Colours follow the reader's light or dark setting.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import NamedTuple

OUT = Path(__file__).with_name("walk.svg")
WIDTH, HEIGHT = 1180, 772
LEFT, GAP = 40, 20


class Step(NamedTuple):
    """One box: `where` is file:function below system/ or sim/, `leaves` what is there afterwards."""

    number: str
    title: str
    where: str
    says: tuple[str, ...]
    leaves: str
    kind: str = "ships"  # ships, played or watches


WAY_IN = (
    Step(
        "1",
        "sign",
        "sim/client/requests.py:Requests.order",
        ("an agent drafts and signs", "EIP-712, its own key"),
        "HTTP event",
        "watches",
    ),
    Step(
        "2",
        "door",
        "system/api/http.py:Router.handle",
        ("event to request;", "a bad shape is a 400"),
        "request",
    ),
    Step(
        "3",
        "accept",
        "system/api/submit_order.py:SubmitOrder._accept",
        ("state, tick, lot, band,", "terms, signature, rate"),
        "nothing yet",
    ),
    Step(
        "4",
        "pre-pay",
        "system/api/submit_order.py:SubmitOrder._pre_pay",
        ("one transaction: order,", "hold, nonce"),
        "order PENDING, hold",
    ),
    Step(
        "5",
        "carry",
        "sim/kernel/plumbing.py:Pipe.deliver",
        ("Orders stream, Pipe, FIFO", "one group a market"),
        "a command",
        "played",
    ),
)
MATCH = Step(
    "6",
    "match",
    "system/matcher/handler.py:Matcher.handle",
    ("price, then sequence;", "pure, one writer a market"),
    "",
)
COMMITTED = (
    "MatcherLeases",
    "Orders",
    "Trades",
    "Positions",
    "Balances",
    "StatsIntraday",
    "StatsLifetime",
)
WAYS_OUT = (
    Step(
        "7",
        "publish",
        "system/feed/fan_out.py:FanOut.handle",
        ("SNS, then one post to", "each listener"),
        "messages, numbered",
    ),
    Step(
        "8",
        "archive",
        "system/jobs/archive.py:Archive.handle",
        ("Trades stream", "into the lake"),
        "trades/yyyy/mm/dd/",
    ),
    Step(
        "9",
        "settle",
        "system/settlement/submit.py:Settle.handle",
        ("batch, sign, store,", "then send"),
        "SUBMITTED",
    ),
    Step(
        "10",
        "confirm",
        "system/settlement/watch.py:Watch.handle",
        ("every minute: deep", "enough, or send again"),
        "CONFIRMED",
    ),
    Step(
        "11",
        "roll up",
        "system/jobs/daily_rollup.py:DailyRollup.handle",
        ("at midnight: minutes", "become a day"),
        "StatsDaily, daily/",
    ),
)
JUDGE = Step(
    "12",
    "judge",
    "sim/invariants/judge.py:Judge.look",
    ("invariants over tables, history, lake and chain", ""),
    "",
    "watches",
)
STEPS = (*WAY_IN, MATCH, *WAYS_OUT, JUDGE)

STYLE = """
  .sheet { fill: #ffffff; stroke: #d0d7de; }
  .ships { fill: #ddf4ff; stroke: #0969da; }
  .played { fill: #fff1e5; stroke: #bc4c00; }
  .watches { fill: #dafbe1; stroke: #1a7f37; }
  .pill { fill: #ffffff; stroke: #8c959f; }
  .arrow { stroke: #57606a; stroke-width: 2; fill: none; marker-end: url(#tip); }
  .tip { fill: #57606a; }
  .soft { stroke-dasharray: 5 4; }
  text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
  .title { font-size: 18px; font-weight: 600; }
  .number { font-size: 15px; font-weight: 700; }
  .says { font-size: 13px; }
  .where { font-size: 11px; font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
  .where, .note { fill: #57606a; }
  .note { font-size: 12px; }
  @media (prefers-color-scheme: dark) {
    .sheet { fill: #0d1117; stroke: #30363d; }
    .ships { fill: #0c2d4d; stroke: #58a6ff; }
    .played { fill: #3d2008; stroke: #f0883e; }
    .watches { fill: #0f2d18; stroke: #3fb950; }
    .pill { fill: #161b22; stroke: #6e7681; }
    .arrow { stroke: #8b949e; }
    .tip { fill: #8b949e; }
    text { fill: #e6edf3; }
    .where, .note { fill: #9ea7b3; }
  }
"""

BOX_W, BOX_H = 204, 132
TOP, MIDDLE, BOTTOM, LAST = 84, 300, 484, 690


def _text(x: int, y: int, style: str, words: str, anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}" class="{style}" text-anchor="{anchor}">{escape(words)}</text>'


def _arrow(x1: int, y1: int, x2: int, y2: int, style: str = "") -> str:
    return f'<path class="{f"arrow {style}".strip()}" d="M{x1} {y1} L{x2} {y2}"/>'


def _box(step: Step, x: int, y: int) -> list[str]:
    file, _, function = step.where.partition(":")
    parts = [
        f'<rect class="{step.kind}" x="{x}" y="{y}" width="{BOX_W}" height="{BOX_H}" rx="10"/>',
        _text(x + 14, y + 27, "number", step.number),
        _text(x + 14 + 11 * len(step.number) + 6, y + 27, "title", step.title),
        _text(x + 14, y + 48, "where", file.removeprefix("system/")),
        _text(x + 14, y + 63, "where", function),
    ]
    parts += [_text(x + 14, y + 85 + 17 * line, "says", words) for line, words in enumerate(step.says)]
    if step.leaves:
        parts.append(_text(x + 14, y + 123, "note", "leaves: " + step.leaves))
    return parts


def _match() -> list[str]:
    width = WIDTH - 2 * LEFT
    file, _, function = MATCH.where.partition(":")
    parts = [
        f'<rect class="ships" x="{LEFT}" y="{MIDDLE}" width="{width}" height="112" rx="10"/>',
        _text(LEFT + 14, MIDDLE + 27, "number", MATCH.number),
        _text(LEFT + 31, MIDDLE + 27, "title", MATCH.title),
        _text(LEFT + 14, MIDDLE + 48, "where", file.removeprefix("system/")),
        _text(LEFT + 14, MIDDLE + 63, "where", function),
    ]
    parts += [_text(LEFT + 14, MIDDLE + 83 + 17 * i, "says", words) for i, words in enumerate(MATCH.says)]
    parts.append(_text(LEFT + 236, MIDDLE + 34, "says", "one transaction, under lease and watermark, writes"))
    x = LEFT + 236
    for name in COMMITTED:
        wide = 26 + round(7.4 * len(name))
        parts.append(f'<rect class="pill" x="{x}" y="{MIDDLE + 50}" width="{wide}" height="32" rx="8"/>')
        parts.append(_text(x + wide // 2, MIDDLE + 71, "says", name, "middle"))
        x += wide + 10
    parts.append(_text(LEFT + 236, MIDDLE + 102, "note", "or nothing: who lost the lease cannot write"))
    return parts


def _legend() -> list[str]:
    parts = [_text(LEFT, 50, "title", "The walk of one order")]
    x = 420
    for kind, words in (
        ("ships", "ships to AWS unchanged"),
        ("played", "AWS, played in virtual time"),
        ("watches", "the harness around it"),
    ):
        parts.append(f'<rect class="{kind}" x="{x}" y="37" width="18" height="18" rx="4"/>')
        parts.append(_text(x + 26, 51, "says", words))
        x += 246
    return parts


def draw() -> str:
    """Return the picture as SVG."""
    pitch = BOX_W + GAP
    columns = [LEFT + pitch * place for place in range(len(WAY_IN))]
    parts = [
        f'<rect class="sheet" x="1" y="1" width="{WIDTH - 2}" height="{HEIGHT - 2}" rx="14"/>',
        *_legend(),
    ]
    for step, x in zip(WAY_IN, columns, strict=True):
        parts += _box(step, x, TOP)
    parts += [_arrow(x + BOX_W, TOP + BOX_H // 2, x + pitch - 3, TOP + BOX_H // 2) for x in columns[:-1]]
    middle_of_last = columns[-1] + BOX_W // 2
    parts.append(_arrow(middle_of_last, TOP + BOX_H, middle_of_last, MIDDLE - 3))
    parts.append(_text(middle_of_last - 10, TOP + BOX_H + 46, "note", "at least once, in order", "end"))
    parts += _match()
    for step, x in zip(WAYS_OUT, columns, strict=True):
        parts += _box(step, x, BOTTOM)
    for place, words in enumerate(("SNS", "Trades stream", "Trades stream", "", "StatsIntraday")):
        middle = columns[place] + BOX_W // 2
        if words:
            parts.append(_arrow(middle, MIDDLE + 112, middle, BOTTOM - 3))
            parts.append(_text(middle + 10, MIDDLE + 146, "note", words))
        parts.append(_arrow(middle, BOTTOM + BOX_H, middle, LAST - 3, "soft"))
    parts.append(_arrow(columns[2] + BOX_W, BOTTOM + BOX_H // 2, columns[3] - 3, BOTTOM + BOX_H // 2))
    sign, publish = TOP + BOX_H // 2, BOTTOM + BOX_H // 2
    parts.append(f'<path class="arrow" d="M{LEFT} {publish} H20 V{sign} H{LEFT - 3}"/>')
    parts.append(_text(30, TOP + BOX_H + 46, "note", "messages reach the trader again"))
    parts += _judge()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" role="img" aria-labelledby="about">\n'
        '<title id="about">The walk of one order in twelve steps, from signature to verdict</title>\n'
        f"<style>{STYLE}</style>\n"
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="tip" d="M0 0 L10 5 L0 10 z"/></marker></defs>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _judge() -> list[str]:
    width = WIDTH - 2 * LEFT
    return [
        f'<rect class="watches" x="{LEFT}" y="{LAST}" width="{width}" height="58" rx="10"/>',
        _text(LEFT + 14, LAST + 35, "number", JUDGE.number),
        _text(LEFT + 42, LAST + 35, "title", JUDGE.title),
        _text(LEFT + 120, LAST + 35, "says", JUDGE.says[0]),
        _text(WIDTH - LEFT - 14, LAST + 35, "where", JUDGE.where.replace(":", " "), "end"),
    ]


if __name__ == "__main__":
    OUT.write_text(draw(), encoding="utf-8")
