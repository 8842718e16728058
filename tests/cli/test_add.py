"""`add` brings folders, files and caches in, and says what they became."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import tensorhub as th


def test_add_creates_the_store_with_a_notice(run, no_store: Path, family: Path) -> None:
    """The first add needs no init."""
    outcome = run("add", family / "ft-json")
    assert outcome.code == 0
    assert f"new store at {no_store}" in outcome.stderr
    assert outcome.stdout.startswith("local/ft-json @ main  ")
    assert " stored" in outcome.stdout


def test_add_of_several_folders(run, no_store: Path, family: Path) -> None:
    """Each becomes a repository; the result is a list in the order of the paths."""
    outcome = run("add", family / "base", family / "base-sharded", family / "ft-lora", "--json")
    assert (outcome.code, outcome.stderr) == (0, "")
    results = outcome.json()
    assert [result["repository"] for result in results] == [
        "local/base",
        "local/base-sharded",
        "local/ft-lora",
    ]
    base, sharded, lora = results
    assert base["is_new_commit"] is True
    assert base["bases"] == {}
    assert sharded["stored_nbytes"] < 0.05 * base["stored_nbytes"]
    assert sharded["new_nbytes"] < 0.05 * sharded["added_nbytes"]
    assert lora["delta_nbytes"] > 0
    assert sum(lora["bases"].values()) > 0
    nbytes = sum(path.stat().st_size for path in (family / "base").rglob("*") if path.is_file())
    assert base["nbytes"] == base["added_nbytes"] == nbytes


def test_add_for_a_person(run, store_path: Path, family: Path) -> None:
    """The text says through what it became small, and sums up several."""
    outcome = run("add", family / "ft-json", family / "ft-chat")
    assert "as delta against local/" in outcome.stdout
    assert outcome.stdout.splitlines()[-1].startswith("2 repositories: ")


def test_add_again_changes_nothing(run, store_path: Path, family: Path) -> None:
    """An identical tree makes no commit."""
    outcome = run("add", family / "base", "--json")
    (result,) = outcome.json()
    assert result["is_new_commit"] is False
    assert result["new_nbytes"] == 0
    assert "unchanged" in run("add", family / "base").stdout
    assert len(run("show", "local/base", "--json").json()["commits"]) == 1


def test_add_with_name_type_revision_message(run, store_path: Path, family: Path) -> None:
    """What was given is where it went."""
    outcome = run(
        "add", family / "lora-adapter", "--name", "me/adapter", "--type", "dataset",
        "--revision", "next", "--message", "first release", "--json",
    )  # fmt: skip
    (result,) = outcome.json()
    assert result["repository"] == "datasets/me/adapter"
    assert result["revision"] == "next"
    card = run("show", "datasets/me/adapter", "--json").json()
    assert [ref["name"] for ref in card["refs"]] == ["refs/heads/next"]
    assert card["commits"][0]["title"] == "first release"


def test_add_files_lays_over(run, store_path: Path, tmp_path: Path) -> None:
    """A file joins the present tree; the rest stays."""
    before = {item["path"] for item in run("ls", "local/base", "--json").json()}
    file = tmp_path / "NOTES.md"
    file.write_text("new")
    assert run("add", file, "--name", "local/base").code == 0
    assert {item["path"] for item in run("ls", "local/base", "--json").json()} == before | {"NOTES.md"}


def test_dry_run_stores_nothing(run, no_store: Path, family: Path) -> None:
    """A first look needs no store and leaves none."""
    outcome = run("add", family / "ft-lora", "--dry-run", "--json")
    (prediction,) = outcome.json()
    assert 0 < prediction["predicted_stored_nbytes"] <= prediction["nbytes"]
    assert not no_store.exists()


def test_dry_run_predicts_the_saving(run, store_path: Path, family: Path) -> None:
    """The prediction is near what adding then does."""
    (prediction,) = run("add", family / "ft-json", "--dry-run", "--json").json()
    assert "predicted, nothing stored" in run("add", family / "ft-json", "--dry-run").stdout
    (result,) = run("add", family / "ft-json", "--json").json()
    assert prediction["predicted_stored_nbytes"] == pytest.approx(result["stored_nbytes"], rel=0.15)
    assert prediction["bases"]


def test_failure_stops_with_a_summary(run, store_path: Path, family: Path, tmp_path: Path) -> None:
    """Those before it are complete, those after it not started, and both are said."""
    bad = tmp_path / "bad"
    bad.mkdir()
    Path(os.fsdecode(os.fsencode(bad) + b"/\xff")).touch()
    outcome = run("add", family / "ft-json", bad, family / "ft-chat")
    assert outcome.code == 2
    assert "1 added before this are complete: local/ft-json" in outcome.stderr
    assert "1 after this were not started" in outcome.stderr
    names = {item["repo_id"] for item in run("ls", "--json").json()}
    assert "local/ft-json" in names
    assert not names & {"local/bad", "local/ft-chat"}
    outcome = run("add", family / "ft-json", bad, "--json")
    assert [result["repository"] for result in outcome.json()] == ["local/ft-json"]
    assert outcome.error()["error"] == "InvalidNameError"


def test_missing_path_has_the_code_of_not_found(run, no_store: Path) -> None:
    """Nothing is stored, not even a store."""
    assert run("add", "nowhere/at/all").code == 10
    assert not no_store.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--hf-cache", "--name", "me/x"),
        ("--hf-cache", "--dry-run"),
        ("--hf-cache", "--type", "model"),
        ("--hf-cache", "--message", "x"),
        ("--hf-cache", "a", "b"),
        (".", "--type", "film"),
    ],
)
def test_meaningless_requests(arguments: tuple[str, ...], run, no_store: Path) -> None:
    """They are usage errors, and store nothing."""
    assert run("add", *arguments).code == 2
    assert not no_store.exists()


def test_add_hf_cache(run, no_store: Path, family: Path, tmp_path: Path) -> None:
    """Repositories, revisions and refs of a cache come in under their own names."""
    commit_id = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--tiny--adapter"
    snapshot = repository / "snapshots" / commit_id
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit_id)
    for number, file in enumerate(sorted((family / "lora-adapter").iterdir())):
        shutil.copy(file, repository / "blobs" / f"{number:064x}")
        (snapshot / file.name).symlink_to(Path("..", "..", "blobs", f"{number:064x}"))
    outcome = run("add", "--hf-cache", tmp_path / "hub", "--json")
    assert outcome.code == 0, outcome.stderr
    assert "tiny/adapter" in {result["repository"] for result in outcome.json()}
    card = run("show", "tiny/adapter", "--json").json()
    assert card["refs"] == [{"name": "refs/heads/main", "commit_id": commit_id}]
    assert {item["mode"] for item in card["files"]} == {"file"}


def test_json_of_add_is_the_result_of_the_api(run, store_path: Path, family: Path, tmp_path: Path) -> None:
    """The command line adds nothing to what the library says."""
    with th.Store.open(tmp_path / "other", create=True) as store:
        expected = th.to_json(th.add_folder(store, family / "lora-adapter", "local/lora-adapter"))
    (result,) = run("add", family / "lora-adapter", "--store", tmp_path / "third", "--json").json()
    assert result.keys() == json.loads(json.dumps(expected)).keys()


@pytest.mark.usefixtures("modes")
def test_add_in_a_mode(run, no_store: Path, family: Path, tmp_path: Path) -> None:
    """--mode holds for this add, whatever the store's; a dry run and a cache take it too."""
    stored = {}
    for mode in ("fast", "max"):
        where = tmp_path / mode
        (result,) = run("--store", where, "add", family / "ft-json", "--mode", mode, "--json").json()
        stored[mode] = result["stored_nbytes"]
        assert run("--store", where, "info", "--json").json()["mode"] == "balanced"
    assert stored["max"] < stored["fast"]
    assert run("add", family / "ft-json", "--dry-run", "--mode", "max").code == 0
    (tmp_path / "cache").mkdir()
    assert run("add", "--hf-cache", tmp_path / "cache", "--mode", "max", "--json").json() == []
    assert run("add", family / "ft-json", "--mode", "slow").code == 2
