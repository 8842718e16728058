"""The codec *xor_planes_zstd*: byte planes of the XOR with a prediction.

Duty: code a chunk that resembles its prediction, so that most bits of the XOR are zero.
Not its duty: making the prediction (predictors).
Invariants: lossless for every bit pattern; the prediction has the chunk's length.
"""

from __future__ import annotations

from tensorhub._native import merge_planes_xor, xor_split_planes
from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk, ResidualCodec
from tensorhub.codecs.damage import check_no_parameters, check_version, corrupt_chunk, require_prediction
from tensorhub.codecs.plane_streams import MAX_PLANES, decode_planes, encode_planes
from tensorhub.codecs.scratch import lend_scratch


class XorPlanesZstdCodec(ResidualCodec):
    """Codes byte planes of ``target XOR prediction``."""

    codec_id = 3
    name = "xor_planes_zstd"
    needs_prediction = True

    def encode(self, target: Buffer, context: CodecContext) -> CodedChunk | None:  # noqa: D102 - inherited
        width, prediction = (
            context.element_width,
            require_prediction(self.name, context.prediction, len(target)),
        )
        if width > MAX_PLANES:
            return None
        planes = lend_scratch("XOR planes", len(target))
        xor_split_planes(target, prediction, width, planes)
        data = encode_planes(planes, width, 0)
        return CodedChunk(self.codec_id, self.version, b"", data) if len(data) < len(target) else None

    def decode(  # noqa: D102 - docstring inherited
        self,
        coded: Buffer,
        context: CodecContext,
        version: int,
        parameters: bytes,
        out: bytearray | memoryview,
    ) -> None:
        check_version(self.name, self.version, version)
        check_no_parameters(self.name, parameters)
        prediction = require_prediction(self.name, context.prediction, len(out))
        planes = lend_scratch("XOR planes", len(out))
        flags = decode_planes(self.name, coded, context.element_width, planes)
        if flags:
            raise corrupt_chunk(self.name, "no flags", f"{flags:#04x}")
        merge_planes_xor(planes, prediction, context.element_width, out)
