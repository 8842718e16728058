"""The rights that every route of the hub asks for, and the people who ask in ``test_rights``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REPOSITORIES = ("open", "gated", "secret")
_USER = frozenset(("user",))
_READS = frozenset(("user", "own", "inside", "know", "read"))
_TALKS = _READS | {"talk", "copy", "verify"}
_WRITES = _TALKS | {"write"}
_ADMINS = _WRITES | {"admin"}
# Of each caller: his rights as a member of the namespace. Others have those of everybody, below.
MEMBERS: Mapping[str, frozenset[str]] = {
    "root": _ADMINS | {"metrics"},
    "boss": _ADMINS,
    "writer": _WRITES,
    "reader": _TALKS,
    "writer, token to read": _READS | {"verify"},
}
STRANGERS = (
    "nobody",
    "other",
    "other, token to read",
    "writer, token for elsewhere",
    "root, token for elsewhere",
)
REFUSED = ("wrong token", "revoked token", "disabled user")
CALLERS = (*MEMBERS, *STRANGERS, *REFUSED)


def rights_of(caller: str, repository: str) -> frozenset[str]:
    """Give what a caller may do."""
    if caller in MEMBERS:
        return MEMBERS[caller]
    if caller in REFUSED:
        return frozenset()
    found = set[str]() if caller == "nobody" else {"user"}
    if caller != "nobody" and not caller.endswith("elsewhere"):
        found.add("own")
    if repository != "secret":
        found.add("know")
        if caller != "nobody":
            found.add("verify")
    if repository == "open":
        found.add("read")
        if caller == "other":
            found.add("talk")
        if caller == "other" or caller.endswith("elsewhere"):
            found.add("copy")
    return frozenset(found)


@dataclass(frozen=True)
class Ask:
    """How a route is asked, and what is needed for it.

    ``needed`` is a right of a repository, or ``list`` (everybody gets a list of what he may know), ``nothing``,
    or ``proof`` (something signed, which no caller here has).
    """

    needed: str
    query: str = ""
    body: Any = None
    params: Mapping[str, str] = field(default_factory=dict)
    only_refused: bool = False  # what it does to the repository would spoil the rest


HEADER = {"key": "header", "value": {"summary": "s"}}
_LINES = [HEADER, {"key": "deletedFile", "value": {"path": "not-there"}}]
_COMMIT = b"\n".join(json.dumps(line).encode() for line in _LINES)
_OBJECTS = [{"oid": "0" * 64, "size": 5}]
_API, _PAGE, _CAS, _ONE = "/api/{T}/{repo}", "/{P}{repo}", "/cas/{place}", "/api/{T}/{repo}/discussions/{num}"
RULES: Mapping[str, tuple[Ask, ...]] = {
    f"{_PAGE}/resolve/{{rev}}/{{path}}": (Ask("read"),),
    f"{_API}/xet-write-token/{{rev}}": (Ask("write"), Ask("talk", "create_pr=1")),
    f"{_API}/xet-read-token/{{rev}}": (Ask("read"),),
    f"{_CAS}/v1/xorbs/default/{{hash}}": (Ask("proof", body=b"x"),),
    f"{_CAS}/v1/shards": (Ask("proof", body=b"x"),),
    f"{_CAS}/v1/reconstructions/{{hash}}": (Ask("proof"),),
    f"{_CAS}/v1/data": (Ask("proof", "link=x"),),
    f"{_CAS}/v2/shards": (Ask("proof", body=b"x"),),
    f"{_CAS}/xorbs/default/{{hash}}": (Ask("proof", body=b"x"),),
    f"{_CAS}/shards": (Ask("proof", body=b"x"),),
    f"{_CAS}/reconstructions/{{hash}}": (Ask("proof"),),
    f"{_CAS}/reconstruction/{{hash}}": (Ask("proof"),),
    "/cas/{path}": (Ask("proof"),),
    "/v1/telemetry": (Ask("nothing"),),
    "/api/repos/create": (Ask("write", body={"name": "{repo}", "sdk": "static"}),),
    "/api/repos/delete": (Ask("admin", body={"name": "{repo}"}, only_refused=True),),
    "/api/repos/move": (Ask("admin", body={"fromRepo": "{repo}", "toRepo": "team/new"}, only_refused=True),),
    f"{_API}/settings": (Ask("admin", body={}),),
    f"{_API}/duplicate": (Ask("copy", body={"repository": "{own}/own"}),),
    f"{_API}/branch/{{name}}": (Ask("write", params={"name": "none"}, body={"startingPoint": "none"}),),
    f"{_API}/tag/{{name}}": (Ask("write", body={"tag": "v1"}, params={"name": "none"}),),
    f"{_API}/super-squash/{{name}}": (Ask("write", body={"message": "m"}, params={"name": "none"}),),
    f"{_API}/preupload/{{rev}}": (
        Ask("write", body={"files": [{"path": "hidden.txt", "size": 6, "sample": ""}]}),
        Ask("talk", "create_pr=1", body={"files": []}),
    ),
    f"{_API}/commit/{{rev}}": (Ask("write", body=_COMMIT), Ask("talk", "create_pr=1", body=_COMMIT)),
    f"{_PAGE}.git/info/lfs/objects/batch": (
        Ask("talk", body={"operation": "upload", "objects": _OBJECTS}),
        Ask("read", body={"operation": "download", "objects": _OBJECTS}),
    ),
    f"{_PAGE}.git/info/lfs/objects/verify": (Ask("verify", body=_OBJECTS[0]),),
    "/lfs/content": (Ask("proof", "link=x", body=b"x"),),
    "/lfs/parts/{number}": (Ask("proof", "link=x", body=b"x"),),
    "/lfs/complete": (Ask("proof", "link=x", body={}),),
    f"{_API}/lfs-files/batch": (Ask("write", body={"deletions": {"sha": []}}),),
    f"{_API}/lfs-files/duplicate": (
        Ask(
            "copy", body={"target": {"type": "model", "name": "{own}/own"}, "files": [{"sha256": "{sha256}"}]}
        ),
    ),
    f"{_API}/discussions": (Ask("talk", body={"title": ""}), Ask("read")),
    _ONE: (Ask("read"),),
    f"{_ONE}/comment": (Ask("talk", body={}),),
    f"{_ONE}/comment/{{comment}}/{{action}}": (
        Ask("write", body={"content": "c"}, params={"action": "edit"}),
    ),
    f"{_ONE}/title": (Ask("write", body={"title": "t"}),),
    f"{_ONE}/status": (Ask("write", body={"status": "open"}),),
    f"{_ONE}/merge": (Ask("write", body={}),),
    "/api/telemetry": (Ask("nothing"),),
    "/api/telemetry/{path}": (Ask("nothing"),),
    "/api/agent-harnesses": (Ask("nothing"),),
    "/api/{kind}-tags-by-type": (Ask("nothing"),),
    f"{_PAGE}/info/refs": (Ask("nothing"),),
    f"{_PAGE}/git-upload-pack": (Ask("nothing"),),
    f"{_PAGE}/git-receive-pack": (Ask("nothing"),),
    f"{_PAGE}/raw/{{rev}}/{{path}}": (Ask("read"),),
    "/api/whoami-v2": (Ask("user"),),
    "/api/settings/repositories": (Ask("own"),),
    "/api/organizations/{name}/settings/repositories": (Ask("inside", params={"name": "team"}),),
    "/api/organizations/{name}/overview": (Ask("nothing", params={"name": "team"}),),
    "/api/organizations/{name}/members": (Ask("nothing", params={"name": "team"}),),
    "/api/users/{name}/overview": (Ask("nothing", params={"name": "writer"}),),
    f"{_API}/auth-check": (Ask("read"),),
    f"{_API}/auth-check/write": (Ask("write"),),
    "/api/validate-yaml": (Ask("nothing", body={"content": "x", "repoType": "model"}),),
    f"{_API}/tree/{{rev}}": (Ask("know"), Ask("know", "recursive=1&expand=1")),
    f"{_API}/tree/{{rev}}/{{path}}": (Ask("know"),),
    f"{_API}/paths-info/{{rev}}": (Ask("know", body=b"paths=hidden.txt"),),
    f"{_API}/refs": (Ask("know", "include_prs=1"),),
    f"{_API}/commits/{{rev}}": (Ask("know"),),
    f"{_API}/lfs-files": (Ask("read"),),
    f"{_API}/safetensors-metadata/{{path}}": (Ask("read"),),
    "/api/{T}": (Ask("list"), Ask("list", "search=secret&full=1&cardData=1"), Ask("list", "author=team")),
    f"{_API}/revision/{{rev}}": (Ask("know", "blobs=1"),),
    _API: (Ask("know", "blobs=1"),),
    "/login": (Ask("nothing", body=b"token=x&next=%2f"),),
    "/logout": (Ask("nothing"),),
    "/-/static/{name}": (Ask("nothing"),),
    "/": (Ask("list"), Ask("list", "q=secret")),
    "/models": (Ask("list"),),
    "/datasets": (Ask("list"),),
    "/spaces": (Ask("list"),),
    "/family": (Ask("list"),),
    "/health": (Ask("list"),),
    f"{_PAGE}/tree/{{rev}}": (Ask("read"),),
    f"{_PAGE}/tree/{{rev}}/{{path}}": (Ask("read"),),
    f"{_PAGE}/blob/{{rev}}/{{path}}": (Ask("read"),),
    f"{_PAGE}/picture/{{rev}}/{{path}}": (Ask("read"),),
    f"{_PAGE}/tensors/{{rev}}": (Ask("read"),),
    f"{_PAGE}/commits/{{rev}}": (Ask("read"),),
    f"{_PAGE}/family/{{rev}}": (Ask("read"),),
    f"{_PAGE}/commit/{{rev}}": (Ask("read"),),
    f"{_PAGE}/discussions": (Ask("read"),),
    f"{_PAGE}/discussions/{{num}}": (Ask("read"),),
    _PAGE: (Ask("read"),),
    "/healthz": (Ask("nothing"),),
    "/metrics": (Ask("metrics"),),
}
