"""Whose credentials a request is made with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Credentials:
    """The default credentials or a profile's, and the role that is assumed with them, if any."""

    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    session_name: str = "joblake"

    @property
    def base(self) -> "Credentials":
        """The credentials that the role is assumed with; these same ones without a role."""
        return Credentials(self.profile)

    def __str__(self) -> str:
        if self.role_arn is not None:
            return f"role {self.role_arn}"
        return "default credentials" if self.profile is None else f"profile {self.profile}"


DEFAULT = Credentials()
"""The credentials that boto3 finds by itself."""
