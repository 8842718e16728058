"""`ls` lists repositories, files and tensors."""

from __future__ import annotations

from pathlib import Path


def test_repositories(run, store_path: Path) -> None:
    """One line for each, with its refs."""
    lines = run("ls").stdout.splitlines()
    assert lines[0].split() == ["size", "files", "date", "repository", "refs"]
    assert [line.split()[-2:] for line in lines[1:]] == [
        ["local/base", "main"],
        ["local/base-sharded", "main"],
        ["local/ft-lora", "main"],
    ]
    assert [item["repo_id"] for item in run("ls", "--json").json()] == [
        "local/base",
        "local/base-sharded",
        "local/ft-lora",
    ]


def test_only_one_type(run, store_path: Path) -> None:
    """--type chooses; an empty list is an answer."""
    assert run("ls", "--type", "dataset", "--json").json() == []
    assert len(run("ls", "--type", "model", "--json").json()) == 3


def test_files(run, store_path: Path, family: Path) -> None:
    """Every file with its size, and how many tensors are in it."""
    listed = {item["path"]: item for item in run("ls", "local/base", "--json").json()}
    assert {path: item["nbytes"] for path, item in listed.items()} == {
        path.name: path.stat().st_size for path in (family / "base").iterdir()
    }
    assert listed["model.safetensors"]["format_name"] == "safetensors"
    assert listed["model.safetensors"]["tensors"] > 0
    assert "model.safetensors" in run("ls", "local/base").stdout


def test_tensors(run, store_path: Path) -> None:
    """Every tensor with what it takes and how it is coded."""
    tensors = run("ls", "local/ft-lora", "--tensors", "--json").json()
    assert {item["coding"] for item in tensors} == {"standalone", "delta"}
    assert all((item["base"] is None) == (item["coding"] == "standalone") for item in tensors)
    assert "[1024, 96]" in run("ls", "local/ft-lora", "--tensors").stdout


def test_what_is_not_there(run, store_path: Path, no_store: Path) -> None:
    """No store, no repository, no revision: each has the code of not found and says which."""
    outcome = run("ls", "--json")
    assert (outcome.code, outcome.error()["error"]) == (10, "StoreNotFoundError")
    outcome = run("ls", "me/nothing", "--store", store_path, "--json")
    assert (outcome.code, outcome.error()["error"]) == (10, "RepositoryNotFoundError")
    outcome = run("ls", "local/base", "--revision", "nope", "--store", store_path, "--json")
    assert (outcome.code, outcome.error()["error"]) == (10, "RevisionNotFoundError")


def test_options_without_repository(run, store_path: Path) -> None:
    """--tensors and --revision mean nothing for a list of repositories."""
    assert run("ls", "--tensors").code == 2
    assert run("ls", "--revision", "main").code == 2


def test_empty_store_says_what_to_do(run, tmp_path: Path) -> None:
    """An empty list helps a person on."""
    run("init", tmp_path / "hub")
    assert "tensorhub add" in run("ls", "--store", tmp_path / "hub").stdout
    assert run("ls", "--store", tmp_path / "hub", "--json").json() == []
