"""The public door from the outside: the requests, sockets and views that a trader's program has."""

from __future__ import annotations

from sim.client.desk import Desk, Door
from sim.client.records import OpenOrder, Position
from sim.client.requests import Draft, Requests, Signing
from sim.client.view import MarketView

__all__ = ["Desk", "Door", "Draft", "MarketView", "OpenOrder", "Position", "Requests", "Signing"]
