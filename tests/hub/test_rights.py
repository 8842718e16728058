"""Who may do what: every route of the hub, asked by everybody, of an open, a gated and a hidden repository."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from tensorhub import Store
from tensorhub.hub.access import Gate, Role, Visibility
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.pages.routes import ROUTES as PAGE_ROUTES
from tensorhub.hub.serve import ROUTES, make_app
from tensorhub.hub.tokens import Scope
from tensorhub.schema.names import parse_repository

from .rights import CALLERS, HEADER, REFUSED, REPOSITORIES, RULES, Ask, rights_of

pytestmark = pytest.mark.wide


class World:
    """A hub with users and repositories, and somebody who asks it."""

    def __init__(self, store: Store) -> None:
        self.hub = Hub(store, HubConfig())
        self.client = TestClient(
            make_app(self.hub),
            base_url="http://localhost",
            follow_redirects=False,
            raise_server_exceptions=False,
        )
        self.headers: dict[str, dict[str, str]] = {"nobody": {}, "wrong token": _bearer("hf_" + "x" * 40)}
        self._add_users()
        self.comments, self.markers = dict[str, str](), list[str]()
        for name in REPOSITORIES:
            self._add_repository(name)

    def _add_users(self) -> None:
        accounts = self.hub.accounts
        roles = {"boss": Role.ADMIN, "writer": Role.WRITE, "reader": Role.READ}
        for name in ("root", *roles, "other", "gone"):
            role = roles.get(name)
            accounts.create_user(name, is_admin=name == "root", namespaces={"team": role} if role else {})
            new = accounts.tokens.create(name, scope=Scope.WRITE, name="t")
            self.headers[name] = _bearer(new.secret)
            if name == "other":
                revoked = accounts.tokens.create(name, scope=Scope.WRITE)
                accounts.tokens.revoke(revoked.token.token_id)
                self.headers["revoked token"] = _bearer(revoked.secret)
        for name in ("writer", "other"):
            self.headers[f"{name}, token to read"] = _bearer(accounts.tokens.create(name, name="t").secret)
        for name in ("writer", "root"):
            kept = accounts.tokens.create(name, scope=Scope.WRITE, namespaces=["own-" + name], name="t")
            self.headers[f"{name}, token for elsewhere"] = _bearer(kept.secret)
        accounts.change_user("writer", namespaces={"own-writer": Role.ADMIN})
        self.headers["disabled user"] = self.headers.pop("gone")
        accounts.change_user("gone", is_disabled=True)
        for caller in CALLERS:
            if caller not in REFUSED and caller != "nobody" and not caller.endswith("to read"):
                made = self.post("/api/repos/create", {"name": f"{own_of(caller)}/own"}, "root")
                assert made.status_code == 200, made.text

    def _add_repository(self, name: str) -> None:
        repository = f"team/{name}"
        assert self.post("/api/repos/create", {"name": repository}, "boss").status_code == 200
        gate = Gate.AUTO if name == "gated" else Gate.NO
        visibility = Visibility.PRIVATE if name == "secret" else Visibility.PUBLIC
        content = {
            "hidden.txt": f"content of {name}".encode(),
            "hidden.png": f"picture of {name}".encode(),
            "hidden.safetensors": _safetensors(f"tensor-of-{name}"),
            "README.md": f"---\nlicense: license-of-{name}\n---\ncard of {name}\n".encode(),
        }
        lines = [HEADER, *({"key": "file", "value": _file(path, data)} for path, data in content.items())]
        done = self.post(
            f"/api/models/{repository}/commit/main",
            b"\n".join(json.dumps(line).encode() for line in lines),
            "boss",
        )
        assert done.status_code == 200, done.text
        self.hub.repositories.put(parse_repository(repository), visibility=visibility, gate=gate)
        commit_id = done.json()["commitOid"]
        self.post(f"/api/models/{repository}/tag/main", {"tag": "v1"}, "boss")
        talk = {"title": f"title of {name}", "description": f"words of {name}"}
        assert self.post(f"/api/models/{repository}/discussions", talk, "root").json()["num"] == 1
        shown = self.client.get(
            f"/api/models/{repository}/discussions/1", headers=self.headers["root"]
        ).json()
        self.comments[name] = shown["events"][0]["id"]
        if name == "secret":
            digests = [hashlib.sha256(data).hexdigest() for data in content.values()]
            self.markers = [
                *(f"{what} of {name}" for what in ("content", "picture", "card", "title", "words"))
            ]
            self.markers += [f"license-of-{name}", f"tensor-of-{name}", commit_id, *digests]

    def post(self, path: str, body: Any, caller: str) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(path, content=content, headers=self.headers[caller])

    def ask(
        self, method: str, pattern: str, ask: Ask, caller: str, name: str, accept: str
    ) -> tuple[str, Any]:
        """Ask a route; gives what was sent and the answer."""
        repository = f"team/{name}"
        known = {"T": "models", "P": "", "repo": repository, "rev": "main", "path": "hidden.txt", "num": "1"}
        known |= {"comment": self.comments[name], "kind": "models", "name": "page.css", "hash": "0" * 64}
        known |= {
            "place": f"s-{self.hub.store.store_id[:16]}-0-0-0",
            "link": "x",
            "number": "1",
            **ask.params,
        }
        if "picture" in pattern:
            known["path"] = "hidden.png"
        elif "safetensors" in pattern:
            known["path"] = "hidden.safetensors"
        path = re.sub(r"\{(\w+)\}", lambda found: known[found[1]], pattern)
        body = ask.body
        if isinstance(body, dict):
            sha256 = hashlib.sha256(f"content of {name}".encode()).hexdigest()
            text = json.dumps(body).replace("{repo}", repository).replace("{own}", own_of(caller))
            body = text.replace("{sha256}", sha256).encode()
        headers = {**self.headers[caller], "Accept": accept}
        if method == "POST" and isinstance(ask.body, bytes) and b"=" in ask.body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if method in ("GET", "HEAD"):
            body = None
        response = self.client.request(method, f"{path}?{ask.query}", content=body, headers=headers)
        return f"{path} {ask.query} {body!r}", response


def own_of(caller: str) -> str:
    """Name a namespace where a caller may write."""
    name = caller.partition(",")[0]
    return f"own-{name}" if caller.endswith("elsewhere") else name


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _file(path: str, data: bytes) -> dict[str, str]:
    return {"path": path, "content": base64.b64encode(data).decode(), "encoding": "base64"}


def _safetensors(name: str) -> bytes:
    head = json.dumps({name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return len(head).to_bytes(8, "little") + head + name.encode()[:16].ljust(16)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("rights")
    with Store.create(folder / "hub") as store:
        made = World(store)
        yield made
        made.client.close()
        made.hub.close()


def is_refused(response: Response) -> bool:
    """Say whether an answer is that of somebody who may not."""
    code, text = response.headers.get("x-error-code", ""), response.headers.get("x-error-message", "")
    if response.status_code == 403:
        return True
    return (
        response.status_code == 401
        or code == "RepoNotFound"
        or (response.status_code == 404 and "organis" in text)
    )


def check(world: World, pattern: str, method: str, ask: Ask, caller: str, name: str, accept: str) -> None:
    sent, response = world.ask(method, pattern, ask, caller, name, accept)
    what = f"{caller}: {method} {sent} -> {response.status_code} {response.text[:300]}"
    rights = rights_of(caller, name)
    if "know" not in rights_of(caller, "secret"):
        shown = response.text + repr(dict(response.headers))
        found = [marker for marker in world.markers if marker in shown and marker not in sent]
        assert not found, (found, what)
        if ask.needed == "list":
            assert "team/secret" not in shown, what
    assert response.status_code < 500 or response.status_code == 501, what
    is_signed = next((route.is_signed for route in ROUTES if route.pattern == pattern), False)
    if caller in REFUSED and not is_signed:
        assert response.status_code == 401, what
    elif ask.needed == "proof":
        assert response.status_code in (401, 403, 404, 405), what
    elif ask.needed in ("nothing", "list"):
        assert response.status_code == 501 or not is_refused(response) or pattern == "/login", what
    elif ask.needed in rights:
        assert ask.only_refused or not is_refused(response), what
    else:
        assert is_refused(response), what
        is_hidden = "know" not in rights and "{repo}" in pattern
        if is_hidden:  # as if it were not there
            assert response.status_code == (401 if caller == "nobody" else 404), what


PATTERNS = sorted({route.pattern for route in ROUTES} | {"/healthz", "/metrics"})


def test_every_route_has_a_rule(world: World) -> None:
    """A new one is thought about."""
    served = {route.pattern for route, *_ in world.client.app._table._routes}  # type: ignore[attr-defined]
    assert served == set(PATTERNS)
    assert served == set(RULES)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_rights(world: World, pattern: str) -> None:
    """Whoever may not is refused and learns nothing; whoever may is not."""
    methods = {method for route in ROUTES if route.pattern == pattern for method in route.methods.split()}
    is_page = any(route.pattern == pattern for route in PAGE_ROUTES)
    accept = "text/html" if is_page else "*/*"
    for ask in RULES[pattern]:
        for method in sorted(methods or {"GET"}):
            if (method == "POST") != (ask.body is not None) and methods >= {"GET", "POST"}:
                continue
            for name in REPOSITORIES:
                for caller in CALLERS:
                    if ask.only_refused and ask.needed in rights_of(caller, name):
                        continue
                    check(world, pattern, method, ask, caller, name, accept)
