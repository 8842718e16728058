"""What the refs reach."""

from tensorhub import Store, parse_repository
from tensorhub.schema.names import parse_ref
from tensorhub.store.liveness import blobs_of_files, coded_nbytes, find_live, refs_without, sources_of

from ...weights import noise, put, safetensors, tuned, weights

BASE = weights((128, 320), 1)


def test_everything_a_ref_reaches(store: Store) -> None:
    """Commits through parents, their trees, files and blobs; bases that only serve are told apart."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "a/b", {"m.safetensors": safetensors({"c": tuned(BASE, 2)})})
    put(store, "a/b", {"x": noise(5000, 1)})
    repository = parse_repository("a/b")
    live = find_live(store, refs_without(store, parse_repository("a/base")))
    assert (len(live.commits), len(live.trees), len(live.files)) == (2, 2, 2)
    assert len(live.blobs) == 3
    base = store.catalog.blob(store.tensors("a/base")[0].digest)
    assert base is not None
    assert live.leaned_on == {base.blob_id}
    assert live.objects == live.commits | live.trees | live.files
    assert sources_of(store, live.blobs) == {base.blob_id}
    assert coded_nbytes(store, {base.blob_id}) == base.stored_nbytes
    assert blobs_of_files(store, live.files) == live.blobs
    assert find_live(store, refs_without(store, repository)).leaned_on == set()


def test_refs_without(store: Store) -> None:
    """A repository, or one ref of it, can be left out."""
    put(store, "a/b", {"x": b"1"})
    put(store, "a/b", {"x": b"2"}, revision="dev")
    put(store, "c/d", {"x": b"3"})
    repository = parse_repository("a/b")
    assert [
        len(refs_without(store, *args)) for args in ((), (repository,), (repository, parse_ref("dev")))
    ] == [3, 1, 2]


def test_nothing(store: Store) -> None:
    """Nothing is reached from nowhere."""
    live = find_live(store, [])
    assert not (live.objects | live.blobs | live.leaned_on)
