"""Profiles are made of whatever cards hold."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub.hub.profile import Profile, choose_weights, make_profile
from tensorhub.schema.names import RepoType


def model(
    card: dict[str, Any] | None = None, config: dict[str, Any] | None = None, *paths: str, text: str = ""
) -> Profile:
    return make_profile(RepoType.MODEL, card or {}, config or {}, paths, card_text=text)


def test_card_of_a_model() -> None:
    """What the card says becomes tags, and wins over what could be guessed."""
    found = model(
        {
            "license": "mit",
            "language": ["en", "no"],
            "tags": ["mine"],
            "datasets": "a/b",
            "base_model": ["x/y"],
            "base_model_relation": "finetune",
            "library_name": "keras",
            "pipeline_tag": "fill-mask",
        },
        {"architectures": ["BertForSequenceClassification"], "model_type": "bert"},
        "model.safetensors",
        text="See https://arxiv.org/abs/2401.12345v2.",
    )
    assert found.tags == (
        *("keras", "safetensors", "bert", "fill-mask", "mine", "en", "no", "dataset:a/b"),
        *("base_model:x/y", "base_model:finetune:x/y", "arxiv:2401.12345", "license:mit"),
    )
    assert (found.library_name, found.pipeline_tag, found.license) == ("keras", "fill-mask", "mit")
    assert (found.base_models, found.datasets) == (("x/y",), ("a/b",))


@pytest.mark.parametrize(
    ("config", "paths", "library", "task"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, (), "transformers", "text-generation"),
        ({"architectures": ["GPT2LMHeadModel"]}, (), "transformers", "text-generation"),
        ({"model_type": "bert"}, (), "transformers", None),
        ({}, ("model_index.json",), "diffusers", None),
        ({}, ("adapter_config.json",), "peft", None),
        ({}, ("notes.txt",), None, None),
        ({"architectures": "x", "model_type": 3}, (), "transformers", None),
    ],
)
def test_guesses(
    config: dict[str, Any], paths: tuple[str, ...], library: str | None, task: str | None
) -> None:
    """Without a card, files and configuration say what it is."""
    found = model({}, config, *paths)
    assert (found.library_name, found.pipeline_tag) == (library, task)


def test_tags_of_files() -> None:
    """Weights in known formats give tags; other files of the same ending do not."""
    assert model({}, {}, "a/pytorch_model.bin", "x.gguf", "tokenizer.bin").tags == ("pytorch", "gguf")


def test_dataset_and_space() -> None:
    """A dataset's fields keep their names in tags; a space has its kit."""
    card = {"task_ids": ["qa"], "language": "en", "sdk": "gradio"}
    assert make_profile(RepoType.DATASET, card, {}, ()).tags == ("task_ids:qa", "language:en")
    assert make_profile(RepoType.SPACE, card, {}, ()).sdk == "gradio"


def test_shown_config() -> None:
    """Only the few fields that clients use are shown."""
    config = {
        "architectures": ["A"],
        "vocab_size": 1,
        "quantization_config": {"bits": 4, "x": [1]},
        "model_type": "m",
    }
    assert model({}, config).config == {
        "architectures": ["A"],
        "model_type": "m",
        "quantization_config": {"bits": 4},
    }


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["model.safetensors", "other.safetensors"], ["model.safetensors"]),
        (
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "x.safetensors"],
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
        ),
        (["a.safetensors", "b/c.safetensors"], ["a.safetensors"]),
        (["unet/a.safetensors", "vae/b.safetensors"], ["unet/a.safetensors", "vae/b.safetensors"]),
        (["a.bin"], []),
    ],
)
def test_weights(paths: list[str], expected: list[str]) -> None:
    """The same weights are not counted twice."""
    assert choose_weights(paths) == expected


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from(["tags", "license", "language", "base_model", "datasets", "pipeline_tag", "sdk"])


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(list(RepoType)),
    st.dictionaries(names, values),
    st.dictionaries(st.text(max_size=9), values),
)
def test_anything(repo_type: RepoType, card: dict[str, Any], config: dict[str, Any]) -> None:
    """No card breaks anything."""
    found = make_profile(repo_type, card, config, ())
    assert all(isinstance(tag, str) for tag in found.tags)
