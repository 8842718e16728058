"""The codec *planes_zstd*: byte planes, each coded by itself, for chunks without a base.

Duty: bring alike bytes together (all exponents, all low mantissas) and code each plane its best way.
Not its duty: predictions; it ignores them.
Invariants: lossless for every bit pattern; the element width comes from the blob record, never from the
coded bytes.

BF16 and F32 have their sign in the top byte and their exponent's lowest bit in the byte below. Where a sample
says that it helps, the two are exchanged (flag ``SIGN_MOVED``), so that one plane holds exactly the exponent:
1.3 % fewer bytes on BF16 weights of a small language model.
"""

from __future__ import annotations

from tensorhub._native import merge_planes, move_sign_down, move_sign_up, split_planes
from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk, ResidualCodec
from tensorhub.codecs.byte_statistics import entropy_bits, sample_pieces
from tensorhub.codecs.damage import check_no_parameters, check_version, corrupt_chunk
from tensorhub.codecs.plane_streams import MAX_PLANES, decode_planes, encode_planes
from tensorhub.codecs.scratch import lend_scratch

SIGN_MOVED = 1  # flag bit 0; the other seven are reserved and must be zero

_SAMPLE_PIECES, _SAMPLE_PIECE_NBYTES = 8, 512
# Exchanging costs a pass over two planes; below this gain, in bits per element, it is noise of the sample.
_MIN_SIGN_GAIN_BITS = 0.03


class PlanesZstdCodec(ResidualCodec):
    """Codes byte planes with a mode each: raw, constant, zstd or sparse."""

    codec_id = 2
    name = "planes_zstd"

    def encode(self, target: Buffer, context: CodecContext) -> CodedChunk | None:  # noqa: D102 - inherited
        width, view = context.element_width, memoryview(target)
        if width > MAX_PLANES:
            return None
        planes, flags = view, 0
        if width > 1:
            planes = lend_scratch("planes", len(view))
            split_planes(view, width, planes)
            count = len(view) // width
            low, high = (
                planes[(width - 2) * count : (width - 1) * count],
                planes[(width - 1) * count : width * count],
            )
            if _gains_from_moved_sign(high, low):
                move_sign_down(high, low)
                flags = SIGN_MOVED
        data = encode_planes(planes, width, flags)
        return CodedChunk(self.codec_id, self.version, b"", data) if len(data) < len(view) else None

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
        width, view = context.element_width, memoryview(out)
        planes = view if width == 1 else lend_scratch("planes", len(view))
        flags = decode_planes(self.name, coded, width, planes)
        if flags & ~SIGN_MOVED or (flags and width == 1):
            raise corrupt_chunk(self.name, "flags that this version knows", f"{flags:#04x}")
        if width > 1:
            if flags & SIGN_MOVED:
                count = len(view) // width
                move_sign_up(
                    planes[(width - 1) * count : width * count],
                    planes[(width - 2) * count : (width - 1) * count],
                )
            merge_planes(planes, width, view)


def _gains_from_moved_sign(high: memoryview, low: memoryview) -> bool:
    sampled_high = bytearray(sample_pieces(high, _SAMPLE_PIECES, _SAMPLE_PIECE_NBYTES))
    sampled_low = bytearray(sample_pieces(low, _SAMPLE_PIECES, _SAMPLE_PIECE_NBYTES))
    before = entropy_bits(sampled_high) + entropy_bits(sampled_low)
    move_sign_down(sampled_high, sampled_low)
    after = entropy_bits(sampled_high) + entropy_bits(sampled_low)
    return after + _MIN_SIGN_GAIN_BITS < before
