"""What the memory store must know of a table; provisioning fills it from system/template.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class TableDef(NamedTuple):
    """One table: its global secondary indexes, whether it has a stream, and its TTL attribute.

    `indexes` maps an index name to (partition attribute, sort attribute); `ttl_attribute` is ""
    where items do not expire.
    """

    name: str
    indexes: Mapping[str, tuple[str, str]] = {}
    stream: bool = False
    ttl_attribute: str = ""
