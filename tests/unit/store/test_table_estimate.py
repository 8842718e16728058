"""The estimate of a pack table is a bound from above, and a cheap one."""

from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.records import BlobRecord, ChunkRecord, SourceRange, StoredRange, Tree
from tensorhub.store.hashing import Hasher, ObjectKind
from tensorhub.store.pack_table import PackTable
from tensorhub.store.table_estimate import TableEstimate

LARGEST = (1 << 64) - 1


def test_a_bound_at_every_step() -> None:
    """With large numbers in every field, distinct packs and bases, the table never exceeds the estimate."""
    table, estimate, told = PackTable(), TableEstimate(), 0
    for number in range(1, 40):
        digests = [Hasher().digest(b"%d %d" % (number, n)) for n in range(number)]
        chunks = tuple(
            ChunkRecord(
                1, 1, b"", (SourceRange(digest, n << 40, 1 << 20),), 2, 1, b"p" * number, False,
                StoredRange(digest, n << 40, 1 << 30, LARGEST), LARGEST,
            )
            for n, digest in enumerate(digests)
        )  # fmt: skip
        table.blobs.append(BlobRecord(digests[0], number << 20, 2, 1 << 20, 5, 1 << 30, None, chunks))
        table.objects.append((ObjectKind.TREE, Tree(()).to_bytes() * number))
        table.facts.append(Fact(FactKind.FILE_SHA256, digests[0], bytes(number)))
        assert told < (told := estimate.update(table.blobs, table.objects, table.facts))
        assert len(table.to_bytes()) <= told <= 4 * len(table.to_bytes()) + 200
    assert estimate.update(table.blobs, table.objects, table.facts) == told
