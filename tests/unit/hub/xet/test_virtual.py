"""Virtual xorbs: any range of a file comes back from the chunks that are named for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorhub.formats.source import MemorySource
from tensorhub.hub.xet import virtual
from tensorhub.hub.xet.virtual import CHUNK_NBYTES, frame, make_term, plan_terms, xorb_name
from tensorhub.hub.xet.xorb import HEADER_NBYTES, MAX_CHUNKS, scan_xorb
from tensorhub.schema.digest import Digest

FILE = Digest(bytes(range(32)))


@given(data=st.data())
def test_ranges_come_back(data):
    """The chunks of all terms, without what comes before the range, begin with the range."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(virtual, "CHUNK_NBYTES", 16)
        patch.setattr(virtual, "_FRAME_NBYTES", 16 + HEADER_NBYTES)
        patch.setattr(virtual, "XORB_CHUNKS", 4)
        content = bytes(i % 251 for i in range(data.draw(st.integers(1, 300))))
        start = data.draw(st.integers(0, len(content) - 1))
        stop = data.draw(st.integers(start + 1, len(content)))
        skipped, terms = plan_terms(len(content), start, stop)
        out = b""
        for term in terms:
            assert make_term(len(content), term.index, term.first, term.stop) == term
            body, at = bytearray(), term.offset
            while at < term.offset + term.nbytes:  # in pieces of any length, as responses are made
                nbytes = data.draw(st.integers(1, term.offset + term.nbytes - at))
                body += frame(bytearray(content[at : at + nbytes]), at, len(content))
                at += nbytes
            assert len(body) == term.stored_nbytes
            table = scan_xorb(MemorySource(body))
            assert len(table) == term.stop - term.first
            assert table.nbytes == term.nbytes
            for index in range(len(table)):
                out += body[table.offsets[index] + HEADER_NBYTES : table.offsets[index + 1]]
        assert out[skipped : skipped + stop - start] == content[start:stop]
        assert skipped < 16


def test_names_differ_and_stay():
    """A xorb is named by its file and place; the name is what clients keep it by."""
    names = [xorb_name(FILE, index) for index in range(3)] + [xorb_name(Digest(bytes(32)), 0)]
    assert len(set(names)) == 4
    assert names[0] == xorb_name(FILE, 0)
    assert all(len(name) == 64 for name in names)


def test_limits_of_the_protocol_hold():
    """A huge file is cut into xorbs that clients take."""
    skipped, terms = plan_terms(60 << 30, 1, 60 << 30)
    assert (skipped, len(terms)) == (1, 960)
    assert max(term.nbytes for term in terms) == 64 << 20
    assert max(term.stop for term in terms) <= MAX_CHUNKS
    assert CHUNK_NBYTES == 128 << 10
