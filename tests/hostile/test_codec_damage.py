"""Coded bytes that lie: refused as damage on every SIMD path and by the plain twins, nothing written outside."""

import struct

import numpy as np
import pytest

from tensorhub.codecs.reference_streams import StreamMode
from tensorhub.errors import CorruptPackError

from ..codec_cases import (
    JOINT,
    LEVELS,
    PLANES,
    ULP_DELTA,
    ULP_DELTA_FAST,
    Kernel,
    chunk,
    simd_level,
)

HUGE = struct.pack("<I", 0xFFFFFFFF)


def refuse(kernel: Kernel, coded: bytes, width: int, nbytes: int, prediction: bytes = b"") -> None:
    """Assert that all decoders see the damage."""
    for level in LEVELS:
        with simd_level(level), pytest.raises(CorruptPackError):
            kernel.decode(coded, width, nbytes, prediction)
    with pytest.raises(CorruptPackError):
        kernel.define(coded, width, nbytes, prediction)


def put(coded: bytes, offset: int, value: bytes | int) -> bytes:
    """Overwrite some bytes."""
    data = bytes([value]) if isinstance(value, int) else value
    return coded[:offset] + data + coded[offset + len(data) :]


def planes(mode: int, stream: bytes, nbytes: int, transform: int = 0) -> bytes:
    """Wrap a stream into a chunk of one plane."""
    return struct.pack("<BIBI", transform, nbytes, mode, len(stream)) + stream


def stream_of(kind: str, effort: int, count: int) -> tuple[StreamMode, bytes, bytes]:
    """Code a plane; gives its mode, its stream, and the plane."""
    plane = chunk(kind, count, 2, 9)[1::2]
    coded = PLANES.encode(plane, 1, effort)
    return StreamMode(coded[5]), coded[10:], plane


CASCADE = stream_of("narrow bell", 0, 70_000)
SMALL = stream_of("narrow bell", 1, 140_000)  # two tables, two groups
WIDE = stream_of("narrow bell", 1, 500)
TRIMMED = stream_of("trimmed rows", 1, 1000)


def test_the_streams_are_what_they_should_be():
    assert CASCADE[0] == StreamMode.CASCADE
    assert SMALL[0] == StreamMode.SMALL_RANS
    assert WIDE[0] == StreamMode.WIDE_RANS
    assert TRIMMED[0] == StreamMode.TRIMMED
    for mode, stream, plane in (CASCADE, SMALL, WIDE, TRIMMED):
        assert PLANES.decode(planes(mode, stream, len(plane)), 1, len(plane)) == plane


def refuse_stream(case: tuple[StreamMode, bytes, bytes], stream: bytes) -> None:
    refuse(PLANES, planes(case[0], stream, len(case[2])), 1, len(case[2]))


@pytest.mark.parametrize(
    ("width", "coded"),
    [
        (2, put(planes(0, b"ab", 2), 0, 3)),
        (1, planes(0, b"ab", 2, transform=1)),
        (1, planes(0, b"ab", 2, transform=2)),
        (3, struct.pack("<BIBIBIBI", 2, 3, *[0, 1] * 3) + b"abc"),
        (1, planes(0, b"ab", 3)),
        (1, put(planes(0, b"ab", 2), 6, HUGE)),
        (1, planes(0, b"ab", 2) + b"c"),
        (1, planes(6, b"ab", 2)),
        (1, planes(255, b"ab", 2)),
        (1, planes(0, b"abc", 2)),
        (1, planes(0, b"a", 2)),
        (1, planes(1, b"", 2)),
        (1, planes(1, b"ab", 2)),
        (0, planes(0, b"ab", 2)),
        (17, planes(0, b"ab", 2)),
        (1, b""),
    ],
)
def test_planes(width, coded):
    refuse(PLANES, coded, width, 3 if width == 3 else 2)


def test_too_long_a_chunk_is_refused():
    nbytes = (4 << 20) + 1
    refuse(PLANES, planes(1, b"a", nbytes), 1, nbytes)
    for kernel in (ULP_DELTA, ULP_DELTA_FAST):
        refuse(kernel, bytes(200), 1, nbytes, bytes(nbytes))


def test_trimmed():
    _, stream, plane = TRIMMED
    blocks = len(plane) // 64
    assert (len(plane), blocks) == (1000, 15)
    trimmed = sum(stream[b // 8] >> b % 8 & 1 for b in range(blocks))
    for evil in (
        b"",
        stream[:1],
        stream[:3],
        stream[:-1],
        stream + b"\0",
        put(stream, 1, stream[1] | 0x80),  # a flag of a block that there is not
        put(stream, 0, stream[0] ^ 1),
        put(stream, 2, 0),  # masks that leave bytes over, or want more
        put(stream, 2 + trimmed - 1, 0xFF),
    ):
        refuse_stream(TRIMMED, evil)


def test_cascade():
    _, stream, plane = CASCADE
    assert len(plane) == 70_000
    ends = struct.unpack("<2I", stream[:8])
    escapes = struct.unpack("<4I", stream[20:36])
    for evil in (
        b"",
        stream[:7],
        stream[:-1],
        stream + b"\0",
        put(stream, 0, HUGE),
        put(stream, 4, HUGE),
        put(stream, 0, struct.pack("<I", ends[0] - 1)),  # blocks are one after the other, but not there
        put(stream, 0, struct.pack("<I", ends[0] + 1)),
        put(stream, 0, struct.pack("<I", 8)),
        put(stream, 0, struct.pack("<I", 7)),
        put(stream, 0, struct.pack("<2I", ends[1], ends[0])),
        put(stream, 18, 1),  # reserved
        put(stream, 19, 1),
        put(stream, 20, struct.pack("<I", 65537)),  # more escapes than values
        put(stream, 24, struct.pack("<I", escapes[0] + 1)),
        *(put(stream, 20 + 4 * level, HUGE) for level in range(4)),
        *(put(stream, 20 + 4 * level, struct.pack("<I", escapes[level] + 1)) for level in range(4)),
        *(put(stream, 20 + 4 * level, struct.pack("<I", escapes[level] - 1)) for level in range(3)),
        put(stream, 36, bytes([0xFF]) * 16384),  # all escape
        put(stream, 36, bytes(16384)),  # none does
    ):
        refuse_stream(CASCADE, evil)


def test_cascade_levels_of_nothing_but_escapes():
    """Each level asks for all that it may; the bytes at the end are too few, or as many as there must be."""
    codes = b"\xff" * (16 + 8 + 16 + 16)
    for last, left in ((64, 63), (63, 64), (64, 65)):
        block = bytes(range(10)) + struct.pack("<H4I", 0, 64, 64, 64, last) + codes + bytes(left)
        stream = struct.pack("<I", 4 + len(block)) + block
        refuse(PLANES, planes(3, stream, 64), 1, 64)
    block = bytes(range(10)) + struct.pack("<H4I", 0, 64, 64, 64, 64) + codes + bytes(range(64))
    stream = struct.pack("<I", 4 + len(block)) + block
    assert PLANES.decode(planes(3, stream, 64), 1, 64) == bytes(range(64))


def small_table(symbols: bytes, frequencies: bytes, escape: int) -> bytes:
    return bytes([len(symbols)]) + symbols + frequencies + bytes([escape])


def test_small_rans():
    _, stream, plane = SMALL
    assert len(plane) == 140_000
    groups, escapes, tables = struct.unpack("<BIH", stream[:7])
    assert groups == 2
    used = stream[7]
    states = 7 + tables
    for evil in (
        b"",
        stream[:6],
        stream[: states + 255],
        stream[:-1],
        stream + b"\0",
        *(put(stream, 0, wrong) for wrong in (0, 1, 3, 255)),
        put(stream, 1, HUGE),
        put(stream, 1, struct.pack("<I", escapes + 1)),
        put(stream, 5, b"\xff\xff"),
        put(stream, 5, struct.pack("<H", tables - 1)),
        put(stream, 7, 16),
        put(stream, 7, 255),
        put(stream, 7, used - 1),
        put(stream, 8 + used, stream[8 + used] + 1),  # the sum
        put(stream, 8 + used, bytes([0, stream[8 + used] + stream[9 + used]])),  # a frequency of 0
        put(
            stream, 8 + 2 * used - 1, bytes([stream[8 + 2 * used - 1] + stream[8 + 2 * used], 0])
        ),  # the escape
        put(stream, states, b"\xff\0"),
        put(stream, states + 254, b"\0\0"),
    ):
        refuse_stream(SMALL, evil)


def test_small_rans_of_few_values():
    """Tables, states, escapes and bytes that are too many, or run dry."""
    start = struct.pack("<64H", *[256] * 64)
    table = small_table(b"a", b"\xff", 1)
    high = struct.pack("<64H", *[0xFFFF] * 64)

    def stream(tables: bytes, states: bytes, escapes: bytes, spilled: bytes, groups: int = 1) -> bytes:
        return struct.pack("<BIH", groups, len(escapes), len(tables)) + tables + states + escapes + spilled

    empty = planes(4, stream(b"", start, b"", b""), 0)
    assert PLANES.decode(empty, 1, 0) == PLANES.define(empty, 1, 0) == b""
    two_groups = stream(b"", start * 2, b"", b"", groups=2)
    assert PLANES.decode(planes(4, two_groups, 0), 1, 0) == b""
    for tables, states, escapes, spilled, nbytes in (
        (table, start, b"", b"", 0),
        (b"", start, b"x", b"", 0),
        (b"", start, b"", b"x", 0),
        (b"", high, b"", b"", 0),
        (b"", start, b"", b"", 1),
        (table, start, b"", b"", 64),  # bytes run dry
        (table, high, b"", b"", 64),  # escapes run dry
        (table, high, b"x" * 64, b"", 64),  # the states do not end at 256
        (small_table(b"a", b"\xff", 0) + b"", start, b"", b"", 64),
        (small_table(b"ab", b"\xff\x01", 0), start, b"", b"", 64),
        (small_table(b"", b"", 255), start, b"", b"", 64),
        (small_table(bytes(15), b"\x10" * 15, 17), start, b"", b"", 64),
    ):
        refuse(PLANES, planes(4, stream(tables, states, escapes, spilled), nbytes), 1, nbytes)


def test_wide_rans():
    stream = WIDE[1]
    lanes, last, dominant = stream[:3]
    assert lanes == 4
    for evil in (
        b"",
        stream[:2],
        stream[:9],
        stream[:-1],
        stream[:-2],
        stream + b"\0",
        stream + b"\0\0",
        *(put(stream, 0, wrong) for wrong in (0, 1, 3, 16, 32, 64, 128, 255)),
        put(stream, 1, 255),
        put(stream, 2, last + 1 if dominant != last + 1 else 0),
        put(stream, 3, stream[3] | 0x0F),  # frequencies of 15 bits
    ):
        refuse_stream(WIDE, evil)


def test_wide_rans_of_few_values():
    start, low = struct.pack("<4I", *[1 << 16] * 4), struct.pack("<4I", *[(1 << 16) - 1] * 4)
    one = b"\x00\x00"  # symbol 0 has all
    good = b"\x04" + one + start
    assert PLANES.decode(planes(5, good, 9), 1, 9) == PLANES.define(planes(5, good, 9), 1, 9) == bytes(9)
    above = b"\x04\x00\x07\x00" + start  # the dominant symbol lies above the last one of the table
    assert PLANES.decode(planes(5, above, 9), 1, 9) == PLANES.define(planes(5, above, 9), 1, 9) == b"\7" * 9
    for evil in (
        b"\x04" + one + low,
        b"\x04" + one + struct.pack("<4I", 1 << 16, 1 << 16, 1 << 16, 0),
        b"\x04" + one + struct.pack("<4I", *[(1 << 16) + 1] * 4),  # an end other than 65,536
        b"\x04" + one + start[:-1],
        b"\x04" + one + start + b"\0",
        b"\x04" + one + start + b"\0\0",
        b"\x04\x02\x00" + b"\xec\xd8\x01" + start,  # two frequencies of 2,048 and more leave nothing
        b"\x04\x01\x00" + b"\x10" + start,  # bits behind the table
        b"\x20" + one + start,
        b"\x04\x01\x00\x01" + struct.pack("<4I", *[(1 << 16) + 4095] * 4),  # words run dry
    ):
        refuse(PLANES, planes(5, evil, 9), 1, 9)


def joint_chunk() -> tuple[bytes, bytes]:
    rows = np.frombuffer(chunk("weights", 3000, 2, 5), "<u2").copy().reshape(-1, 100)
    rows[::3] -= 9 << 7
    rows[:, 50] = 0xFFFF  # an escaped key
    target = np.concatenate([np.zeros(0, "<u2"), np.sort(rows, axis=0).reshape(-1)]).tobytes() + b"\1"
    return target, JOINT.encode(target, 2, 0)


def test_joint():
    target, coded = joint_chunk()
    classes, first = coded[1], struct.unpack("<H", coded[2:4])[0]
    nclasses, escapes, tokens = struct.unpack("<III", coded[8:20])
    assert classes > 1
    assert nclasses
    for evil in (
        b"",
        coded[:19],
        coded[:-1],
        coded + b"\0",
        *(put(coded, 0, kind) for kind in (1, 3, 255)),
        *(put(coded, 1, number) for number in (0, 1, classes - 1, 17, 255)),
        put(coded, 2, struct.pack("<H", 1024)),
        put(coded, 2, b"\xff\xff"),
        put(coded, 4, struct.pack("<I", len(target) + 1)),
        put(coded, 8, HUGE),
        put(coded, 8, struct.pack("<I", nclasses + 2)),
        put(coded, 12, HUGE),
        put(coded, 12, struct.pack("<I", escapes + 1)),
        put(coded, 16, HUGE),
        put(coded, 16, struct.pack("<I", tokens - 2)),
    ):
        refuse(JOINT, evil, 2, len(target))
    refuse(JOINT, coded, 4, len(target))
    refuse(JOINT, coded, 3, len(target))
    moved = put(coded, 2, struct.pack("<H", first + 1023 & 1023))  # any first key is a key
    assert JOINT.decode(moved, 2, len(target)) == JOINT.define(moved, 2, len(target)) != target


def joint_of(
    kind: int, width: int, classes: int, coded_classes: bytes, keys: list[int], tokens: bytes
) -> bytes:
    """Make a chunk of one value and its head."""
    packed = bytes(8 if kind == 2 else 48)
    low = {0: b"", 1: b"ab", 2: b"a"}[kind]
    head = struct.pack("<BBHIIII", kind, classes, 0, width, len(coded_classes), len(keys), len(tokens))
    heads = struct.pack("<BI", 0, 1) * len(low)
    return head + heads + coded_classes + struct.pack(f"<{len(keys)}H", *keys) + packed + low + tokens


@pytest.mark.parametrize(("kind", "width", "limit"), [(0, 2, 1024), (1, 4, 1024), (2, 2, 128)])
def test_joint_of_one_value(kind, width, limit):
    start = struct.pack("<4I", *[1 << 16] * 4)
    escape, seven = b"\x04\xff\xff" + b"\0" * 128 + start, b"\x04\x07\x07" + b"\0" * 4 + start
    good = joint_of(kind, width, 1, b"", [limit - 1], escape)
    assert JOINT.decode(good, width, width) == JOINT.define(good, width, width)
    assert JOINT.decode(joint_of(kind, width, 1, b"", [], seven), width, width)
    for evil in (
        joint_of(kind, width, 1, b"", [limit], escape),
        joint_of(kind, width, 1, b"", [0xFFFF], escape),
        joint_of(kind, width, 1, b"", [], escape),
        joint_of(kind, width, 1, b"", [1], seven),
        joint_of(kind, width, 1, b"", [1, 1], escape),
        joint_of(kind, width, 1, b"x", [], seven),  # classes where there is one only
        joint_of(kind, width, 2, b"", [], seven),
        joint_of(kind, width, 2, seven, [], seven),  # class 7 of 2
    ):
        refuse(JOINT, evil, width, width)
    if kind:
        refuse(JOINT, put(good, 21, HUGE), width, width)
        refuse(JOINT, put(good, 20, 6), width, width)
