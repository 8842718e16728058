"""The codec *planes*: byte planes of elements, each coded by what suits it. The default without a base.

Duty: floats of every width, integers, masks: exponents by rANS or a cascade of short codes, noise as it is,
constant and trimmed planes, sorted numbers by their differences.
Not its duty: predictions (``ulp_delta``); bytes that repeat (``zstd``).
Invariants: lossless for every bit pattern; the element width comes from the blob record, never from the coded
bytes; the mode steers only the encoder. The kernels are ``native/src/planes_codec.cpp``; the definition is
``reference_planes``.
"""

from __future__ import annotations

from typing import ClassVar

from tensorhub._native import decode_planes, encode_planes
from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk, ResidualCodec
from tensorhub.codecs.damage import check_no_parameters, check_version
from tensorhub.codecs.mode import Mode

MAX_WIDTH = 16  # as native/include/tensorhub/planes_codec.hpp


class PlanesCodec(ResidualCodec):
    """Codes byte planes: raw, constant, trimmed, as a cascade, by small or by wide rANS."""

    codec_id = 4
    name = "planes"
    _effort: ClassVar[dict[Mode, int]] = {Mode.FAST: 0, Mode.BALANCED: 1, Mode.MAX: 2}

    def encode(self, target: Buffer, context: CodecContext) -> CodedChunk | None:  # noqa: D102 - inherited
        if context.element_width > MAX_WIDTH:
            return None
        effort = self._effort[context.mode]
        data = encode_planes(target, context.element_width, effort, context.planes_plan)
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
        decode_planes(coded, context.element_width, out)
