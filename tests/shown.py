"""What the documents show of a real run: every function in SHOWN writes one block of README.md or docs/.

The run is that of README.md, `dexsim run scenarios/smoke.yaml`; the order followed in docs/walk.md is its
first market order on BTC-PERP that one fill served.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from sim.kernel.history import HistoryReader
from sim.kernel.template.stack import load_template
from sim.report.folder import Run
from system.metrics.histogram import estimate_us
from system.model import dynamo_json

ROOT = Path(__file__).parent.parent
SCENARIO = "scenarios/smoke.yaml"
SYMBOL = "BTC-PERP"
WIDTH = 96

Event = dict[str, Any]
Write = list[Any]

USDC = frozenset(
    {
        *("hold", "notional", "cum_notional", "fee_paid", "maker_fee", "taker_fee", "fees", "cost", "margin"),
        *("realised", "available", "reserved", "backed", "clearing", "volume", "buy_volume"),
    }
)
SHORT = {"signature": 20, "raw": 20, "tx_hash": 20, "head": 20, "prev_hash": 20}


def dexsim(*words: str, cwd: Path = ROOT, hash_seed: str = "0") -> str:
    """Return what the command prints on a terminal of a fixed width."""
    terminal = {"COLUMNS": str(WIDTH), "NO_COLOR": "1"}
    said = subprocess.run(
        [sys.executable, "-c", "from sim.cli import main; main()", *words],
        cwd=cwd,
        env={**os.environ, **terminal, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode in (0, 7), said.stderr
    return "\n".join(line.rstrip() for line in said.stdout.splitlines()).strip("\n")


class Story:
    """One finished run, and the way of one order through it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.printed = dexsim("run", SCENARIO, "--out", str(folder))
        self.run = Run(folder)
        self.events = list(HistoryReader(folder / "history.jsonl.zst"))
        self.commit = self._first_commit()
        self.trade = next(row for row in _puts(self.commit, "Trades"))
        self.order_id: str = self.trade["taker_order_id"]
        self.uuid = self.order_id.partition(":")[2]
        self.accepted = next(
            event
            for event in self._tx("api")
            if any(row["uuid"] == self.uuid for row in _puts(event, "Orders"))
        )
        self.order = next(row for row in _puts(self.accepted, "Orders"))
        self.request = next(
            event
            for event in self.events
            if event["e"] == "request" and f'"{self.order["client_order_id"]}"' in event["b"]
        )
        self.response = next(
            event for event in self.events if event["e"] == "response" and event["who"] == self.request["who"]
        )
        self.batch = self._of_batch("settle")
        [self.confirmed] = self._of_batch("settle_watch")

    def _first_commit(self) -> Event:
        market = {row["uuid"] for event in self._tx("api") for row in _puts(event, "Orders") if _market(row)}
        for event in self._tx("matcher"):
            trades = list(_puts(event, "Trades"))
            ended = {
                write[3].removeprefix("TS#"): write[4]["status"]
                for write in event["w"]
                if write[0] == "upd" and write[1] == "Orders"
            }
            if len(trades) == 1 and trades[0]["symbol"] == SYMBOL:
                taker = trades[0]["taker_order_id"].partition(":")[2]
                if taker in market and ended[taker] == "FILLED":
                    return event
        raise AssertionError(f"{SCENARIO} has no market order on {SYMBOL} that one fill served")

    def _tx(self, by: str) -> Iterator[Event]:
        return (event for event in self.events if event["e"] == "tx" and event["by"] == by)

    def _of_batch(self, by: str) -> list[Event]:
        """Return the transactions that change the batch of our trade."""
        key = f"BATCH#{self.batch_number:012d}"
        return [event for event in self._tx(by) if any(_key(write)[0] == key for write in event["w"])]

    @property
    def batch_number(self) -> int:
        rows = self.run.trades()
        return int(rows.loc[rows["uuid"] == self.trade["uuid"], "batch"].iloc[0])

    def after(self, kind: str, moment: Event, **like: Any) -> Event:
        """Return the first event of a kind that is not before another one."""
        found = self.events[self.events.index(moment) + 1 :]
        return next(
            each
            for each in found
            if each["e"] == kind and all(each[name] == what for name, what in like.items())
        )


def _key(write: Write) -> tuple[str, str]:
    return (write[2]["PK"], write[2]["SK"]) if write[0] == "put" else (write[2], write[3])


def _market(row: Event) -> bool:
    return bool(row["orderType"] == "MARKET")


def _puts(event: Event, table: str) -> Iterator[Event]:
    return (write[2] for write in event["w"] if write[0] == "put" and write[1] == table)


# --- how rows are written down


def reading(name: str, value: Any) -> str:
    """Say what an integer of the exchange means to a person."""
    if not isinstance(value, int) or isinstance(value, bool) or not value:
        return ""
    if name.endswith("_ns") and value < 10**18:
        return f"{value // 10**6} ms"
    if name.endswith("_ns"):
        return (
            datetime.fromtimestamp(value // 10**9, UTC).strftime("%H:%M:%S.") + f"{value // 10**6 % 1000:03}"
        )
    if name.endswith("_e6") or name in USDC:
        return f"{_decimal(value, 6)} USDC"
    if "_e8" in name:
        return f"{_decimal(value, 8)} BTC"
    if name.startswith("h_"):
        return f"a latency of about {estimate_us(int(name[2:])) / 1000:.0f} ms"
    return ""


def _decimal(value: int, places: int) -> str:
    whole, rest = divmod(abs(value), 10**places)
    text = f"{whole:,}.{rest:0{places}d}".rstrip("0").rstrip(".")
    return ("-" if value < 0 else "") + text


def lines(row: Mapping[str, Any], mark: str = " ") -> Iterator[str]:
    """Write a row's attributes, one a line, with their reading."""
    for name, value in row.items():
        text = str(value) if not isinstance(value, dict | list) else orjson.dumps(value).decode()
        if len(text) > SHORT.get(name, 60):
            text = text[: SHORT.get(name, 60)] + "..."
        said = reading(name, value)
        yield f"  {mark} {name:<19} {text:<22} {said}".rstrip()


def written(event: Event, *, only: Callable[[Write], bool] = lambda _write: True) -> str:
    """Write down a transaction: `+` adds, `=` sets."""
    told: list[str] = []
    for write in filter(only, event["w"]):
        if write[0] == "put":
            row = write[2]
            told.append(f"put {write[1]}  {row['PK']}  {row['SK']}")
            told += lines({name: value for name, value in row.items() if name not in ("PK", "SK")})
        elif write[0] == "upd":
            told.append(f"update {write[1]}  {write[2]}  {write[3]}")
            told += [*lines(write[4], "="), *lines(write[5], "+")]
    return "\n".join(told)


# --- the blocks


def run_output(story: Story) -> str:
    """What `dexsim run` prints, with the folder and the seconds of a usual run."""
    text = re.sub(r"virtual in [\d.]+ s", "virtual in 0.7 s", story.printed)
    return text.replace(str(story.folder), "runs/smoke/20250601T120000-seed42")


def exit_codes(_story: Story) -> str:
    return dexsim("explain", "exit-codes")


def request(story: Story) -> str:
    body = orjson.loads(story.request["b"])
    body["signature"] = body["signature"][:20] + "..."
    said = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    return f"{story.request['m']} {story.request['p']}\n{said}"


def response(story: Story) -> str:
    said = orjson.dumps(orjson.loads(story.response["b"]), option=orjson.OPT_INDENT_2).decode()
    return f"{story.response['s']}\n{said}"


def prepaid(story: Story) -> str:
    return written(story.accepted)


def hold(story: Story) -> str:
    """The arithmetic of the hold, from the row's own integers."""
    order = story.order
    notional = order["limit_price_e6"] * order["qty_e8"] // 10**8
    fee = -(-notional * 5_000 // 10**6)
    assert order["hold"] == notional + fee, order
    rows = (
        ("notional at the worst price", f"{order['limit_price_e6']} * {order['qty_e8']} / 10^8", notional),
        ("margin", "100 % of it", notional),
        ("fee", "0.5 % of it, rounded up", fee),
        ("hold", "margin + fee", notional + fee),
    )
    return "\n".join(f"{a:<28}{b:<29}{n:>11}   {_decimal(n, 6):>10} USDC" for a, b, n in rows)


def command(story: Story) -> str:
    [pipe] = load_template().pipes()
    record = {"eventName": "INSERT", "dynamodb": {"NewImage": dynamo_json.marshal(story.order)}}
    first = dict(list(record["dynamodb"]["NewImage"].items())[3:6])  # type: ignore[index]
    body = orjson.dumps({"eventName": "INSERT", "dynamodb": {"NewImage": first}}).decode()
    return "\n".join(
        (
            f"queue                   {pipe.target_queue}",
            f"MessageGroupId          {_at(record, pipe.group_path)}    ({pipe.group_path})",
            f"MessageDeduplicationId  {_at(record, pipe.dedup_path)}    ({pipe.dedup_path})",
            f"body                    {body[:-3]},...}}}}}}",
        )
    )


def _at(record: Any, path: str) -> Any:
    for step in path.removeprefix("$.").split("."):
        record = record[step]
    return record


def committed(story: Story) -> str:
    return written(story.commit)


def sums(story: Story) -> str:
    """The double entry of the commit: what each account gains, which adds up to zero."""
    names = {story.trade["maker"]: "maker", story.trade["taker"]: "taker"}
    gains: dict[str, int] = defaultdict(int)
    for write in story.commit["w"]:
        if write[0] == "upd" and write[1] == "Balances":
            owner = names.get(write[2].partition("#")[2], "market")
            for account, amount in write[5].items():
                if account != "backed":  # which part of `available` the chain has
                    gains[f"{owner} {account}"] += amount
        elif write[1] == "Positions":
            assert write[2]["trades"] == 1, "the first trade of both, or margins need their old values"
            gains[f"{names[write[2]['trader']]} margin"] += write[2]["margin"]
    assert sum(gains.values()) == 0, gains
    told = [f"{account:<18}{gain:>12}   {_decimal(gain, 6):>12} USDC" for account, gain in gains.items()]
    return "\n".join([*told, f"{'sum':<18}{0:>12}"])


TOLD = {
    "trade": ("price_e6", "qty_e8", "aggressor_side", "trade_no"),
    "orderUpdate": ("status", "leaves_e8", "cum_qty_e8", "fee_paid"),
    "positionUpdate": ("size_e8", "cost", "margin"),
}


def published(story: Story) -> str:
    names = {story.trade["maker"]: "(maker)", story.trade["taker"]: "(taker)"}
    told = []
    for message in story.after("publish", story.commit)["m"]:
        kind, data = message["kind"], message["data"]
        if kind == "depth":
            text = "; ".join(
                f"{len(data[side])} {side}, best {data[side][0][0]}" for side in ("bids", "asks")
            )
        else:
            text = ", ".join(f"{name} {data[name]}" for name in TOLD[kind])
        channel, _, owner = message["channel"].partition(".")
        number = f"seq {message['seq']}" if "seq" in message else ""
        told.append(f"{channel}.{names.get(owner, owner):<9} {number:<7} {kind:<15} {text}")
    return "\n".join(told)


def archived(story: Story) -> str:
    event = story.after("lake", story.commit)
    return f"{event['key']}   {event['size']} bytes, sha256 {event['sha256'][:16]}..."


def batched(story: Story) -> str:
    return "\n".join(
        f"-- transaction {place}\n{_batch_of_ours(story, event)}"
        for place, event in enumerate(story.batch, 1)
    )


def confirmed(story: Story) -> str:
    return _batch_of_ours(story, story.confirmed)


def _batch_of_ours(story: Story, event: Event) -> str:
    """Write a transaction down without what it does with the other trades of the batch."""
    size = len(next(_puts(story.batch[0], "Settlements"))["trades"])
    ours = story.trade["SK"]
    text = written(event, only=lambda write: write[1] != "Trades" or write[3] == ours)
    return re.sub(r"(?m)^( +trades +)\[.*$", rf"\g<1>{size} keys, one of them ours", text)


def rolled_up(story: Story) -> str:
    event = story.after("tx", story.commit, by="daily_rollup")
    row = next(row for row in _puts(event, "StatsDaily"))
    plain = {name: value for name, value in row.items() if not name.startswith(("h_", "depth_"))}
    counts = sum(1 for name in row if name.startswith("h_"))
    key = f"put StatsDaily  {plain.pop('PK')}  {plain.pop('SK')}"
    return "\n".join(
        [key, *lines(plain), f"    and {counts} buckets h_... of the latency histogram, and the depths"]
    )


def times(story: Story) -> str:
    """When each step of the order happened, in virtual milliseconds after it was sent."""
    begun = story.request["t"]
    lake = story.after("lake", story.commit)
    moments = (
        ("1 sent", story.request),
        ("4 accepted and pre-paid", story.accepted),
        ("6 committed", story.commit),
        ("7 handed to the listeners", story.after("invoke", story.commit, by="fan_out")),
        ("8 in the lake", lake),
        ("9 in a batch, signed, sent", story.batch[-1]),
        ("10 final on chain", story.confirmed),
        ("11 in the day's statistics", story.after("tx", story.commit, by="daily_rollup")),
    )
    return "\n".join(f"{name:<28}{(event['t'] - begun) / 1e6:>12,.1f} ms" for name, event in moments)


def on_chain(story: Story) -> str:
    rows = story.run.chain()
    mine = rows[(rows["owner"] == story.order["account"]) & (rows["asset"] == "USDC")]
    kept = [("the trader's USDC", mine.iloc[0])]
    kept += [(name, rows[rows["owner"] == name].iloc[0]) for name in ("treasury", "clearing")]
    told = [f"{'':<20}{'ledger':>14}{'chain':>16}"]
    told += [f"{name:<20}{row['ledger']:>14}{row['chain']:>16}" for name, row in kept]
    return "\n".join(told)


def parting(story: Story) -> str:
    """Where a run parts from another one with a slower pipe."""
    home = story.folder.parents[1]
    slower = "links.pipe -> commands={median: 9 ms, p99: 30 ms}"
    dexsim("run", str(ROOT / SCENARIO), "--out", "runs/b", "--no-report", "--set", slower, cwd=home)
    # named as a reader names them: how wide a column is depends on the names of the folders
    said = dexsim("compare", "runs/a", "runs/b", cwd=home)
    return said[said.index("The first event") :]


SHOWN: dict[str, Callable[[Story], str]] = {
    "run-output": run_output,
    "exit-codes": exit_codes,
    "request": request,
    "response": response,
    "prepaid": prepaid,
    "hold": hold,
    "command": command,
    "committed": committed,
    "sums": sums,
    "published": published,
    "archived": archived,
    "batched": batched,
    "confirmed": confirmed,
    "rolled-up": rolled_up,
    "on-chain": on_chain,
    "times": times,
    "parting": parting,
}
