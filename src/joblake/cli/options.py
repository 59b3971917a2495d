"""The options of the command line that are settings, declared once for every command.

Their defaults stand in `settings`, as text here: an option that is not given is None, so that the
environment and joblake.toml count.
"""

from pathlib import Path
from typing import Annotated

import typer

Lake = Annotated[
    str | None,
    typer.Option(
        help="The lake: a folder or s3://bucket/prefix.  [env: JOBLAKE_LAKE; default: data/lake]"
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(help="TOML file with the same options.  [default: joblake.toml where it exists]"),
]
Account = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE …",
        help="Account to list, such as 'profile=audit role_arn=arn:… external_id=…', or default; "
        "repeatable.  [default: that of the default credentials]",
    ),
]
RoleArn = Annotated[
    list[str] | None,
    typer.Option(help="Short for --account role_arn=…; repeatable."),
]
Region = Annotated[
    list[str] | None,
    typer.Option(help="Region, a pattern such as us-*, or all; repeatable.  [default: AWS_REGION]"),
]
Table = Annotated[
    list[str] | None, typer.Option(help="Table to export; repeatable.  [default: all four]")
]
Override = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TABLE.KEY=VALUE",
        help="Region, filter, page_size, max_items, incremental or full_listing_days of one "
        "table; repeatable.",
    ),
]
Parent = Annotated[
    list[str] | None,
    typer.Option(
        help="Parent to list in, such as a Clean Rooms membership; repeatable.  [default: all]"
    ),
]
Filter = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="NAME=VALUE",
        help="Request parameter of the operation, such as statusEquals=Completed; repeatable.",
    ),
]
PageSize = Annotated[
    int | None, typer.Option(help="Items per request.  [default: the operation's maximum]")
]
MaxItems = Annotated[int | None, typer.Option(help="Stop after so many items.")]
StartingToken = Annotated[str | None, typer.Option(help="Go on where --max-items stopped.")]
Incremental = Annotated[
    bool | None,
    typer.Option(
        "--incremental/--no-incremental",
        help="List only what is new or may still change; never tells what is gone.  "
        "[default: no-incremental]",
    ),
]
FullListingDays = Annotated[
    int | None, typer.Option(help="List everything so often all the same.  [default: 7]")
]
OverlapMinutes = Annotated[
    float | None,
    typer.Option(help="How far an incremental listing reaches back.  [default: 60]"),
]
MaxWorkers = Annotated[int | None, typer.Option(help="Scopes listed at once.  [default: 8]")]
MaxWorkersPerRegion = Annotated[
    int | None, typer.Option(help="Scopes of one account and region at once.  [default: 4]")
]
MaxRequestsPerSecond = Annotated[
    float | None,
    typer.Option(help="Requests to one account and region.  [default: what AWS lets through]"),
]
MaxAttempts = Annotated[
    int | None, typer.Option(help="How often a request is sent at most.  [default: 5]")
]
ResumeMinutes = Annotated[
    float | None,
    typer.Option(help="Age up to which an interrupted listing is gone on with.  [default: 60]"),
]
MassVanishShare = Annotated[
    float | None,
    typer.Option(help="Hold a listing that misses more than this of a scope.  [default: 0.33]"),
]
StoreSensitive = Annotated[
    bool | None,
    typer.Option(
        "--store-sensitive/--no-store-sensitive",
        help="Whether members that AWS marks as sensitive are stored.  [default: store-sensitive]",
    ),
]
WorkFolder = Annotated[
    str | None,
    typer.Option(
        help="Local folder of a lake on S3: locks, copies, unmerged pages.  [default: data/s3]"
    ),
]
FileMode = Annotated[
    str | None, typer.Option(help="Permissions of the lake's files, in octal.  [default: 600]")
]
