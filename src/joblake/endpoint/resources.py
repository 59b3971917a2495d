"""The resources that an endpoint serves, by place and instant.

The application knows only the `Resources` protocol. `World` invents resources that live through
time; `FixedResources` serves lists that a test or a trial puts there itself.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from joblake.sources.service_model import Operation

DEFAULT_ACCOUNT_ID = "111122223333"


@dataclass(frozen=True, order=True)
class Place:
    """The place that a listing looks at: account, region and, where one is needed, a parent."""

    account_id: str
    region_name: str
    parent: str | None = None


class Resources(Protocol):
    """A source of items for the endpoint.

    An item is a mapping of wire names to Python values; timestamps are datetimes. Whatever else
    stands in an item (a text or number in place of a timestamp, a member no model knows) is sent
    as it is; members that are None are left out.
    """

    @property
    def default_account_id(self) -> str:
        """The account of callers whose access key id does not end in 12 digits."""

    def items(
        self, operation: Operation, place: Place, now: datetime
    ) -> Sequence[Mapping[str, Any]]:
        """All resources that `operation` can list in `place` at the instant `now`, unfiltered.

        A `ServiceError` raised here becomes the answer.
        """


@dataclass(frozen=True)
class FixedResources:
    """Resources that stay as they are until their owner changes `lists`.

    Keys are operation names (`ListCustomModels`: the same items everywhere) or pairs of operation
    name and place, which go first. An operation without a key lists nothing. `lists` may be
    changed between listings; the pages of a listing that has begun show what its first page saw.
    """

    lists: MutableMapping[str | tuple[str, Place], Sequence[Mapping[str, Any]]] = field(
        default_factory=dict
    )
    default_account_id: str = DEFAULT_ACCOUNT_ID

    def items(
        self,
        operation: Operation,
        place: Place,
        now: datetime,  # noqa: ARG002  fixed: the instant does not matter
    ) -> Sequence[Mapping[str, Any]]:
        """The items set for the operation in this place, or else for the operation anywhere."""
        everywhere = self.lists.get(operation.name, ())
        return tuple(self.lists.get((operation.name, place), everywhere))
