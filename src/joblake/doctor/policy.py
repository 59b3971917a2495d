"""The least-privilege IAM policies of a run, each for one identity that it uses.

An identity lists (its own account's resources), assumes roles that list, or keeps a lake on S3; a
role lists only. Asking STS who one is needs no permission. The actions are the operations that the
catalogue declares, under the name that requests to their service are signed with.
"""

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from joblake.aws.credentials import DEFAULT, Credentials
from joblake.aws.regions import HOME_REGION, known_regions, partition_of
from joblake.export.planning import ALL_REGIONS, check, credentials_of, way_to
from joblake.lake.layout import S3_SCHEME
from joblake.settings.settings import Account, Settings

VERSION = "2012-10-17"

Policy = Mapping[str, Any]


def policies(settings: Settings) -> dict[str, Policy]:
    """The policy of each identity by its name, as `name_of` spells it.

    Identities that need no permission at all are left out. UsageError for settings that cannot
    work.
    """
    check(settings)
    statements: dict[Credentials, list[dict[str, Any]]] = {DEFAULT: []}
    roles: dict[Credentials, list[str]] = {}
    for account in settings.accounts:
        credentials = credentials_of(account)
        listing = _statement("ListJobsAndModels", actions_of(settings, account), ["*"])
        statements.setdefault(credentials, []).append(listing)
        if account.role_arn is not None:
            roles.setdefault(credentials.base, []).append(account.role_arn)
    for base, arns in roles.items():
        assuming = _statement("AssumeRoles", ["sts:AssumeRole"], arns)
        statements.setdefault(base, []).append(assuming)
    statements[DEFAULT] += _lake_statements(settings)
    return {
        name_of(credentials): {"Version": VERSION, "Statement": found}
        for credentials, found in statements.items()
        if found
    }


def name_of(credentials: Credentials) -> str:
    """The name that `--identity` takes: `default`, `profile:NAME`, or the ARN of a role."""
    if credentials.role_arn is not None:
        return credentials.role_arn
    return "default" if credentials.profile is None else f"profile:{credentials.profile}"


def actions_of(settings: Settings, account: Account) -> list[str]:
    """The actions that listing an account needs, in the order of its tables."""
    return list(
        dict.fromkeys(
            source.operation.action
            for table in settings.tables_of(account)
            for source in way_to(settings, account, settings.catalogue[table])
        )
    )


def _lake_statements(settings: Settings) -> list[dict[str, Any]]:
    """The statements that allow writing a lake on S3; none for a local lake."""
    if not settings.lake.startswith(S3_SCHEME):
        return []
    bucket, _, prefix = settings.lake.removeprefix(S3_SCHEME).rstrip("/").partition("/")
    arn = f"arn:{_partition(settings)}:s3:::{bucket}"
    below = f"{prefix}/*" if prefix else "*"
    listing = _statement("ListLake", ["s3:ListBucket"], [arn])
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": below}}
    actions = ["s3:GetObject", "s3:PutObject"]
    return [listing, _statement("ReadAndWriteLake", actions, [f"{arn}/{below}"])]


def _partition(settings: Settings) -> str:
    """The partition of the run's roles or regions, which is that of its bucket."""
    for account in settings.accounts:
        if account.role_arn is not None:
            return account.role_arn.split(":")[1]
    patterns = [r for account in settings.accounts for r in settings.regions_of(account, "")]
    patterns += [os.environ.get(name, "") for name in ("AWS_REGION", "AWS_DEFAULT_REGION")]
    regions = (
        region
        for pattern in patterns
        if pattern != ALL_REGIONS
        for region in sorted(known_regions())
        if fnmatchcase(region, pattern)
    )
    return partition_of(next(regions, HOME_REGION))


def _statement(sid: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
    resource = resources[0] if len(resources) == 1 else resources
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}
