"""Profiles: what a repository says of itself, told from its card, its configuration and the names of its files.

Duty: tags, library, task, configuration, numbers of parameters. Not its duty: reading files (``profile_reader``); sizes
and dates (``directory``).
Invariants: pure; whatever a card holds, a profile can be made of it and written as JSON. Rules follow the Hugging Face
hub's where they are known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tensorhub.schema.names import RepoType

_MAX_TAGS = 1000
_MAX_TAG = 200  # characters
_ARXIV = re.compile(r"arxiv\.org/(?:abs|pdf)/(\d{4}\.\d{4,5})", re.IGNORECASE)
_SUFFIXES = {  # of a file at any depth -> the tag that it gives
    ".safetensors": "safetensors",
    ".gguf": "gguf",
    ".onnx": "onnx",
    ".pt": "pytorch",
    ".pth": "pytorch",
    ".bin": "pytorch",
    ".h5": "tf",
    ".msgpack": "jax",
}
_WEIGHTS = re.compile(r"(?:^|/)(?:pytorch_model|adapter_model|diffusion_pytorch_model)[^/]*\.bin$")
_LIBRARIES = (  # a file at the root -> the library that writes it, most special first
    ("model_index.json", "diffusers"),
    ("adapter_config.json", "peft"),
    ("config_sentence_transformers.json", "sentence-transformers"),
)
_TASKS = (  # how the name of a model's class ends -> what it is for
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForMaskedLM", "fill-mask"),
    ("ForImageClassification", "image-classification"),
    ("ForObjectDetection", "object-detection"),
    ("ForSemanticSegmentation", "image-segmentation"),
    ("ForAudioClassification", "audio-classification"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForSpeechSeq2Seq", "automatic-speech-recognition"),
    ("ForImageTextToText", "image-text-to-text"),
)
_DATASET_FIELDS = (  # fields of a dataset's card that give tags with the field's name before them
    "task_categories",
    "task_ids",
    "annotations_creators",
    "language_creators",
    "language",
    "multilinguality",
    "size_categories",
    "source_datasets",
)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a repository says of itself at one commit.

    Attributes
    ----------
    tags
        As lists are filtered by; each once.
    library_name, pipeline_tag
        What loads it and what it is for; None where nothing says so.
    license
        As the card says; None for nothing.
    base_models, datasets
        Repositories that the card names.
    sdk
        Of a space.
    config
        The part of ``config.json`` that clients are shown.
    parameters
        Element type → number of elements in its safetensors weights.
    keys
        The tags without case, and the datasets of a space: what a filter is compared with.
    """

    tags: tuple[str, ...] = ()
    library_name: str | None = None
    pipeline_tag: str | None = None
    license: str | None = None
    base_models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    sdk: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()

    @property
    def total_parameters(self) -> int:
        """Number of elements of all types."""
        return sum(self.parameters.values())


def make_profile(
    repo_type: RepoType,
    card: Mapping[str, Any],
    config: Mapping[str, Any],
    paths: Collection[str],
    *,
    card_text: str = "",
    parameters: Mapping[str, int] | None = None,
) -> Profile:
    """Make the profile of a repository.

    Parameters
    ----------
    repo_type
        Which rules apply.
    card
        The card's front matter.
    config
        The content of ``config.json``.
    paths
        Of its files.
    card_text
        The card, in which papers are looked for.
    parameters
        Element type → number of elements.
    """
    is_model = repo_type is RepoType.MODEL
    library = (_text(card.get("library_name")) or _find_library(config, paths)) if is_model else None
    task = (_text(card.get("pipeline_tag")) or _find_task(config)) if is_model else None
    tags: list[str | None] = []
    if is_model:
        tags += [library, *_file_tags(paths), _text(config.get("model_type")), task]
        tags += _texts(card.get("tags")) + _texts(card.get("language"))
        tags += [f"dataset:{name}" for name in _texts(card.get("datasets"))]
        tags += _base_tags(card)
    else:
        for name in _DATASET_FIELDS:
            tags += [f"{name}:{value}" for value in _texts(card.get(name))]
        tags += _texts(card.get("tags"))
    tags += [f"arxiv:{number}" for number in _ARXIV.findall(card_text)]
    licence = _text(card.get("license"))
    tags += [f"license:{licence}"] if licence else []
    unique = tuple(dict.fromkeys(tag[:_MAX_TAG] for tag in tags if tag))[:_MAX_TAGS]
    datasets = tuple(_texts(card.get("datasets")))
    keys = {tag.casefold() for tag in (*unique, *(f"datasets:{name}" for name in datasets))}
    return Profile(
        tags=unique,
        library_name=library,
        pipeline_tag=task,
        license=licence,
        base_models=tuple(_texts(card.get("base_model"))),
        datasets=datasets,
        sdk=_text(card.get("sdk")) if repo_type is RepoType.SPACE else None,
        config=_shown_config(config),
        parameters=dict(parameters or {}),
        keys=frozenset(keys),
    )


def choose_weights(paths: Iterable[str]) -> list[str]:
    """Choose the safetensors files whose elements are a model's parameters.

    Parameters
    ----------
    paths
        Of all files.

    Returns
    -------
    list of str
        ``model.safetensors``, or its shards; where there is neither, every safetensors file of the folder that is
        nearest to the root. Other formats of the same weights, in folders below, are not counted twice.
    """
    found = [path for path in paths if path.endswith(".safetensors")]
    if "model.safetensors" in found:
        return ["model.safetensors"]
    shards = [path for path in found if re.fullmatch(r"model-\d+-of-\d+\.safetensors", path)]
    if shards:
        return shards
    depth = min((path.count("/") for path in found), default=0)
    if depth == 0:
        return [path for path in found if "/" not in path]
    return found  # a pipeline of several models has one in each folder


def _file_tags(paths: Iterable[str]) -> list[str]:
    tags: dict[str, None] = {}
    for path in paths:
        dot = path.rfind(".")
        tag = _SUFFIXES.get(path[dot:].lower()) if dot >= 0 else None
        if tag is not None and (not path.endswith(".bin") or _WEIGHTS.search(path)):
            tags[tag] = None
    return list(tags)


def _find_library(config: Mapping[str, Any], paths: Collection[str]) -> str | None:
    for path, library in _LIBRARIES:
        if path in paths:
            return library
    has_model = config.get("architectures") or config.get("model_type")
    return "transformers" if has_model else None


def _find_task(config: Mapping[str, Any]) -> str | None:
    for name in _texts(config.get("architectures")):
        for ending, task in _TASKS:
            if name.endswith(ending):
                return task
    return None


def _base_tags(card: Mapping[str, Any]) -> list[str]:
    relation = _text(card.get("base_model_relation"))
    tags: list[str] = []
    for name in _texts(card.get("base_model")):
        tags.append(f"base_model:{name}")
        if relation:
            tags.append(f"base_model:{relation}:{name}")
    return tags


def _shown_config(config: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if architectures := _texts(config.get("architectures")):
        shown["architectures"] = architectures
    if model_type := _text(config.get("model_type")):
        shown["model_type"] = model_type
    quantization = config.get("quantization_config")
    if isinstance(quantization, Mapping):
        shown["quantization_config"] = {
            str(name): value
            for name, value in list(quantization.items())[:20]
            if isinstance(value, str | int | bool | None)
        }
    return shown


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_TAG else None


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items[:_MAX_TAGS] if isinstance(item, str) and 0 < len(item) <= _MAX_TAG]
