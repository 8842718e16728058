"""A chunk counts when it was decoded again; encoders that differ are told apart."""

import pytest

from tensorhub.codecs import registry
from tensorhub.codecs.base import CodecContext, CodedChunk
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planner import decode_chunk
from tensorhub.errors import InvariantError
from tensorhub.store import coding
from tensorhub.store.coding import code_chunk, planner_signature
from tensorhub.store.hashing import checksum

from ...weights import noise, tuned, weights

BASE = weights((300, 400), 1)


@pytest.mark.parametrize("mode", Mode)
def test_round_trip(mode: Mode) -> None:
    """What comes out decodes to what went in, with its checksum, against a prediction where that is smaller."""
    raw = tuned(BASE, 2).tobytes()
    for prediction in (None, BASE.tobytes()):
        coded = code_chunk(raw, 2, prediction, mode, "a chunk")
        assert coded.is_delta is (prediction is not None)
        assert coded.checksum == checksum(coded.chunk.data)
        out = bytearray(len(raw))
        context = CodecContext(2, prediction)
        chunk = coded.chunk
        decode_chunk(chunk.codec_id, chunk.codec_version, chunk.parameters, chunk.data, context, out)
        assert out == raw
    assert not code_chunk(raw, 2, noise(len(raw), 3), mode, "a chunk").is_delta


def test_large_chunks() -> None:
    """A chunk of another writer may be larger than ours are."""
    raw = noise(3 << 20, 1)
    assert code_chunk(raw, 1, None, Mode.BALANCED, "a chunk").chunk.data == raw


def test_a_codec_that_loses_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other bytes than those that went in are a bug, named with what they belong to."""
    for data in (bytes(100), bytes(99)):
        wrong = CodedChunk(0, 1, b"", data)
        monkeypatch.setattr(coding, "encode_smallest", lambda *_, wrong=wrong: (wrong, False))
        with pytest.raises(InvariantError, match="a model"):
            code_chunk(noise(100, 1), 1, None, Mode.BALANCED, "a model")


def test_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays as it is until a codec is added, and fits what is stored."""
    first = planner_signature()
    assert first == planner_signature() < 1 << 64
    monkeypatch.setattr(coding, "CODECS", registry.CODECS[:-1])
    assert planner_signature() != first
