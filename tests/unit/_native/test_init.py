"""The door to the compiled core: errors, buffers, aliasing."""

import inspect
import threading

import numpy as np
import pytest

from tensorhub import _native, errors


def test_every_native_error_class_is_in_the_tree():
    names = _native.error_class_names()
    assert len(set(names)) == len(names)
    for name in names:
        assert issubclass(getattr(errors, name), errors.TensorHubError), name


def test_exports_are_sorted_and_complete():
    functions = [
        name for name, value in vars(_native).items() if not name.startswith("_") and callable(value)
    ]
    assert _native.__all__ == sorted(functions)
    assert all(inspect.getdoc(getattr(_native, name)) for name in _native.__all__)


@pytest.mark.parametrize(
    "call",
    [
        lambda: _native.split_planes(b"1234", 2, bytearray(3)),
        lambda: _native.merge_planes(b"1234", 2, bytearray(5)),
        lambda: _native.xor_split_planes(b"1234", b"123", 2, bytearray(4)),
        lambda: _native.xor_split_planes(b"1234", b"1234", 2, bytearray(3)),
        lambda: _native.merge_planes_xor(b"1234", b"12345", 2, bytearray(4)),
        lambda: _native.xor_bytes(b"12", b"1", bytearray(2)),
        lambda: _native.xor_bytes(b"12", b"12", bytearray(1)),
        lambda: _native.xor_popcount(b"12", b"1"),
        lambda: _native.move_sign_down(bytearray(2), bytearray(1)),
        lambda: _native.move_sign_up(bytearray(2), bytearray(1)),
        lambda: _native.split_nonzero(b"12", bytearray(2), bytearray(2)),
        lambda: _native.split_nonzero(b"12", bytearray(1), bytearray(1)),
        lambda: _native.merge_nonzero(b"\0\0", b"", bytearray(2)),
        lambda: _native.plan_ulp_delta(b"1234", b"123", 2),
        lambda: _native.encode_ulp_delta(b"1234", b"123", 2),
        lambda: _native.encode_ulp_delta_fast(b"1234", b"12345", 2),
        lambda: _native.decode_ulp_delta(b"", b"123", 2, bytearray(4)),
        lambda: _native.decode_ulp_delta_fast(b"", b"", 2, bytearray(4)),
    ],
    ids=map(str, range(18)),
)
def test_sizes_are_checked(call):
    with pytest.raises(errors.ShapeMismatchError) as caught:
        call()
    assert caught.value.expected.endswith("bytes")
    assert caught.value.found.endswith("bytes")
    assert caught.value.action


def test_width_zero_is_refused():
    with pytest.raises(errors.UsageError, match="element width"):
        _native.split_planes(b"", 0, bytearray())


@pytest.mark.parametrize(
    "call",
    [
        lambda: _native.plan_planes(b"1234", 0),
        lambda: _native.plan_planes(b"1234", 17),
        lambda: _native.encode_planes(b"1234", 0, 0),
        lambda: _native.encode_planes(b"1234", 17, 0),
        lambda: _native.encode_planes(b"1234", 2, 3),
        lambda: _native.encode_planes(bytes((4 << 20) + 1), 2, 0),
        lambda: _native.encode_joint(b"1234", 3),
        lambda: _native.plan_ulp_delta(b"123", b"123", 3),
        lambda: _native.encode_ulp_delta(b"123", b"123", 3),
        lambda: _native.encode_ulp_delta_fast(b"", b"", 0),
        lambda: _native.set_simd_level("mmx"),
        lambda: _native.set_simd_level(""),
    ],
    ids=map(str, range(12)),
)
def test_what_no_kernel_can_do_is_refused(call):
    with pytest.raises(errors.UsageError) as caught:
        call()
    assert not isinstance(caught.value, errors.ShapeMismatchError)
    assert caught.value.action


def test_simd_levels():
    """The path without vector instructions is everywhere; the one in use is one of those that the processor has."""
    levels = _native.simd_levels()
    assert levels[0] == "portable"
    assert len(set(levels)) == len(levels)
    used = _native.simd_level()
    assert used in levels
    try:
        for level in levels:
            _native.set_simd_level(level)
            assert _native.simd_level() == level
    finally:
        _native.set_simd_level(used)


def test_overlap_is_refused():
    memory = bytearray(64)
    view = memoryview(memory)
    for source, out in ((view[:40], view[20:60]), (view[20:60], view[:40]), (view[:40], view[:40])):
        with pytest.raises(errors.UsageError, match="overlapping"):
            _native.split_planes(source, 2, out)
        with pytest.raises(errors.UsageError, match="overlapping"):
            _native.move_sign_down(source, out)
    _native.split_planes(view[:32], 2, view[32:])


def test_decoders_refuse_overlap():
    memory = bytearray(64)
    view, apart = memoryview(memory), bytes(32)
    for source, out in ((view[:40], view[32:]), (view[32:], view[:33]), (view[:32], view[:32])):
        for call in (_native.decode_planes, _native.decode_joint):
            with pytest.raises(errors.UsageError, match="overlapping"):
                call(source, 2, out)
        for call in (_native.decode_ulp_delta, _native.decode_ulp_delta_fast):
            with pytest.raises(errors.UsageError, match="overlapping"):
                call(source, apart, 2, out)
            with pytest.raises(errors.UsageError, match="overlapping"):
                call(apart, source, 2, out)
    assert memory == bytes(64)


@pytest.mark.parametrize(
    ("bitmap", "values"), [(b"\x01", b""), (b"\x00", b"a"), (b"\x10", b"a"), (b"\x13", b"abc")]
)
def test_hostile_bitmap_is_refused_before_writing(bitmap, values):
    out = bytearray(b"zzz")
    with pytest.raises(errors.CorruptPackError):
        _native.merge_nonzero(bitmap, values, out)
    assert out == b"zzz"


def test_buffers_of_any_kind_are_accepted():
    array = np.arange(8, dtype="<u2")
    for data in (array, array.tobytes(), bytearray(array.tobytes()), memoryview(array), array.reshape(2, 4)):
        out = np.zeros(16, np.uint8)
        _native.split_planes(data, 2, memoryview(out))
        assert out.tolist() == [*range(8), *[0] * 8]


def test_unfit_buffers_are_refused():
    with pytest.raises((BufferError, ValueError)):
        _native.split_planes(np.zeros(8, np.uint8)[::2], 1, bytearray(4))
    with pytest.raises((BufferError, TypeError)):
        _native.split_planes(b"1234", 2, b"1234")
    with pytest.raises(TypeError):
        _native.split_planes("1234", 2, bytearray(4))


def test_kernels_release_the_gil():
    """While one thread is in a kernel, another one runs Python."""
    data, out = bytes(1 << 26), bytearray(1 << 26)
    in_kernel, ticks = threading.Event(), []

    def work():
        in_kernel.set()
        _native.split_planes(data, 3, out)
        in_kernel.clear()

    thread = threading.Thread(target=work)
    thread.start()
    in_kernel.wait()
    while thread.is_alive() and in_kernel.is_set():
        ticks.append(None)
    thread.join()
    assert len(ticks) > 10
