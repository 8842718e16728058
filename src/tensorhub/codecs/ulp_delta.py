"""The codec *ulp_delta*: differences from a prediction in units of the last place, as small as they get.

Duty: fine-tunes and checkpoints against their base, dense and sparse alike, floats and integers of 1, 2, 4 and 8
bytes. Not its duty: making the prediction (predictors).
Invariants: lossless for every bit pattern; the prediction has the chunk's length. The kernels are
``native/src/ulp_delta.cpp``; the definition is ``reference_ulp_delta``.
"""

from __future__ import annotations

from tensorhub._native import UlpPlan, decode_ulp_delta, encode_ulp_delta
from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk, ResidualCodec
from tensorhub.codecs.damage import check_no_parameters, check_version, require_prediction

WIDTHS = (1, 2, 4, 8)


class UlpDeltaCodec(ResidualCodec):
    """Codes tokens of folded differences by rANS with 12-bit frequencies, in contexts of the base's magnitude.

    ``ulp_delta_fast`` is this class with other kernels.
    """

    codec_id = 6
    name = "ulp_delta"
    needs_prediction = True

    @staticmethod
    def _encode(target: Buffer, prediction: Buffer, width: int, plan: UlpPlan | None) -> bytes:
        return encode_ulp_delta(target, prediction, width, plan)

    @staticmethod
    def _decode(coded: Buffer, prediction: Buffer, width: int, out: bytearray | memoryview) -> None:
        decode_ulp_delta(coded, prediction, width, out)

    def encode(self, target: Buffer, context: CodecContext) -> CodedChunk | None:  # noqa: D102 - inherited
        prediction = require_prediction(self.name, context.prediction, len(target))
        if context.element_width not in WIDTHS:
            return None
        data = self._encode(target, prediction, context.element_width, context.delta_plan)
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
        self._decode(coded, prediction, context.element_width, out)
