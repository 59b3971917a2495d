"""The partitions and regions of AWS, as botocore's own data has them."""

from functools import cache

import botocore.exceptions as boto_errors
from botocore.regions import EndpointResolver

from joblake.sources.service_model import loader_of

HOME_REGION = "us-east-1"


@cache
def _geography() -> EndpointResolver:
    return EndpointResolver(loader_of(None).load_data("endpoints"))


@cache
def known_regions() -> frozenset[str]:
    """Every region of every partition that botocore knows."""
    # STS also has a global pseudo-region.
    return frozenset(r for r in service_regions("sts") if r.rsplit("-", 1)[-1].isdigit())


@cache
def service_regions(service: str) -> frozenset[str]:
    """Every region of every partition where botocore knows the service."""
    geography = _geography()
    # botocore lists no region for Clean Rooms ML; it is offered where Clean Rooms is.
    service = "cleanrooms" if service == "cleanroomsml" else service
    return frozenset(
        region
        for partition in geography.get_available_partitions()
        for region in geography.get_available_endpoints(service, partition)
    )


def partition_of(region_name: str) -> str:
    """The partition of a region, which stands in the ARNs of what lies there."""
    return str(_geography().get_partition_for_region(region_name))


def home_of(region_name: str) -> str:
    """The region of the same partition that is enabled in every account.

    The region itself where botocore knows of no partition for it.
    """
    partitions = loader_of(None).load_data("partitions")["partitions"]
    homes = {found["id"]: found["outputs"]["implicitGlobalRegion"] for found in partitions}
    try:
        return str(homes.get(partition_of(region_name), region_name))
    except boto_errors.UnknownRegionError:
        return region_name
