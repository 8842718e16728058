"""Xorbs are taken apart exactly, and refused when anything in them is not as it says."""

import lz4.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorhub.errors import FormatError, InvalidRecordError, LimitExceededError, UnsupportedVersionError
from tensorhub.formats.source import MemorySource
from tensorhub.hub.xet.hashes import chunk_hash, xorb_hash
from tensorhub.hub.xet.xorb import (
    HEADER_NBYTES,
    MAX_CHUNK_NBYTES,
    MAX_CHUNKS,
    check_xorb,
    decode_chunk,
    parse_header,
    plain_header,
    scan_xorb,
)

from ....xet_bodies import SCHEMES, encode_chunk, header, make_xorb, some_chunks


def decode_all(body):
    """Decode every chunk of a xorb, one by one."""
    table, view = scan_xorb(MemorySource(body)), memoryview(body)
    out = []
    for index in range(len(table)):
        chunk = view[table.offsets[index] : table.offsets[index + 1]]
        _, scheme, nbytes = parse_header(chunk)
        out.append(bytes(decode_chunk(chunk[HEADER_NBYTES:], scheme, nbytes)))
    return out


@pytest.mark.parametrize("scheme", SCHEMES)
@given(chunks=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=40))
def test_chunks_come_back(scheme, chunks):
    """Any chunks in any scheme decode to themselves, and the table says where they lie."""
    expected, body = make_xorb(chunks, scheme)
    table = check_xorb(MemorySource(body), expected)
    assert decode_all(body) == chunks
    assert list(table.lengths()) == [len(chunk) for chunk in chunks]
    assert (table.nbytes, table.stored_nbytes) == (sum(map(len, chunks)), len(body))


def test_windows_do_not_matter():
    """A xorb larger than the window that is read at once is walked as a small one."""
    chunks = some_chunks(40, MAX_CHUNK_NBYTES - 9)
    expected, body = make_xorb(chunks)
    assert len(check_xorb(MemorySource(body), expected)) == 40
    assert decode_all(body) == chunks


def test_a_footer_is_left_out():
    """What older clients append counts neither as a chunk nor as stored bytes."""
    expected, body = make_xorb(some_chunks(3))
    footer = b"XETBLOB\0" + bytes(100)
    footer += (len(footer)).to_bytes(4, "little")
    table = check_xorb(MemorySource(body + footer), expected)
    assert (len(table), table.stored_nbytes) == (3, len(body))
    with pytest.raises(InvalidRecordError, match="footer"):
        check_xorb(MemorySource(body + footer + b"x"), expected)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_flipped_bit_is_noticed(scheme):
    """Damage anywhere in a xorb is told, whatever it hits."""
    expected, body = make_xorb(some_chunks(2, 40), scheme)
    for at in range(len(body) * 8):
        damaged = bytearray(body)
        damaged[at // 8] ^= 1 << at % 8
        try:
            found = check_xorb(MemorySource(damaged), expected)
        except FormatError:
            continue
        # Some bits of an LZ4 frame say nothing about the content.
        assert scheme != "plain"
        assert list(found.lengths()) == [40, 41]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_truncation_is_noticed(scheme):
    """A xorb that ends early is told."""
    expected, body = make_xorb(some_chunks(2, 40), scheme)
    for nbytes in range(len(body)):
        with pytest.raises(FormatError):
            check_xorb(MemorySource(body[:nbytes]), expected)


@pytest.mark.parametrize("scheme", ["lz4", "grouped"])
def test_a_bomb_is_not_unpacked(scheme):
    """A frame that decodes to more than its header says is refused without decoding it all."""
    stored = lz4.frame.compress(bytes(50 << 20))
    assert len(stored) < 2 * MAX_CHUNK_NBYTES
    body = header(len(stored), SCHEMES[scheme], MAX_CHUNK_NBYTES) + stored
    with pytest.raises(InvalidRecordError, match="more than that"):
        check_xorb(MemorySource(body), bytes(32))


def test_two_frames_are_not_one():
    """What follows the frame of a chunk inside it is refused."""
    stored = lz4.frame.compress(b"abc" * 100) + lz4.frame.compress(b"def")
    with pytest.raises(InvalidRecordError, match="one LZ4 frame"):
        check_xorb(MemorySource(header(len(stored), 1, 300) + stored), bytes(32))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", InvalidRecordError),
        (header(1, 0, 1, version=1) + b"x", UnsupportedVersionError),
        (header(1, 3, 1) + b"x", UnsupportedVersionError),
        (header(0, 0, 0), InvalidRecordError),
        (header(0, 1, 5), InvalidRecordError),
        (header(2, 0, 1) + b"xx", InvalidRecordError),
        (header(1, 0, MAX_CHUNK_NBYTES + 1) + b"x", LimitExceededError),
        (header(2 * MAX_CHUNK_NBYTES + 1, 1, 1) + b"x", LimitExceededError),
        (header(100, 0, 100) + b"x", InvalidRecordError),
        (encode_chunk(b"x") * (MAX_CHUNKS + 1), LimitExceededError),
        (encode_chunk(bytes(MAX_CHUNK_NBYTES)) * 513, LimitExceededError),
        (header(4, 1, 4) + b"nope", InvalidRecordError),
        (b"XETBLOB\0\0", InvalidRecordError),
    ],
)
def test_what_is_no_xorb_is_refused(body, kind):
    """Each rule of the format has its error."""
    with pytest.raises(kind):
        check_xorb(MemorySource(body), bytes(32))


def test_another_hash_is_refused():
    """Sound chunks under a foreign hash are no xorb."""
    expected, body = make_xorb(some_chunks(3))
    with pytest.raises(InvalidRecordError, match="the hash"):
        check_xorb(MemorySource(body), expected[::-1])


def test_plain_headers_are_read_back():
    """The header that is written for downloads is one that is accepted."""
    chunk = b"content"
    body = plain_header(len(chunk)) + chunk
    check_xorb(MemorySource(body), xorb_hash([(chunk_hash(chunk), len(chunk))]))
