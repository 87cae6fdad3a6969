"""A boto3 client that answers what it was told to, and remembers what it was asked."""

from typing import Any

from botocore.exceptions import ClientError


class FakeClient:
    """Any operation takes the next answer; an exception is raised instead of given."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            self.asked.append((operation, request))
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def refused(code: str, **more: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "because"}, **more}
    return ClientError(answer, "Operation")
