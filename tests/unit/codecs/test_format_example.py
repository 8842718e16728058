"""The example bytes of the format page decode as the page says."""

import re
from pathlib import Path

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.planner import decode_chunk

PAGE = Path(__file__).parents[3] / "docs" / "format.md"


def test_example():
    example = PAGE.read_text(encoding="utf-8").split("### Example of a coded chunk")[1]
    coded = bytes.fromhex(re.search(r"```\n(.*?)\n```", example, re.DOTALL)[1].replace(" ", ""))
    decoded = bytes.fromhex(re.search(r"of 5 bytes, `(.*?)`", example)[1])
    out = bytearray(len(decoded))
    decode_chunk(2, 1, b"", coded, CodecContext(2), out)
    assert out == decoded
