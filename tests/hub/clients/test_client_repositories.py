"""Repositories, their branches, tags and history, through the client."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    BadRequestError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

pytestmark = pytest.mark.wide


def new_name() -> str:
    return f"local/repository-{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("repo_type", ["model", "dataset", "space"])
def test_create_list_and_delete(api: HfApi, repo_type: str) -> None:
    """Each type can be made, found, described and removed."""
    name = new_name()
    sdk = {"space_sdk": "static"} if repo_type == "space" else {}
    url = api.create_repo(name, repo_type=repo_type, **sdk)
    assert (url.repo_id, url.repo_type) == (name, repo_type)
    assert api.create_repo(name, repo_type=repo_type, exist_ok=True, **sdk).repo_id == name
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo(name, repo_type=repo_type, **sdk)
    info = api.repo_info(name, repo_type=repo_type)
    assert info.id == name
    assert info.sha
    assert ".gitattributes" in api.list_repo_files(name, repo_type=repo_type)
    listed = {"model": api.list_models, "dataset": api.list_datasets, "space": api.list_spaces}[repo_type]
    assert [found.id for found in listed(search=name.partition("/")[2])] == [name]
    assert [found.id for found in listed(author="local", search=name.partition("/")[2], full=True)] == [name]
    api.delete_repo(name, repo_type=repo_type)
    assert not api.repo_exists(name, repo_type=repo_type)
    api.delete_repo(name, repo_type=repo_type, missing_ok=True)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(name, repo_type=repo_type)


def test_old_name_leads_to_the_new_one(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    """After a rename both names work, in any case of letters."""
    api.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id=repo_id)
    renamed = new_name()
    api.move_repo(repo_id, renamed)
    assert api.model_info(repo_id).id == renamed
    for name in (repo_id, renamed, renamed.upper().replace("LOCAL", "local")):
        got = api.hf_hub_download(name, "config.json", cache_dir=tmp_path / name.replace("/", "-"))
        assert Path(got).read_bytes() == b"{}"


def test_branches_and_tags(api: HfApi, repo_id: str) -> None:
    """Branches and tags are made, listed, read from and removed; names may have slashes."""
    first = api.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id=repo_id).oid
    api.create_branch(repo_id, branch="feature/one")
    api.create_tag(repo_id, tag="v1", revision=first, tag_message="The first")
    api.upload_file(path_or_fileobj=b"2", path_in_repo="a.txt", repo_id=repo_id, revision="feature/one")
    refs = api.list_repo_refs(repo_id)
    assert {branch.name for branch in refs.branches} == {"main", "feature/one"}
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1", first)]
    assert api.model_info(repo_id).sha == api.model_info(repo_id, revision="v1").sha == first
    assert api.model_info(repo_id, revision="feature/one").sha not in (None, first)
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_branch(repo_id, branch="feature/one")
    api.create_branch(repo_id, branch="feature/one", exist_ok=True)
    with pytest.raises(HfHubHTTPError, match="403"):
        api.delete_branch(repo_id, branch="main")
    api.delete_branch(repo_id, branch="feature/one")
    api.delete_tag(repo_id, tag="v1")
    refs = api.list_repo_refs(repo_id)
    assert ([branch.name for branch in refs.branches], refs.tags) == (["main"], [])
    with pytest.raises(RevisionNotFoundError):
        api.delete_tag(repo_id, tag="v1")
    with pytest.raises(RevisionNotFoundError):
        api.create_branch(repo_id, branch="two", revision="nowhere")


def test_history(api: HfApi, repo_id: str) -> None:
    """Commits are listed from the newest; squashing leaves one, with the files of the last."""
    for number in range(3):
        api.upload_file(
            path_or_fileobj=bytes([number]),
            path_in_repo="a.txt",
            repo_id=repo_id,
            commit_message=f"Step {number}",
        )
    commits = api.list_repo_commits(repo_id)
    assert [commit.title for commit in commits][:3] == ["Step 2", "Step 1", "Step 0"]
    assert commits[0].commit_id == api.model_info(repo_id).sha
    assert api.file_exists(repo_id, "a.txt", revision=commits[2].commit_id)
    files = api.list_repo_files(repo_id)
    api.super_squash_history(repo_id)
    assert len(api.list_repo_commits(repo_id)) == 1
    assert api.list_repo_files(repo_id) == files


def test_one_commit_adds_copies_and_removes(api: HfApi, repo_id: str) -> None:
    """A commit with several operations does all of them, and one that comes too late does nothing."""
    operations = [
        CommitOperationAdd(name, b"\0\1\2" * 300) for name in ("a.bin", "folder/b.bin", "folder/c.txt")
    ]
    first = api.create_commit(repo_id, operations, commit_message="Three files").oid
    second = api.create_commit(
        repo_id,
        [CommitOperationCopy("a.bin", "copy/d.bin"), CommitOperationDelete("folder/")],
        commit_message="Copy one, remove a folder",
        parent_commit=first,
    )
    assert set(api.list_repo_files(repo_id)) == {".gitattributes", "a.bin", "copy/d.bin"}
    with pytest.raises(HfHubHTTPError, match="412"):
        api.create_commit(
            repo_id, [CommitOperationDelete("a.bin")], commit_message="Too late", parent_commit=first
        )
    assert api.model_info(repo_id).sha == second.oid


def test_many_at_a_time(api: HfApi, repo_id: str) -> None:
    """Commits to one branch from many sides follow one another; none is lost, none has to be tried again."""

    def push(number: int) -> str:
        data = b"\0" * 500 + bytes([number]) * 100
        return api.upload_file(path_or_fileobj=data, path_in_repo=f"{number}.bin", repo_id=repo_id).oid

    with ThreadPoolExecutor(6) as pool:
        commits = list(pool.map(push, range(12)))
    assert len(set(commits)) == 12
    assert set(api.list_repo_files(repo_id)) == {".gitattributes", *(f"{number}.bin" for number in range(12))}
    history = [commit.commit_id for commit in api.list_repo_commits(repo_id)]
    assert set(history[:-1]) == set(commits)


def test_tree(api: HfApi, repo_id: str) -> None:
    """A tree shows files and folders, with what commits changed them where asked."""
    contents = {"a.txt": b"a", "one/b.txt": b"bb", "one/two/c.bin": b"\0\1" * 400}
    operations = [CommitOperationAdd(path, data) for path, data in contents.items()]
    commit = api.create_commit(repo_id, operations, commit_message="Some files")
    top = {entry.path for entry in api.list_repo_tree(repo_id)}
    assert top == {".gitattributes", "a.txt", "one"}
    entries = {entry.path: entry for entry in api.list_repo_tree(repo_id, recursive=True, expand=True)}
    assert set(entries) == {*contents, ".gitattributes", "one", "one/two"}
    assert {path: entries[path].size for path in contents} == {
        path: len(data) for path, data in contents.items()
    }
    assert entries["one/two"].last_commit.oid == commit.oid
    assert entries["one/two/c.bin"].lfs.size == 800
    assert [entry.path for entry in api.list_repo_tree(repo_id, "one/two")] == ["one/two/c.bin"]
    infos = api.get_paths_info(repo_id, ["one", "a.txt", "nothing"])
    assert {info.path for info in infos} == {"one", "a.txt"}


def test_pull_request(api: HfApi, repo_id: str) -> None:
    """A commit may become a pull request, which is read by its own revision."""
    info = api.create_commit(
        repo_id, [CommitOperationAdd("a.txt", b"new")], commit_message="Propose", create_pr=True
    )
    assert info.pr_num == 1
    assert not api.file_exists(repo_id, "a.txt")
    assert api.file_exists(repo_id, "a.txt", revision="refs/pr/1")


def test_settings_and_names(api: HfApi, repo_id: str) -> None:
    """What a repository may be called, and whether all may see it, is decided by the hub."""
    api.update_repo_settings(repo_id, visibility="private")
    assert api.model_info(repo_id).private
    api.update_repo_settings(repo_id, visibility="public", gated="auto")
    info = api.model_info(repo_id)
    assert (info.private, info.gated) == (False, "auto")
    with pytest.raises((BadRequestError, HfHubHTTPError, ValueError)):
        api.create_repo("local/a--b")


def test_who_one_is(api: HfApi) -> None:
    """Where there are no users, one is the owner of the store."""
    assert api.whoami()["name"] == "local"
