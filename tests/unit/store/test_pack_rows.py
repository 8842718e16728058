"""Packs of the catalogue: remembered, and right all the same."""

from tensorhub import Store, collect_garbage

from ...weights import noise, put


def test_packs_are_read_once(store: Store) -> None:
    """New rows are added to what is known, removed ones leave it, whoever changed them; a row may take an old id."""
    with Store.open(store.path) as other:
        for step in range(4):
            put(store, f"a/{step}", {"x": noise(5000, step)})
            assert other.catalog.packs() == store.catalog.packs()
            assert store.catalog.packs().keys() == store.layout.list_packs().keys()
        store.delete_repository("a/3")
        collect_garbage(store, grace_s=0)
        put(store, "a/5", {"x": noise(5000, 5)})
        assert other.catalog.packs() == store.catalog.packs()
        assert store.catalog.packs().keys() == store.layout.list_packs().keys()
        assert len(store.catalog.packs()) == 4
