"""The codec *joint*: exponent and top mantissa bits of floats as one symbol, in contexts of scale.

Duty: the smallest size of floats without a base, at a third of the speed of ``planes``.
Not its duty: predictions (``ulp_delta``); elements that are no BF16, F16 or F32.
Invariants: lossless for every bit pattern; which float it is stands in the coded bytes, so that a wrong guess costs
size and nothing else. The kernels are ``native/src/joint.cpp``; the definition is ``reference_joint``.
"""

from __future__ import annotations

from tensorhub._native import decode_joint, encode_joint, plan_planes
from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk, ResidualCodec
from tensorhub.codecs.damage import check_no_parameters, check_version

_BF16, _F32, _F16 = 0, 1, 2  # kinds in the coded bytes


class JointCodec(ResidualCodec):
    """Codes 10-bit keys (8 exponent bits, 2 of the mantissa) by rANS with 12-bit frequencies."""

    codec_id = 5
    name = "joint"

    def encode(self, target: Buffer, context: CodecContext) -> CodedChunk | None:  # noqa: D102 - inherited
        width = context.element_width
        if width not in (2, 4):
            return None
        if width == 4:
            kind = _F32
        else:
            plan = context.planes_plan or plan_planes(target, width)
            kind = _BF16 if plan.moves_sign else _F16
        data = encode_joint(target, kind)
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
        decode_joint(coded, context.element_width, out)
