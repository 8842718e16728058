"""Read plans cover their range exactly."""

from hypothesis import given
from hypothesis import strategies as st

from tensorhub.schema.digest import Digest
from tensorhub.schema.tensor import Segment
from tensorhub.store.read_plan import FileMap, plan_chunks


def segments(sizes: list[int]) -> list[Segment]:
    return [Segment(nbytes, Digest(bytes([number]) * 32)) for number, nbytes in enumerate(sizes)]


@given(st.lists(st.integers(0, 9), max_size=8), st.integers(0, 80), st.integers(0, 80))
def test_file_ranges(sizes: list[int], offset: int, length: int) -> None:
    """Reading the plan gives the bytes of the range, in order and without empty reads."""
    parts = [bytes([16 * number + at for at in range(nbytes)]) for number, nbytes in enumerate(sizes)]
    whole = b"".join(parts)
    found, position = b"", 0
    for read in FileMap(segments(sizes)).plan_range(offset, length):
        assert read.position == position
        assert read.start < read.stop
        found += parts[read.digest.value[0]][read.start : read.stop]
        position += read.stop - read.start
    assert found == whole[offset : offset + length]


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 40))
def test_chunks(start: int, length: int, chunk_nbytes: int) -> None:
    """Chunk runs cover the range in order and stay inside their chunks."""
    at = start
    for run in plan_chunks(start, start + length, chunk_nbytes):
        assert run.position == at - start
        assert run.index * chunk_nbytes + run.start == at
        assert 0 <= run.start < run.stop <= chunk_nbytes
        at += run.stop - run.start
    assert at == start + length


def test_starts() -> None:
    """Segment offsets are the sums of what comes before."""
    file_map = FileMap(segments([3, 0, 5]))
    assert [file_map.start_of(ordinal) for ordinal in range(3)] == [0, 3, 3]
    assert file_map.nbytes == 8
