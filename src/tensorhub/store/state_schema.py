"""Tables of the state: what an operator decided, and what the hub must remember to keep its word.

Duty: the SQL schema and its version. Not its duty: any query.
Invariants: nothing here can be computed from packs and refs. A new table needs no new version: it is added to
an existing file when that is opened, and from then on its absence is damage. A column that is added, or changes its
meaning, takes a new version and a step in ``state_file``. Ids of repositories, names of users and namespaces
are compared by their ``key`` columns, which are without case; the columns beside them keep them as written.
Times are milliseconds since 1970 UTC. Specified in ``docs/format.md``, section 2.
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

STATE_VERSION = 1
metadata = MetaData()

# ``version`` and ``tables``: what this file must have.
meta = Table(
    "meta", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False)
)

# Settings that a program makes and keeps: the signing secret, the retention epoch, ...
setting = Table(
    "setting", metadata, Column("key", String, primary_key=True), Column("value", String, nullable=False)
)

# -- who may do what: rows with a ``seal`` are written and read through ``state_rows`` ---------------------------

user = Table(
    "user",
    metadata,
    Column("key", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("is_admin", Integer, nullable=False),
    Column("is_disabled", Integer, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("seal", BigInteger, nullable=False),
)

membership = Table(
    "membership",
    metadata,
    Column("user", ForeignKey("user.key"), primary_key=True),
    Column("namespace_key", String, primary_key=True),
    Column("namespace", String, nullable=False),
    Column("role", String, nullable=False),  # read, write, admin
    Column("seal", BigInteger, nullable=False),
)
Index("membership_namespace", membership.c.namespace_key)

namespace = Table(
    "namespace",
    metadata,
    Column("key", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("full_name", String, nullable=False),
    Column("visibility", String, nullable=False),  # of new repositories: public, private
    Column("seal", BigInteger, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", String, primary_key=True),
    Column("user", ForeignKey("user.key"), nullable=False),
    Column("name", String, nullable=False),
    Column("secret_digest", LargeBinary, nullable=False, unique=True),
    Column("scope", String, nullable=False),  # read, write
    Column("namespaces", String),  # JSON list of keys; NULL: wherever its user may
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger),
    Column("revoked_at_ms", BigInteger),
    Column("last_used_at_ms", BigInteger, info={"is_unsealed": True}),
    Column("seal", BigInteger, nullable=False),
)
Index("token_user", token.c.user)

# A repository without a row is private once there are users.
repository = Table(
    "repository",
    metadata,
    Column("repo_type", String, primary_key=True),
    Column("repo_key", String, primary_key=True),
    Column("repo_id", String, nullable=False),
    Column("visibility", String, nullable=False),  # public, private
    Column("gated", String, nullable=False),  # no, auto, manual
    Column("owner", String),  # key of a user
    Column("created_at_ms", BigInteger, nullable=False),
    Column("sdk", String),  # of a space
    Column("seal", BigInteger, nullable=False),
)

rename = Table(
    "rename",
    metadata,
    Column("repo_type", String, primary_key=True),
    Column("old_key", String, primary_key=True),
    Column("new_id", String, nullable=False),
    Column("seal", BigInteger, nullable=False),
)

# Pull requests and discussions, which share their numbers: a discussion has an empty ``base``.
pull_request = Table(
    "pull_request",
    metadata,
    Column("repo_type", String, primary_key=True),
    Column("repo_key", String, primary_key=True),
    Column("num", Integer, primary_key=True),
    Column("title", String, nullable=False),
    Column("description", String, nullable=False),
    Column("author", String, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("base", String, nullable=False),
    Column("status", String, nullable=False),  # draft, open, closed, merged
)

# What happened in them: comments, new titles and statuses. ``data`` is JSON.
discussion_event = Table(
    "discussion_event",
    metadata,
    Column("repo_type", String, primary_key=True),
    Column("repo_key", String, primary_key=True),
    Column("num", Integer, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("kind", String, nullable=False),  # comment, status-change, title-change
    Column("author", String, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("data", String, nullable=False),
    sqlite_with_rowid=False,
)

# -- what happened -------------------------------------------------------------------------------------------------

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("user", String),  # as written; NULL: nobody known
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("address", String, nullable=False),
)
Index("audit_at", audit.c.at_ms)

# -- what is kept for clients that may ask for it again ------------------------------------------------------------

# File records that stay gc roots until a time, though no ref reaches them. ``holder`` says what for.
retained = Table(
    "retained",
    metadata,
    Column("file", LargeBinary, primary_key=True),  # the digest of the file record, 32 bytes
    Column("holder", String, primary_key=True),
    Column("expires_at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("retained_expires", retained.c.expires_at_ms)

# A file that was uploaded and checked, and waits for the commit that names it.
upload = Table(
    "upload",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("user", String, primary_key=True),
    Column("nbytes", BigInteger, nullable=False),
    Column("runs", LargeBinary),  # records of 48 bytes: runs of chunks of xorbs; NULL: a file of its own
    Column("ready_at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Xorbs that clients may name again: the lengths of their chunks, who sent them, and which file records of the store
# their chunks lie in. Clients keep such names for three weeks.
xorb = Table(
    "xorb",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("lengths", LargeBinary, nullable=False),  # of each chunk, 4 bytes little-endian
)

xorb_sender = Table(
    "xorb_sender",
    metadata,
    Column("xorb", LargeBinary, primary_key=True),
    Column("user", String, primary_key=True),
    Column("sent_at_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("xorb_sender_user", xorb_sender.c.user, xorb_sender.c.sent_at_ms)

xorb_place = Table(
    "xorb_place",
    metadata,
    Column("xorb", LargeBinary, primary_key=True),
    Column("first", Integer, primary_key=True),  # chunks [first, stop) ...
    Column("stop", Integer, primary_key=True),
    Column("file", LargeBinary, nullable=False),  # ... lie in this file record, from this offset on
    Column("offset", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
Index("xorb_place_file", xorb_place.c.file)

# How often a user's clients were told to forget what they remember of earlier uploads.
xet_epoch = Table(
    "xet_epoch",
    metadata,
    Column("user", String, primary_key=True),
    Column("epoch", Integer, nullable=False),
)
