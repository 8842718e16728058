"""Commands that download a repository, to copy.

Duty: the text of each. Not its duty: running any.
Invariants: whatever is in a name, pasting a command into a shell or Python runs nothing else.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tensorhub.hub.pages.links import Links
from tensorhub.schema.names import RepositoryId, RepoType

_MAIN = "main"  # what tools take where no revision is given
_WEIGHTS = (".safetensors", ".bin", ".gguf", ".pt", ".pth")


@dataclass(frozen=True, slots=True)
class Command:
    """A command: which tool it is for, and its text."""

    key: str
    label: str
    text: str


def list_commands(
    repository: RepositoryId,
    revision: str,
    endpoint: str,
    paths: tuple[str, ...],
    *,
    store_path: str | None = None,
) -> tuple[Command, ...]:
    """Write the commands for one revision of a repository.

    Parameters
    ----------
    repository, revision
        What to download; for ``main`` no revision is written.
    endpoint
        The hub's own address, without a slash at its end.
    paths
        Its files; they decide what makes sense.
    store_path
        The hub directory, where the reader sits at the machine that has it.
    """
    found = [
        *_hub_commands(repository, revision, endpoint),
        *_library_commands(repository, revision, endpoint, paths),
    ]
    if paths:
        found.append(_curl_command(repository, revision, endpoint, paths))
    if store_path is not None:
        local = f"tensorhub --store {shlex.quote(store_path)} get {shlex.quote(str(repository))}"
        if revision != _MAIN:
            local += f" --revision {shlex.quote(revision)}"
        found.append(Command("tensorhub", "tensorhub", local))
    return tuple(found)


def _hub_commands(repository: RepositoryId, revision: str, endpoint: str) -> list[Command]:
    kind = repository.repo_type
    hf = f"HF_ENDPOINT={shlex.quote(endpoint)} hf download {shlex.quote(repository.repo_id)}"
    arguments = [repr(repository.repo_id)]
    if kind is not RepoType.MODEL:
        hf += f" --repo-type {kind.value}"
        arguments.append(f"repo_type={kind.value!r}")
    if revision != _MAIN:
        hf += f" --revision {shlex.quote(revision)}"
        arguments.append(f"revision={revision!r}")
    arguments.append(f"endpoint={endpoint!r}")
    python = f"from huggingface_hub import snapshot_download\n\nsnapshot_download({', '.join(arguments)})"
    return [Command("hf", "hf", hf), Command("python", "huggingface_hub", python)]


def _library_commands(
    repository: RepositoryId, revision: str, endpoint: str, paths: tuple[str, ...]
) -> list[Command]:
    arguments = repr(repository.repo_id) + (f", revision={revision!r}" if revision != _MAIN else "")
    start = f"# start Python with HF_ENDPOINT={shlex.quote(endpoint)}\n"
    if repository.repo_type is RepoType.MODEL and "config.json" in paths:
        load = f"from transformers import AutoModel\n\nmodel = AutoModel.from_pretrained({arguments})"
        return [Command("transformers", "transformers", start + load)]
    if repository.repo_type is RepoType.DATASET:
        load = f"from datasets import load_dataset\n\nrows = load_dataset({arguments})"
        return [Command("datasets", "datasets", start + load)]
    return []


def _curl_command(repository: RepositoryId, revision: str, endpoint: str, paths: tuple[str, ...]) -> Command:
    path = next((item for item in paths if item.endswith(_WEIGHTS)), paths[0])
    address = Links(endpoint).download(repository, revision, path)
    return Command("curl", "curl", f"curl -L -O {shlex.quote(address)}")
