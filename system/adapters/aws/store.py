"""The table store on DynamoDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from system.adapters.aws.expressions import Expression, broken_clause
from system.adapters.aws.failures import Asking, failure_of, is_throttle
from system.adapters.aws.indexes import INDEXES
from system.adapters.aws.wire import from_wire, item_of, size_of, to_wire
from system.model.errors import ConditionFailed, Throttled
from system.model.keys import Item, Key
from system.ports.store import (
    MAX_ITEM_BYTES,
    MAX_TRANSACTION_ACTIONS,
    MAX_TRANSACTION_BYTES,
    Action,
    Check,
    Delete,
    Page,
    Put,
    Update,
)

MAX_GET_MANY = 100
_GET_MANY_ROUNDS = 5
_CHECK_FAILED = "ConditionalCheckFailed"


class DynamoStore:
    """`ports.store.Store` over a DynamoDB client."""

    def __init__(self, client: Any, prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix

    def get(self, table: str, key: Key) -> Item | None:
        """Read one item, strongly consistent."""
        with Asking(f"store.get {table}"):
            said = self._client.get_item(TableName=self._prefix + table, Key=_key(key), ConsistentRead=True)
        return item_of(said.get("Item"))

    def get_many(self, table: str, keys: Sequence[Key]) -> list[Item]:
        """Read up to 100 items in the order of `keys`; missing ones are left out."""
        if len(keys) > MAX_GET_MANY or len(set(keys)) != len(keys):
            raise ValueError(f"get_many: expected at most {MAX_GET_MANY} different keys, was {len(keys)}")
        if not keys:
            return []
        found: dict[Key, Item] = {}
        wanted: Any = {self._prefix + table: {"Keys": [_key(key) for key in keys], "ConsistentRead": True}}
        for _ in range(_GET_MANY_ROUNDS):
            with Asking(f"store.get_many {table}"):
                said = self._client.batch_get_item(RequestItems=wanted)
            for image in said["Responses"].get(self._prefix + table, ()):
                item = from_wire(image)
                found[Key(item["PK"], item["SK"])] = item
            wanted = said.get("UnprocessedKeys")
            if not wanted:
                return [found[key] for key in keys if key in found]
        raise Throttled(f"store.get_many {table}: keys left unprocessed {_GET_MANY_ROUNDS} times")

    def query(
        self,
        table: str,
        pk: str,
        *,
        index: str | None = None,
        sk_from: str | None = None,
        sk_to: str | None = None,
        descending: bool = False,
        limit: int | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> Page:
        """Read items of one partition in sort-key order, `sk_from` and `sk_to` inclusive."""
        if limit is not None and limit <= 0:
            raise ValueError(f"query {table}: expected a limit above 0, was {limit}")
        if sk_from is not None and sk_to is not None and sk_from > sk_to:
            return Page([], None)  # DynamoDB refuses BETWEEN with its ends the wrong way round
        pk_attribute, sk_attribute = ("PK", "SK") if index is None else INDEXES[table][index]
        expression = Expression()
        condition = f"{expression.name(pk_attribute)} = {expression.value(pk)}"
        if sk_from is not None and sk_to is not None:
            low, high = expression.value(sk_from), expression.value(sk_to)
            condition += f" AND {expression.name(sk_attribute)} BETWEEN {low} AND {high}"
        elif sk_from is not None:
            condition += f" AND {expression.name(sk_attribute)} >= {expression.value(sk_from)}"
        elif sk_to is not None:
            condition += f" AND {expression.name(sk_attribute)} <= {expression.value(sk_to)}"
        request: dict[str, Any] = {
            "TableName": self._prefix + table,
            "KeyConditionExpression": condition,
            "ScanIndexForward": not descending,
            **expression.placeholders(),
        }
        if index is None:
            request["ConsistentRead"] = True
        else:
            request["IndexName"] = index
        if limit is not None:
            request["Limit"] = limit
        if after is not None:
            request["ExclusiveStartKey"] = to_wire(after)
        with Asking(f"store.query {table}"):
            said = self._client.query(**request)
        return Page([from_wire(image) for image in said["Items"]], item_of(said.get("LastEvaluatedKey")))

    def write(self, action: Put | Update | Delete) -> None:
        """Write one item. Raises ConditionFailed with a single reason."""
        request, verb = self._request(action)
        _refuse_big_item(action, _written_size(action))
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        call = {
            "Put": self._client.put_item,
            "Update": self._client.update_item,
            "Delete": self._client.delete_item,
        }
        with Asking(f"store.write {action.table}"):
            try:
                call[verb](**request)
            except ClientError as error:
                if error.response["Error"]["Code"] != _CHECK_FAILED + "Exception":
                    raise
                image: Any = error.response.get("Item")
                raise ConditionFailed((_reason(action, image),)) from None

    def count(self, table: str, attribute: str, by: Mapping[Key, int]) -> list[int]:
        """Add to a number of each item and return the sums: transactions return nothing, so one by one."""
        sums = []
        for key, more in by.items():
            request, _ = self._request(Update(table, key, add={attribute: more}))
            with Asking(f"store.count {table}"):
                said = self._client.update_item(**request, ReturnValues="UPDATED_NEW")
            sums.append(from_wire(said["Attributes"])[attribute])
        return sums

    def transact(self, actions: Sequence[Action], token: str = "") -> None:
        """Write all or nothing; a token makes a retry within ten minutes a no-op."""
        if not 0 < len(actions) <= MAX_TRANSACTION_ACTIONS:
            raise ValueError(f"transact: expected 1 to {MAX_TRANSACTION_ACTIONS} actions, was {len(actions)}")
        if len({(action.table, action.key) for action in actions}) != len(actions):
            raise ValueError("transact: two actions name one item")
        total = 0
        for action in actions:
            size = _written_size(action)
            _refuse_big_item(action, size)
            total += size
        if total > MAX_TRANSACTION_BYTES:
            raise ValueError(f"transact: expected at most {MAX_TRANSACTION_BYTES} bytes, was about {total}")
        items: list[dict[str, Any]] = []
        for action in actions:
            request, verb = self._request(action)
            if action.when:
                request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
            items.append({verb: request})
        how = {"ClientRequestToken": token} if token else {}
        with Asking("store.transact"):
            try:
                self._client.transact_write_items(TransactItems=items, **how)
            except ClientError as error:
                if error.response["Error"]["Code"] != "TransactionCanceledException":
                    raise
                raise _cancelled(actions, error) from None

    def _request(self, action: Action) -> tuple[dict[str, Any], str]:
        """Return the request of one action and its verb inside a transaction."""
        request: dict[str, Any] = {"TableName": self._prefix + action.table}
        expression = Expression()
        if isinstance(action, Put):
            verb = "Put"
            request["Item"] = to_wire(action.item)
        else:
            request["Key"] = _key(action.key)
            verb = _VERBS[type(action)]
        if isinstance(action, Update):
            text = expression.update(action)
            if text:
                request["UpdateExpression"] = text
        if action.when:
            request["ConditionExpression"] = expression.condition(action.when)
        return request | expression.placeholders(), verb


_VERBS: dict[type, str] = {Update: "Update", Delete: "Delete", Check: "ConditionCheck"}


def _key(key: Key) -> dict[str, dict[str, str]]:
    return {"PK": {"S": key[0]}, "SK": {"S": key[1]}}


def _written_size(action: Action) -> int:
    if isinstance(action, Put):
        return size_of(action.item)
    if isinstance(action, Update):
        return size_of(action.put) + size_of(action.add)
    return 0


def _refuse_big_item(action: Action, size: int) -> None:
    if size > MAX_ITEM_BYTES:
        raise ValueError(
            f"{action.table} {action.key}: expected at most {MAX_ITEM_BYTES} bytes, was about {size}"
        )


def _reason(action: Action, image: Mapping[str, Any] | None) -> str:
    """Return the clause that failed; when the item says that none did, it has changed since: the first."""
    return broken_clause(item_of(image), action.when) or action.when[0].attribute


def _cancelled(actions: Sequence[Action], error: ClientError) -> Exception:
    """Return what a cancelled transaction means: a lost condition is certain, a conflict is for later."""
    said: Any = error.response
    reasons = said.get("CancellationReasons", [])
    codes = [reason.get("Code", "None") for reason in reasons]
    if _CHECK_FAILED in codes:
        return ConditionFailed(
            tuple(
                _reason(action, reason.get("Item")) if code == _CHECK_FAILED else ""
                for action, reason, code in zip(actions, reasons, codes, strict=True)
            )
        )
    if any(is_throttle(code) for code in codes):
        return Throttled(f"store.transact: {', '.join(codes)}")
    if "ValidationError" in codes:
        place = codes.index("ValidationError")
        return ValueError(f"store.transact: action {place}: {reasons[place].get('Message', '')}")
    return failure_of(error, "store.transact")
