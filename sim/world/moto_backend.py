"""The backend `moto`: AWS in this process, reached through boto3 and the adapters that ship.

For short runs of one thread, as everything goes through boto3 and lives in moto's lists. Time is
the run's own (moto_mend.py), so nothing of the machine's clock reaches a message or a stream record.
Costs: CPU ms, median of 200 calls (40 for streams) at 1,000 and 5,000 rows of Orders and of Trades, moto
5.2.5, two cores shared with other work (load 3 to 4, so a quiet machine is two or three times faster):

    put of an order with 35 attributes      4.5    3.8
    get of one                              3.0    3.2   unmended 8.1
    transaction of 7 actions               10.9   10.9   unmended 1,049 at 1,000 rows
    FIFO send, receive, delete              9.9   11.3
    stream read of 10 records, advance     16     18     unmended 157
    publish and take                        8.6   10.3
    query of 100 orders                    93    135
    scan of all orders                      -  9,000
"""

from __future__ import annotations

from moto import mock_aws

from sim.kernel.template.stack import Template
from sim.world.aws_backend import AwsBackend
from sim.world.moto_mend import Mends
from system.adapters.aws.session import Clients
from system.ports.clock import Clock


class MotoBackend(AwsBackend):
    """Moto is started by it and stopped by `close`. Its state belongs to the process: one at a time."""

    name = "moto"

    def __init__(self, template: Template, clock: Clock) -> None:
        self._mock = mock_aws()
        self._mends = Mends(clock)
        self._open = True
        self._mock.start()
        self._mends.start()
        try:
            super().__init__(template, Clients(region=template.region, key_id="local", secret="local"))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop moto; calling it twice is no error."""
        if self._open:
            self._open = False
            self._mends.stop()
            self._mock.stop()
