"""Clauses and updates as expressions, and which clause of a failed action it was."""

from typing import Any

import pytest

from system.adapters.aws.expressions import Expression, broken_clause
from system.model.keys import Key
from system.ports.store import EXISTS, NOT_EXISTS, Clause, Update

KEY = Key("TRADER#1", "ASSET#USDC")


def test_condition() -> None:
    expression = Expression()

    text = expression.condition((Clause("PK", "exists"), Clause("status", "=", "OPEN"), Clause("n", ">=", 5)))

    assert text == "attribute_exists(#n0) AND #n1 = :v0 AND #n2 >= :v1"
    assert expression.placeholders() == {
        "ExpressionAttributeNames": {"#n0": "PK", "#n1": "status", "#n2": "n"},
        "ExpressionAttributeValues": {":v0": {"S": "OPEN"}, ":v1": {"N": "5"}},
    }


def test_condition_without_values_has_no_empty_map() -> None:
    expression = Expression()

    assert expression.condition(NOT_EXISTS) == "attribute_not_exists(#n0)"
    assert expression.placeholders() == {"ExpressionAttributeNames": {"#n0": "PK"}}


def test_unequal_asks_for_the_attribute_first() -> None:
    assert Expression().condition((Clause("a", "<>", 1),)) == "attribute_exists(#n0) AND #n0 <> :v0"


def test_update() -> None:
    expression = Expression()
    update = Update("Balances", KEY, put={"a": 1, "b": "x"}, add={"c": -2}, remove=("d", "e"))

    assert expression.update(update) == "SET #n0 = :v0, #n1 = :v1 ADD #n2 :v2 REMOVE #n3, #n4"
    assert expression.placeholders()["ExpressionAttributeValues"][":v2"] == {"N": "-2"}


def test_one_name_has_one_placeholder() -> None:
    expression = Expression()
    update = Update("Balances", KEY, add={"available": -5}, when=(Clause("available", ">=", 5),))

    assert expression.update(update) + " | " + expression.condition(update.when) == "ADD #n0 :v0 | #n0 >= :v1"


def test_nothing_to_change_is_no_expression() -> None:
    assert Expression().update(Update("Balances", KEY, when=EXISTS)) == ""


HELD = {"PK": "x", "n": 5, "text": "m", "yes": True, "none": None}
CASES = [
    (Clause("PK", "absent"), False),
    (Clause("gone", "absent"), True),
    (Clause("PK", "exists"), True),
    (Clause("n", "=", 5), True),
    (Clause("n", "<>", 5), False),
    (Clause("n", "<>", "5"), True),
    (Clause("gone", "<>", 5), False),
    (Clause("gone", "=", None), False),
    (Clause("none", "=", None), True),
    (Clause("n", "<", 5), False),
    (Clause("n", "<=", 5), True),
    (Clause("n", ">", 4), True),
    (Clause("n", ">=", 6), False),
    (Clause("text", "<", "n"), True),
    (Clause("text", ">", "n"), False),
    (Clause("n", ">", "a"), False),
    (Clause("yes", "=", True), True),
    (Clause("yes", "=", 1), False),
    (Clause("yes", ">=", False), False),
]


@pytest.mark.parametrize(("clause", "holds"), CASES)
def test_clause(clause: Clause, holds: bool) -> None:
    assert broken_clause(HELD, (clause,)) == ("" if holds else clause.attribute)


def test_first_broken_clause_is_named() -> None:
    when = (Clause("n", "=", 5), Clause("text", "=", "other"), Clause("PK", "absent"))

    assert broken_clause(HELD, when) == "text"


@pytest.mark.parametrize("item", [None, {}])
def test_no_item(item: dict[str, Any] | None) -> None:
    assert broken_clause(item, NOT_EXISTS) == ""
    assert broken_clause(item, EXISTS) == "PK"
