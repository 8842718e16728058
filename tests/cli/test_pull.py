"""The command ``pull``: what another hub has, by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tensorhub import Store
from tensorhub.cli import main
from tensorhub.errors import AlreadyExistsError, BackendUnavailableError, UsageError, WrongContentError
from tensorhub.hub.access import Visibility
from tensorhub.hub.pulling import is_selected, pull_revision
from tensorhub.schema.names import parse_repository

from ..hub.other_hub import OtherHub
from ..hub.servers import run_hub
from ..weights import noise, put, read_all, safetensors, weights

MODEL = parse_repository("org/model")
FILES = {
    "README.md": b"# A model\n",
    "old/config.json": b'{"a": 1}',
    "config.json": b'{"a": 2}',
    "m.safetensors": safetensors({"w": weights((64, 320), 1)}),
    "x.bin": noise(100_000, 2),
}


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    """Run a hub that has the model, which is private, and the token ``secret-token``."""
    with Store.create(tmp_path / "origin") as store:
        put(store, "org/model", FILES)
        with run_hub(store) as (url, hub):
            hub.accounts.create_user("ada", is_admin=True)
            hub.repositories.put(MODEL, visibility=Visibility.PRIVATE)
            secret = hub.accounts.tokens.create("ada", name="pull").secret
            (tmp_path / "token").write_text(f"{secret}\n")
            for _ in range(500):
                head = httpx.head(
                    f"{url}/org/model/resolve/main/config.json", headers={"Authorization": f"Bearer {secret}"}
                )
                if head.status_code == 200:
                    break
                time.sleep(0.02)
            yield url


def _pull(tmp_path: Path, url: str, *more: str) -> int:
    return main(["pull", "org/model", "--from", url, "--store", str(tmp_path / "mine"), *more])


def test_pull(origin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Some files first, then the rest; what is here is not fetched again."""
    token = ("--token-file", str(tmp_path / "token"))
    assert _pull(tmp_path, origin, *token, "--include", "*.json", "--exclude", "old/", "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["files"], first["fetched_files"], first["is_partial"]) == (1, 1, True)
    assert _pull(tmp_path, origin, *token) == 0
    text = capsys.readouterr().out
    assert "org/model" in text
    assert "4 files fetched" in text
    assert _pull(tmp_path, origin, *token, "--json") == 0
    last = json.loads(capsys.readouterr().out)
    assert (last["files"], last["fetched_files"], last["is_partial"]) == (5, 0, False)
    assert last["nbytes"] == sum(map(len, FILES.values()))
    with Store.open(tmp_path / "mine") as store:
        assert read_all(store, "org/model") == FILES
        assert store.resolve("org/model") == last["commit_id"]


def test_token_in_the_environment(
    origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is read from the variable that was named; without, the repository does not exist."""
    assert _pull(tmp_path, origin) == 10
    monkeypatch.setenv("THE_TOKEN", (tmp_path / "token").read_text())
    assert _pull(tmp_path, origin, "--token-env", "THE_TOKEN") == 0
    monkeypatch.setenv("THE_TOKEN", "hub_wrong")
    assert _pull(tmp_path, origin, "--token-env", "THE_TOKEN") in (10, 16)
    assert "hub_wrong" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--token-env", "NOT_SET_ANYWHERE"), 2),
        (("--token-env", "HOME", "--token-file", "x"), 2),
        (("--token-file", "/nowhere/token"), 10),
    ],
)
def test_no_token(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    """A token that is not where it should be is told before anybody is asked."""
    assert _pull(tmp_path, "http://127.0.0.1:9", *options) == code


def test_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad one is refused; one where nobody answers is told as that, and no repository is made."""
    assert _pull(tmp_path, "ftp://hub.example") == 2
    monkeypatch.setattr("tensorhub.hub.upstream_http._FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr("tensorhub.hub.upstream_http._MAX_PAUSE_S", 0.0)
    assert _pull(tmp_path, "http://127.0.0.1:9") == 14
    with Store.open(tmp_path / "mine") as store:
        assert store.repositories() == []


def test_own_commits_are_not_touched(store: Store) -> None:
    """A branch with commits made here stays; the commit can be had by its id."""
    put(store, "org/model", {"mine.txt": b"mine"})
    other = OtherHub(dict(FILES))
    with pytest.raises(AlreadyExistsError):
        pull_revision(store, other.upstream(), MODEL)
    result = pull_revision(store, other.upstream(), MODEL, other.commit_id)
    assert result.fetched_files == 5
    assert read_all(store, "org/model") == {"mine.txt": b"mine"}
    assert store.read(MODEL, "x.bin", revision=other.commit_id) == FILES["x.bin"]


def test_failures(store: Store) -> None:
    """They are told, and what came is kept for the next time."""
    other = OtherHub(dict(FILES), wrong={"x.bin"})
    with pytest.raises(WrongContentError):
        pull_revision(store, other.upstream(), MODEL)
    other.wrong.clear()
    assert pull_revision(store, other.upstream(), MODEL).fetched_files == 1
    other.is_down = True
    with pytest.raises(BackendUnavailableError):
        pull_revision(store, other.upstream(), MODEL)
    other.is_down = False
    with pytest.raises(UsageError):
        pull_revision(store, other.upstream(), MODEL, include=["*.none"])


def test_patterns() -> None:
    """As shells have them; a folder is all below it."""
    assert is_selected("a/b.json", ["*.json"], [])
    assert not is_selected("a/b.json", ["*.json"], ["a/"])
    assert is_selected("a/b.json", [], ["A/"])
    assert not is_selected("b.txt", ["a/", "*.json"], [])
