"""What faults and delays know of the ports is what the ports are."""

import pytest

from sim.kernel.interference import PORT_CALLS
from system.ports.chain import Chain
from system.ports.lake import Lake
from system.ports.oracle import Oracle
from system.ports.queue import Queue, Sockets, Topic
from system.ports.store import Store

PORTS = {
    "store": Store,
    "queue": Queue,
    "topic": Topic,
    "sockets": Sockets,
    "lake": Lake,
    "oracle": Oracle,
    "chain": Chain,
}


@pytest.mark.parametrize("port", PORTS)
def test_every_call_of_a_port_can_be_disturbed(port: str) -> None:
    calls = {name for name in vars(PORTS[port]) if not name.startswith("_")}
    assert set(PORT_CALLS[port]) == calls
    assert PORT_CALLS.keys() == PORTS.keys()
