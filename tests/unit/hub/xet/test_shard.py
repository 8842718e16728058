"""Shards are parsed into files, and refused when a count or a length in them lies."""

import hashlib
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorhub.errors import (
    FormatError,
    InvalidHeaderError,
    InvalidRecordError,
    LimitExceededError,
    UnsupportedVersionError,
)
from tensorhub.hub.xet import shard as shard_module
from tensorhub.hub.xet.shard import ChunkRun, parse_shard

from ....xet_bodies import BOOKEND, TAG, make_shard

XORB, OTHER = b"x" * 32, b"o" * 32
SHA256 = hashlib.sha256(b"content").digest()
RUNS = [(XORB, 0, 3, 100), (OTHER, 7, 8, 50), (XORB, 3, 8192, 64 << 20)]


@pytest.mark.parametrize("has_verification", [True, False])
@pytest.mark.parametrize("sha256", [SHA256, None])
def test_files_come_back(sha256, has_verification):
    """Runs and SHA-256 are read with and without the records that may be absent."""
    files = [(sha256, RUNS), (sha256, []), (sha256, RUNS[:1])]
    data = make_shard(files, has_verification=has_verification, xorbs=[(XORB, 3), (OTHER, 0)])
    parsed = parse_shard(data)
    assert [file.runs for file in parsed] == [tuple(ChunkRun(*run) for run in runs) for _, runs in files]
    assert {file.sha256 for file in parsed} == {sha256}
    assert parsed[0].nbytes == 150 + (64 << 20)


def test_every_truncation_is_noticed():
    """A shard that ends early is told."""
    data = make_shard([(SHA256, RUNS)], xorbs=[(XORB, 2)])
    for nbytes in range(len(data)):
        with pytest.raises(FormatError):
            parse_shard(data[:nbytes])


def test_every_flipped_bit_is_read_or_refused():
    """Damage anywhere in a shard gives files or an error of the format, and nothing else."""
    data = make_shard([(SHA256, RUNS), (None, RUNS[:1])], xorbs=[(XORB, 2)])
    for at in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[at // 8] ^= 1 << at % 8
        with suppress(FormatError):
            parse_shard(damaged)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tail):
    """What follows a sound header may be anything."""
    with suppress(FormatError):
        parse_shard(HEAD + tail)


def test_a_footer_is_left_out():
    """What follows the lists is ignored where the header announces it, and only there."""
    data = bytearray(make_shard([(SHA256, RUNS)]))
    with pytest.raises(InvalidRecordError, match="the end of the shard"):
        parse_shard(data + bytes(200))
    data[40:48] = struct.pack("<Q", 200)
    assert len(parse_shard(data + bytes(200))) == 1


def file_record(flags=0, count=1):
    """Write the header of a file that says so many runs."""
    return b"f" * 32 + struct.pack("<IIQ", flags, count, 0)


def run_record(first, stop, nbytes):
    """Write a run."""
    return XORB + struct.pack("<IIII", 0, nbytes, first, stop)


HEAD = TAG + struct.pack("<QQ", 2, 0)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", InvalidHeaderError),
        (b"HFRepoMetaData".ljust(200, b"\0"), InvalidHeaderError),
        (TAG + struct.pack("<QQ", 3, 0) + 2 * BOOKEND, UnsupportedVersionError),
        (HEAD + file_record(count=0xFFFFFFFF) + 2 * BOOKEND, InvalidRecordError),
        (HEAD + file_record(flags=1 << 31, count=2) + 4 * BOOKEND, InvalidRecordError),
        (HEAD + file_record(flags=1) + run_record(0, 1, 1) + 2 * BOOKEND, InvalidRecordError),
        (HEAD + file_record() + run_record(1, 1, 1) + 2 * BOOKEND, InvalidRecordError),
        (HEAD + file_record() + run_record(5, 2, 1) + 2 * BOOKEND, InvalidRecordError),
        (HEAD + file_record() + run_record(0, 8193, 1) + 2 * BOOKEND, InvalidRecordError),
        (HEAD + file_record() + run_record(0, 1, 0) + 2 * BOOKEND, InvalidRecordError),
        (HEAD + file_record() + run_record(0, 1, (64 << 20) + 1) + 2 * BOOKEND, InvalidRecordError),
        (HEAD + BOOKEND + XORB + struct.pack("<IIII", 0, 8193, 0, 0) + BOOKEND, InvalidRecordError),
        (HEAD + BOOKEND + XORB + struct.pack("<IIII", 0, 9, 0, 0) + BOOKEND, InvalidRecordError),
    ],
)
def test_what_is_no_shard_is_refused(data, kind):
    """Each rule of the format has its error."""
    with pytest.raises(kind):
        parse_shard(data)


def test_a_huge_shard_is_refused(monkeypatch):
    """The size is looked at before anything else."""
    monkeypatch.setattr(shard_module, "MAX_SHARD_NBYTES", 100)
    with pytest.raises(LimitExceededError, match="at most 100 bytes"):
        parse_shard(bytes(101))


def test_too_many_runs_are_refused(monkeypatch):
    """What was parsed is bounded, not only what came."""
    monkeypatch.setattr(shard_module, "MAX_RUNS", 7)
    assert len(parse_shard(make_shard([(SHA256, RUNS), (SHA256, RUNS[:2])]))) == 2
    with pytest.raises(LimitExceededError, match="files and runs"):
        parse_shard(make_shard([(SHA256, RUNS), (SHA256, RUNS)]))
