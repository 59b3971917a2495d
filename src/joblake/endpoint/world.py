"""A seeded world of ML jobs and models that live through their states as the clock moves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from joblake.endpoint.batches import batches
from joblake.endpoint.clean_rooms import inference_jobs, memberships
from joblake.endpoint.customization import customizations
from joblake.endpoint.resources import DEFAULT_ACCOUNT_ID, Place
from joblake.endpoint.timeline import Setting, Timeline
from joblake.endpoint.wire import ServiceError
from joblake.sources.service_model import Operation

_Key = tuple[str, str | None]


@dataclass(frozen=True)
class World:
    """Resources that depend on nothing but the seed, the place and the instant.

    Each account and region has a history of its own that begins at midnight UTC of `first_day`
    and gets new jobs for `days` days: about 3 customization jobs, 6 batch jobs and 4 Clean Rooms
    inference jobs a day. Other places are empty.
    """

    first_day: date
    days: int = 45
    seed: int = 7
    accounts: tuple[str, ...] = (DEFAULT_ACCOUNT_ID, "444455556666")
    regions: tuple[str, ...] = ("us-east-1", "eu-west-1")

    @property
    def default_account_id(self) -> str:
        """The first of the accounts."""
        return self.accounts[0] if self.accounts else DEFAULT_ACCOUNT_ID

    def items(
        self, operation: Operation, place: Place, now: datetime
    ) -> Sequence[Mapping[str, Any]]:
        """The resources of a place as they are at `now`, in the order of their creation.

        A membership that is removed or unknown gives AccessDeniedException.
        """
        histories: Mapping[_Key, Sequence[Timeline]] = {}
        if place.account_id in self.accounts and place.region_name in self.regions:
            histories = _histories(
                Setting(self.seed, place.account_id, place.region_name, self.first_day, self.days)
            )
        key = (operation.name, place.parent)
        if place.parent is not None and key not in histories:
            raise ServiceError(
                "AccessDeniedException",
                f"Membership {place.parent} was not found or is not active.",
                403,
            )
        states = (timeline.state(now) for timeline in histories.get(key, ()))
        return [state for state in states if state is not None]


@lru_cache(maxsize=64)
def _histories(setting: Setting) -> Mapping[_Key, Sequence[Timeline]]:
    """Everything that ever happens in one account and region, by operation and membership."""
    made = customizations(setting)
    joined = memberships(setting)
    histories: dict[_Key, Sequence[Timeline]] = {
        ("ListModelCustomizationJobs", None): made.jobs,
        ("ListCustomModels", None): [model.timeline for model in made.models],
        ("ListModelInvocationJobs", None): batches(setting, made.models),
        ("ListMemberships", None): [membership.timeline for membership in joined],
    }
    for membership in joined:
        if membership.is_active:
            jobs = inference_jobs(setting, membership)
            histories["ListTrainedModelInferenceJobs", membership.identifier] = jobs
    return histories
