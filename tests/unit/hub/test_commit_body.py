"""The commit body's reader, cut anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub.errors import InvalidRequestError
from tensorhub.hub.commit_body import CommitBody
from tensorhub.hub.commit_operations import CopyFile, DeletePath, PutFile, PutLfsFile
from tensorhub.hub.spool import Spool

DATA = bytes(range(256)) * 3
LINES = [
    {"key": "header", "value": {"summary": 'a "content": "x"', "description": "", "parentCommit": "abcde"}},
    {"key": "file", "value": {"content": base64.b64encode(DATA).decode(), "path": "a", "encoding": "base64"}},
    {"key": "file", "value": {"path": "e", "encoding": "base64", "content": ""}},
    {"key": "lfsFile", "value": {"path": "l", "algo": "sha256", "oid": "ab" * 32, "size": 3}},
    {"key": "lfsFile", "value": {"path": "m", "oid": "ab" * 32}},
    {"key": "deletedFile", "value": {"path": "d"}},
    {"key": "deletedFolder", "value": {"path": "f/"}},
    {"key": "copyFile", "value": {"srcPath": "a", "path": "b"}},
]
BODY = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, len(BODY)), max_size=6).map(sorted),
    st.booleans(),
    st.integers(0, 2),
    st.booleans(),
)
def test_any_cut(cuts: list[int], escapes: bool, indent: int, is_open_ended: bool) -> None:
    """Wherever the stream is cut, the same comes out."""
    body = BODY.replace(b"/", b"\\/") if escapes else BODY
    body = body.replace(b'"content": "', b'"content"' + b" " * indent + b':"')
    body = body[:-1] if is_open_ended else body
    spool = Spool(Path("unused"))
    reader = CommitBody(spool)
    for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True):
        reader.feed(body[start:stop])
    found = reader.finish()
    spool_bytes = bytearray(len(DATA))
    first, second, *others = found.operations
    assert isinstance(first, PutFile) and isinstance(second, PutFile)
    first.source.read_into(0, spool_bytes)
    assert (found.header.parent, spool_bytes, first.path, second.path) == ("abcde", DATA, "a", "e")
    assert first.sha256 == hashlib.sha256(DATA).digest()
    assert first.git_sha1 == hashlib.sha1(b"blob %d\0" % len(DATA) + DATA).digest()
    assert (second.source.nbytes, second.sha256) == (0, hashlib.sha256().digest())
    assert others == [
        PutLfsFile("l", b"\xab" * 32, 3),
        PutLfsFile("m", b"\xab" * 32, None),
        DeletePath("d", False),
        DeletePath("f", True),
        CopyFile("a", "b", None),
    ]
    spool.close()


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, len(BODY)))
def test_noise(noise: bytes, at: int) -> None:
    """Whatever is written into a body, it is parsed or refused."""
    reader = CommitBody(Spool(Path("unused")))
    try:
        reader.feed(BODY[:at] + noise + BODY[at:])
        reader.finish()
    except (InvalidRequestError, ValueError) as error:
        assert getattr(error, "http_status", None) in (400, 422)


def test_too_many_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of operations is bounded."""
    monkeypatch.setattr("tensorhub.hub.commit_body.MAX_OPERATIONS", 5)
    with pytest.raises(InvalidRequestError, match="5 operations"):
        CommitBody(Spool(Path("unused"))).feed(BODY)
