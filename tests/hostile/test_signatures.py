"""Forged, changed, cut, expired and misused signatures are refused, each as what it is: nobody known."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tensorhub.errors import AuthenticationError, CorruptStateError
from tensorhub.hub.signing import Signer
from tensorhub.store.state import State, write_setting

PAYLOAD = {"oid": "ab" * 32, "nbytes": 5}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """Give a state that nobody wrote to."""
    made = State(tmp_path / "state.sqlite")
    yield made
    made.close()


@pytest.fixture
def signer(state: State) -> Signer:
    """Give a signer."""
    return Signer(state)


def refuse(signer: Signer, text: str, purpose: str = "lfs") -> None:
    with pytest.raises(AuthenticationError):
        signer.verify(text, purpose)


def test_every_changed_letter(signer: Signer) -> None:
    """No letter can be another one, in the payload, the time or the signature, nor be left out."""
    text = signer.sign(PAYLOAD, 60, purpose="lfs")
    for index, letter in enumerate(text):
        for other in ("A", "B", "-", ".", "é", "="):
            if other != letter:
                refuse(signer, text[:index] + other + text[index + 1 :])
        refuse(signer, text[:index] + text[index + 1 :])
        refuse(signer, text[:index])


def test_other_purposes(signer: Signer) -> None:
    """What was signed for one purpose serves no other, nor one that shares its letters."""
    text = signer.sign(PAYLOAD, 60, purpose="lfs-upload")
    for purpose in ("lfs", "lfs-upload2", "cas", ""):
        refuse(signer, text, purpose)


def test_expired(signer: Signer) -> None:
    """One that never was valid is not; nor can its time be made longer."""
    refuse(signer, signer.sign(PAYLOAD, -1, purpose="lfs"))
    refuse(signer, signer.sign(PAYLOAD, 0, purpose="lfs"))
    head, _, tail = signer.sign(PAYLOAD, -1, purpose="lfs").partition(".")
    body = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    body["e"] += 10_000
    forged = base64.urlsafe_b64encode(json.dumps(body, separators=(",", ":")).encode()).rstrip(b"=").decode()
    refuse(signer, f"{forged}.{tail}")


def test_another_hub(signer: Signer, tmp_path: Path) -> None:
    """Another hub's signature is nobody's here."""
    other = State(tmp_path / "other.sqlite")
    refuse(signer, Signer(other).sign(PAYLOAD, 60, purpose="lfs"))
    other.close()


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "a.b", "e30.", ".e30", "e30.AAAA", "x" * 100_000 + ".y", "\udcff.a", "e30.\0", "a b.c"],
)
def test_garbage(signer: Signer, text: str) -> None:
    """Whatever else arrives is refused without more ado."""
    refuse(signer, text)


def test_a_damaged_secret(state: State) -> None:
    """A secret that is none is damage; a new one in its place would end everything signed before, silently."""
    for value in ("zz", "", "ab"):
        with state.write() as connection:
            write_setting(connection, "signing_secret", value)
        with pytest.raises(CorruptStateError):
            Signer(state).sign(PAYLOAD, 60, purpose="lfs")
