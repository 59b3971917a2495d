"""Pages on disk until they are merged, and what is left of them after a crash."""

import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from declared import SOURCES
from joblake.errors import LakeError
from joblake.listing.rows import ParsedRows
from joblake.listing.spool import Spool, SpoolIdentity
from joblake.sources.schema import listed_schema

SCHEMA = pa.schema([("arn", pa.string()), ("at", pa.timestamp("us", "UTC")), ("n", pa.int64())])
NIGHT = datetime(2026, 11, 10, 2, tzinfo=UTC)
IDENTITY = SpoolIdentity("query", NIGHT)
HOUR = timedelta(hours=1)


def page_of(*arns: str, token: str | None = None, odd_values: int = 0) -> ParsedRows:
    rows = [{"arn": arn, "at": NIGHT, "n": len(arn)} for arn in arns]
    return ParsedRows(pa.Table.from_pylist(rows, SCHEMA), token, odd_values)


PAGES = [
    page_of("a", "bb", token="to-2"),
    page_of(token="to-3"),
    page_of("ccc", token="to-4", odd_values=2),
    page_of("dddd", "e" * 50),
]


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", SCHEMA, 0o600)


def again(tmp_path: Path, schema: pa.Schema = SCHEMA) -> Spool:
    """The spool as the next run finds it."""
    return Spool(tmp_path / "spool", schema, 0o600)


def spooled(spool: Spool, pages: Sequence[ParsedRows] = PAGES) -> Spool:
    """A spool that was begun and holds some pages."""
    spool.begin(IDENTITY, resume_within=None)
    for page in pages:
        spool.append(page)
    return spool


def file_of(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "spool").iterdir()
    return path


def table_of(pages: Sequence[ParsedRows]) -> pa.Table:
    return pa.concat_tables([SCHEMA.empty_table(), *(page.rows for page in pages)])


def test_the_table_is_what_was_appended(spool):
    """Every row of every page comes back, in order, and the counts say how much it is."""
    spooled(spool)
    assert (spool.pages, spool.rows, spool.odd_values) == (4, 5, 2)
    assert spool.next_token is None
    assert spool.reader().read_all().equals(table_of(PAGES))


@given(
    st.lists(
        st.tuples(
            st.lists(st.none() | st.text(), max_size=3),
            st.none() | st.text(st.characters(), min_size=1),
            st.integers(0, 5),
            st.integers(1, 10),
        ),
        max_size=4,
    )
)
def test_any_pages_come_back_and_resume(tmp_path_factory, drawn):
    """Texts, nulls, empty pages and odd tokens survive the way to disk and a second run."""
    pages = [
        ParsedRows(
            pa.table([arns, [NIGHT] * len(arns), [1] * len(arns)], SCHEMA),
            token,
            odd_values,
            page_count,
        )
        for arns, token, odd_values, page_count in drawn
    ]
    folder = tmp_path_factory.mktemp("any")
    spooled(again(folder), pages).close()
    spool = again(folder)
    assert spool.begin(IDENTITY, resume_within=HOUR) == bool(pages)
    assert spool.next_token == (pages[-1].next_token if pages else None)
    assert spool.odd_values == sum(page.odd_values for page in pages)
    assert spool.pages == sum(page.page_count for page in pages)
    assert spool.reader().read_all().equals(table_of(pages))


def test_slices_and_chunks_are_stored_as_their_rows(spool):
    """A page may be part of a table, or come in several chunks."""
    whole = table_of(PAGES)
    pages = [
        ParsedRows(whole.slice(1, 2), "t"),
        ParsedRows(whole.slice(3), None),
        ParsedRows(whole.slice(5), None),
    ]
    assert spooled(spool, pages).reader().read_all().equals(whole.slice(1))


@pytest.mark.parametrize("table", SOURCES)
def test_every_listed_schema_can_be_spooled(tmp_path, table):
    """No type of a table's columns is lost on the way to disk."""
    schema = listed_schema(SOURCES[table].operation)
    spool = again(tmp_path, schema)
    empty_row = pa.Table.from_arrays([pa.nulls(1, field.type) for field in schema], schema=schema)
    spooled(spool, [ParsedRows(empty_row, None)])
    assert spool.reader().read_all().equals(empty_row)


def test_an_unbegun_spool_is_empty(spool):
    """Without a listing there are no rows, and nothing can be appended."""
    assert spool.reader().read_all().equals(SCHEMA.empty_table())
    with pytest.raises(ValueError, match="not open"):
        spool.append(PAGES[0])


def test_an_interrupted_listing_goes_on(tmp_path, spool):
    """The next run has the pages so far, and those that it adds."""
    spooled(spool, PAGES[:2])
    del spool  # never closed, as after a crash
    resumed = again(tmp_path)
    assert resumed.begin(SpoolIdentity("query", NIGHT + HOUR), resume_within=HOUR)
    assert (resumed.pages, resumed.rows, resumed.next_token) == (2, 2, "to-3")
    for page in PAGES[2:]:
        resumed.append(page)
    assert resumed.reader().read_all().equals(table_of(PAGES))


def test_a_listing_can_be_interrupted_again_and_again(tmp_path):
    """Each run adds a page and dies; the last one has them all, without twins."""
    spooled(again(tmp_path), PAGES[:1]).close()
    for count, page in enumerate(PAGES[1:], 1):
        spool = again(tmp_path)
        assert spool.begin(IDENTITY, resume_within=HOUR)
        assert spool.pages == count
        spool.append(page)
        if count < len(PAGES) - 1:
            spool.close()
    assert spool.reader().read_all().equals(table_of(PAGES))


def test_a_torn_tail_is_dropped_wherever_it_tears(tmp_path):
    """Cut at any byte, the spool holds whole pages from the first on: no twin, hole or error."""
    schema = pa.schema([SCHEMA.field("arn")])
    pages = [
        ParsedRows(page.rows.select(["arn"]), page.next_token, page.odd_values)
        for page in PAGES[1:]
    ]
    everything = pa.concat_tables([page.rows for page in pages])
    spool = spooled(again(tmp_path, schema), [])
    path = file_of(tmp_path)
    header = path.stat().st_size
    for page in pages:
        spool.append(page)
    spool.close()
    whole = path.read_bytes()
    counts = []
    for length in (*range(0, header, 7), *range(header, len(whole) + 1)):
        path.write_bytes(whole[:length])
        spool = again(tmp_path, schema)
        is_resumed = spool.begin(IDENTITY, resume_within=HOUR)
        kept = pages[: spool.pages]
        assert is_resumed == bool(kept)
        assert spool.rows == sum(page.rows.num_rows for page in kept)
        assert spool.next_token == (kept[-1].next_token if kept else None)
        assert spool.odd_values == sum(page.odd_values for page in kept)
        for page in pages[spool.pages :]:
            spool.append(page)
        assert spool.reader().read_all().equals(everything)
        counts.append(len(kept))
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3}


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"\xff\xff\xff\xff", b"\0", b"PAR1", b"{}" * 99])
def test_a_foreign_tail_is_dropped(tmp_path, tail):
    """What a file system may leave after the last page is no page."""
    spooled(again(tmp_path), PAGES[:2])
    path = file_of(tmp_path)
    path.write_bytes(path.read_bytes() + tail)
    spool = again(tmp_path)
    assert spool.begin(IDENTITY, resume_within=HOUR)
    assert spool.pages == 2
    assert spool.reader().read_all().equals(table_of(PAGES[:2]))


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"not a spool", b"ARROW1\0\0", b"\xff" * 64])
def test_a_foreign_file_is_begun_anew(tmp_path, content):
    """Whatever lies under the spool's name, the listing begins."""
    spooled(again(tmp_path)).close()
    file_of(tmp_path).write_bytes(content)
    spool = again(tmp_path)
    assert not spool.begin(IDENTITY, resume_within=HOUR)
    spool.append(PAGES[0])
    assert spool.reader().read_all().equals(table_of(PAGES[:1]))


@pytest.mark.parametrize(
    ("identity", "resume_within", "is_resumed"),
    [
        (SpoolIdentity("query", NIGHT), HOUR, True),
        (SpoolIdentity("query", NIGHT + HOUR), HOUR, True),
        (SpoolIdentity("query", NIGHT), timedelta(0), True),
        (SpoolIdentity("query", NIGHT + HOUR + timedelta(seconds=1)), HOUR, False),
        (SpoolIdentity("query", NIGHT - timedelta(seconds=1)), HOUR, False),
        (SpoolIdentity("another", NIGHT), HOUR, False),
        (SpoolIdentity("query", NIGHT), None, False),
    ],
)
def test_only_a_young_listing_of_the_same_query_goes_on(
    tmp_path, identity, resume_within, is_resumed
):
    """Pages that are old, of another query or of the future are forgotten."""
    spooled(again(tmp_path), PAGES[:2]).close()
    spool = again(tmp_path)
    assert spool.begin(identity, resume_within=resume_within) == is_resumed
    assert spool.pages == (2 if is_resumed else 0)
    assert spool.reader().read_all().equals(table_of(PAGES[:2] if is_resumed else []))


def test_a_resumed_listing_is_as_old_as_its_first_page(tmp_path):
    """Going on does not make old pages young."""
    spooled(again(tmp_path), PAGES[:1]).close()
    spool = again(tmp_path)
    assert spool.begin(SpoolIdentity("query", NIGHT + HOUR), resume_within=HOUR)
    spool.close()
    late = SpoolIdentity("query", NIGHT + HOUR + timedelta(minutes=1))
    assert not again(tmp_path).begin(late, resume_within=HOUR)


@pytest.mark.parametrize(
    "schema",
    [
        SCHEMA.append(pa.field("new", pa.string())),
        SCHEMA.remove(2),
        SCHEMA.set(2, pa.field("n", pa.string())),
    ],
)
def test_pages_of_another_schema_are_forgotten(tmp_path, schema):
    """After an SDK upgrade the listing begins anew with the new columns."""
    spooled(again(tmp_path)).close()
    spool = again(tmp_path, schema)
    assert not spool.begin(IDENTITY, resume_within=HOUR)
    assert spool.reader().read_all().equals(schema.empty_table())


def test_a_restart_forgets_every_page(tmp_path, spool):
    """After a restart the spool is as new, and the restarted listing can be resumed."""
    spooled(spool)
    spool.restart(SpoolIdentity("query", NIGHT))
    assert (spool.pages, spool.rows, spool.odd_values, spool.next_token) == (0, 0, 0, None)
    spool.append(PAGES[2])
    spool.close()
    resumed = again(tmp_path)
    assert resumed.begin(IDENTITY, resume_within=HOUR)
    assert resumed.reader().read_all().equals(table_of(PAGES[2:3]))


def test_a_discarded_spool_is_gone(tmp_path, spool):
    """Nothing of merged pages stays; discarding twice is no error."""
    spooled(spool).discard()
    assert list((tmp_path / "spool").iterdir()) == []
    spool.discard()
    assert not again(tmp_path).begin(IDENTITY, resume_within=HOUR)


def test_the_file_is_private(tmp_path, spool):
    """Pages hold what the lake holds, under the same permissions, resumed ones too."""
    spooled(spool).close()
    assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600
    resumed = again(tmp_path)
    resumed.begin(IDENTITY, resume_within=HOUR)
    assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_listing_begun_anew_has_a_new_file(tmp_path, spool):
    """Emptying the last one would have ext4 wait for the disk when it is closed."""
    spooled(spool).close()
    with file_of(tmp_path).open("rb") as last:
        spooled(again(tmp_path), PAGES[:1]).close()
        assert len(last.read()) > file_of(tmp_path).stat().st_size > 0


def test_a_folder_that_cannot_be_made_is_a_lake_error(tmp_path, spool):
    """What stands in the way is named, with the reason."""
    (tmp_path / "spool").write_text("")
    with pytest.raises(LakeError, match=r"cannot spool to .*/spool/.*exists"):
        spool.begin(IDENTITY, resume_within=HOUR)


@contextmanager
def room_for(octets: int) -> Iterator[None]:
    """The system refuses to let any file grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 100, 600, 1000, 1100, 1200, 1500, 2000])
def test_a_refused_page_is_a_lake_error_and_no_page(tmp_path, spool, room):
    """A disk without room ends the listing with path and reason; whole pages can be resumed."""
    appended = []

    def append_without_end() -> None:
        spool.begin(IDENTITY, resume_within=None)
        while True:
            spool.append(PAGES[0])
            appended.append(PAGES[0])

    with (
        room_for(room),
        pytest.raises(LakeError, match=r"cannot spool to .*File too large.*check the disk"),
    ):
        append_without_end()
    with suppress(LakeError):
        spool.close()
    resumed = again(tmp_path)
    assert resumed.begin(IDENTITY, resume_within=HOUR) == bool(appended)
    assert resumed.reader().read_all().equals(table_of(appended))
