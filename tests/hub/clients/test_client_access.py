"""A hub with users, through the client: who may read and write what, and how refusals are told."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from tensorhub import Store
from tensorhub.hub.access import Role
from tensorhub.hub.accounts import Accounts
from tensorhub.hub.tokens import Scope

from ..servers import run_hub

pytestmark = pytest.mark.wide


class Town:
    """Clients of one hub: its users, by name, and somebody without a token."""

    def __init__(self, url: str, accounts: Accounts) -> None:
        self.url = url
        accounts.create_user("ada", namespaces={"team": Role.WRITE})
        accounts.create_user("bob", namespaces={"team": Role.READ})
        accounts.create_user("eve")
        secrets = {
            name: accounts.tokens.create(name, scope=Scope.WRITE).secret for name in ("ada", "bob", "eve")
        }
        reading = accounts.tokens.create("ada", scope=Scope.READ).secret
        self.ada, self.bob, self.eve = (HfApi(url, token) for token in secrets.values())
        self.ada_reading = HfApi(url, reading)
        self.nobody = HfApi(url, token=False)
        self.impostor = HfApi(url, token="hf_nobody_has_this_one")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Serve a store with three users."""
    with Store.create(tmp_path_factory.mktemp("town") / "hub") as store, run_hub(store) as (url, hub):
        yield Town(url, hub.accounts)


@pytest.fixture
def private_id(town: Town) -> str:
    """Make a private repository of the team, with a file."""
    name = f"team/secret-{uuid.uuid4().hex[:8]}"
    town.ada.create_repo(name, private=True)
    town.ada.upload_file(path_or_fileobj=b"\0secret" * 100, path_in_repo="weights.bin", repo_id=name)
    return name


def test_who_is_who(town: Town) -> None:
    """Everybody is told who he is and where he belongs; an unknown token is told as such."""
    assert [org["name"] for org in town.ada.whoami()["orgs"]] == ["team"]
    assert town.eve.whoami()["name"] == "eve"
    with pytest.raises(HfHubHTTPError, match=r"Invalid user token|Invalid credentials"):
        town.impostor.whoami()


def test_who_shows_no_token_is_told_to_log_in(town: Town) -> None:
    """Instead of that the token, which is not there, is a wrong one."""
    town.ada.create_repo("ada/to-write-to", exist_ok=True)
    with pytest.raises(HfHubHTTPError, match="hf auth login"):
        town.nobody.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id="ada/to-write-to")


def test_private_is_hidden(town: Town, private_id: str, tmp_path: Path) -> None:
    """Members read it; for others it does not exist, in lists neither."""
    for member in (town.ada, town.bob, town.ada_reading):
        got = member.hf_hub_download(private_id, "weights.bin", cache_dir=tmp_path / member.token)
        assert Path(got).read_bytes() == b"\0secret" * 100
        assert private_id in [found.id for found in member.list_models()]
    for stranger in (town.eve, town.nobody):
        with pytest.raises(RepositoryNotFoundError):
            stranger.model_info(private_id)
        with pytest.raises(RepositoryNotFoundError):
            stranger.hf_hub_download(private_id, "weights.bin", cache_dir=tmp_path / "stranger")
        assert private_id not in [found.id for found in stranger.list_models()]
        assert not stranger.repo_exists(private_id)


def test_reading_is_not_writing(town: Town, private_id: str) -> None:
    """A role or a token that only reads changes nothing, and is told so."""
    for reader in (town.bob, town.ada_reading):
        with pytest.raises(HfHubHTTPError, match="403"):
            reader.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=private_id)
        with pytest.raises(HfHubHTTPError, match="403"):
            reader.upload_file(path_or_fileobj=b"\0x" * 600, path_in_repo="x.bin", repo_id=private_id)
        with pytest.raises(HfHubHTTPError, match="403"):
            reader.create_branch(private_id, branch="mine")
        with pytest.raises(HfHubHTTPError, match="403"):
            reader.delete_repo(private_id)
    with pytest.raises(HfHubHTTPError, match="403"):
        town.eve.create_repo("team/by-eve")
    assert town.ada.list_repo_files(private_id) == [".gitattributes", "weights.bin"]


def test_same_content_tells_nothing(town: Town, private_id: str, tmp_path: Path) -> None:
    """Whoever uploads what others hide sends it in full, and owns it then like anything else."""
    name = f"eve/copy-{uuid.uuid4().hex[:8]}"
    town.eve.create_repo(name)
    town.eve.upload_file(path_or_fileobj=b"\0secret" * 100, path_in_repo="weights.bin", repo_id=name)
    got = town.nobody.hf_hub_download(name, "weights.bin", cache_dir=tmp_path)
    assert Path(got).read_bytes() == b"\0secret" * 100
    assert not town.eve.repo_exists(private_id)


def test_gated(town: Town, private_id: str, tmp_path: Path) -> None:
    """A gated repository is seen by all, its files only by those who were let in."""
    town.ada.update_repo_settings(private_id, visibility="public", gated="manual")
    assert town.eve.model_info(private_id).gated == "manual"
    for stranger in (town.eve, town.nobody):
        with pytest.raises(GatedRepoError):
            stranger.hf_hub_download(private_id, "weights.bin", cache_dir=tmp_path)
    town.bob.auth_check(private_id)
    assert town.bob.file_exists(private_id, "weights.bin")


def test_strangers_may_propose(town: Town) -> None:
    """A pull request needs no right to write; what it proposes is not on main."""
    name = f"ada/open-{uuid.uuid4().hex[:8]}"
    town.ada.create_repo(name)
    made = town.eve.upload_file(path_or_fileobj=b"better", path_in_repo="a.txt", repo_id=name, create_pr=True)
    assert town.nobody.file_exists(name, "a.txt", revision=made.pr_revision)
    assert not town.nobody.file_exists(name, "a.txt")
