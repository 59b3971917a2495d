"""botocore's sessions, which share its data files."""

import botocore.exceptions as boto_errors
import botocore.session

from joblake.aws.refusals import describe
from joblake.errors import CredentialsError
from joblake.sources.service_model import loader_of


def core_session(profile: str | None = None) -> botocore.session.Session:
    """A session of its own over the data files that every session of the process shares."""
    core = botocore.session.Session(profile=profile)
    try:
        data_path = core.get_config_variable("data_path")
    except boto_errors.BotoCoreError as error:  # a profile that does not exist, a broken file
        raise CredentialsError(f"AWS configuration: {describe(error)}") from error
    core.register_component("data_loader", loader_of(data_path))
    return core
