"""Leases and the store lock."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tensorhub import Store
from tensorhub.errors import BackendPermissionError, StoreLockedError
from tensorhub.store.layout import Layout
from tensorhub.store.leases import Lease, clean_dead_leases, oldest_lease_ns, store_lock


@pytest.fixture
def layout(store: Store) -> Layout:
    return store.layout


def test_alive_while_held(layout: Layout) -> None:
    """A lease counts as long as it is held, and leaves nothing behind."""
    assert oldest_lease_ns(layout) is None
    with Lease(layout) as first:
        start = oldest_lease_ns(layout)
        assert start is not None
        with Lease(layout) as second:
            assert oldest_lease_ns(layout) == start
            assert first.lease_id != second.lease_id
            assert first.temporary_pack() != first.temporary_pack()
        assert clean_dead_leases(layout) == 0
    assert oldest_lease_ns(layout) is None
    assert list(layout.leases.glob("*.lease")) == []


def test_release_twice(layout: Layout) -> None:
    """Releasing again changes nothing."""
    lease = Lease(layout)
    lease.release()
    other = os.open(layout.root, os.O_RDONLY)
    lease.release()
    os.fstat(other)
    os.close(other)


def test_dead_process(layout: Layout) -> None:
    """What a killed process left is removed; what a living one writes is not."""
    script = (
        "import os, sys; from pathlib import Path; from tensorhub.store.layout import Layout;"
        "from tensorhub.store.leases import Lease; lease = Lease(Layout(Path(sys.argv[1])));"
        "lease.temporary_pack().write_bytes(b'x'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(layout.root)], check=False).returncode == 9
    with Lease(layout) as lease:
        mine = lease.temporary_pack()
        mine.write_bytes(b"y")
        assert clean_dead_leases(layout) == 2
        assert list(layout.temporary.iterdir()) == [mine]
        assert [path.stem for path in layout.leases.glob("*.lease")] == [lease.lease_id]


def test_cleaning_spares_a_writer_that_starts_meanwhile(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that takes its lease while another one cleans up keeps its unsealed pack."""
    started: list[Lease] = []
    glob = Path.glob

    def slow_glob(path: Path, pattern: str) -> list[Path]:
        found = list(glob(path, pattern))
        if not started:
            started.append(Lease(layout))
            started[0].temporary_pack().write_bytes(b"mine")
        return found

    monkeypatch.setattr(Path, "glob", slow_glob)
    clean_dead_leases(layout)
    assert len(list(layout.temporary.iterdir())) == 1
    started[0].release()


def test_lock_is_exclusive(layout: Layout) -> None:
    """Who comes second gets a retryable error; the lock is free again afterwards, also after an error."""
    with store_lock(layout):
        with pytest.raises(StoreLockedError) as caught, store_lock(layout, timeout_s=0.05):
            pass
        assert caught.value.retryable
    with pytest.raises(KeyError), store_lock(layout):
        raise KeyError
    with store_lock(layout, timeout_s=0):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(layout: Layout) -> None:
    """Where nothing can be written there is no lease."""
    layout.leases.chmod(0o500)
    with pytest.raises(BackendPermissionError):
        Lease(layout)
    layout.leases.chmod(0o700)
