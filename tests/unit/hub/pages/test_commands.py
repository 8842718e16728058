"""Commands to copy are what one would type, and nothing that a name could add."""

from __future__ import annotations

import shlex

from tensorhub.hub.pages.commands import list_commands
from tensorhub.schema.names import parse_repository

ENDPOINT = "http://127.0.0.1:8088"
MODEL = parse_repository("ada/model")


def texts(kind: str = "model", revision: str = "main", paths: tuple[str, ...] = ()) -> dict[str, str]:
    found = list_commands(
        parse_repository("ada/model", kind), revision, ENDPOINT, paths, store_path="/srv/my hub"
    )
    return {item.key: item.text for item in found}


def test_model() -> None:
    """Each tool, with the hub's own address."""
    found = texts(paths=("README.md", "config.json", "model.safetensors"))
    assert found["hf"] == "HF_ENDPOINT=http://127.0.0.1:8088 hf download ada/model"
    assert "snapshot_download('ada/model', endpoint='http://127.0.0.1:8088')" in found["python"]
    assert "AutoModel.from_pretrained('ada/model')" in found["transformers"]
    assert found["curl"] == f"curl -L -O {ENDPOINT}/ada/model/resolve/main/model.safetensors"
    assert found["tensorhub"] == "tensorhub --store '/srv/my hub' get ada/model"


def test_dataset_at_a_revision() -> None:
    """Type and revision are said where they must be."""
    found = texts("dataset", "v1", ("a b.csv",))
    assert found["hf"].endswith("hf download ada/model --repo-type dataset --revision v1")
    assert "repo_type='dataset', revision='v1'" in found["python"]
    assert "load_dataset('ada/model', revision='v1')" in found["datasets"]
    assert "transformers" not in found
    assert found["curl"].endswith("/datasets/ada/model/resolve/v1/a%20b.csv")
    assert "get datasets/ada/model --revision v1" in found["tensorhub"]


def test_hostile_revision_and_path() -> None:
    """A shell takes a name for one word."""
    hostile = "x';rm -rf $HOME;`id`"
    found = texts(revision=hostile, paths=("$(id).safetensors",))
    assert shlex.split(found["hf"])[-1] == hostile
    assert len(shlex.split(found["curl"])) == 4
    assert shlex.split(found["tensorhub"])[-1] == hostile
    assert repr(hostile) in found["python"]
    assert list_commands(MODEL, "main", ENDPOINT, ())[0].key == "hf"
