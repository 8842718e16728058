"""What people do to repositories with ``huggingface_hub``, in a process of its own, because it reads settings once.

Usage: ``HF_ENDPOINT=URL HF_HUB_DISABLE_XET=1 write_client.py FOLDER``; ends with an assertion where something is not as
it should be. Runs with clients from 1.9 on.
"""

import io
import os
import sys
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    hf_hub_download,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

api, folder = HfApi(), Path(sys.argv[1])
large = os.urandom(1 << 20) * 12


def refused(status: int, call, *arguments, **more) -> Exception:
    """Make sure that a call is refused with a status."""
    try:
        call(*arguments, **more)
    except HfHubHTTPError as error:
        assert error.response.status_code == status, error
        return error
    raise AssertionError(f"{call} was not refused")


def read(path: str, repo: str = "local/m", revision: str = "main") -> bytes:
    """Download a file past the cache."""
    return Path(hf_hub_download(repo, path, revision=revision, force_download=True)).read_bytes()


url = api.create_repo("local/m")
assert (url.repo_id, url.repo_type) == ("local/m", "model"), url
refused(409, api.create_repo, "local/m")
assert api.create_repo("local/m", exist_ok=True).repo_id == "local/m"

# Files: regular, LFS by name, LFS by size, a file object, an empty one.
info = api.upload_file(
    path_or_fileobj=b"hello", path_in_repo="a.txt", repo_id="local/m", commit_message="first"
)
assert info.commit_url.endswith(info.oid)
api.upload_file(path_or_fileobj=b"weights" * 1000, path_in_repo="sub/w.safetensors", repo_id="local/m")
api.upload_file(path_or_fileobj=io.BytesIO(large), path_in_repo="large.txt", repo_id="local/m")
api.upload_file(path_or_fileobj=b"", path_in_repo="empty.bin", repo_id="local/m")
assert (read("a.txt"), read("sub/w.safetensors"), read("large.txt"), read("empty.bin")) == (
    b"hello",
    b"weights" * 1000,
    large,
    b"",
)
same = api.upload_file(path_or_fileobj=b"hello", path_in_repo="a.txt", repo_id="local/m")
assert same.oid == api.model_info("local/m").sha

# Folders, with rules of .gitignore, and what is there already.
for name, content in {
    "x.txt": b"x",
    "y/z.bin": b"z" * 5000,
    "y/n.log": b"n",
    ".gitignore": b"*.log\n",
}.items():
    folder.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
    folder.joinpath(name).write_bytes(content)
api.upload_folder(repo_id="local/m", folder_path=folder, path_in_repo="", commit_message="folder")
assert set(api.list_repo_files("local/m")) == {
    ".gitattributes",
    ".gitignore",
    "a.txt",
    "sub/w.safetensors",
    "large.txt",
    "empty.bin",
    "x.txt",
    "y/z.bin",
}
assert read("y/z.bin") == b"z" * 5000

# Commits of several operations, and their refusals.
head = api.create_commit(
    "local/m",
    [
        CommitOperationAdd("b.txt", b"b"),
        CommitOperationDelete("a.txt"),
        CommitOperationDelete("y/"),
    ],
    commit_message="several",
    commit_description="of them",
)
refused(
    412,
    api.create_commit,
    "local/m",
    [CommitOperationAdd("c", b"1")],
    commit_message="late",
    parent_commit=info.oid,
)
api.create_commit("local/m", [CommitOperationAdd("c", b"1")], commit_message="on top", parent_commit=head.oid)
error = refused(404, api.delete_file, "nothing.txt", "local/m")
assert isinstance(error, EntryNotFoundError), type(error)
error = refused(
    404, api.upload_file, path_or_fileobj=b"1", path_in_repo="d", repo_id="local/m", revision="nowhere"
)
assert isinstance(error, RevisionNotFoundError), type(error)
refused(422, api.upload_file, path_or_fileobj=b"1", path_in_repo="..\\ddd", repo_id="local/m")

# Branches, tags, squash.
api.create_branch("local/m", branch="dev/x")
refused(409, api.create_branch, "local/m", branch="dev/x")
api.create_branch("local/m", branch="dev/x", exist_ok=True)
api.upload_file(path_or_fileobj=b"dev", path_in_repo="dev.txt", repo_id="local/m", revision="dev/x")
assert read("dev.txt", revision="dev/x") == b"dev"
api.create_tag("local/m", tag="v1", revision="dev/x", tag_message="first")
refused(409, api.create_tag, "local/m", tag="v1")
assert read("dev.txt", revision="v1") == b"dev"
api.super_squash_history("local/m", branch="dev/x")
api.delete_tag("local/m", tag="v1")
api.delete_branch("local/m", branch="dev/x")
refused(403, api.delete_branch, "local/m", branch="main")

# A pull request.
pull = api.upload_file(
    path_or_fileobj=b"pr",
    path_in_repo="pr.txt",
    repo_id="local/m",
    create_pr=True,
    commit_message="a proposal",
)
assert (pull.pr_num, pull.pr_revision) == (1, "refs/pr/1"), pull
assert read("pr.txt", revision="refs/pr/1") == b"pr"

# Discussions, and a pull request that is talked about and merged.
api.create_repo("local/talk")
pull = api.create_discussion("local/talk", title="A proposal", pull_request=True)
talk = api.create_discussion("local/talk", title=" A question ")
assert (talk.num, talk.title, talk.author, talk.is_pull_request) == (2, "A question", "local", False)
assert [item.num for item in api.get_repo_discussions("local/talk")] == [2, 1]
assert api.get_discussion_details("local/talk", 2) == talk
first = next(event for event in pull.events if event.type == "comment")
edited = api.edit_discussion_comment("local/talk", 1, first.id, "**because**")
found = next(event for event in api.get_discussion_details("local/talk", 1).events if event.type == "comment")
assert found == edited and found.edited and found.id == first.id
said = api.comment_discussion("local/talk", 2, comment="hello")
assert said.id in {event.id for event in api.get_discussion_details("local/talk", 2).events}
assert api.rename_discussion("local/talk", 2, "An answer").old_title == "A question"
assert api.change_discussion_status("local/talk", 2, "closed").new_status == "closed"
api.create_commit(
    "local/talk", [CommitOperationAdd("f.txt", b"f")], commit_message="f", revision=pull.git_reference
)
api.change_discussion_status("local/talk", 1, "open")
api.merge_pull_request("local/talk", 1)
merged = api.get_discussion_details("local/talk", 1)
assert merged.status == "merged" and merged.merge_commit_oid
assert read("f.txt", "local/talk") == b"f"

# Names.
api.move_repo("local/m", "local/n")
assert read("b.txt", "local/m") == b"b"
api.create_repo("local/space", repo_type="space", space_sdk="gradio", private=True)
api.create_repo("local/data", repo_type="dataset")
api.upload_file(path_or_fileobj=b"1,2\n", path_in_repo="d.csv", repo_id="local/data", repo_type="dataset")
api.update_repo_settings("local/n", private=True)
for repo, kind in (("local/n", None), ("local/space", "space"), ("local/data", "dataset")):
    api.delete_repo(repo, repo_type=kind)
assert isinstance(refused(404, api.delete_repo, "local/n"), RepositoryNotFoundError)
api.delete_repo("local/n", missing_ok=True)
print("done")
