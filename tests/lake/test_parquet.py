"""Whether a file is a sound Parquet file of joblake's."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from joblake.errors import UnreadableFileError
from joblake.lake import parquet
from joblake.lake.file import LakeFile
from joblake.lake.parquet import Refused


def file_at(path, content):
    path.write_bytes(content)
    return LakeFile(path, path, str(path))


def test_refused_files_are_named_with_the_reason(tmp_path):
    """Damaged, foreign, empty and missing files are told from good ones, each by name."""
    path = tmp_path / "good.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    good = LakeFile(path, path, str(path))
    bad = {
        "cut.parquet": path.read_bytes()[:-10],
        "empty.parquet": b"",
        "text.parquet": b"job,status\n" * 10,
        "tail.parquet": b"PAR1",
    }
    files = [file_at(tmp_path / name, content) for name, content in bad.items()]
    files += [LakeFile(p, p, str(p)) for p in (tmp_path / "missing.parquet", tmp_path)]
    for file in files:
        verdict = parquet.schema_of(file)
        assert isinstance(verdict, Refused)
        assert verdict.reason
        assert "\n" not in verdict.reason
    assert parquet.schema_of(good) == pa.schema({"a": pa.int64()})
    parquet.require_readable([good])
    with pytest.raises(UnreadableFileError, match=r"cut\.parquet.*move it out of the lake"):
        parquet.require_readable([good, *files])


def test_files_of_another_program_are_refused(tmp_path):
    """A column of ours has its type, and the columns that every file has are there."""
    path = tmp_path / "rows.parquet"
    file = LakeFile(path, path, str(path))
    ours = pa.schema({"run_id": pa.string(), "listed": pa.int64()})
    for table, reason in (
        (pa.table({"listed": [1]}), "it has no column run_id"),
        (pa.table({"run_id": ["a"], "listed": ["1"]}), "its column listed is string, not int64"),
    ):
        pq.write_table(table, path)
        assert parquet.schema_of(file, ours) == Refused(file, reason)
    newer = pa.table({"run_id": ["a"], "words": ["b"]})
    pq.write_table(newer, path)
    assert parquet.schema_of(file, ours) == newer.schema


def test_a_file_with_damaged_pages_is_found(tmp_path):
    """Its footer is sound, so that only reading it to its end shows it."""
    path = tmp_path / "good.parquet"
    pq.write_table(pa.table({"a": [str(number) for number in range(5000)]}), path)
    good = LakeFile(path, path, str(path))
    content = bytearray(path.read_bytes())
    content[100:400] = b"\xff" * 300
    bad = file_at(tmp_path / "bad.parquet", bytes(content))
    assert isinstance(parquet.schema_of(bad), pa.Schema)
    assert parquet.first_damaged([good]) is None
    assert parquet.first_damaged([good, bad]) == bad
    damaged = pytest.raises(UnreadableFileError, match=r"bad\.parquet is damaged")
    with damaged, parquet.reading(bad) as opened:
        opened.read()
