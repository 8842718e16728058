"""The codec *zstd*: one Zstandard frame, for text, JSON, tables and whatever else repeats.

Duty: generic compression of the chunk's bytes in their order. Not its duty: floats; planes do those better.
Invariant: coded bytes are one frame with its content size and nothing after it.
"""

from __future__ import annotations

from tensorhub.codecs.base import Buffer, CodecContext, CodedChunk, ResidualCodec
from tensorhub.codecs.damage import check_no_parameters, check_version
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.zstd_frames import ZstdSettings, compress_frame, decompress_frame


class ZstdCodec(ResidualCodec):
    """Compresses the bytes as they lie."""

    codec_id = 1
    name = "zstd"

    def encode(self, target: Buffer, context: CodecContext) -> CodedChunk | None:  # noqa: D102 - inherited
        # Plain bytes deserve the better level. Wide elements come out of here only when they repeat (ids,
        # masks, padding), and level 1 finds that; on weights level 3 is both slower and larger.
        settings = ZstdSettings.GENERIC if context.element_width == 1 else ZstdSettings.GENERIC_FAST
        if context.mode is Mode.MAX:
            settings = ZstdSettings.GENERIC_SMALL
        data = compress_frame(target, settings)
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
        decompress_frame(self.name, coded, memoryview(out))
