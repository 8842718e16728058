"""Another hub, as a client sees it: revisions, files, bytes.

Duty: ask for what a mirror needs, and check each field of the answers. Not its duty: connections (``upstream_http``),
keeping anything (``fetching``).
Invariants: what comes from outside is parsed here, once; bytes are given as they come, whoever takes them
compares digests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from tensorhub.errors import (
    ForbiddenError,
    InvalidNameError,
    InvalidRecordError,
    LimitExceededError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tensorhub.hub.upstream_http import TRIES, UpstreamHttp
from tensorhub.schema.names import RepositoryId, is_commit_id, parse_path, parse_repository

_MAX_FILES = 1_000_000  # of a revision; more would take gigabytes of memory to compare
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class UpstreamRevision:
    """A revision there.

    Attributes
    ----------
    repository
        As the other hub writes it.
    commit_id
        What the revision means now.
    is_public
        Whether anybody may read it there, files included, without a token.
    """

    repository: RepositoryId
    commit_id: str
    is_public: bool


@dataclass(frozen=True, slots=True)
class UpstreamFile:
    """A file of a revision there.

    Attributes
    ----------
    path, nbytes
        Path and size.
    sha256
        32 bytes, for an LFS file; else None.
    git_sha1
        Git's id of the content, 20 bytes, for a regular file; else None.
    """

    path: str
    nbytes: int
    sha256: bytes | None
    git_sha1: bytes | None


@dataclass(frozen=True, slots=True)
class UpstreamCommit:
    """What a commit there says of itself."""

    title: str
    message: str
    author: str
    date_ms: int


class Upstream:
    """Another hub.

    Parameters
    ----------
    http
        The way there.
    """

    def __init__(self, http: UpstreamHttp) -> None:
        self._http = http
        self.url = http.url

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def revision(self, repository: RepositoryId, revision: str, *, tries: int = TRIES) -> UpstreamRevision:
        """Find a revision; first as anybody, then with the token.

        Raises
        ------
        RepositoryNotFoundError, RevisionNotFoundError
            There is none, or not for us.
        TensorHubError
            See :meth:`UpstreamHttp.get_json`.
        """
        url = f"{self._api(repository)}/revision/{quote(revision, safe='')}"
        try:
            found, _ = self._http.get_json(url, with_token=False, tries=tries)
            is_public = (
                found.get("private") is not True and not found.get("gated") if _is_map(found) else False
            )
        except (RepositoryNotFoundError, ForbiddenError):
            if not self._http.has_token:
                raise
            found, _ = self._http.get_json(url, tries=tries)
            is_public = False
        fields = _map_of(found, "revision")
        commit_id = _text_of(fields, "sha")
        if not is_commit_id(commit_id):
            raise _malformed("sha of the revision", "40 hexadecimal digits", commit_id)
        name = fields.get("id") or repository.repo_id
        try:
            written = parse_repository(str(name), repository.repo_type.value)
        except InvalidNameError:
            written = repository
        return UpstreamRevision(written, commit_id, is_public)

    def files(self, repository: RepositoryId, commit_id: str) -> list[UpstreamFile]:
        """List all files of a commit, in the order of their paths.

        Raises
        ------
        InvalidRecordError
            The answer breaks the rules of paths, sizes or digests.
        LimitExceededError
            There are too many.
        """
        url: str | None = f"{self._api(repository)}/tree/{commit_id}?recursive=true&expand=false"
        files: dict[str, UpstreamFile] = {}
        while url is not None:
            page, headers = self._http.get_json(url)
            if not isinstance(page, list):
                raise _malformed("page of a tree", "a list", type(page).__name__)
            for item in page:
                fields = _map_of(item, "entry of a tree")
                if fields.get("type") == "file":
                    file = _parse_file(fields)
                    files[file.path] = file
            if len(files) > _MAX_FILES:
                raise LimitExceededError(
                    f"revision {commit_id} of {repository}",
                    expected=f"at most {_MAX_FILES} files",
                    found="more",
                )
            url = self._next_page(headers.get("link", ""), url) if page else None
        return [files[path] for path in sorted(files, key=str.encode)]

    def _next_page(self, link: str, present: str) -> str | None:
        found = _NEXT.search(link)
        if found is None:
            return None
        # Only the query is taken: a hub behind a proxy may not know its own address, and nobody else is to be asked.
        url = f"{present.partition('?')[0]}?{urlsplit(found[1]).query}"
        return url if url != present else None

    def commit(self, repository: RepositoryId, commit_id: str) -> UpstreamCommit:
        """Ask what a commit says of itself.

        Raises
        ------
        InvalidRecordError
            The answer is not that.
        """
        page, _ = self._http.get_json(f"{self._api(repository)}/commits/{commit_id}?limit=1")
        if not isinstance(page, list) or not page:
            raise _malformed("commits", "a list with the commit first", type(page).__name__)
        fields = _map_of(page[0], "commit")
        authors = fields.get("authors")
        names = [
            str(author["user"])
            for author in (authors if isinstance(authors, list) else [])
            if _is_map(author) and author.get("user")
        ]
        return UpstreamCommit(
            _text_of(fields, "title")[:10_000],
            str(fields.get("message") or "")[:100_000],
            ", ".join(names[:10]) or "unknown",
            _parse_date(_text_of(fields, "date")),
        )

    def refs(self, repository: RepositoryId) -> dict[str, str]:
        """List refs: ``refs/heads/main`` and the like, with the commits they point at.

        Raises
        ------
        InvalidRecordError
            The answer is not that.
        """
        found, _ = self._http.get_json(f"{self._api(repository)}/refs")
        refs: dict[str, str] = {}
        for group in _map_of(found, "refs").values():
            for item in group if isinstance(group, list) else []:
                fields = _map_of(item, "ref")
                refs[_text_of(fields, "ref")] = _text_of(fields, "targetCommit")
        return refs

    @contextmanager
    def open(
        self, repository: RepositoryId, commit_id: str, path: str, start: int = 0, stop: int | None = None
    ) -> Iterator[httpx.Response]:
        """Open a file's bytes from ``start``, once; the caller tries again from where it broke off.

        Yields
        ------
        httpx.Response
            Of status 206 from ``start``, or 200 from the beginning where the other hub knows no ranges.
        """
        prefix = "" if repository.repo_type.value == "model" else f"{repository.repo_type.value}s/"
        url = f"{self.url}/{prefix}{quote(repository.repo_id)}/resolve/{commit_id}/{quote(path)}"
        headers = {}
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        with self._http.stream(url, headers) as response:
            if response.status_code == 206 and not response.headers.get("content-range", "").startswith(
                f"bytes {start}-"
            ):
                raise _malformed(
                    "range of a file", f"bytes from {start}", response.headers.get("content-range", "")
                )
            yield response

    def _api(self, repository: RepositoryId) -> str:
        return f"{self.url}/api/{repository.repo_type.value}s/{quote(repository.repo_id)}"


def resolve_ref(upstream: Upstream, repository: RepositoryId, revision: str) -> str:
    """Say which ref a revision's name means there: a branch, a tag, or none for a commit id.

    Returns
    -------
    str
        ``refs/…``; empty for a commit id.
    """
    if revision.startswith("refs/") or revision == "main":
        return revision if revision != "main" else "refs/heads/main"
    if is_commit_id(revision):
        return ""
    refs = upstream.refs(repository)
    for kind in ("heads", "tags", "convert", "pr"):
        if f"refs/{kind}/{revision}" in refs:
            return f"refs/{kind}/{revision}"
    if re.fullmatch(r"[0-9a-f]{5,39}", revision):
        return ""
    raise RevisionNotFoundError(
        f"revision {revision!r} of {repository}", expected="a ref of the other hub", found="none"
    )


def _parse_file(fields: dict[str, Any]) -> UpstreamFile:
    try:
        path = parse_path(_text_of(fields, "path"))
    except InvalidNameError as error:
        raise _malformed(
            "path of a file", error.expected or "a path", str(fields.get("path"))[:200]
        ) from error
    lfs = fields.get("lfs")
    if lfs is not None:
        pointer = _map_of(lfs, "lfs of a file")
        oid, nbytes = _text_of(pointer, "oid"), pointer.get("size")
        if not _SHA256.fullmatch(oid):
            raise _malformed(f"oid of {path}", "64 hexadecimal digits", oid[:100])
        return UpstreamFile(path, _size_of(path, nbytes), bytes.fromhex(oid), None)
    oid = _text_of(fields, "oid")
    if not _SHA1.fullmatch(oid):
        raise _malformed(f"oid of {path}", "40 hexadecimal digits", oid[:100])
    return UpstreamFile(path, _size_of(path, fields.get("size")), None, bytes.fromhex(oid))


def _size_of(path: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 50:
        raise _malformed(f"size of {path}", "a number of bytes below 2^50", str(value)[:100])
    return value


def _parse_date(text: str) -> int:
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise _malformed("date of a commit", "an ISO date", text[:100]) from error
    seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    return max(0, round(seconds * 1000))


def _is_map(value: object) -> bool:
    return isinstance(value, dict)


def _map_of(value: object, thing: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _malformed(thing, "an object", type(value).__name__)
    return value


def _text_of(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise _malformed(f"{name} in an answer of the other hub", "text", type(value).__name__)
    return value


def _malformed(thing: str, expected: str, found: str) -> InvalidRecordError:
    return InvalidRecordError(
        thing, expected=expected, found=found, action="Check that the address is that of a hub."
    )
