"""What pages show of the whole store, for each reader his own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tensorhub import Store, stats
from tensorhub.hub.directory import Directory
from tensorhub.hub.pages.page_data import PageData
from tensorhub.hub.pages.reader import OWNER, Reader
from tensorhub.schema.names import parse_repository

from .models import CHILD, fill

CHILD_ONLY = Reader("bob", is_admin=False, may_read=lambda repository: repository.repo_id == "bob/child")


@pytest.fixture
def data(store: Store) -> Iterator[PageData]:
    fill(store)
    made = PageData(store, Directory(store))
    yield made
    made.close()


def test_rows(data: PageData, store: Store) -> None:
    """Sizes as seen and as stored, which follow new commits."""
    visible = data.visible(OWNER, lambda repository: repository.repo_id == "bob/child")
    base, child = visible.rows
    assert (str(base.repository), base.is_private, child.is_private) == ("ada/base", False, True)
    assert child.nbytes == len(CHILD) + 13
    assert child.stored_nbytes is not None
    assert 0 < child.stored_nbytes < child.nbytes // 2
    with store.begin_commit("bob/child") as transaction:
        transaction.delete("model.safetensors")
        transaction.publish("less")
    for _ in range(200):
        child = data.visible(OWNER).rows[1]
        if child.stored_nbytes is not None:
            break
    assert child.nbytes == 13


def test_each_reader_sees_his_own(data: PageData, store: Store) -> None:
    """Sets of repositories differ in name, and surveys are of one set."""
    whole, part = data.visible(OWNER), data.visible(CHILD_ONLY)
    assert [str(row.repository) for row in part.rows] == ["bob/child"]
    assert whole.name != part.name
    everything = data.survey(whole, is_whole=True, wait_s=10)
    some = data.survey(part, is_whole=False, wait_s=10)
    assert everything is not None
    assert some is not None
    assert everything.summary.stored_nbytes >= stats(store).packs_nbytes
    assert set(some.splits) == {parse_repository("bob/child")}
    assert some.summary.saved.overhead == 0


def test_sizes_are_kept_ahead(data: PageData, store: Store) -> None:
    """After a turn of upkeep the first reader has them; the next turns have nothing to do until something changes."""
    data.keep_sizes()
    known = data._stored
    assert len(known) == 2
    assert all(row.stored_nbytes for row in data.visible(OWNER).rows)
    data.keep_sizes()
    assert data._stored is known
    with store.begin_commit("bob/child") as transaction:
        transaction.put_file("more.txt", b"more")
        transaction.publish("more")
    data.keep_sizes()
    assert len(data._stored) == 3


def test_disk_and_garbage(data: PageData, store: Store) -> None:
    """What the store takes and what gc would do."""
    disk = data.disk_use(10)
    assert disk is not None
    assert disk.stored_nbytes == sum(
        (disk.packs_nbytes, disk.catalog_nbytes, disk.refs_nbytes, disk.state_nbytes, disk.other_nbytes)
    )
    assert disk.packs == len(store.catalog.packs())
    assert 0 < disk.free_nbytes <= disk.disk_nbytes
    garbage = data.garbage()
    assert garbage is not None
    assert garbage.is_dry_run
    assert data.last_verified() is None
