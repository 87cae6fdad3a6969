"""Builds the world of a run: backend, chain, exchange, markets, money, traders.

What a real start would do is done here in the same way: resources from the template, contracts
deployed, wallets that deposit on chain and are credited by the indexer, markets listed by an admin.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import orjson

from sim.client.desk import Desk
from sim.client.requests import Requests, Signing
from sim.client.watch import Watch
from sim.events import MarketAction, shocked
from sim.faults import Grounds
from sim.invariants.state import ChainView
from sim.kernel.backend import Backend
from sim.kernel.bridge import BridgedCloud, BridgedDoor
from sim.kernel.cloud import Cloud, Outside
from sim.kernel.cold import ColdCloud, Memory
from sim.kernel.dice import Dice
from sim.kernel.disturbed import DisturbedCloud, DisturbedDoor
from sim.kernel.door import Door
from sim.kernel.history import HistoryReader, HistoryWriter
from sim.kernel.interference import ShiftedLinks
from sim.kernel.links import Links
from sim.kernel.template.stack import Template, load_template
from sim.kernel.timeline import Timeline
from sim.scenario.schema import Scenario, Wallet
from sim.world.chain_world import ChainWorld, open_chain
from sim.world.prices import OraclePrices, PricePath
from sim.world.provision import open_backend
from sim.world.purse import Purse, purse_of
from sim.world.visitor import Visitor
from system.adapters.memory.ids import SeededIds
from system.config import Config
from system.model import keys, typed_data
from system.model.keys import Item
from system.model.market import MarketSpec, MarketState
from system.model.order import PENDING
from system.model.trade import CONFIRMED, LEDGER, SKIPPED
from system.model.units import NS
from system.model.withdrawal import OPEN_PK
from system.ports.lake import Lake
from system.risk.redemption import CXPT, issue

ADMIN = "admin-0"
OPENING_NONCE = 1 << 48
"""Of what a wallet asks for before its agent lives; agents count from 1."""
EXCHANGE = "exchange"
"""Whose wallet fills the insurance funds."""


class World:
    """Everything of one run; `close` gives back what it holds."""

    def __init__(self, scenario: Scenario, history: HistoryWriter, memory: Memory | None = None) -> None:
        self.memory = memory
        self.scenario = scenario
        self.history = history
        self.specs: dict[str, MarketSpec] = scenario.specs()
        self.dice = Dice(scenario.seed)
        self.paths = paths_of(scenario)
        self.timeline = Timeline(scenario.start)
        self.template: Template = load_template()
        self.purses: dict[str, Purse] = {}
        self.deposited: dict[tuple[str, str], int] = {}
        self.desks: list[Desk] = []
        self.blocks = 0
        self.acts = 0  # of the administrator, since it is open
        self.sponsor: Requests | None = None  # of the exchange itself
        self.chain: ChainWorld = open_chain(
            scenario.chain, scenario.start // NS, verify_signatures=scenario.signatures == "real"
        )
        self.grounds = Grounds(self.timeline, history, self.dice, self.chain, scenario.duration)
        self.backend: Backend | None = None
        try:
            self.backend = open_backend(scenario.backend, self.template, self.timeline)
            self._build(self.backend)
        except BaseException:
            self.close()
            raise

    def _build(self, backend: Backend) -> None:
        scenario, timeline = self.scenario, self.timeline
        wallets = scenario.wallets()
        self.minted = {wallet.name: wallet.funds.get(CXPT, 0) // issue(1).supply_e8 for wallet in wallets}
        self.purses = {wallet.name: purse_of(scenario.seed, wallet.name) for wallet in wallets}
        self.grounds.purses = self.purses
        self.chain.deploy([spec for spec in self.specs.values() if spec.settlement == "chain"])
        self._deposit([(self.purses[wallet.name], self._paid_in(wallet)) for wallet in wallets])
        domain = self.chain.domain()
        config = Config(
            chain_id=domain.chain_id,
            settlement_address=domain.verifying_contract,
            signatures=scenario.signatures,
            ingress=scenario.ingress,
            lifetime=scenario.lifetime,
            intraday=scenario.intraday,
            confirmations=scenario.confirmations,
            cxpt_redeemable=scenario.cxpt_redemption,
            index_guard_ppm=scenario.index.guard or 0,
            index_volatility_ppm=scenario.index.volatility,
            index_jump_ppm=scenario.index.jump,
            index_numeraire=scenario.index.numeraire,
        )
        if self.memory is not None:
            config = msgspec.structs.replace(config, **self.memory.shortened())
        self.prices = OraclePrices(
            self.paths,
            scenario.start,
            timeline.now_ns,
            {asset: process.confidence for asset, process in scenario.prices.items()},
            scenario.index.feeds,
        )
        outside = Outside(
            self.prices,
            self.chain.chain(),
            config,
            lambda by: SeededIds(timeline, f"{scenario.seed}:{by}"),
        )
        self._connect(backend, outside)
        signing = Signing(scenario.signatures, typed_data.domain_separator(domain))
        if EXCHANGE in self.purses:
            self.sponsor = Requests(EXCHANGE, self.purses[EXCHANGE], self.specs, signing)
        self._open()
        for wallet in wallets:
            self._mint(wallet, signing)
        everybody = tuple(purse.account for purse in self.purses.values())
        overheard: list[str] = []
        for wallet in wallets:
            desk = self._seat(wallet, signing)
            desk.known_accounts, desk.known_orders = everybody, overheard

    def _connect(self, backend: Backend, outside: Outside) -> None:
        """Build the cloud and its door; the one in which faults happen only for a scenario with faults."""
        scenario, timeline, history = self.scenario, self.timeline, self.history
        grounds = self.grounds
        if not scenario.faults and scenario.interleaving == "atomic":
            links = Links(self.dice, scenario.delays())
            usual = (self.template, backend, timeline, history, links, outside)
            self.cloud = Cloud(*usual) if self.memory is None else ColdCloud(*usual, self.memory)
            self.door = Door(self.cloud)
            return
        grounds.install(scenario.faults)
        links = ShiftedLinks(self.dice, scenario.delays(), grounds.interference)
        parts = (self.template, backend, timeline, history, links, outside, grounds.interference)
        if scenario.interleaving == "ports":
            bridged = BridgedCloud(*parts)
            grounds.cloud, grounds.door = bridged, BridgedDoor(bridged)
        else:
            disturbed = DisturbedCloud(*parts)
            grounds.cloud, grounds.door = disturbed, DisturbedDoor(disturbed)
        self.cloud, self.door = grounds.cloud, grounds.door

    def _deposit(self, wallets: list[tuple[Purse, dict[str, int]]]) -> None:
        """Every wallet deposits on chain, and enough blocks follow for the indexer to believe it."""
        promised = sum(self.scenario.insurance().values())
        if promised:
            purse = self.purses[EXCHANGE] = purse_of(self.scenario.seed, EXCHANGE)
            wallets = [*wallets, (purse, {"USDC": promised})]
        self.chain.fund([(purse.private_key, purse.account, funds) for purse, funds in wallets])
        for _ in range(self.scenario.confirmations):
            self.chain.mine_next()
        for purse, funds in wallets:
            for asset, amount in funds.items():
                key = (purse.trader, asset)
                self.deposited[key] = self.deposited.get(key, 0) + amount

    def _open(self) -> None:
        """Credit the deposits, list the markets, fetch the first prices: the exchange is open."""
        cloud = self.cloud
        cloud.call("settle_watch", {})
        for spec in self.specs.values():
            body = {"action": "create", **msgspec.structs.asdict(spec)}
            said = cloud.call("api", _admin_event(f"{ADMIN}-{spec.symbol}", body))
            assert said["statusCode"] == 201, f"{spec.symbol}: {said}"
        self._insure(cloud)
        cloud.call("oracle_fetch", {})
        cloud.start_schedules()
        self.timeline.end_ns = self.scenario.duration
        self.timeline.after(self.scenario.block_time, self._block)
        for event in self.scenario.events:
            if event.market is not None:
                self.timeline.after(event.at, self._act, event.market)

    def _act(self, action: MarketAction) -> None:
        """Send what an administrator asks for through the door."""
        for symbol in [action.symbol] if action.symbol else self.specs:
            self.acts += 1
            body = {"action": action.action, "symbol": symbol}
            self.door.request(_admin_event(f"{ADMIN}-{self.acts}", body), None)

    def _insure(self, cloud: Cloud) -> None:
        """Let the exchange pay into the insurance funds what the scenario gives them."""
        if self.sponsor is None:
            return
        for nonce, (symbol, amount) in enumerate(self.scenario.insurance().items(), start=1):
            event = self.sponsor.collateral(symbol, amount, nonce, self.timeline.now_ns(), "insurance")
            said = cloud.call("api", event)
            assert said["statusCode"] == 202, f"{symbol}: {said}"

    def _paid_in(self, wallet: Wallet) -> dict[str, int]:
        """Return what a wallet deposits: CXPT that it is to begin with is minted for USDC once it is open."""
        funds = {asset: amount for asset, amount in wallet.funds.items() if asset != CXPT}
        if minted := self.minted[wallet.name]:
            funds["USDC"] = funds.get("USDC", 0) + minted
        return funds

    def _mint(self, wallet: Wallet, signing: Signing) -> None:
        amount = self.minted[wallet.name]
        if not amount:
            return
        requests = Requests(wallet.name, self.purses[wallet.name], self.specs, signing)
        symbol = f"{CXPT}-USDC"
        event = requests.collateral(symbol, amount, OPENING_NONCE, self.timeline.now_ns(), "mint")
        said = self.cloud.call("api", event)
        assert said["statusCode"] == 202, f"{wallet.name}: {said}"

    def _seat(self, wallet: Wallet, signing: Signing) -> Desk:
        purse = self.purses[wallet.name]
        desk = Desk(
            purse,
            self.specs,
            wallet.funds,
            self.dice.named("agent", wallet.name),
            self.door,
            Requests(wallet.name, purse, self.specs, signing),
            self.prices.was_e6,
        )
        self.desks.append(desk)
        self.timeline.env.process(wallet.agent.live(desk))
        self.timeline.env.process(Watch(desk).live())
        return desk

    def _block(self) -> None:
        self.blocks += 1
        transactions = self.chain.mine(self.timeline.now_ns() // NS)
        event = {"t": self.timeline.elapsed_ns, "e": "block", "n": self.blocks, "txs": transactions}
        self.history.add(event)
        self.timeline.after(self.scenario.block_time, self._block)

    def unsettled(self) -> int:
        """Return how many trades are not final on chain yet; without an operator, nobody waits for them."""
        return 0 if self.grounds.abandoned else self.unsettled_by_status().total()

    def unsettled_by_status(self) -> Counter[str]:
        """Count the trades that are not final on chain yet by how far they came."""
        assert self.backend is not None
        statuses = Counter(row.get("settlementStatus", LEDGER) for row in self.backend.scan(keys.TRADES))
        for final in (CONFIRMED, SKIPPED, LEDGER):
            del statuses[final]
        return statuses

    def drained(self) -> bool:
        """Tell whether no message waits and nothing is under way but what schedules start."""
        if self.grounds.abandoned:
            return True
        return self.cloud.idle() and not self._withdrawing() and not self._open_endings()

    def _withdrawing(self) -> int:
        """Count the withdrawals that are neither paid nor returned."""
        assert self.backend is not None
        return sum(row["PK"] == OPEN_PK for row in self.backend.scan(keys.SETTLEMENTS))

    def _open_endings(self) -> list[str]:
        """Name the settled markets whose claims on chain are not final yet."""
        assert self.backend is not None
        final = {
            row["symbol"]
            for row in self.backend.scan(keys.SETTLEMENTS)
            if row["PK"].startswith("ENDING#") and row["status"] == CONFIRMED
        }
        return [
            row["symbol"]
            for row in self.backend.scan(keys.MARKETS)
            if row["SK"] == keys.META
            and row["status"] == MarketState.CLOSED.value
            and row["symbol"] not in final
            and self.specs[row["symbol"]].ends_on_chain
        ]

    def unfinished(self) -> list[str]:
        """Name what still has work, and commands that were accepted and that no matcher has applied."""
        assert self.backend is not None
        if self.grounds.abandoned:
            return []
        named = self.cloud.busy_parts()
        if self.cloud.in_flight:
            named.append(f"{self.cloud.in_flight} invocations under way")
        if withdrawing := self._withdrawing():
            named.append(f"{withdrawing} withdrawals neither paid nor returned")
        waiting = [row for row in self.backend.scan(keys.ORDERS) if row["status"] == PENDING]
        if waiting:
            first = f"{waiting[0]['PK']} {waiting[0]['SK']}"
            named.append(f"{len(waiting)} commands accepted and never applied (first: {first})")
        named += [f"claims in {symbol}, which are not final on chain" for symbol in self._open_endings()]
        return named

    def close(self) -> None:
        """Stop the chain and give back the backend."""
        self.grounds.close()
        self.chain.close()
        if self.backend is not None:
            self.backend.close()


def paths_of(scenario: Scenario) -> dict[str, PricePath]:
    """Draw the price of every asset, with what happens to it; the same for the same seed."""
    dice = Dice(scenario.seed)
    together = scenario.correlation.normals(dice)
    return {
        asset: shocked(
            process.path(scenario.start, dice.named("price", asset), together.get(asset)),
            asset,
            scenario.events,
            scenario.start,
        )
        for asset, process in scenario.prices.items()
    }


def _admin_event(request_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return POST /admin/markets by somebody of the group `admin`."""
    return {
        "routeKey": "POST /admin/markets",
        "headers": {},
        "requestContext": {
            "requestId": request_id,
            "http": {"method": "POST", "path": "/admin/markets", "sourceIp": "127.0.0.1"},
            "authorizer": {"jwt": {"claims": {"cognito:groups": ["admin"]}}},
        },
        "body": orjson.dumps(body).decode(),
    }


class Snapshot:
    """The world as the judges see it at one instant (sim.invariants.State)."""

    def __init__(self, world: World, *, final: bool, history: HistoryReader | None = None) -> None:
        assert world.backend is not None
        self._backend = world.backend
        self._rows: dict[str, list[Item]] = {}
        self.final = final
        self.now_ns = world.timeline.now_ns()
        self.start_ns = world.timeline.start_ns
        self.specs = world.specs
        self.accounts = {purse.trader: purse.account for purse in world.purses.values()}
        self.paid_in = world.deposited
        self.abandoned = world.grounds.abandoned
        self.confirmations = world.scenario.confirmations
        self.lake: Lake = world.backend.lake
        self.chain: ChainView = world.chain
        self.history = history
        self._visitor = Visitor(world.backend.store, world.timeline)

    def ask(self, route: str, **query: str) -> Any:
        """Return what the door answers to a GET."""
        return self._visitor.ask(route, **query)

    @property
    def deposited(self) -> dict[tuple[str, str], int]:
        """Return what was paid in less what the ledger knows to be paid out."""
        left = dict(self.paid_in)
        for row in self.items(keys.SETTLEMENTS):
            if row.get("paid_out"):
                place = (row["trader"], row["asset"])
                left[place] = left.get(place, 0) - row["paid_out"]
        return left

    def items(self, table: str) -> list[Item]:
        """Return all rows of a table, sorted by (PK, SK); read once per snapshot."""
        rows = self._rows.get(table)
        if rows is None:
            rows = self._rows[table] = self._backend.scan(table)
        return rows
