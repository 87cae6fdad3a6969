"""Creates or updates the stack on whatever AWS the environment points at, by a change set.

`aws` is where boto3 finds AWS; `localstack` is any endpoint: AWS_ENDPOINT_URL, or DEXSIM_ENDPOINT.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import boto3
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from sim.kernel.template.stack import TEMPLATE
from sim.stack.package import Package
from system.model.errors import ProvisionError

LOCAL_ENDPOINT = "http://127.0.0.1:4566"
_CAPABILITIES = ["CAPABILITY_IAM"]
Say = Callable[[str], None]


class Target(NamedTuple):
    """Where to: `endpoint` "" is AWS itself."""

    name: str
    endpoint: str
    region: str

    def client(self, service: str) -> Any:
        """Return a boto3 client; emulators want any credentials, AWS wants real ones."""
        key = "test" if self.endpoint else None
        session: Any = boto3.Session(
            aws_access_key_id=key, aws_secret_access_key=key, region_name=self.region
        )
        return session.client(
            service,
            endpoint_url=self.endpoint or None,
            config=ClientConfig(
                retries={"mode": "standard", "total_max_attempts": 3},
                s3={"addressing_style": "path" if self.endpoint else "auto"},
            ),
        )


def target_of(name: str, environ: Mapping[str, str] = os.environ) -> Target:
    """Return where `--target` leads.

    Raises:
        ProvisionError: there is no such target.
    """
    if name not in ("localstack", "aws"):
        raise ProvisionError(name, "target", name, "expected localstack or aws")
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    given = environ.get("AWS_ENDPOINT_URL", "")
    local = environ.get("DEXSIM_ENDPOINT", "") or given or LOCAL_ENDPOINT
    return Target(name, local if name == "localstack" else given, region)


class Deployed(NamedTuple):
    """What a deployment did: the changes as (action, type, logical id), and the stack's outputs."""

    changes: list[tuple[str, str, str]]
    outputs: dict[str, str]


def deploy(
    target: Target,
    package: Package,
    stack: str,
    parameters: Mapping[str, str],
    say: Say,
    *,
    dry_run: bool = False,
) -> Deployed:
    """Upload the package and the template, make a change set, and carry it out unless `dry_run`.

    Raises:
        ProvisionError: AWS refused something, or cannot be reached; it says what.
    """
    try:
        return _deploy(target, package, stack, parameters, say, dry_run=dry_run)
    except (ClientError, WaiterError, BotoCoreError) as error:
        raise ProvisionError(stack, "stack", target.name, str(error)) from None


def _deploy(
    target: Target,
    package: Package,
    stack: str,
    parameters: Mapping[str, str],
    say: Say,
    *,
    dry_run: bool,
) -> Deployed:
    formation, s3 = target.client("cloudformation"), target.client("s3")
    account = target.client("sts").get_caller_identity()["Account"]
    bucket = f"dex-deployments-{account}-{target.region}"
    _make_bucket(s3, bucket, target.region)
    template_key = "template-" + package.key.removeprefix("system-").removesuffix(".zip") + ".yaml"
    s3.put_object(Bucket=bucket, Key=package.key, Body=package.body)
    s3.put_object(Bucket=bucket, Key=template_key, Body=TEMPLATE.read_bytes())
    say(f"uploaded {package.key} ({len(package.body):,} bytes) to {bucket}")
    given = {"EmulatorUrl": target.endpoint, **parameters, "CodeBucket": bucket, "CodeKey": package.key}
    is_new = not _exists(formation, stack)
    change_set = "dexsim-" + package.key.removeprefix("system-").removesuffix(".zip")
    url = f"{target.endpoint}/{bucket}/{template_key}" if target.endpoint else ""
    formation.create_change_set(
        StackName=stack,
        ChangeSetName=change_set,
        ChangeSetType="CREATE" if is_new else "UPDATE",
        TemplateURL=url or f"https://{bucket}.s3.{target.region}.amazonaws.com/{template_key}",
        Capabilities=_CAPABILITIES,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
    )
    changes = _changes(formation, stack, change_set)
    if dry_run or not changes:
        formation.delete_change_set(StackName=stack, ChangeSetName=change_set)
        if is_new:  # a change set that creates leaves an empty stack in review behind
            formation.delete_stack(StackName=stack)
        return Deployed(changes, {} if is_new else _outputs(formation, stack))
    formation.execute_change_set(StackName=stack, ChangeSetName=change_set)
    say(f"{'creating' if is_new else 'updating'} {stack}: {len(changes)} changes")
    waiter = formation.get_waiter("stack_create_complete" if is_new else "stack_update_complete")
    waiter.wait(StackName=stack, WaiterConfig={"Delay": 1 if target.endpoint else 10, "MaxAttempts": 360})
    return Deployed(changes, _outputs(formation, stack))


def outputs_of(target: Target, stack: str) -> dict[str, str]:
    """Return what a deployed stack says of itself.

    Raises:
        ProvisionError: there is none, or it cannot be asked.
    """
    try:
        return _outputs(target.client("cloudformation"), stack)
    except (ClientError, BotoCoreError) as error:
        raise ProvisionError(stack, "stack", target.name, str(error)) from None


def _make_bucket(s3: Any, bucket: str, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=bucket, **where)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise


def _exists(formation: Any, stack: str) -> bool:
    try:
        said = formation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError:
        return False
    return bool(said) and said[0]["StackStatus"] not in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")


def _changes(formation: Any, stack: str, change_set: str) -> list[tuple[str, str, str]]:
    """Wait for the change set; one that changes nothing fails, and is no error."""
    try:
        formation.get_waiter("change_set_create_complete").wait(
            StackName=stack, ChangeSetName=change_set, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )
    except WaiterError:
        said = formation.describe_change_set(StackName=stack, ChangeSetName=change_set)
        reason = said.get("StatusReason", "")
        if "didn't contain changes" in reason or "No updates" in reason:
            return []
        raise ProvisionError(stack, "change set", "aws", reason or said["Status"]) from None
    said = formation.describe_change_set(StackName=stack, ChangeSetName=change_set)
    found = list(said["Changes"])
    while token := said.get("NextToken"):
        said = formation.describe_change_set(StackName=stack, ChangeSetName=change_set, NextToken=token)
        found += said["Changes"]
    rows = [each["ResourceChange"] for each in found]
    return [(row["Action"], row["ResourceType"], row["LogicalResourceId"]) for row in rows]


def _outputs(formation: Any, stack: str) -> dict[str, str]:
    said = formation.describe_stacks(StackName=stack)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in said.get("Outputs", ())}
