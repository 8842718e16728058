"""Another hub that does what a test tells it: cuts connections, lies, hides, is gone. Without any network."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import httpx

from tensorhub.hub.upstream import Upstream
from tensorhub.hub.upstream_http import UpstreamHttp

URL = "http://other.example"
TOKEN = "the-upstream-token"


@dataclass
class OtherHub:
    """One repository of another hub.

    Attributes
    ----------
    files
        Of the newest commit; those that end in ``.bin`` or ``.safetensors`` are LFS files.
    cut_at
        Path → after so many bytes the connection breaks, once.
    wrong
        Paths whose bytes are not what the list says.
    held
        Paths whose bytes stop after the first half until the event is set.
    """

    files: dict[str, bytes]
    repo_id: str = "org/model"
    is_private: bool = False
    gated: object = False
    is_down: bool = False
    has_ranges: bool = True
    cut_at: dict[str, int] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    held: dict[str, threading.Event] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)
    page: int = 1000
    branches: list[str] = field(default_factory=lambda: ["main"])
    hanging: threading.Event | None = None
    redirects: dict[str, str] = field(default_factory=dict)

    @property
    def commit_id(self) -> str:
        """Another one for other files."""
        digest = hashlib.sha1(usedforsecurity=False)
        for path, content in sorted(self.files.items()):
            digest.update(f"{path} {len(content)}\n".encode() + content)
        return digest.hexdigest()

    def upstream(self, token: str = "") -> Upstream:
        """Make a client of it."""
        http = UpstreamHttp(
            URL,
            token,
            transport=httpx.MockTransport(self.answer),
            resolver=lambda host: ["93.184.216.34"] if host.endswith(".example") else ["10.0.0.1"],
            sleep=lambda _: None,
        )
        return Upstream(http)

    def fetched(self) -> list[str]:
        """Name the files that were asked for, in order."""
        return [
            unquote(request.url.path).split("/resolve/")[1].split("/", 1)[1]
            for request in self.requests
            if "/resolve/" in request.url.path
        ]

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        if self.hanging is not None:
            self.hanging.wait(20)
        if self.is_down:
            raise httpx.ConnectError("refused")
        parts = urlsplit(str(request.url))
        path = unquote(parts.path)
        if parts.path in self.redirects:
            return httpx.Response(302, headers={"Location": self.redirects[parts.path]})
        has_token = request.headers.get("authorization") == f"Bearer {TOKEN}"
        if self.repo_id not in path or (self.is_private and not has_token):
            return _error(401, "RepoNotFound")
        if f"/api/models/{self.repo_id}/" in path:
            return self._answer_api(path.split(f"{self.repo_id}/", 1)[1], parts.query)
        if self.gated and not has_token:
            return _error(403, "GatedRepo")
        return self._answer_file(path.split("/resolve/")[1].split("/", 1)[1], request)

    def _answer_api(self, rest: str, query: str) -> httpx.Response:
        kind, _, name = rest.partition("/")
        if kind != "refs" and name not in (*self.branches, self.commit_id):
            return _error(404, "RevisionNotFound")
        if kind == "revision":
            body = {
                "id": self.repo_id,
                "sha": self.commit_id,
                "private": self.is_private,
                "gated": self.gated,
            }
            return httpx.Response(200, json=body)
        if kind == "commits":
            commit = {
                "id": self.commit_id,
                "title": "A title",
                "message": "More",
                "date": "2026-01-02T03:04:05.000Z",
                "authors": [{"user": "ada"}],
            }
            return httpx.Response(200, json=[commit])
        if kind == "refs":
            heads = [
                {"name": name, "ref": f"refs/heads/{name}", "targetCommit": self.commit_id}
                for name in self.branches
            ]
            return httpx.Response(200, json={"branches": heads, "tags": [], "converts": []})
        start = int((re.search(r"cursor=(\d+)", query) or [0, 0])[1])
        items = [self._entry(path) for path in sorted(self.files)]
        headers = {}
        if start + self.page < len(items):
            # Named by a host that only the other side knows: the path counts, not the host.
            headers["Link"] = f'<http://10.1.1.1/x?recursive=true&cursor={start + self.page}>; rel="next"'
        return httpx.Response(200, content=json.dumps(items[start : start + self.page]), headers=headers)

    def _entry(self, path: str) -> dict[str, object]:
        content = self.files[path]
        git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        entry: dict[str, object] = {"type": "file", "path": path, "size": len(content), "oid": git}
        if path.endswith((".bin", ".safetensors")):
            sha256 = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 130}
        return entry

    def _answer_file(self, path: str, request: httpx.Request) -> httpx.Response:
        content = self.files[path]
        if path in self.wrong:
            content = content[:-1] + bytes([content[-1] ^ 1])
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        start, stop = 0, len(content)
        if found and self.has_ranges:
            start, stop = int(found[1]), int(found[2]) + 1 if found[2] else stop
        headers = (
            {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"} if found and self.has_ranges else {}
        )
        body = self._pieces(path, content[start:stop], start)
        return httpx.Response(206 if headers else 200, headers=headers, content=body)

    def _pieces(self, path: str, content: bytes, start: int) -> Iterator[bytes]:
        cut = self.cut_at.pop(path, None)
        half = len(content) // 2
        yield content[:half] if cut is None else content[: max(0, cut - start)]
        if cut is not None:
            raise httpx.ReadError("cut")
        if path in self.held and not start:
            self.held[path].wait(20)
            if self.is_down:
                raise httpx.ReadError("gone")
        yield content[half:]


def _error(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, headers={"X-Error-Code": code}, json={"error": code})
