"""Coded differences that lie, and damage of every codec at random: decoders agree on every SIMD path."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub.errors import CorruptPackError, ShapeMismatchError

from ..codec_cases import (
    JOINT,
    KERNELS,
    KINDS,
    LEVELS,
    PREDICTIONS,
    ULP_DELTA,
    ULP_DELTA_FAST,
    Kernel,
    chunk,
    prediction_of,
    simd_level,
)
from .test_codec_damage import HUGE, put, refuse

MODEL = struct.Struct("<BBBQ")
FAST_HEAD = struct.Struct("<IIIBB")
WIDE_STATES = struct.pack("<4I", *[1 << 16] * 4)
FAST_STATES = struct.pack("<64H", *[256] * 64)


def ulp(
    width: int, nbytes: int, stream: bytes, extra: bytes = b"", model: tuple[int, ...] = (0, 0, 1, 0)
) -> bytes:
    """Make a chunk of ulp_delta without a tail."""
    return MODEL.pack(*model) + struct.pack("<II", nbytes, len(extra)) + extra + stream


def wide(token: int, states: bytes = WIDE_STATES, words: bytes = b"") -> bytes:
    """Make a stream of one token, however many there are."""
    return b"\x04" + bytes([token, token]) + bytes((4 * token + 7) // 8) + states + words


@pytest.mark.parametrize("kernel", [ULP_DELTA, ULP_DELTA_FAST], ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_models(kernel: Kernel, width: int):
    """Kinds, shifts, contexts and highest magnitudes that cannot be."""
    target = chunk("weights", 500, width, 3, width - 1)
    base = prediction_of(target, "few far steps", width)
    coded = kernel.encode(target, width, prediction=base)
    assert kernel.decode(coded, width, len(target), base) == target
    evil = [
        b"",
        coded[:10],
        coded[:18],
        coded[:24],
        coded[:-1],
        coded + b"\0",
        put(coded, 0, 2),
        put(coded, 0, 255),
        put(coded, 1, 8 * width),
        put(coded, 1, 255),
        put(coded, 2, 0),
        put(coded, 2, 17 if kernel is ULP_DELTA else 9),
        put(coded, 2, 255),
        put(coded, 11, struct.pack("<I", len(target) + 1)),
        put(coded, 11, HUGE),
        put(coded, 15, HUGE),
    ]
    if width < 8:
        evil.append(put(coded, 3 + width, 1))
    for data in evil:
        refuse(kernel, data, width, len(target), base)
    for other in (3, 16, 0):
        refuse(kernel, coded, other, len(target), base)
    for wrong in (b"", base[:-1], base + b"\0"):
        with pytest.raises(ShapeMismatchError):
            kernel.decode(coded, width, len(target), wrong)
        with pytest.raises(ShapeMismatchError):
            kernel.define(coded, width, len(target), wrong)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_tokens(width: int):
    """The largest token of a width is one of 8 width bits; extra bits are all there, and no others."""
    largest = 16 + 4 * (8 * width - 5) + 3
    nbits = 8 * width - 3
    zeros, ones = bytes(width), b"\xff" * ((nbits + 7) // 8 - 1) + bytes([(1 << (nbits - 1) % 8 + 1) - 1])
    good = ulp(width, width, wide(largest), ones, (1, 0, 1, 0))
    decoded = ULP_DELTA.decode(good, width, width, zeros)
    assert decoded == ULP_DELTA.define(good, width, width, zeros) == b"\0" * (width - 1) + b"\x80"
    for extra in (b"", ones[:-1], ones + b"\0", ones[:-1] + bytes([ones[-1] | 0x80])):
        if extra != ones:
            refuse(ULP_DELTA, ulp(width, width, wide(largest), extra, (1, 0, 1, 0)), width, width, zeros)
    for token in range(largest + 1, min(256, largest + 5)):
        refuse(ULP_DELTA, ulp(width, width, wide(token), bytes((nbits + 14) // 8)), width, width, zeros)
    refuse(ULP_DELTA, ulp(width, width, wide(0), b"\0"), width, width, zeros)
    refuse(ULP_DELTA, put(ulp(width, width, wide(0)), 15, HUGE), width, width, zeros)


def fast(
    width: int,
    count: int,
    *,
    tables: bytes = b"\x01\xff\x01",
    shorts: bytes = b"",
    longs: bytes = b"",
    lows: bytes = b"",
    states: bytes = FAST_STATES,
    spilled: bytes = b"",
    groups: int = 1,
    low: int = 0,
    contexts: int = 1,
) -> bytes:
    """Make a chunk of ulp_delta_fast without a tail."""
    head = FAST_HEAD.pack(count * width, len(shorts), len(longs) // (width - low), groups, low)
    return MODEL.pack(1, 0, contexts, 0) + head + tables + shorts + longs + lows + states + spilled


# Token 14 has all slots but one. From states of 0xfe00 on it comes some twenty times before a byte is read.
SHORTS = b"\x0f" + b"\0" * 14 + b"\xff\x01"
LONGS = b"\x0f\x01" + b"\0" * 14 + b"\xff"


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_fast_heads(width: int):
    nothing = fast(width, 0)
    assert ULP_DELTA_FAST.decode(nothing, width, 0) == ULP_DELTA_FAST.define(nothing, width, 0) == b""
    base = bytes(64 * width)
    for evil in (
        fast(width, 64, groups=0),
        fast(width, 64, groups=3, states=FAST_STATES * 3),
        fast(width, 64, groups=2),
        put(fast(width, 64), 24, width),
        put(fast(width, 64), 24, 255),
        put(fast(width, 64), 15, struct.pack("<I", 65)),
        put(fast(width, 64), 19, struct.pack("<I", 65)),
        put(fast(width, 64), 15, HUGE + HUGE),
        fast(width, 64, tables=b""),
        fast(width, 64, tables=b"\x10" + b"\x10" * 17),
        fast(width, 64, tables=b"\xff" + b"\x10" * 17),
        fast(width, 64, tables=b"\x01\xff\x02"),
        fast(width, 64, tables=b"\x01\xff\x00"),
        fast(width, 64, tables=b"\x00\xff"),
        fast(width, 64, contexts=2),
        fast(width, 64, states=FAST_STATES[:-2] + b"\xff\0"),
        fast(width, 64, states=b"\0\0" + FAST_STATES[2:]),
        fast(width, 64, states=FAST_STATES[:-1]),
        fast(width, 64),  # bytes run dry: no symbol leaves 256 where it is
        fast(width, 64, spilled=b"\0"),
        fast(width, 0, spilled=b"\0"),
        fast(width, 64, shorts=b"\0"),
        fast(width, 64, longs=bytes(width)),
    ):
        nbytes = struct.unpack("<I", evil[11:15])[0]
        refuse(ULP_DELTA_FAST, evil, width, nbytes, base[:nbytes])


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("count", [1, 63, 64, 4096, 5000])
@pytest.mark.parametrize("table", [SHORTS, LONGS], ids=["short", "long"])
def test_more_escapes_than_are_stored(width: int, count: int, table: bytes):
    """Thousands of tokens ask for bytes that are not there: nothing is read past the end for them."""
    states = struct.pack("<64H", *[0xFE00] * 64)
    evil = fast(width, count, tables=table, states=states, spilled=bytes(400))
    refuse(ULP_DELTA_FAST, evil, width, count * width, bytes(count * width))


def encode_fast(tokens: list[int], frequencies: list[int], lanes: int) -> tuple[bytes, bytes]:
    """Code tokens by one table, plainly; gives states and spilled bytes."""
    starts = [sum(frequencies[:token]) for token in range(16)]
    states, spilled = [256] * lanes, bytearray()
    for step in reversed(range(0, len(tokens), lanes)):
        for lane in range(lanes):
            token = tokens[step + lane]
            if states[lane] >> 8 >= frequencies[token]:
                spilled.append(states[lane] & 255)
                states[lane] >>= 8
            whole, rest = divmod(states[lane], frequencies[token])
            states[lane] = whole * 256 + rest + starts[token]
    return struct.pack(f"<{lanes}H", *states), bytes(spilled)


FLAT = [16] * 16
FLAT_TABLE = b"\x0f" + bytes(FLAT)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("groups", [1, 2])
def test_lanes_past_the_end_have_no_escapes(width: int, groups: int):
    """What they hold is nobody's business: escapes there take nothing, the values decode."""
    lanes = 64 * groups
    states, spilled = encode_fast([3, 14, 2] + [14, 15] * 30 + [7] * (lanes - 63), FLAT, lanes)
    given = {"tables": FLAT_TABLE, "states": states, "spilled": spilled, "groups": groups}
    good = fast(width, 3, shorts=b"\x05", **given)
    expected = b"".join((number % (1 << 8 * width)).to_bytes(width, "little") for number in (-2, -10, 1))
    base = bytes(3 * width)
    for level in LEVELS:
        with simd_level(level):
            assert ULP_DELTA_FAST.decode(good, width, 3 * width, base) == expected
    assert ULP_DELTA_FAST.define(good, width, 3 * width, base) == expected
    refuse(ULP_DELTA_FAST, fast(width, 3, **given), width, 3 * width, base)
    refuse(ULP_DELTA_FAST, fast(width, 3, shorts=b"\5\5", **given), width, 3 * width, base)
    refuse(ULP_DELTA_FAST, fast(width, 3, shorts=b"\5", longs=bytes(width), **given), width, 3 * width, base)


@pytest.mark.parametrize(("width", "low"), [(1, 0), (2, 1), (4, 3), (8, 7)])
def test_short_escapes_of_one_byte(width: int, low: int):
    """Where one byte is folded, a short escape stands for at most 255."""
    states, spilled = encode_fast([14] + [0] * 63, FLAT, 64)
    given = {"tables": FLAT_TABLE, "states": states, "spilled": spilled, "low": low, "lows": bytes(low)}
    base = bytes(width)
    for short, is_good in ((0, True), (241, True), (242, False), (255, False)):
        coded = fast(width, 1, shorts=bytes([short]), **given)
        if is_good:
            decoded = ULP_DELTA_FAST.decode(coded, width, width, base)
            assert decoded == ULP_DELTA_FAST.define(coded, width, width, base)
        else:
            refuse(ULP_DELTA_FAST, coded, width, width, base)


def outcome(kernel: Kernel, coded: bytes, width: int, nbytes: int, base: bytes, plain: bool) -> bytes | None:
    """Give what a decoder makes of bytes; None if it refuses them."""
    try:
        return (kernel.define if plain else kernel.decode)(coded, width, nbytes, base)
    except CorruptPackError:
        return None


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
@given(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from(PREDICTIONS),
    st.sampled_from([3, 70, 500, 4200]),
    st.integers(0, 2),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255), st.integers(0, 3)), min_size=1, max_size=3),
)
@settings(max_examples=60, deadline=None)
def test_decoders_agree_on_damage(kernel, kind, width, how, count, setting, damage):
    """Bytes set, flipped, put in or cut off: all refuse, or all give the same."""
    if kernel is JOINT:
        width, setting = (4, 1) if width > 2 else (2, setting // 2 * 2)
    target = chunk(kind, count, width, 7, width - 1)
    base = prediction_of(target, how, width)
    coded = kernel.encode(target, width, setting, base)
    for place, value, action in damage:
        # Heads and tables lie first: half of the damage goes there.
        at = (
            int(2 * place * min(60, len(coded) - 1))
            if place < 0.5
            else int((2 * place - 1) * (len(coded) - 1))
        )
        if action == 0:
            coded = put(coded, at, value)
        elif action == 1:
            coded = put(coded, at, coded[at] ^ 1 << value % 8)
        elif action == 2:
            coded = coded[:at] + bytes([value]) + coded[at:]
        else:
            coded = coded[:at] + coded[at + 1 :] if value else coded[: max(1, at)]
    expected = outcome(kernel, coded, width, len(target), base, plain=True)
    for level in LEVELS:
        with simd_level(level):
            assert outcome(kernel, coded, width, len(target), base, plain=False) == expected, level
