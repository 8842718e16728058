"""Bases are found by content, and only sound and self-contained ones."""

import pytest

from tensorhub import Store
from tensorhub.lineage.choice import SHORTLIST_LIMIT
from tensorhub.lineage.sketch import sketch_of
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec
from tensorhub.store.base_search import BaseSearch
from tensorhub.store.hashing import Hasher

from ...weights import assert_sound, max_depth, put, safetensors, tuned, weights

BASE = weights((128, 320), 1)


def coding(store: Store, name: str) -> dict[str, str]:
    return {item.name: item.coding for item in store.tensors(name)}


def test_names_do_not_matter(store: Store) -> None:
    """The nearest of several candidates of one shape is the base, whatever it is called."""
    put(store, "a/base", {"m.safetensors": safetensors({str(n): weights((128, 320), n) for n in range(5)})})
    put(store, "a/child", {"m.safetensors": safetensors({"0": tuned(weights((128, 320), 3), 9)})})
    bases = {item.name: item.digest for item in store.tensors("a/base")}
    assert store.tensors("a/child")[0].base == bases["3"]


def test_strangers_stand_alone(store: Store) -> None:
    """A tensor that resembles nothing leans on nothing, nor does one of another width or row length."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    put(
        store,
        "a/other",
        {
            "m.safetensors": safetensors(
                {"w": weights((128, 320), 2), "x": BASE.reshape(160, 256), "y": BASE.view("u4")}
            )
        },
    )
    assert set(coding(store, "a/other").values()) <= {"standalone"}


def test_small_tensors(store: Store) -> None:
    """Tensors too small for a sketch find bases of exactly their shape."""
    small = weights((30, 40), 3)
    put(store, "a/base", {"m.safetensors": safetensors({"n": small})})
    put(store, "a/child", {"m.safetensors": safetensors({"x": tuned(small, 4), "y": tuned(small, 4)[:29]})})
    assert coding(store, "a/child") == {"x": "delta", "y": "standalone"}
    assert max_depth(store) == 1


@pytest.mark.parametrize("keep", [0, 100])
def test_damaged_bases_are_not_leaned_on(store: Store, keep: int) -> None:
    """A base that cannot be read, or a pack that is gone, stops no add; nothing new leans on it."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE, "s": weights((30, 40), 3)})})
    (path,) = store.layout.list_packs().values()
    path.write_bytes(path.read_bytes()[:keep])
    if not keep:
        path.unlink()
    store.reader.forget()
    child = safetensors({"x": tuned(BASE, 2), "s2": tuned(weights((30, 40), 3), 2)})
    put(store, "a/child", {"m.safetensors": child})
    assert set(coding(store, "a/child").values()) == {"standalone"}
    assert store.read("a/child", "m.safetensors") == child


def test_cards_only_order(store: Store, tmp_path: object) -> None:
    """A model card that names a base that is not there, or odd things, changes nothing."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    with store.begin_commit("a/child") as transaction:
        transaction.hint_base_models(["a/base", "no/such", "!", "", "x" * 500])
        transaction.put_tensors("m.safetensors", {"w": tuned(BASE, 2)})
        transaction.publish()
    assert coding(store, "a/child") == {"w": "delta"}
    assert_sound(store)


def test_a_hint_reaches_the_shortlist(store: Store) -> None:
    """Of more candidates of equal merit than are tried, the hinted repository's is among those tried."""
    spec = TensorSpec("w", DType.BF16, BASE.shape)
    digests = [Hasher().digest(bytes([number])) for number in range(8)]
    target = sketch_of(BASE.tobytes(), spec)
    for hinted in digests:
        search = BaseSearch(store.catalog, store.reader)
        for digest in digests:
            search.add(digest, spec, BASE.nbytes, sketch_of(tuned(BASE, 10).tobytes(), spec))
        without = [digest for _, digest in search._sketched(target)]
        search.hint([hinted])
        tried = [digest for _, digest in search._sketched(target)]
        assert len(without) == len(tried) == SHORTLIST_LIMIT
        assert tried[0] == without[0]
        assert hinted in tried
