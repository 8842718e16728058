"""Results as JSON."""

import json
from pathlib import Path

from tensorhub import Store, restore, similar, stats, to_json, trace_lineage, verify
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import parse_ref, parse_repository
from tensorhub.schema.records import FileMode
from tensorhub.store.values import VerifyReport

from ...weights import put, safetensors, weights


def test_every_result_is_json(store: Store, tmp_path: Path) -> None:
    """Whatever a public function gives can be printed as JSON and has the fields of its class."""
    result = put(store, "a/b", {"m.safetensors": safetensors({"w": weights((128, 320), 1)})})
    values = [
        result,
        stats(store),
        verify(store),
        trace_lineage(store, "a/b"),
        similar(store, "a/b", "w"),
        store.repositories(),
        store.files("a/b"),
        store.tensors("a/b"),
        store.commits("a/b"),
        store.refs("a/b"),
        restore(store, "a/b", tmp_path / "out"),
        store.delete_repository("a/b"),
    ]
    for value in values:
        json.dumps(to_json(value))
    found = to_json(stats(store))
    assert {
        "repositories",
        "revisions",
        "files",
        "tensors",
        "blobs",
        "nbytes",
        "stored_nbytes",
        "ratio",
    } <= found.keys()
    assert found["saved"].keys() == {
        "identical_files",
        "identical_tensors",
        "delta",
        "standalone",
        "overhead",
    }


def test_how_values_are_written() -> None:
    """Digests, names, paths and enumerations become text; containers stay containers."""
    digest = Digest(bytes(range(32)))
    given = {
        1: (digest, Path("/x")),
        "m": FileMode.SYMLINK,
        "r": parse_repository("a/b", "dataset"),
        "n": None,
    }
    assert to_json(given) == {"1": [str(digest), "/x"], "m": "SYMLINK", "r": "datasets/a/b", "n": None}
    assert to_json(parse_ref("refs/pr/1")) == "refs/pr/1"


def test_sound() -> None:
    """A report without damages is sound."""
    assert VerifyReport(0, 0, 0, 0, 0, 0, 0, ()).is_sound
