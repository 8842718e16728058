"""Each path goes where a person would expect, or is refused before anything is stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorhub.cli.add_targets import plan_targets
from tensorhub.errors import NotFoundError, UsageError
from tensorhub.schema.names import RepoType


def make_folders(place: Path, *names: str) -> list[Path]:
    folders = [place / name for name in names]
    for folder in folders:
        folder.mkdir(parents=True)
    return folders


def test_folders_get_names_of_their_own(tmp_path: Path) -> None:
    """Without a name a folder becomes local/<folder>, made valid."""
    folders = make_folders(tmp_path, "llama", "my model (v2)")
    targets = plan_targets(folders, None, RepoType.DATASET)
    assert [str(target.repository) for target in targets] == [
        "datasets/local/llama",
        "datasets/local/my-model-v2",
    ]
    assert [target.folder for target in targets] == folders


def test_the_present_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`add .` takes the name of the folder one is in."""
    (folder,) = make_folders(tmp_path, "llama")
    monkeypatch.chdir(folder)
    assert str(plan_targets([Path()], None, None)[0].repository) == "local/llama"


def test_one_folder_may_be_named(tmp_path: Path) -> None:
    """--name takes one folder."""
    (folder,) = make_folders(tmp_path, "llama")
    assert str(plan_targets([folder], "me/chat", None)[0].repository) == "me/chat"


def test_several_folders_with_one_name_are_refused(tmp_path: Path) -> None:
    """One name cannot hold two trees."""
    with pytest.raises(UsageError, match="2 folders"):
        plan_targets(make_folders(tmp_path, "a", "b"), "me/chat", None)


@pytest.mark.parametrize("names", [("x/llama", "y/llama"), ("x/llama", "y/LLaMA"), ("a b", "a-b")])
def test_two_folders_of_one_name_are_refused(names: tuple[str, str], tmp_path: Path) -> None:
    """Two folders never end in one repository, names being compared without case."""
    with pytest.raises(UsageError, match="both would become"):
        plan_targets(make_folders(tmp_path, *names), None, None)


def test_the_same_folder_twice_is_one(tmp_path: Path) -> None:
    """Naming a folder twice adds it once."""
    (folder,) = make_folders(tmp_path, "llama")
    assert len(plan_targets([folder, folder], None, None)) == 1


def test_files_need_a_name(tmp_path: Path) -> None:
    """A file does not say which repository it belongs to."""
    file = tmp_path / "README.md"
    file.touch()
    with pytest.raises(UsageError, match="--name"):
        plan_targets([file], None, None)
    (target,) = plan_targets([file], "me/chat", None)
    assert (target.folder, target.files) == (None, (file,))


def test_folders_and_files_together_are_refused(tmp_path: Path) -> None:
    """A tree and a layer over it are two calls."""
    (folder,) = make_folders(tmp_path, "llama")
    file = tmp_path / "README.md"
    file.touch()
    with pytest.raises(UsageError, match="both"):
        plan_targets([folder, file], "me/chat", None)


def test_missing_paths_are_found_first(tmp_path: Path) -> None:
    """Nothing is started when a path does not exist."""
    with pytest.raises(NotFoundError):
        plan_targets([*make_folders(tmp_path, "llama"), tmp_path / "typo"], None, None)
    with pytest.raises(UsageError):
        plan_targets([], None, None)


def test_a_cache_is_not_taken_for_a_model(tmp_path: Path) -> None:
    """A Hugging Face cache, or a repository in one, is refused with a hint."""
    make_folders(tmp_path, "hub/models--me--llama/snapshots")
    for path in (tmp_path / "hub", tmp_path / "hub" / "models--me--llama"):
        with pytest.raises(UsageError, match="--hf-cache"):
            plan_targets([path], None, None)
    assert plan_targets([tmp_path / "hub"], "me/all", None)
