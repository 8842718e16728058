"""What the client reads about repositories, and how it searches them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import BadRequestError, EntryNotFoundError, RepositoryNotFoundError

from .content import make_model_folder, make_weights

pytestmark = pytest.mark.wide

CARD = "---\nlicense: mit\nlanguage:\n- en\ntags:\n- {tag}\nbase_model: local/base\n---\n# Card\n"


@pytest.fixture(scope="module")
def tag() -> str:
    return f"tag-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def model(hub_url: str, tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make a model with a card, a configuration and weights, and two more with the same tag."""
    api = HfApi(endpoint=hub_url, token="hf_any")
    folder: Path = tmp_path_factory.mktemp("model")
    make_model_folder(folder)
    (folder / "README.md").write_text(CARD.format(tag=tag))
    (folder / "config.json").write_text(
        json.dumps({"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"})
    )
    name = f"local/reading-{uuid.uuid4().hex[:8]}"
    for repo_id in (name, f"{name}-b", f"{name}-c"):
        api.create_repo(repo_id)
        api.upload_file(path_or_fileobj=folder / "README.md", path_in_repo="README.md", repo_id=repo_id)
    api.upload_folder(folder_path=folder, repo_id=name)
    yield name
    for repo_id in (name, f"{name}-b", f"{name}-c"):
        api.delete_repo(repo_id)


def test_information(api: HfApi, model: str) -> None:
    """Everything that the client makes attributes of."""
    info = api.model_info(model, files_metadata=True)
    assert (info.id, info.author, info.library_name, info.pipeline_tag) == (
        model,
        "local",
        "transformers",
        "text-generation",
    )
    assert info.card_data is not None
    assert info.card_data.license == "mit"
    assert info.config == {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}
    assert info.safetensors is not None
    assert info.safetensors.total == sum(info.safetensors.parameters.values()) == 2 * 16 * 1024
    assert info.created_at is not None
    assert info.last_modified is not None
    assert info.created_at <= info.last_modified
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or []}
    weights = siblings["model.safetensors"]
    assert weights.lfs is not None
    assert (weights.size, weights.lfs.size) == (weights.lfs["size"], weights.lfs["size"])
    assert siblings["config.json"].lfs is None
    few = api.model_info(model, expand=["author", "likes"])
    assert (few.author, few.likes, few.siblings, few.sha) == ("local", 0, None, None)
    with pytest.raises(BadRequestError, match="expand"):
        api.model_info(model, expand=["nonsense"])  # type: ignore[list-item]
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("local/nothing")


def test_lists(api: HfApi, model: str, tag: str) -> None:
    """Search, filters, order and pages."""
    everything = sorted([model, f"{model}-b", f"{model}-c"])
    assert sorted(found.id for found in api.list_models(filter=tag)) == everything
    assert [found.id for found in api.list_models(filter=[tag, "gpt2", "license:mit"])] == [model]
    assert [found.id for found in api.list_models(search=model.upper(), pipeline_tag="text-generation")] == [
        model
    ]
    newest = [found.id for found in api.list_models(filter=tag, sort="created_at")]
    assert newest == [f"{model}-c", f"{model}-b", model]
    assert [found.id for found in api.list_models(filter=tag, sort="created_at", limit=2)] == newest[:2]
    assert [found.id for found in api.list_models(filter=tag, num_parameters="min:1K")] == [model]
    full = next(
        iter(api.list_models(search=model, filter="gpt2", full=True, cardData=True, fetch_config=True))
    )
    assert "model.safetensors" in {sibling.rfilename for sibling in full.siblings or []}
    assert full.card_data is not None
    assert full.config is not None
    few = next(iter(api.list_models(search=model, expand=["downloadsAllTime"])))
    assert (few.downloads_all_time, few.author) == (0, None)
    assert list(api.list_models(author="nobody")) == []
    assert list(api.list_datasets(search=model)) == []


def test_paths(api: HfApi, model: str) -> None:
    """Files and folders by name, with their last commits."""
    paths = ["README.md", "original", "original/a b/päth #1?.txt", "nothing"]
    found = api.get_paths_info(model, paths, expand=True)
    assert [item.path for item in found] == paths[:3]
    assert all(item.last_commit is not None for item in found)
    titles = {item.path: item.last_commit.title for item in found if item.last_commit}
    assert titles["README.md"] == "Upload README.md with huggingface_hub"
    assert titles["original"] != titles["README.md"]
    inside = list(api.list_repo_tree(model, "original/a b"))
    assert [item.path for item in inside] == ["original/a b/päth #1?.txt"]
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(model, "nothing"))


def test_account(api: HfApi, model: str) -> None:
    """Who one is, what one has and may do."""
    assert api.whoami()["name"] == "local"
    owned = {item.id: item for item in api.list_user_repos()}
    assert owned[model].type == "model"
    assert owned[model].storage > 2 * 16 * 1024 * 4
    api.auth_check(model)
    api.auth_check(model, write=True)
    assert api.get_user_overview("local").username == "local"
    assert {file.filename for file in api.list_lfs_files(model)} == {"vocab.bin", "model.safetensors"}


def test_headers_of_shards(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    """A sharded model's headers in one request are those that are read one by one."""
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for number, name in enumerate(names):
        make_weights(tmp_path / name, 4, number)
    index = {"metadata": {"total_size": 1}, "weight_map": {"embed.weight": names[0], "head.weight": names[1]}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    api.upload_folder(folder_path=tmp_path, repo_id=repo_id)
    at_once, one_by_one = api.get_sharded_safetensors_metadata(repo_id), api.get_safetensors_metadata(repo_id)
    assert at_once.files_metadata == one_by_one.files_metadata
