"""Digests and checksums."""

from blake3 import blake3

from tensorhub.store.hashing import Hasher, ObjectKind, checksum


def test_plain_and_keyed() -> None:
    """A digest is BLAKE3 of the bytes, keyed where the store is; pieces make no difference."""
    data = bytes(range(256)) * 9
    assert Hasher().digest(data).value == blake3(data).digest()
    keyed = Hasher(b"k" * 32)
    assert keyed.digest(data).value == blake3(data, key=b"k" * 32).digest()
    state = keyed.start()
    for start in range(0, len(data), 100):
        state.update(memoryview(data)[start : start + 100])
    assert keyed.finish(state) == keyed.digest(data)
    assert Hasher(b"l" * 32).digest(data) != keyed.digest(data)


def test_objects_of_two_kinds_never_meet() -> None:
    """The same payload as commit, tree, file and blob has four names."""
    hasher = Hasher()
    names = {hasher.object_digest(kind, b"payload") for kind in ObjectKind} | {hasher.digest(b"payload")}
    assert len(names) == 4


def test_checksum_is_xxh3() -> None:
    """The checksum is XXH3-64 with seed 0, whatever kind of buffer."""
    assert checksum(b"") == 0x2D06800538D394C2
    assert checksum(b"abc") == checksum(bytearray(b"abc")) == checksum(memoryview(b"abc"))
