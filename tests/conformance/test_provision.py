"""Every STATE resource is created and proven on moto; what is not there is noticed."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto import mock_aws

from sim.kernel.template.stack import Sorting, load_template
from sim.world.provision import open_backend, provision
from system.adapters.aws.session import Clients
from system.adapters.memory.clock import ManualClock
from system.model.errors import ProvisionError


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        yield Clients(region="us-east-1", key_id="local", secret="local")


def test_every_resource_has_a_proof(clients: Clients) -> None:
    template = load_template()

    proofs = provision(template, clients, "moto")

    assert [proof.logical_id for proof in proofs] == [each.logical_id for each in template.resources()]
    state = [proof for proof in proofs if proof.sorting is Sorting.STATE]
    assert len(state) == 13 + 4 + 1 + 1 + 1
    assert [
        proof.logical_id for proof in proofs if bool(proof.shown) != (proof.sorting is Sorting.STATE)
    ] == []
    assert str(proofs[0]).startswith("STATE      AWS::DynamoDB::Table")


def dropping(client: Any, operation: str, drop: Callable[[dict[str, Any]], None]) -> None:
    """Make a client forget part of its requests, as emulators do, and still be content."""
    client.meta.events.register(
        f"provide-client-params.*.{operation}", lambda params, **_: drop(params), unique_id=operation
    )


def no_indexes(params: dict[str, Any]) -> None:
    params.pop("GlobalSecondaryIndexes", None)
    params["AttributeDefinitions"] = params["AttributeDefinitions"][:2]


def no_stream(params: dict[str, Any]) -> None:
    params.pop("StreamSpecification", None)


def another_ttl(params: dict[str, Any]) -> None:
    params["TimeToLiveSpecification"] = {"Enabled": True, "AttributeName": "expires"}


def no_recovery(params: dict[str, Any]) -> None:
    params["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": False}


def no_redrive(params: dict[str, Any]) -> None:
    params["Attributes"] = {k: v for k, v in params["Attributes"].items() if k != "RedrivePolicy"}


def low_throughput(params: dict[str, Any]) -> None:
    params["Attributes"] = {k: v for k, v in params["Attributes"].items() if k != "FifoThroughputLimit"}


def one_rule(params: dict[str, Any]) -> None:
    del params["LifecycleConfiguration"]["Rules"][1:]


def wrapped(params: dict[str, Any]) -> None:
    params["Attributes"] = {}


FORGETFUL = [
    ("dynamodb", "CreateTable", no_indexes, "OrdersTable", "indexes"),
    ("dynamodb", "CreateTable", no_stream, "OrdersTable", "stream"),
    ("dynamodb", "UpdateTimeToLive", another_ttl, "PricesTable", "TTL"),
    ("dynamodb", "UpdateContinuousBackups", no_recovery, "OrdersTable", "point-in-time recovery"),
    ("sqs", "CreateQueue", no_redrive, "CommandsQueue", "RedrivePolicy"),
    ("sqs", "CreateQueue", low_throughput, "CommandsQueue", "FifoThroughputLimit"),
    ("s3", "PutBucketLifecycleConfiguration", one_rule, "DataLake", "lifecycle"),
    ("sns", "Subscribe", wrapped, "FanOutSubscription", "RawMessageDelivery"),
]


@pytest.mark.parametrize(("service", "operation", "drop", "logical_id", "what"), FORGETFUL)
def test_what_an_emulator_drops_is_noticed(
    clients: Clients, service: str, operation: str, drop: Any, logical_id: str, what: str
) -> None:
    def only_with_attributes(params: dict[str, Any]) -> None:
        if "Attributes" in params or operation != "CreateQueue":
            drop(params)

    dropping(getattr(clients, service), operation, only_with_attributes)

    with pytest.raises(ProvisionError) as caught:
        provision(load_template(), clients, "moto")

    assert caught.value.args[0] == logical_id
    assert caught.value.args[2] == "moto"
    assert caught.value.args[3].startswith(what + ":")


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ProvisionError, match="expected memory, moto, localstack or aws"):
        open_backend("mainframe", load_template(), ManualClock())
