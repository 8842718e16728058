"""Links of LFS transfers: what they carry, and how a file is cut into parts.

Duty: the signed values in links, the choice between one body and parts. Not its duty: HTTP, or the bytes.
Invariants: a link is for one content, one user and one purpose, and ends after ``TTL_S``; the number of parts is
bounded, so that an answer that lists them is, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tensorhub.errors import AuthenticationError
from tensorhub.hub.hub import Hub
from tensorhub.schema.digest import Digest

TTL_S = 12 * 3600.0  # an upload of 500 GB at 12 MB/s ends in time; checked when a body begins
# From here on a broken line costs more than reading the file a second time for its SHA-256 does.
MULTIPART_NBYTES = 1 << 30
PART_NBYTES = 64 << 20
MAX_PARTS = 1000  # each is a link of some 300 characters in one answer
UPLOAD, PARTS, DOWNLOAD = "lfs-upload", "lfs-parts", "lfs-download"


@dataclass(frozen=True, slots=True)
class UploadLink:
    """What a link to upload to is for.

    Attributes
    ----------
    sha256, nbytes
        The content that is to come.
    user
        Whose upload it is.
    part_nbytes
        Size of all parts but the last; 0 where the content comes as one body.
    """

    sha256: bytes
    nbytes: int
    user: str
    part_nbytes: int = 0

    @property
    def parts(self) -> int:
        """Number of parts."""
        return -(-self.nbytes // self.part_nbytes) if self.part_nbytes else 1

    def part(self, number: int) -> tuple[int, int] | None:
        """Give offset and size of a part, counted from 1; None where there is none of this number."""
        if not 1 <= number <= self.parts or not self.part_nbytes:
            return None
        offset = (number - 1) * self.part_nbytes
        return offset, min(self.part_nbytes, self.nbytes - offset)

    def sign(self, hub: Hub) -> str:
        """Give the text that proves it."""
        payload = {"o": self.sha256.hex(), "n": self.nbytes, "u": self.user, "p": self.part_nbytes}
        return hub.signer.sign(payload, TTL_S, purpose=PARTS if self.part_nbytes else UPLOAD)


def plan_part_nbytes(nbytes: int, *, takes_parts: bool) -> int:
    """Give the size of parts for a content; 0 for one body."""
    if not takes_parts or nbytes <= MULTIPART_NBYTES:
        return 0
    needed = -(-nbytes // MAX_PARTS)
    return max(PART_NBYTES, -(-needed // (1 << 20)) << 20)


def read_upload_link(hub: Hub, text: str, purpose: str) -> UploadLink:
    """Check a link's text, and that its user may still upload.

    Raises
    ------
    AuthenticationError
        It was not signed here for this, has expired, or its user was disabled or removed.
    """
    payload = hub.signer.verify(text, purpose)
    link = UploadLink(bytes.fromhex(payload["o"]), payload["n"], payload["u"], payload["p"])
    check_user(hub, link.user)
    return link


def check_user(hub: Hub, user: str) -> None:
    """Make sure that the user of a link is one now.

    Raises
    ------
    AuthenticationError
        He was disabled or removed, or the link is from before there were users.
    """
    if not hub.accounts.has_users():
        return
    if not any(info.name == user and not info.is_disabled for info in hub.accounts.users()):
        raise AuthenticationError(
            f"link of {user!r}",
            expected="a user of this hub",
            found="none, or one who is disabled",
            action="Start the transfer again.",
        )


def sign_download(hub: Hub, file: Digest, user: str | None) -> str:
    """Give the text of a link to a stored file."""
    payload: dict[str, Any] = {"f": file.hex, "u": user}
    return hub.signer.sign(payload, TTL_S, purpose=DOWNLOAD)


def read_download(hub: Hub, text: str) -> Digest:
    """Check the text of a link to a stored file.

    Raises
    ------
    AuthenticationError
        It was not signed here for this, has expired, or its user was disabled or removed.
    """
    payload = hub.signer.verify(text, DOWNLOAD)
    if payload["u"] is not None:
        check_user(hub, payload["u"])
    return Digest.parse(payload["f"])
