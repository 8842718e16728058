"""Signed texts that expire: URLs and tokens that carry their own proof.

Duty: sign a small payload for one purpose and a time; verify such a text. Not its duty: what a payload means.
Invariants: HMAC-SHA256 (RFC 2104) under a random secret of the state, with the purpose under the signature, so that
what was signed for one purpose never serves another; compared in constant time; nothing of a payload is
parsed before its signature was checked. A text is for whoever holds it, so it should live for a short time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from tensorhub.errors import AuthenticationError, BackendPermissionError
from tensorhub.store.state import State, read_setting, write_setting
from tensorhub.store.state_file import corrupt_state

_SETTING = "signing_secret"
_SECRET_NBYTES = 32
MAX_TEXT = 8192  # characters; what fits into a URL that servers and proxies accept


class Signer:
    """Signs and verifies; safe for many threads, equal in all processes over one state.

    Parameters
    ----------
    state
        Keeps the secret; made on first use. Where the state cannot be written the secret lives as long as the process.
    now_s
        The clock, in seconds since 1970 UTC.
    """

    def __init__(self, state: State, now_s: Callable[[], float] = time.time) -> None:
        self._state = state
        self._now_s = now_s
        self._lock = threading.Lock()
        self._secret: bytes | None = None

    def sign(self, payload: dict[str, Any], ttl_s: float, *, purpose: str) -> str:
        """Give a text that proves a payload until it expires.

        Parameters
        ----------
        payload
            What JSON can hold; readable by whoever holds the text.
        ttl_s
            How many seconds it is good for.
        purpose
            What it is good for: ``lfs-upload``, ``cas-read``, ...

        Returns
        -------
        str
            Letters, digits, ``-``, ``_`` and one ``.``.
        """
        body = {"e": int(self._now_s() + ttl_s), "p": payload}
        raw = json.dumps(body, separators=(",", ":"), ensure_ascii=True).encode("ascii")
        return f"{_encode(raw)}.{_encode(self._mark(purpose, raw))}"

    def verify(self, text: str, purpose: str) -> dict[str, Any]:
        """Give the payload of a text that was signed for this purpose and has not expired.

        Raises
        ------
        AuthenticationError
            It was not signed here, or for something else, or its time is over.
        """
        head, dot, tail = text.partition(".")
        if not dot or len(text) > MAX_TEXT:
            raise _refuse(purpose, "a text of another form")
        try:
            raw, mark = _decode(head), _decode(tail)
        except (binascii.Error, ValueError):
            raise _refuse(purpose, "a text of another form") from None
        if not hmac.compare_digest(mark, self._mark(purpose, raw)):
            raise _refuse(purpose, "a signature that does not fit")
        body = json.loads(raw)  # ours: the signature fits
        if self._now_s() >= body["e"]:
            raise _refuse(purpose, "one that has expired")
        payload: dict[str, Any] = body["p"]
        return payload

    def _mark(self, purpose: str, raw: bytes) -> bytes:
        name = purpose.encode()
        return hmac.digest(self._key(), len(name).to_bytes(2, "big") + name + raw, hashlib.sha256)

    def _key(self) -> bytes:
        with self._lock:
            if self._secret is None:
                try:
                    self._secret = self._load()
                except BackendPermissionError:
                    self._secret = secrets.token_bytes(_SECRET_NBYTES)
            return self._secret

    def _load(self) -> bytes:
        with self._state.read() as connection:
            found = read_setting(connection, _SETTING)
        if found is None:
            with self._state.write() as connection:
                found = read_setting(connection, _SETTING)  # another process may have been first
                if found is None:
                    found = secrets.token_hex(_SECRET_NBYTES)
                    write_setting(connection, _SETTING, found)
        try:
            secret = bytes.fromhex(found)
        except ValueError:
            secret = b""
        if len(secret) != _SECRET_NBYTES:
            raise corrupt_state(self._state.path, "a signing secret of 32 bytes", "something else")
        return secret


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    """Undo :func:`_encode`; only the one spelling that it writes is accepted."""
    raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(raw) != text:
        raise ValueError(text)
    return raw


def _refuse(purpose: str, found: str) -> AuthenticationError:
    return AuthenticationError(
        f"signature for {purpose}",
        expected="one that this hub gave out and that has not expired",
        found=found,
        action="Ask the hub for a new one; clients do when the upload or download is started again.",
    )
