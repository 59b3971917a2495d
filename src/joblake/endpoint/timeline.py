"""The life of one invented resource, and its state at any instant."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from string import ascii_lowercase, digits
from typing import Any


@dataclass(frozen=True)
class Event:
    """From `at` on, a resource shows these members in place of those of the same names."""

    at: datetime
    members: Mapping[str, Any]


@dataclass(frozen=True)
class Timeline:
    """The events of one resource in the order of time; the first one creates it.

    `deleted_at` is when it disappears without a trace.
    """

    events: tuple[Event, ...]
    deleted_at: datetime | None = None

    def state(self, now: datetime) -> dict[str, Any] | None:
        """The members at the instant `now`; None before creation and after deletion."""
        if now < self.events[0].at or (self.deleted_at is not None and now >= self.deleted_at):
            return None
        members: dict[str, Any] = {}
        for event in self.events:
            if event.at > now:
                break
            members |= event.members
        return members


@dataclass(frozen=True)
class Setting:
    """Where and when invented resources live: one account and region, from `first_day` on."""

    seed: int
    account_id: str
    region_name: str
    first_day: date
    days: int

    @property
    def begins_at(self) -> datetime:
        """Midnight UTC of the first day."""
        return datetime.combine(self.first_day, time(), UTC)

    def dice(self, topic: str) -> "Dice":
        """Chance for one topic; it never depends on how much another topic has used."""
        return Dice(f"{self.seed}/{self.account_id}/{self.region_name}/{topic}")

    def arrivals(self, topic: str, per_day: float) -> Iterator[datetime]:
        """Instants at all hours, about `per_day` of them a day, until the last day ends."""
        dice = self.dice(f"{topic} arrivals")
        at = self.begins_at
        ends_at = at + timedelta(days=self.days)
        while (at := at + whole_milliseconds(days=dice.expovariate(per_day))) < ends_at:
            yield at

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region."""
        return f"arn:aws:{service}:{self.region_name}:{self.account_id}:{resource}"


class Dice(Random):
    """A stream of chance that is the same for the same topic."""

    def identifier(self) -> str:
        """Twelve small letters and digits, as Bedrock ends its ARNs."""
        return "".join(self.choices(ascii_lowercase + digits, k=12))

    def uuid(self) -> str:
        """A random UUID, as Clean Rooms names its resources."""
        return str(uuid.UUID(int=self.getrandbits(128), version=4))

    def lasts(self, typical_hours: float, spread: float = 0.4) -> timedelta:
        """A log-normal duration whose median is `typical_hours`."""
        return whole_milliseconds(hours=typical_hours * self.lognormvariate(0.0, spread))

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.random() < probability

    def pick(self, weights: Mapping[str, float]) -> str:
        """One of the keys, as often as its weight says."""
        return self.choices(list(weights), list(weights.values()))[0]


def whole_milliseconds(*, days: float = 0, hours: float = 0) -> timedelta:
    """A duration without microseconds: the services' timestamps have none either."""
    return timedelta(milliseconds=round(timedelta(days=days, hours=hours).total_seconds() * 1000))
