"""What MiniStack says and does not do; docs/divergences.md is made of these."""

import time

import pytest
from botocore.exceptions import ClientError

from sim.kernel.template.stack import load_template
from tests.emulator.deployed import E6, Stack, account_of, carrier_of, draft, fund, signed_cancel, until

pytestmark = pytest.mark.localstack


def test_what_formation_drops(stack: Stack) -> None:
    """What the template says and CloudFormation does not make here (docs/divergences.md)."""
    dynamodb, s3 = stack.target.client("dynamodb"), stack.target.client("s3")
    wanted = [table.name for table in load_template().tables() if table.ttl_attribute]
    said = [
        dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
        for name in wanted
    ]
    assert said == ["DISABLED"] * len(wanted)
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=stack.outputs["LakeBucket"])


def test_the_pipe_moves_nothing(stack: Stack, market: str) -> None:
    """A pipe that is said to run, and a queue in which nothing comes (docs/divergences.md)."""
    fund(stack, "flo")
    carrier = carrier_of(stack)
    carrier.carry()
    [pipe] = stack.target.client("pipes").list_pipes()["Pipes"]
    assert pipe["CurrentState"] == "RUNNING"
    status, said = stack.http("POST", "/orders", draft("flo", "BUY", 1, price=58_000 * E6))
    assert status == 201
    time.sleep(3)

    [order] = stack.http("GET", f"/orders?account={account_of('flo')}")[1]["orders"]
    assert order["status"] == "PENDING"
    assert carrier.carry() == 1
    until(
        lambda: stack.http("GET", f"/orders?account={account_of('flo')}")[1]["orders"][0]["status"] == "OPEN",
        "the order that was carried",
    )
    cancel = signed_cancel("flo", nonce=1)
    assert stack.http("DELETE", f"/orders/{said['order_id']}", cancel)[0] == 202
    assert carrier.carry() == 1
