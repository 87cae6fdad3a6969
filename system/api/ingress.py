"""The direct way of a command: onto the market's queue from the door, with the stream behind it as repair.

The literal way is a row of Orders, its stream, the pipe, the queue, and costs a poll of the stream.
`direct` sends the same message as soon as the row is written. The pipe still carries every row: the
queue drops what it has seen (a row's uuid is the deduplication id of both), the matcher what comes
later than that. So a send that fails loses nothing. Rules: INGR-001, INGR-002.
"""

from __future__ import annotations

from collections.abc import Sequence

from system.model import keys
from system.model.errors import PortError
from system.model.messages import command_body
from system.ports.queue import Queue
from system.ports.store import NOT_EXISTS, Action, Delete, Put, Store, Update


class DirectIngress:
    """`ports.store.Store` of the door: what enters Orders as a new row is on the queue, too."""

    def __init__(self, store: Store, queue: Queue) -> None:
        self.store = store
        self.queue = queue
        # reads go nowhere else
        self.get = store.get
        self.get_many = store.get_many
        self.query = store.query
        self.count = store.count

    def write(self, action: Put | Update | Delete) -> None:
        """Write one action, then send what it put into Orders."""
        self.store.write(action)
        self._send((action,))

    def transact(self, actions: Sequence[Action], token: str = "") -> None:
        """Write all or nothing, then send what was put into Orders."""
        self.store.transact(actions, token)
        self._send(actions)

    def _send(self, actions: Sequence[Action]) -> None:
        for action in actions:
            if isinstance(action, Put) and action.table == keys.ORDERS and action.when is NOT_EXISTS:
                row = action.item
                try:
                    self.queue.send(command_body(row), row["symbol"], row["uuid"])
                except PortError:
                    return  # the row is there: the pipe carries it, and its batch keeps the order
