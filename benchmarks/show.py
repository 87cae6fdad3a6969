"""The figures for people."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.baseline import WORSE_BY, Change
from benchmarks.peers import MODULES, installed, load_peer
from benchmarks.plan import GROWTH, SLOW_PEERS, Result

TITLES = {
    "yardstick": "yardstick",
    "end_to_end.unsigned": "unsigned",
    "end_to_end.signed": "real signatures",
    "end_to_end.crossing": "unsigned, both sides",
}
"""`both sides`: limits reach as far beyond the price as they stand away from it, so that most trade."""


def show(results: dict[str, Result], out: Console, *, peers: bool) -> None:
    """Print every table there is something for."""
    _orders(results, out)
    _matcher(results, out)
    _settlement(results, out)
    _bridge(results, out)
    _moto(results, out)
    _growth(results, out)
    _steps(results, out)
    if peers:
        _peers(results, out)


def show_changes(found: list[Change], size: str, out: Console) -> None:
    """Print the ratios beside the baseline's."""
    table = _table(f"Ratios to the yardstick, {size}", "", "baseline", "now", "change")
    for change in found:
        growth = change.growth
        said = "new" if growth is None else f"{growth:+.0%}"
        style = "bold red" if change.alarming else "green" if growth is not None and growth < -0.1 else ""
        before = "" if change.before is None else f"{change.before:.3g}"
        table.add_row(change.name, before, f"{change.now:.3g}", f"[{style}]{said}[/]" if style else said)
    out.print(table)
    out.print(f"[dim]--check fails from +{WORSE_BY:.0%} on; --update-baseline writes these ratios.[/]")


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _orders(results: dict[str, Result], out: Console) -> None:
    unit = results["yardstick"]["cpu_us_each"]
    columns = ("orders/s", "per CPU s", "requests/s", "fills/s", "CPU us/order", "yardsticks", "KB/order")
    table = _table("Orders per second, and per second of CPU time of all threads", "", *columns)
    for name, title in TITLES.items():
        one = results.get(name)
        if one is None:
            continue
        requests = one.get("requests", one["orders"] + one["cancels"])
        table.add_row(
            title,
            f"[bold]{one['orders'] / one['wall_s']:,.0f}[/]",
            f"{one['each_per_s']:,.0f}",
            f"{requests / one['wall_s']:,.0f}",
            f"{one['fills'] / one['wall_s']:,.0f}",
            f"{one['cpu_us_each']:,.1f}",
            f"{one['cpu_us_each'] / unit:,.1f}",
            f"{one['memory_bytes'] / one['orders'] / 1e3:,.1f}" if "memory_bytes" in one else "",
        )
    out.print(table)
    for name, title in TITLES.items():
        one = results.get(name)
        if one is not None and "events" in one:
            out.print(f"[dim]{title}: {_remarks(one)}[/]", soft_wrap=True)
    out.print()


def _remarks(one: Result) -> str:
    return (
        f"{one['orders']:,} orders, {one['cancels']:,} cancels, {one['fills']:,} fills, "
        f"{one['settled']:,} settled, {one['rejected']:,} rejected, {one['events']:,} events; "
        f"95 % of the orders in the book within {one['order_to_book_p95_ms']:.0f} ms; "
        f"{one['virtual_s']:.0f} virtual s. Not counted: building the world {one['build_cpu_s']:.1f} s, "
        f"the final verdict {one['verdict_cpu_s']:.1f} s"
    )


def _matcher(results: dict[str, Result], out: Console) -> None:
    one = results.get("matcher")
    if one is None:
        return
    out.print("[bold]The matcher's engine alone[/] (60 % orders that rest, 30 % cancels, 10 % market)")
    out.print(
        f"{one['operations']:,} operations: [bold]{one['each_per_s']:,.0f}/s[/], "
        f"{one['cpu_us_each']:.2f} us each; {one['resting']:,} orders rest at the end\n"
    )


def _settlement(results: dict[str, Result], out: Console) -> None:
    one = results.get("settlement")
    if one is None:
        return
    out.print(
        "[bold]Settlement on Anvil[/] (packed, signed, sent, mined and read by the clock; batches of 200)"
    )
    out.print(
        f"{one['operations']:,} fills: [bold]{one['fills_per_s']:,.0f} fills/s[/], "
        f"{one['gas_per_fill']:,} gas each; bare transfers {one['transfers_per_s']:,.0f}/s: "
        f"a fill costs {one['transfers_each']:.2f} of one\n"
    )


def _bridge(results: dict[str, Result], out: Console) -> None:
    """Print invocations a second, with handlers that overlap and without."""
    titles = {
        "bridge.atomic": "whole exchange, atomic",
        "bridge.ports": "whole exchange, interleaved, with faults",
        "bridge.bare_atomic": "one small handler, atomic",
        "bridge.bare_ports": "one small handler, interleaved, with faults",
    }
    if not titles.keys() & results.keys():
        return
    columns = ("invocations/s", "wall", "us/invocation", "faults", "events")
    table = _table("Invocations per second, history on", "", *columns)
    for name, title in titles.items():
        one = results.get(name)
        if one is not None:
            table.add_row(
                title,
                f"[bold]{one['each_per_s']:,.0f}[/]",
                f"{one['operations'] / one['wall_s']:,.0f}",
                f"{one['cpu_us_each']:,.1f}",
                f"{one['struck']:,}",
                f"{one['events']:,}",
            )
    out.print(table)
    out.print()


def _growth(results: dict[str, Result], out: Console) -> None:
    few, many = GROWTH
    if f"growth.moto.{few}" not in results:
        return
    table = _table(
        "behind AWS's API, by the number of orders",
        "",
        f"ms/order at {few:,}",
        f"at {many:,}",
        "ratio",
        "CPU ms",
    )
    for backend, title in (("moto", "moto"), ("ministack", "MiniStack over HTTP")):
        each = [results[f"growth.{backend}.{some}"] for some in GROWTH]
        cost = [found["wall_s"] / found["orders"] * 1e3 for found in each]
        cpu = each[1]["cpu_us_each"] / 1e3
        table.add_row(title, f"{cost[0]:.1f}", f"{cost[1]:.1f}", f"{cost[1] / cost[0]:.2f}", f"{cpu:.1f}")
    out.print(table)


def _moto(results: dict[str, Result], out: Console) -> None:
    one, memory = results.get("moto"), results.get("memory_short")
    if one is None or memory is None:
        return
    table = _table(
        "moto, the same exchange on emulated AWS", "", "orders", "ms/order", "first quarter", "last"
    )
    for title, found in (("moto", one), ("memory, as few orders", memory)):
        cells = (found["cpu_us_each"] / 1e3, found["first_quarter_s"] * 1e3, found["last_quarter_s"] * 1e3)
        table.add_row(title, f"{found['orders']:,}", *(f"{cell:,.2f}" for cell in cells))
    out.print(table)
    out.print()


def _steps(results: dict[str, Result], out: Console) -> None:
    plain, signed = results.get("steps.unsigned"), results.get("steps.signed")
    if plain is None or signed is None:
        return
    columns = ("unsigned", "us/order", "in the store", "signed", "us/order")
    table = _table("Where the time of an order goes", "step", *columns)
    by_step = {share["step"]: share for share in signed["shares"]}
    # the shares are the sampled run's, the cost is that of the best run where there are several
    plain_us = results.get("end_to_end.unsigned", plain)["cpu_us_each"]
    signed_us = results.get("end_to_end.signed", signed)["cpu_us_each"]
    for share in plain["shares"]:
        other = by_step[share["step"]]
        if not share["share"] and not other["share"]:
            continue
        table.add_row(
            share["step"],
            f"{share['share']:.1%}",
            f"{share['share'] * plain_us:,.1f}",
            f"{share['in_store'] * plain_us:,.1f}",
            f"{other['share']:.1%}",
            f"{other['share'] * signed_us:,.1f}",
        )
    out.print(table)
    widest = max(share["error"] for share in plain["shares"])
    out.print(
        f"[dim]{plain['samples']:,} samples: a share is known to within {widest:.1%}. Hottest functions:[/]"
    )
    for share in plain["shares"][:10]:
        hottest = ", ".join(f"{escape(name)} {part:.1%}" for name, part in share["hottest"])
        out.print(f"[dim]  {share['step']:<16} {hottest}[/]", soft_wrap=True)
    out.print()


def _peers(results: dict[str, Result], out: Console) -> None:
    measured = [name for name in MODULES if f"peers.{name}" in results]
    table = _table(
        "Other simulators, the same traders", "", "orders", "orders/s", "per CPU s", "fills", "CPU us/order"
    )
    for name in measured:
        one = results[f"peers.{name}"]
        table.add_row(
            f"{name} {installed(name)}",
            f"{one['orders']:,}",
            f"[bold]{one['orders'] / one['wall_s']:,.0f}[/]",
            f"{one['each_per_s']:,.0f}",
            f"{one['fills']:,}",
            f"{one['cpu_us_each']:,.1f}",
        )
    if measured:
        out.print(table)
    for name in measured:
        peer = load_peer(name)
        fewer = " Fewer orders, as its cost grows with the book." if name in SLOW_PEERS else ""
        out.print(f"[dim]{name}: {peer.DOES}. Without: {peer.LACKS}.{fewer}[/]", soft_wrap=True)
    missing = [name for name in MODULES if not installed(name)]
    if missing:
        out.print(f"Not installed: {', '.join(missing)}. Install them with: make peers")
    elif measured:
        none = "None of them has a door, signatures, pre-payment, a ledger, queues, news, settlement,"
        out.print(f"[dim]{none} a history or invariants: they are a scale, not rivals.[/]", soft_wrap=True)
    out.print()
