"""Tables of the catalogue.

Duty: the SQL schema and its version. Not its duty: any query.
Invariants: everything here can be computed from packs; nothing here is the truth. A change of the schema
takes a new version, and an older catalogue is then built anew.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

CATALOG_VERSION = 1
metadata = MetaData()

meta = Table(
    "meta", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False)
)

pack = Table(
    "pack",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("nbytes", BigInteger, nullable=False),
    Column("sealed_at_ns", BigInteger, nullable=False),
    Column("refs", LargeBinary, nullable=False),  # ids of packs that its blob records point into, joined
)

# Commits, trees and file records, by the digest of their payload. ``commit_id`` is set for commits,
# ``nbytes`` and ``tensors`` for files.
stored_object = Table(
    "object",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("kind", Integer, nullable=False),
    Column("pack", ForeignKey("pack.id"), nullable=False),
    Column("commit_id", LargeBinary),
    Column("nbytes", BigInteger),
    Column("tensors", Integer),
    Column("payload", LargeBinary, nullable=False),
)
Index("object_commit_id", stored_object.c.commit_id, sqlite_where=stored_object.c.commit_id.is_not(None))

# A blob that something names but no pack holds has a row without ``pack``.
# ``shape`` columns come from the first file record that calls the blob a tensor.
blob = Table(
    "blob",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("pack", ForeignKey("pack.id")),
    Column("nbytes", BigInteger),
    Column("generation", Integer),
    Column("stored_nbytes", BigInteger),
    Column("delta_nbytes", BigInteger),
    Column("delta_stored_nbytes", BigInteger),
    Column("standalone_nbytes", BigInteger),
    Column("element_width", Integer),
    Column("row_nelems", BigInteger),
    Column("nrows", BigInteger),
    Column("record", LargeBinary),
)
Index(
    "blob_small_shape",
    blob.c.element_width,
    blob.c.row_nelems,
    blob.c.nrows,
    sqlite_where=(blob.c.row_nelems.is_not(None)) & (blob.c.nbytes < 65536) & (blob.c.delta_nbytes == 0),
)

segment = Table(
    "segment",
    metadata,
    Column("file", ForeignKey("object.id"), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("blob", ForeignKey("blob.id"), nullable=False),
    sqlite_with_rowid=False,
)
Index("segment_blob", segment.c.blob)

# Which files a tree holds, and which trees a repository's live commits reach: by these two a blob is traced to
# repositories. The second is written just before a ref moves and after refs go; ``date_ms`` is that of the
# first live commit with the tree, so that the order of places does not depend on where trees lie.
tree_entry = Table(
    "tree_entry",
    metadata,
    Column("tree", ForeignKey("object.id"), primary_key=True),
    Column("file", ForeignKey("object.id"), primary_key=True),
    sqlite_with_rowid=False,
)
Index("tree_entry_file", tree_entry.c.file)

repository_tree = Table(
    "repository_tree",
    metadata,
    Column("repo_type", String, primary_key=True),
    Column("repo_id", String, primary_key=True),
    Column("tree", ForeignKey("object.id"), primary_key=True),
    Column("date_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("repository_tree_tree", repository_tree.c.tree)

source = Table(
    "source",
    metadata,
    Column("blob", ForeignKey("blob.id"), primary_key=True),
    Column("base", ForeignKey("blob.id"), primary_key=True),
    sqlite_with_rowid=False,
)
Index("source_base", source.c.base)

sketch = Table(
    "sketch",
    metadata,
    Column("blob", ForeignKey("blob.id"), primary_key=True),
    Column("element_width", Integer, nullable=False),
    Column("row_nelems", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
)
Index("sketch_group", sketch.c.element_width, sketch.c.row_nelems)

fact = Table(
    "fact",
    metadata,
    Column("subject", LargeBinary, primary_key=True),
    Column("kind", Integer, primary_key=True),
    Column("pack", ForeignKey("pack.id"), nullable=False),
    Column("is_claimed", Integer, nullable=False),
    Column("value", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
# A hub asks which file has a SHA-256 (kind 1). A catalogue that was made without this index answers, too, but slowly.
Index("fact_sha256", fact.c.value, sqlite_where=fact.c.kind == 1)
