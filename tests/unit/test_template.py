"""The template against the code that it names, and what the harness reads out of it."""

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest

from sim.kernel.template import stack as sorted_types
from sim.kernel.template.cfn import read
from sim.kernel.template.stack import TEMPLATE, Sorting, load_template, parse_template
from system.adapters.aws.indexes import INDEXES
from system.adapters.aws.session import Names
from system.model import keys
from system.model.errors import ProvisionError
from system.model.units import MINUTE_NS, NS
from tests.unit.floor import Floor

MIDNIGHT_NS = 1_746_316_800 * NS  # 2025-05-04T00:00:00Z
LAMBDAS = TEMPLATE.with_name("lambdas.py")


def test_every_handler_is_there() -> None:
    handlers = [function.handler for function in load_template().functions()]
    assert len(dict.fromkeys(handlers)) == len(handlers) == 14

    modules = {handler.rpartition(".")[0] for handler in handlers}
    assert modules == {"system.lambdas"}
    if LAMBDAS.exists():
        defined = {
            node.name
            for node in ast.parse(LAMBDAS.read_text()).body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        missing = sorted({handler.rpartition(".")[2] for handler in handlers} - defined)
        assert missing == [], f"{LAMBDAS.name} lacks {missing}"


def test_the_system_has_a_method_for_every_handler() -> None:
    system = importlib.import_module("system.wiring").System

    assert [each.name for each in load_template().functions() if not hasattr(system, each.name)] == []


def test_every_type_is_sorted_once() -> None:
    groups = (sorted_types.STATE, sorted_types.PLAYED, sorted_types.CLOUD_ONLY)
    types = {resource.type for resource in load_template().resources()}

    assert sum(map(len, groups)) == len(frozenset().union(*groups))
    assert types == frozenset().union(*groups), "a sorted type that the template no longer has"


def test_an_unsorted_type_stops_everything() -> None:
    document = read(TEMPLATE)
    document["Resources"]["Cache"] = {"Type": "AWS::ElastiCache::ReplicationGroup"}

    with pytest.raises(ProvisionError) as caught:
        parse_template(document)

    assert caught.value.args[:2] == ("Cache", "AWS::ElastiCache::ReplicationGroup")


def test_tables_are_those_of_the_model() -> None:
    tables = {table.name: table for table in load_template().tables()}

    assert sorted(tables) == sorted(keys.TABLES)
    assert {name: dict(table.indexes) for name, table in tables.items() if table.indexes} == INDEXES
    assert [name for name, table in tables.items() if table.stream_view] == [keys.ORDERS, keys.TRADES]
    assert [name for name, table in tables.items() if table.ttl_attribute == "ttl"] == [
        keys.PRICES,
        keys.STATS_INTRADAY,
        keys.WS_CONNECTIONS,
        keys.IDEMPOTENCY,
    ]


def test_documented_keys_are_those_of_the_seed() -> None:
    formats = {table.name: table.keys for table in load_template().tables()}

    assert formats[keys.ORDERS] == (keys.market_pk("BTC-PERP"), keys.event_sk("<uuid7>"))
    assert formats[keys.TRADES] == (keys.market_pk("BTC-PERP"), keys.event_sk("<uuid7>"))
    assert formats[keys.POSITIONS] == (keys.trader_pk("<uuid>"), keys.market_pk("BTC-PERP"))
    assert formats[keys.MARKETS] == (keys.market_pk("BTC-PERP"), keys.META)
    assert formats[keys.PRICES][0] == keys.asset_pk("BTC")
    assert formats[keys.STATS_INTRADAY] == (keys.market_pk("BTC-PERP"), "2025-05-03T20:15")
    assert formats[keys.STATS_DAILY] == (keys.market_pk("BTC-PERP"), "2025-05-03")
    assert formats[keys.STATS_LIFETIME] == (keys.LIFETIME_PK, keys.META)
    assert formats[keys.WS_CONNECTIONS] == (keys.connection_pk("<connection id>"), keys.META)
    assert formats[keys.BALANCES] == (keys.trader_pk("<uuid>"), keys.asset_sk("USDC"))


def test_functions_share_one_environment() -> None:
    first, *others = [function.environment for function in load_template().functions()]

    assert all(other == first for other in others)
    assert {"DEX_" + name.upper() for name in Names.__struct_fields__} <= set(first)


def test_roles_allow_nothing_on_everything() -> None:
    for role in (each for each in load_template().resources() if each.type == "AWS::IAM::Role"):
        for policy in role.properties["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                resources, actions = statement["Resource"], statement["Action"]
                listed = [resources] if isinstance(resources, str) else resources
                assert "*" not in listed, role.logical_id
                assert not any(
                    "*" in action for action in ([actions] if isinstance(actions, str) else actions)
                )


def test_the_walk_is_wired() -> None:
    template = load_template()
    commands = template.queue(template.commands_queue)
    [pipe] = template.pipes()
    mappings = {each.logical_id: each for each in template.event_source_mappings()}
    timeouts = {each.logical_id: each.timeout_s for each in template.functions()}

    assert (commands.fifo, commands.attributes["FifoThroughputLimit"]) == (True, "perMessageGroupId")
    assert (pipe.source_table, pipe.event_name, pipe.target_queue) == (keys.ORDERS, "INSERT", commands.name)
    assert (pipe.group_path, pipe.dedup_path) == (
        "$.dynamodb.NewImage.symbol.S",
        "$.dynamodb.NewImage.uuid.S",
    )
    matcher = mappings["MatcherMapping"]
    assert (matcher.source_queue, matcher.batch_size, matcher.report_failures) == (commands.name, 10, True)
    for name in ("MatcherMapping", "OracleTicksMapping"):
        assert mappings[name].visibility_s >= 6 * timeouts[mappings[name].function]
    for name, batch in (("ArchiveMapping", 100), ("SettleMapping", 50)):
        found = mappings[name]
        assert (found.source_table, found.batch_size, found.window_s) == (keys.TRADES, batch, 10)
        assert (found.event_name, found.dead_letter) == ("INSERT", "dex-events-dead")
    assert [each.function for each in template.subscriptions()] == ["FanOutFunction"]
    assert template.consumers() == {
        keys.ORDERS: ("OrdersPipe",),
        keys.TRADES: ("ArchiveMapping", "SettleMapping"),
    }


def test_routes() -> None:
    template = load_template()

    assert [route.key for route in template.http_routes()] == [
        "POST /orders",
        "DELETE /orders/{id}",
        "DELETE /orders",
        "GET /orders",
        "POST /collateral",
        "POST /vault/withdraw",
        "GET /vault/withdrawals",
        "GET /positions",
        "GET /markets",
        "GET /trades",
        "GET /markets/{symbol}/depth",
        "GET /markets/{symbol}/trades",
        "GET /markets/{symbol}/ticker",
        "GET /stats/{symbol}",
        "POST /admin/markets",
    ]
    assert [route.key for route in template.http_routes() if route.jwt] == ["POST /admin/markets"]
    assert [route.key for route in template.ws_routes()] == [
        "$connect",
        "$disconnect",
        "subscribe",
        "unsubscribe",
        "ping",
        "$default",
    ]
    answers = {route.key: route.answers for route in template.ws_routes()}
    assert answers == {
        "$connect": False,
        "$disconnect": False,
        "subscribe": True,
        "unsubscribe": True,
        "ping": True,
        "$default": True,
    }


def test_the_door_has_the_routes_of_the_template() -> None:
    floor = Floor()

    assert sorted(floor.router.verbs) == sorted(route.key for route in load_template().http_routes())


def test_oracle_fires_every_thirty_seconds() -> None:
    template = load_template()
    ticks = [each for each in template.schedules() if each.logical_id.startswith("Oracle")]
    delays_s = [template.queue(each.queue).delay_s if each.queue else 0 for each in ticks]

    assert [each.next_fire_ns(MIDNIGHT_NS) for each in ticks] == [MIDNIGHT_NS + MINUTE_NS] * 2
    assert sorted(delays_s) == [0, 30]


def test_roll_up_fires_at_midnight() -> None:
    [rollup] = [each for each in load_template().schedules() if each.function == "DailyRollupFunction"]

    assert rollup.next_fire_ns(MIDNIGHT_NS - 1) == MIDNIGHT_NS
    for late_min, then_min in ((0, 1), (1, 10), (10, 24 * 60)):  # again for what was committed late
        assert rollup.next_fire_ns(MIDNIGHT_NS + late_min * MINUTE_NS) == MIDNIGHT_NS + then_min * MINUTE_NS


def test_edge_is_only_where_cloudfront_takes_it() -> None:
    there = {each.logical_id for each in parse_template(read(TEMPLATE), region="us-east-1").resources()}
    elsewhere = {each.logical_id for each in parse_template(read(TEMPLATE), region="eu-west-1").resources()}

    assert there - elsewhere == {"EdgeRules", "EdgeDistribution"}


def test_a_prefix_stands_before_every_name() -> None:
    template = parse_template(read(TEMPLATE), {"Prefix": "blue-"})

    names = [table.name for table in template.tables()] + [queue.name for queue in template.queues()]
    names += [topic.name for topic in template.topics()] + [bucket.name for bucket in template.buckets()]
    assert [name for name in names if not name.startswith("blue-")] == []


def test_unknown_parameter_is_refused() -> None:
    with pytest.raises(ProvisionError, match="no such parameter"):
        parse_template(read(TEMPLATE), {"Prefx": "blue-"})


def test_sorting_shows_in_resources() -> None:
    sortings = {each.type: each.sorting for each in load_template().resources()}

    assert sortings["AWS::DynamoDB::Table"] is Sorting.STATE
    assert sortings["AWS::Pipes::Pipe"] is Sorting.PLAYED
    assert sortings["AWS::IAM::Role"] is Sorting.CLOUD_ONLY


BROKEN: list[tuple[str, str]] = [
    ("A: 1\nA: 2\n", "duplicate key"),
    ("Resources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Join [a]}}}\n", "!Join"),
]


@pytest.mark.parametrize(("text", "problem"), BROKEN)
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(text)

    with pytest.raises(ProvisionError, match=problem):
        read(path)


def test_a_reference_to_nothing_is_refused() -> None:
    properties: dict[str, Any] = {"QueueName": {"Ref": "Nobody"}}

    with pytest.raises(ProvisionError, match="no such resource"):
        parse_template({"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": properties}}})
