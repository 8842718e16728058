"""An encoder whose modes differ in size whatever the codecs are: for tests of what modes lead to."""

from __future__ import annotations

from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planner import encode_smallest
from tensorhub.codecs.registry import RAW, codec_by_name


def encode_by_mode(
    target: Buffer, element_width: int, prediction: Buffer | None, mode: Mode = Mode.BALANCED
) -> tuple[CodedChunk, bool]:
    """Leave chunks raw in mode fast, use zstd alone in mode balanced, and everything in mode max."""
    if mode is Mode.MAX:
        return encode_smallest(target, element_width, prediction, mode)
    context = CodecContext(element_width)
    raw = RAW.encode(target, context)
    coded = codec_by_name("zstd").encode(target, context) if mode is Mode.BALANCED else None
    return (coded if coded is not None and coded.nbytes < raw.nbytes else raw), False
