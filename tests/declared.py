"""Operations of tests: those of the shipped sources and their parent, and invented ones."""

from joblake.sources.catalogue import shipped_catalogue
from joblake.sources.service_model import Member, Operation

CATALOGUE = shipped_catalogue()
SOURCES = CATALOGUE.default
LIST_MEMBERSHIPS = CATALOGUE["memberships"].operation


def operation_of(*members: Member, parameters: tuple[Member, ...] = ()) -> Operation:
    """An invented operation that lists items of the given members."""
    return Operation(
        client="x",
        name="ListThings",
        service_id="x",
        signing_name="x",
        http_method="GET",
        request_uri="/",
        parameters=parameters,
        input_token="nextToken",
        output_token="nextToken",
        limit_key="maxResults",
        page_maximum=1,
        result_key="things",
        item=Member("", "structure", members=members),
    )
