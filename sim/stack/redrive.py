"""Dead letters back onto the queue they came from, through receive, send and delete alone.

SQS has a task for it, which emulators have not. A command that comes again is applied once, however
often it was served before. Rule: REDR-001.
"""

from __future__ import annotations

from typing import Any

MOST = 10
_HELD_S = 60  # how long a message that is being moved is hidden from others who move


def redrive(sqs: Any, dead_url: str, commands_url: str) -> int:
    """Move every message of the dead letter queue to the commands queue, in each group's order.

    Args:
        sqs: boto3's client.

    Returns:
        How many were moved. A message is deleted after it was sent; who is interrupted between both
        and starts again sends it under the same deduplication id.
    """
    moved = 0
    while messages := _receive(sqs, dead_url):
        for message in messages:
            sqs.send_message(
                QueueUrl=commands_url,
                MessageBody=message["Body"],
                MessageGroupId=message["Attributes"]["MessageGroupId"],
                # not its old id: SQS remembers that for five minutes, and would drop what it has put aside
                MessageDeduplicationId="redrive-" + message["MessageId"],
            )
            sqs.delete_message(QueueUrl=dead_url, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def _receive(sqs: Any, url: str) -> list[dict[str, Any]]:
    said = sqs.receive_message(
        QueueUrl=url,
        AttributeNames=["MessageGroupId"],
        MaxNumberOfMessages=MOST,
        VisibilityTimeout=_HELD_S,
        WaitTimeSeconds=1,
    )
    found: list[dict[str, Any]] = said.get("Messages", [])
    return found
