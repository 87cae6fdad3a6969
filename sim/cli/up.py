"""`dexsim up`: the exchange in real time, until Ctrl-C."""

from __future__ import annotations

import asyncio

from sim.cli.exits import out
from sim.cli.scenarios import find, load
from sim.world.testnet.exchange import Exchange


def up_command(scenario: str, chain: str | None, host: str, port: int, settings: list[str]) -> None:
    """Serve the exchange of a scenario."""
    from aiohttp import web

    from sim.world.testnet.gateway import Gateway, new_token

    chosen = [f"chain={chain}"] if chain else []
    exchange = Exchange(load(find(scenario), [*settings, *chosen, "interleaving=atomic"]))
    token = new_token()

    async def serve() -> None:
        runner = web.AppRunner(Gateway(exchange, token).application(), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        _say(exchange, runner.addresses[0][1], token)
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        out.print("stopped")
    finally:
        exchange.close()


def _say(exchange: Exchange, port: int, token: str) -> None:
    """Tell where everything is."""
    world = exchange.world
    anvil = getattr(world.chain, "anvil", None)
    here = f"127.0.0.1:{port}"
    lines = {
        "markets": ", ".join(sorted(world.specs)),
        "http": f"http://{here}",
        "websocket": f"ws://{here}/live",
        "chain": anvil.url if anvil is not None else world.scenario.chain,
        "settlement": world.chain.domain().verifying_contract,
        "admin": f"Authorization: Bearer {token}",
        "status": f"dexsim status --port {port}, or http://{here}/testnet/status",
        "a wallet": f"dexsim fund ann 1000 --port {port}",
        "stop": f"Ctrl-C, or dexsim down --port {port}",
    }
    out.print()
    for name, said in lines.items():
        out.print(f"  {name:<11}{said}", markup=False, highlight=False, soft_wrap=True)
