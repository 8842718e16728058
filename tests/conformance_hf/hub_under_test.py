"""The hub that the client's tests talk to: a new store, the users they expect, a server in a process of its own.

Duty: making all that, and an end of it. Not its duty: the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorhub import Store
from tensorhub.hub.access import Role, Visibility
from tensorhub.hub.accounts import Accounts
from tensorhub.hub.namespaces import Namespaces
from tensorhub.hub.tokens import Scope

from .client import Seeds

STOP_S = 60  # how long the server may take to finish what runs
# User: the organisations of which he is a member, and as what.
USERS = {
    "__DUMMY_HUB_USER__": {"valid_org_hub": Role.WRITE},
    "DVUser": {},
    "EnterpriseAdmin": {"EnterpriseOrgPrivate": Role.ADMIN},
}


def seed(store_path: Path) -> list[str]:
    """Make the store and its users; give an access token of each, in the order of `USERS`."""
    with Store.create(store_path) as store:
        accounts = Accounts(store.state)
        for name, namespaces in USERS.items():
            accounts.create_user(name, namespaces=namespaces)
        about = Namespaces(store.state)
        about.put("__DUMMY_HUB_USER__", full_name="Dummy User")
        about.put("valid_org_hub", full_name="Dummy Hub Org")
        about.put("EnterpriseOrgPrivate", visibility=Visibility.PRIVATE)
        return [accounts.tokens.create(name, scope=Scope.WRITE).secret for name in USERS]


@contextmanager
def serve(store_path: Path, log: Path, xet_download: str) -> Iterator[Seeds]:
    """Serve a new store with the users of the suite at a free port, until the block ends.

    Parameters
    ----------
    store_path
        Where the store is made.
    log
        File that gets what the server logs.
    xet_download
        Which files the hub offers for download through Xet; a few tests are about just that.
    """
    tokens = seed(store_path)
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    command = [
        sys.executable,
        "-m",
        "tensorhub",
        "serve",
        "--json",
        "--port",
        "0",
        "--store",
        str(store_path),
    ]
    command += ["--xet-download", xet_download]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as errors:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=environment)
        try:
            url = read_url(server, log)
            yield Seeds(url, *tokens)
        finally:
            server.terminate()
            try:
                server.wait(STOP_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def read_url(server: subprocess.Popen[bytes], log: Path) -> str:
    """Read where the server listens from the one document it prints."""
    text = ""
    for line in server.stdout or ():
        text += line.decode()
        try:
            return str(json.loads(text)["url"])
        except ValueError:
            continue
    raise SystemExit(f"the server did not start: {log.read_text(encoding='utf-8')[-2000:]}")
