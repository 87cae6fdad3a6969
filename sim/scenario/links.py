"""The hops between the parts of the exchange, and how long each takes unless a scenario says otherwise.

The figures are assumptions to argue about, not measurements of AWS (scenario `latency-budget` has those
that somebody made). The stream's pollers ask about four times a second and shard (two secondary
sources), hence its 125 ms; other hops take 5 to 60 ms.
"""

from __future__ import annotations

from sim.kernel.dice import Delay

_MS = 10**6

LINKS: dict[str, Delay] = {
    "client -> api": Delay(15 * _MS, 60 * _MS),
    "api -> client": Delay(15 * _MS, 60 * _MS),
    "api -> store": Delay(6 * _MS, 25 * _MS),
    # ingress `direct` only
    "api -> commands": Delay(8 * _MS, 30 * _MS),
    "stream -> pipe": Delay(125 * _MS, 260 * _MS),
    "pipe -> commands": Delay(8 * _MS, 30 * _MS),
    "commands -> matcher": Delay(10 * _MS, 40 * _MS),
    "matcher -> store": Delay(8 * _MS, 35 * _MS),
    "updates -> fan_out": Delay(15 * _MS, 60 * _MS),
    "fan_out -> client": Delay(15 * _MS, 60 * _MS),
    "stream -> archive": Delay(125 * _MS, 260 * _MS),
    "stream -> settlement": Delay(125 * _MS, 260 * _MS),
    # EventBridge promises the minute, not the second
    "schedule -> job": Delay(200 * _MS, 900 * _MS),
    "settlement -> chain": Delay(30 * _MS, 150 * _MS),
    # from here on only where invocations interleave: atomic ones take one hop's time, or none
    "settlement -> store": Delay(6 * _MS, 25 * _MS),
    "fan_out -> store": Delay(4 * _MS, 20 * _MS),
    "fan_out -> sockets": Delay(2 * _MS, 10 * _MS),
    "matcher -> updates": Delay(8 * _MS, 35 * _MS),
    "jobs -> store": Delay(6 * _MS, 25 * _MS),
    "jobs -> updates": Delay(8 * _MS, 35 * _MS),
    "jobs -> commands": Delay(8 * _MS, 30 * _MS),
    "jobs -> lake": Delay(30 * _MS, 150 * _MS),
    "jobs -> oracle": Delay(80 * _MS, 400 * _MS),
    "cold -> warm": Delay(250 * _MS, 900 * _MS),
}
"""Every hop by name, `from -> to`; the kernel draws from these."""
