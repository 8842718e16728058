"""The codec *raw*: the chunk as it is, where nothing makes it smaller.

Duty: copy. Not its duty: anything else.
Invariant: coded bytes equal decoded bytes, so a raw chunk can be read in place.
"""

from __future__ import annotations

from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk, ResidualCodec
from tensorhub.codecs.damage import check_no_parameters, check_version, corrupt_chunk


class RawCodec(ResidualCodec):
    """Keeps the chunk's bytes."""

    codec_id = 0
    name = "raw"

    def encode(self, target: Buffer, context: CodecContext) -> CodedChunk:  # noqa: D102 - docstring inherited
        return CodedChunk(self.codec_id, self.version, b"", bytes(target))

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
        if len(coded) != len(out):
            raise corrupt_chunk(self.name, f"{len(out)} bytes", f"{len(coded)} bytes")
        memoryview(out)[:] = coded
