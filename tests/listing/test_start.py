"""Where a listing starts, as boto3 and the AWS CLI write and read them."""

import base64
import json

import boto3
import pytest
from botocore.paginate import TokenDecoder, TokenEncoder
from hypothesis import given
from hypothesis import strategies as st

from declared import SOURCES
from joblake.endpoint import FixedResources
from joblake.errors import UsageError
from joblake.listing.start import Start, decode_start, encode_start

OPERATION = SOURCES["custom_models"].operation
MODELS = [
    {
        "modelArn": f"arn:aws:bedrock:us-east-1:111122223333:custom-model/m/{number:012}",
        "modelName": f"model-{number}",
        "creationTime": f"2026-11-0{number + 1}T00:00:00Z",
        "baseModelArn": "arn:aws:bedrock:us-east-1::foundation-model/m",
        "baseModelName": "m",
    }
    for number in range(7)
]
TOKENS = st.text(min_size=1)


@given(TOKENS, st.integers(0, 1000))
def test_a_start_comes_back_from_its_token(token, skipped_items):
    """What joblake writes it reads, tokens of any text included."""
    start = Start(token, skipped_items)
    assert decode_start(encode_start(start, OPERATION), OPERATION) == start


def test_a_start_on_page_1_comes_back_from_its_token():
    """Items may be skipped before the service has given any token."""
    start = Start(None, 3)
    assert decode_start(encode_start(start, OPERATION), OPERATION) == start


@given(TOKENS, st.integers(1, 1000))
def test_botocore_and_joblake_write_the_same(token, skipped_items):
    """Each decodes what the other encodes."""
    words = {"nextToken": token, "boto_truncate_amount": skipped_items}
    written = TokenEncoder().encode(dict(words))
    assert decode_start(written, OPERATION) == Start(token, skipped_items)
    ours = encode_start(Start(token, skipped_items), OPERATION)
    assert TokenDecoder().decode(ours) == words


@pytest.fixture
def client(serve):
    serve(FixedResources({"ListCustomModels": MODELS}))
    return boto3.client("bedrock", region_name="us-east-1")


def names_from(client, token, **limits):
    """The names that boto3's own paginator lists from a StartingToken, and its next one."""
    config = {"PageSize": 3, "StartingToken": token, **limits}
    pages = client.get_paginator("list_custom_models").paginate(
        sortOrder="Ascending", PaginationConfig=config
    )
    return [model["modelName"] for model in pages.search("modelSummaries[]")], pages.resume_token


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_the_paginator_of_boto3_goes_on_from_our_token(client, limit):
    """Decoded and encoded again by us, boto3's resume token lists exactly the rest."""
    first, resume_token = names_from(client, None, MaxItems=limit)
    start = decode_start(resume_token, OPERATION)
    assert start.skipped_items == limit % 3
    rest, end = names_from(client, encode_start(start, OPERATION))
    assert first + rest == [model["modelName"] for model in MODELS]
    assert end is None


@pytest.mark.parametrize("token", ["", " ", "\n"])
def test_an_empty_token_is_refused(token):
    """An unset variable on the command line does not list everything again."""
    with pytest.raises(UsageError, match="leave --starting-token out"):
        decode_start(token, OPERATION)


def encoded(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "AAAA",
        "ä🦜",
        "eyJ",
        "x" * 10_240,
        *map(
            encoded,
            [
                {},
                [],
                [1],
                123,
                "text",
                None,
                {"lastKey": "x"},
                {"nextToken": "x", "shard": 3},
                {"nextToken": 5},
                {"nextToken": "x", "boto_truncate_amount": "many"},
                {"nextToken": "x", "boto_truncate_amount": None},
                {"boto_truncate_amount": 3},
                {"nextToken": "x", "boto_truncate_amount": -3},
                {"nextToken": "x", "boto_encoded_keys": [["absent"]]},
                {"nextToken": "x", "boto_encoded_keys": 5},
                {"nextToken": "x", "boto_encoded_keys": [[]]},
            ],
        ),
    ],
)
def test_any_other_token_is_the_service_s_own(token):
    """A token of another make is handed to the service as it is."""
    assert decode_start(token, OPERATION) == Start(token)
