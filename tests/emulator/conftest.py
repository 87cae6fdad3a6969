"""The template, deployed once for all tests of this folder."""

from collections.abc import Iterator

import pytest

from sim.stack.deploy import deploy, target_of
from sim.stack.package import build_package
from system.adapters.aws.store import DynamoStore
from system.model import keys
from system.ports.store import Update
from tests.emulator.deployed import ADMIN, E6, MARKET, PASSWORD, SETTLEMENT, Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    target = target_of("localstack")
    package = build_package()
    parameters = {"SettlementAddress": SETTLEMENT}
    done = deploy(target, package, "dex", parameters, print)
    said = target.client("cloudformation").describe_stack_resources(StackName="dex")["StackResources"]
    ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in said}
    identity, pool = target.client("cognito-idp"), ids["UserPool"]
    identity.admin_create_user(
        UserPoolId=pool, Username=ADMIN, TemporaryPassword=PASSWORD, MessageAction="SUPPRESS"
    )
    identity.admin_set_user_password(UserPoolId=pool, Username=ADMIN, Password=PASSWORD, Permanent=True)
    identity.admin_add_user_to_group(UserPoolId=pool, Username=ADMIN, GroupName="admin")
    yield Stack(target, package, done.outputs, ids, done.changes, parameters, set())
    target.client("cloudformation").delete_stack(StackName="dex")


@pytest.fixture(scope="session")
def market(stack: Stack) -> str:
    """List the market with the admin's token, and let the oracle have spoken."""
    assert stack.http("POST", "/admin/markets", MARKET)[0] == 401
    status, said = stack.http("POST", "/admin/markets", MARKET, authorization=stack.token())
    assert (status, said) == (201, {"symbol": "BTC-PERP", "status": "ACTIVE"})
    store = DynamoStore(stack.target.client("dynamodb"), "")
    key = keys.Key(keys.market_pk("BTC-PERP"), keys.META)
    store.write(Update(keys.MARKETS, key, put={"mark_e6": 60_000 * E6, "index_e6": 60_000 * E6}))
    return "BTC-PERP"
