"""The raw codec keeps bytes."""

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.raw import RawCodec


def test_coded_bytes_are_the_bytes():
    coded = RawCodec().encode(memoryview(b"xabcx")[1:-1], CodecContext(2))
    assert (coded.data, coded.parameters, coded.nbytes) == (b"abc", b"", 3)
