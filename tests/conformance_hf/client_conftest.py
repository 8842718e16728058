"""The conftest.py that the client's own tests run under; written here, because the client's sdist has none.

Duty: the fixtures that those tests ask for (a client of the hub under test, temporary repositories, caches that no
two tests share), the choice of the tests that are in scope, one JSON line per outcome. Not its duty: starting the hub,
unpacking the tests. It runs in the client's environment, beside `testing_constants.py`, and knows nothing of TensorHub.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

import pytest
from huggingface_hub import HfApi, RepoUrl, constants
from huggingface_hub.utils import _detect_agent

from .testing_constants import ENDPOINT_PRODUCTION, ENDPOINT_STAGING, TOKEN, USER
from .testing_utils import repo_name

# Node ids, one a line: only these are run. Unset: all.
SCOPE_VARIABLE = "CONFORMANCE_SCOPE"
# File that gets one JSON line per test.
OUTCOMES_VARIABLE = "CONFORMANCE_OUTCOMES"


class Progress:
    """What the run knows while it goes on: the test at work, and the tests that asked the hub for anything."""

    node_id = ""
    touched: ClassVar[set[str]] = set()


# ---------------------------------------------------------------------------------------------- the run as a whole


def pytest_configure(config: pytest.Config) -> None:
    """Watch every HTTP request of this process, so that a test that never asks the hub is known as such."""
    try:
        import httpx2 as http_library
    except ImportError:
        import httpx as http_library
    hub = urlsplit(ENDPOINT_STAGING)
    original = http_library.HTTPTransport.handle_request

    def handle_request(self: Any, request: Any) -> Any:
        if (request.url.host, request.url.port) == (hub.hostname, hub.port):
            Progress.touched.add(Progress.node_id)
        return original(self, request)

    http_library.HTTPTransport.handle_request = handle_request


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what is in scope, in the order of the files."""
    scope_file = os.environ.get(SCOPE_VARIABLE)
    if not scope_file:
        return
    scope = set(Path(scope_file).read_text(encoding="utf-8").split("\n"))
    kept = [item for item in items if item.nodeid in scope]
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in scope])
    items[:] = kept


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Remember which test is at work."""
    Progress.node_id = item.nodeid
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[pytest.TestReport]:
    """Write down how a phase of a test ended, where it is the test itself or went wrong."""
    report: pytest.TestReport = yield
    outcomes = os.environ.get(OUTCOMES_VARIABLE)
    if outcomes and (report.when == "call" or report.outcome != "passed"):
        reason = ""
        if report.skipped:
            reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        elif call.excinfo is not None:
            reason = call.excinfo.exconly()
        line = {
            "test": item.nodeid,
            "phase": report.when,
            "outcome": report.outcome,
            "asked_the_hub": item.nodeid in Progress.touched,
            "seconds": round(report.duration, 2),
            "reason": reason,
        }
        with Path(outcomes).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return report


# ------------------------------------------------------------------------------------------ what surrounds each test


@pytest.fixture(autouse=True)
def own_caches(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test caches and token files of its own."""
    home = tmp_path_factory.mktemp("hf-home")
    places = {
        "HF_HOME": home,
        "HF_HUB_CACHE": home / "hub",
        "HUGGINGFACE_HUB_CACHE": home / "hub",
        "HF_XET_CACHE": home / "xet",
        "HF_ASSETS_CACHE": home / "assets",
        "HF_TOKEN_PATH": home / "token",
        "HF_STORED_TOKENS_PATH": home / "stored_tokens",
    }
    for name, place in places.items():
        monkeypatch.setattr(constants, name, str(place), raising=False)


@pytest.fixture(autouse=True)
def steady_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what the command line prints independent of the terminal, and of who is thought to run it."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(_detect_agent, "_registry", _detect_agent._EMPTY_REGISTRY)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_EXPERIMENTAL_WARNING", True)
    from huggingface_hub.cli._output import out

    out.set_mode()
    out.set_no_truncate(False)


@pytest.fixture(autouse=True)
def no_remembered_login() -> None:
    """Forget what an earlier test made the client decide about tokens."""
    from huggingface_hub.utils import _auth

    for name, value in (("_OAUTH_REFRESH_CACHE", None), ("_OAUTH_REFRESH_WARNED", False)):
        if hasattr(_auth, name):
            setattr(_auth, name, value)


@pytest.fixture(autouse=True)
def marked_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Do what the suite's marks ask for: Xet on or off, a warning expected, no git-lfs here."""
    node = request.node
    if node.get_closest_marker("git_lfs") is not None:
        pytest.skip("needs git-lfs")
    if node.get_closest_marker("no_xet") is not None:
        pytest.skip("must run where hf_xet is not installed")
    if node.get_closest_marker("xet") is not None:
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
        monkeypatch.delenv("HF_HUB_DISABLE_XET", raising=False)
    deprecated = [name for mark in node.iter_markers("deprecated") for name in mark.args]
    with ExitStack() as stack:
        for name in deprecated:
            stack.enter_context(pytest.warns(FutureWarning, match=f".*'{name}'.*"))
        yield


# ----------------------------------------------------------------------------------------------- what tests ask for


@pytest.fixture(scope="session")
def api() -> HfApi:
    """Make a client with the token of the suite's user."""
    return HfApi(endpoint=ENDPOINT_STAGING, token=TOKEN)


@pytest.fixture(scope="session")
def api_prod() -> HfApi:
    """Make a client of the public hub; the tests that use it are not in scope."""
    return HfApi(endpoint=ENDPOINT_PRODUCTION)


class RepoFactory(Protocol):
    """Makes a repository that lives as long as the test."""

    def __call__(self, repo_type: str = "model", repo_id: str | None = None, **settings: Any) -> RepoUrl:
        """Create it; settings go to `create_repo`."""
        ...


@pytest.fixture
def repo_factory(api: HfApi) -> Iterator[RepoFactory]:
    """Create repositories, and remove them at the end."""
    made: list[tuple[str, str, str | None]] = []

    def create(repo_type: str = "model", repo_id: str | None = None, **settings: Any) -> RepoUrl:
        if repo_type == "space":
            settings.setdefault("space_sdk", "gradio")
        url = api.create_repo(repo_id or repo_name(prefix=repo_type), repo_type=repo_type, **settings)
        made.append((url.repo_id, repo_type, settings.get("token")))
        return url

    yield create
    for repo_id, repo_type, token in made:
        with suppress(Exception):  # the test may have removed or renamed it
            api.delete_repo(repo_id, repo_type=repo_type, token=token)


@pytest.fixture
def new_repo_id(api: HfApi) -> Iterator[str]:
    """Give a free name; what a test makes of it is removed."""
    repo_id = f"{USER}/{repo_name()}"
    yield repo_id
    api.delete_repo(repo_id, missing_ok=True)
