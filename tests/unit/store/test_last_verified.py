"""The note about the last verification."""

from __future__ import annotations

import pytest

from tensorhub import Store, verify
from tensorhub.store.last_verified import read_last_verified

from ...weights import noise, put


def test_verify_leaves_a_note(store: Store) -> None:
    """When, and how much damage; the next one replaces it."""
    put(store, "a/b", {"x": noise(5000, 1)})
    assert read_last_verified(store) is None
    verify(store)
    found = read_last_verified(store)
    assert found is not None
    assert (found.damages, found.nbytes) == (0, 5000)
    assert found.at_ms > 1_700_000_000_000
    pack = next(store.path.glob("packs/*/*.pack"))
    data = bytearray(pack.read_bytes())
    data[100] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    assert verify(store).damages
    again = read_last_verified(store)
    assert again is not None
    assert again.damages > 0


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"at_ms": "x", "damages": 0, "nbytes": 0}', b"[" * 9000,
                b'{"at_ms": -1, "damages": 0, "nbytes": 0}']
)  # fmt: skip
def test_broken_note(store: Store, content: bytes) -> None:
    """It is as if there were none."""
    verify(store)
    (store.layout.leases / "last-verify.json").write_bytes(content)
    assert read_last_verified(store) is None
