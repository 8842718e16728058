"""Scratch memory is kept per thread and purpose."""

from concurrent.futures import ThreadPoolExecutor

from tensorhub.codecs.scratch import lend_scratch


def test_same_purpose_reuses_memory():
    lend_scratch("test a", 1000)[:] = b"x" * 1000
    assert bytes(lend_scratch("test a", 10)) == b"x" * 10
    assert len(lend_scratch("test a", 5000)) == 5000


def test_purposes_and_threads_do_not_share():
    lend_scratch("test b", 10)[:] = b"b" * 10
    lend_scratch("test c", 10)[:] = b"c" * 10
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: lend_scratch("test b", 10).__setitem__(slice(None), b"z" * 10)).result()
    assert bytes(lend_scratch("test b", 10)) == b"b" * 10


def test_long_loans_are_not_kept():
    assert len(lend_scratch("test d", 5 << 20)) == 5 << 20
    first, second = lend_scratch("test d", 5 << 20), lend_scratch("test d", 5 << 20)
    first[0], second[0] = 1, 2
    assert first[0] == 1
