"""Hashes are those of the protocol."""

import pytest

from tensorhub.errors import InvalidRecordError
from tensorhub.hub.xet.hashes import chunk_hash, parse_hash, to_text, xorb_hash

# Test vectors of the specification: hashes of numbered nodes, each a hundred times its number long.
NODES = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "cfc5d07f6f03c29bbf424132963fe08d19a37d5757aaf520bf08119f05cd56d6",
    "c3e67584b5c4fc2a89837ec39e40f2c8a6bb0b2987ac94cd4b31e5fbdd210a72",
    "0d2beb91b9196929a5ddec9f6e306924ddf4a24268e3e59fd8464738d525af37",
    "adf8773496a9b7319b2e50dc98093f344053b17d8ad37100b9c07d9805988784",
    "4ac202caf347fc1e9c874b1ef6a1c5e619141eb775a6f43f0f0124ccd0060d9e",
    "b3b28636f65c149ea52eb1f94669466f70f033b54cea792824c696ba6ef3c389",
    "0e2c1a002aae913d2c0fc8ddfa4e9e14b7b311b3b0d458726d5d9f6a6318013c",
]
ROOTS = {
    (0,): NODES[0],
    (1,): NODES[1],
    tuple(range(8)): "f62abe77e3fb9c954fe52b0028027ddc90c064c45951a4fd2211d87e5c0011db",
    tuple(range(8)) * 8: "6554007c9b5d0a5e7918f79596a1b68815c1407535585435f5735db761f21b88",
}


@pytest.mark.parametrize("numbers", ROOTS, ids=str)
def test_xorb_hash_is_that_of_the_protocol(numbers):
    """Trees of one node, one level and several have the roots that every client computes."""
    chunks = [(parse_hash(NODES[number]), 100 * number) for number in numbers]
    assert to_text(xorb_hash(chunks)) == ROOTS[numbers]


def test_text_turns_words_around():
    """The text prints each eight bytes from the last to the first."""
    value = bytes(range(32))
    assert to_text(value) == "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"
    assert parse_hash(to_text(value)) == value


@pytest.mark.parametrize(
    "text", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 63 + "\n", "../" + "0" * 61]
)
def test_other_texts_are_refused(text):
    """Nothing but 64 digits in lower case becomes a hash, and so a file name."""
    with pytest.raises(InvalidRecordError, match="64 hexadecimal digits"):
        parse_hash(text)


def test_chunk_hash_takes_any_buffer():
    """Bytes, a bytearray and a view have one hash."""
    data = b"some bytes"
    assert chunk_hash(data) == chunk_hash(bytearray(data)) == chunk_hash(memoryview(data))
