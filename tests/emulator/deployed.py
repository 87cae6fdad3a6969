"""The stack as tests reach it: over HTTP, with signed orders, and the pipe that is played."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple

from sim.kernel.template.stack import load_template
from sim.stack.carrier import Carrier
from sim.stack.deploy import Target
from sim.stack.package import Package
from system.adapters.aws.store import DynamoStore
from system.model import keys, typed_data
from system.model.order import trader_of
from system.ports.store import Put
from tests import marks

ADMIN, PASSWORD = "ada", "Correct-Horse-1-Battery"
SETTLEMENT = "0x" + "5e" * 20
E6, E8 = 10**6, 10**8
MARKET = {
    "action": "create",
    "symbol": "BTC-PERP",
    "kind": "PERP",
    "base": "BTC",
    "underlying": "BTC",
    "tick_e6": 100_000,
    "lot_e8": 10_000,
    "settlement": "ledger",
}
Answer = tuple[int, Any]


class Stack(NamedTuple):
    target: Target
    package: Package
    outputs: dict[str, str]
    ids: dict[str, str]  # physical by logical id
    changes: list[tuple[str, str, str]]
    parameters: dict[str, str]
    seen: set[str]  # marks of tests/inventory.yaml

    def http(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Ask the deployed HTTP API."""
        host = f"{self.ids['HttpApi']}.execute-api.localhost:{self.target.endpoint.rpartition(':')[2]}"
        request = urllib.request.Request(
            self.target.endpoint + path,
            method=method,
            headers={"host": host, "content-type": "application/json", **headers},
            data=None if body is None else json.dumps(body).encode(),
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as said:
                self.seen.add(marks.route_of(load_template(), method, path))
                return said.status, json.loads(said.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def token(self) -> str:
        """Sign the admin in."""
        identity = self.target.client("cognito-idp")
        said = identity.admin_initiate_auth(
            UserPoolId=self.ids["UserPool"],
            ClientId=self.ids["UserPoolClient"],
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": ADMIN, "PASSWORD": PASSWORD},
        )
        return "Bearer " + said["AuthenticationResult"]["IdToken"]


def key_of(name: str) -> bytes:
    return name.encode().rjust(32, b"\1")


def account_of(name: str) -> str:
    return typed_data.address_of(key_of(name))


def draft(name: str, side: str, nonce: int, price: int = 60_000 * E6, **terms: Any) -> dict[str, Any]:
    """Return a signed order of 0.01 BTC."""
    body = {
        "type": "limit",
        "symbol": "BTC-PERP",
        "side": side,
        "qty_e8": E8 // 100,
        "limit_price_e6": price,
        "account": account_of(name),
        "nonce": nonce,
        **terms,
    }
    digest = typed_data.order_digest(
        typed_data.domain_separator(typed_data.Domain(31337, SETTLEMENT)),
        body["account"],
        0,
        typed_data.instrument_hash(typed_data.KIND_PERP, "BTC-PERP"),
        typed_data.SIDE_BUY if side == "BUY" else typed_data.SIDE_SELL,
        typed_data.tif_bits(body.get("tif", "GTC"), False, False, False),
        body["qty_e8"],
        price,
        0,
        nonce,
        50,
    )
    return {**body, "signature": "0x" + typed_data.sign(digest, key_of(name)).hex()}


def carrier_of(stack: Stack) -> Carrier:
    client = stack.target.client
    return Carrier(
        load_template(),
        client("dynamodbstreams"),
        client("dynamodb"),
        client("sqs"),
        stack.outputs["CommandsUrl"],
    )


def until(true: Callable[[], Any], what: str, seconds: float = 45) -> Any:
    """Wait for functions that run by themselves."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what}: nothing in {seconds} s")


def fund(stack: Stack, *names: str) -> None:
    store = DynamoStore(stack.target.client("dynamodb"), "")
    for name in names:
        row = {"PK": keys.trader_pk(trader_of(account_of(name))), "SK": keys.asset_sk("USDC")}
        store.write(Put(keys.BALANCES, {**row, "available": 10**12, "reserved": 0, "backed": 10**12}))


def signed_cancel(name: str, *, nonce: int = 0, min_nonce: int = 0) -> dict[str, Any]:
    """Return the body of a cancel of one order, by its nonce, or of all below a nonce."""
    deadline = int(time.time()) + 3_600
    digest = typed_data.cancel_digest(
        typed_data.domain_separator(typed_data.Domain(31337, SETTLEMENT)),
        account_of(name),
        min_nonce,
        nonce,
        deadline,
    )
    which = {"nonce": nonce} if nonce else {"min_nonce": min_nonce}
    signature = "0x" + typed_data.sign(digest, key_of(name)).hex()
    return {"account": account_of(name), "deadline": deadline, "signature": signature, **which}
