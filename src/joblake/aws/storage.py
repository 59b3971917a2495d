"""The client of S3, for a lake that lies there."""

from typing import Any

import botocore.exceptions as boto_errors
from botocore.config import Config

from joblake.aws.connections import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from joblake.aws.refusals import describe
from joblake.aws.regions import HOME_REGION
from joblake.aws.sessions import base_session
from joblake.errors import CredentialsError

STORAGE_ATTEMPTS = 5


def storage_client(*, connections: int) -> Any:
    """A client of S3 with the default credentials, for `connections` threads at once.

    Endpoint, region, profile and credentials are boto3's own, and are refreshed as boto3 does.
    CredentialsError where the AWS configuration is broken.
    """
    session = base_session()
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": STORAGE_ATTEMPTS},
        max_pool_connections=connections,
        user_agent_extra="joblake",
    )
    try:
        # The region is for the signature alone: S3 redirects to that of the bucket.
        region_name = session.region_name or HOME_REGION
        return session.client("s3", region_name=region_name, config=config)
    except (boto_errors.BotoCoreError, ValueError) as error:
        raise CredentialsError(f"AWS configuration of S3: {describe(error)}") from error
