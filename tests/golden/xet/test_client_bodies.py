"""What the real client sent is read for ever.

One upload by hf-xet 1.8.0 for each of its compression settings, and one by 1.1.2, which appended footers.
"""

import hashlib
from pathlib import Path

import pytest

from tensorhub.formats.source import FileSource
from tensorhub.hub.xet.hashes import to_text
from tensorhub.hub.xet.shard import parse_shard
from tensorhub.hub.xet.xorb import HEADER_NBYTES, check_xorb, decode_chunk, parse_header

HERE = Path(__file__).parent
# Setting -> hash in the address that the xorb was sent to; files are put into it in the order in which they are done.
HASHES = {
    "none": "1117cd986b3fc05707c4353fb2d1f2d58af19452f00784b059d531659f554096",
    "lz4": "da142d9f60ecc07e862537b4cf59ac501cd0cc86f02368e2a26a61cf763df1e5",
    "bg4-lz4": "1117cd986b3fc05707c4353fb2d1f2d58af19452f00784b059d531659f554096",
    "footer": "1117cd986b3fc05707c4353fb2d1f2d58af19452f00784b059d531659f554096",
}
CONTENTS = {
    20003: "d999d373ac5b6d6f2fd619f0dba7faa7d1489a2ee9ed8d616d5d64a6d6bfe787",
    13500: "ed7d5b7fc8cb1420460e1a401ec1c6a17acbb5c89de6db505f2fb1dfdcdac2fd",
}


@pytest.mark.parametrize("setting", HASHES)
def test_files_come_out_of_a_real_upload(setting):
    """Xorb and shard of an upload give the files that were uploaded."""
    files = parse_shard((HERE / f"{setting}.shard").read_bytes())
    (xorb,) = {run.xorb for file in files for run in file.runs}
    assert to_text(xorb) == HASHES[setting]
    body = memoryview((HERE / f"{setting}.xorb").read_bytes())
    with FileSource(HERE / f"{setting}.xorb") as source:
        table = check_xorb(source, xorb)
    chunks = []
    for index in range(len(table)):
        chunk = body[table.offsets[index] : table.offsets[index + 1]]
        _, scheme, nbytes = parse_header(chunk)
        chunks.append(bytes(decode_chunk(chunk[HEADER_NBYTES:], scheme, nbytes)))
    found = {}
    for file in files:
        content = b"".join(b"".join(chunks[run.first : run.stop]) for run in file.runs)
        assert hashlib.sha256(content).digest() == file.sha256
        found[len(content)] = file.sha256.hex()
    assert found == CONTENTS
