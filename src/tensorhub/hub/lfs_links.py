"""Links of LFS transfers: what they carry, and how a file is cut into parts.

Duty: the signed values in links, the choice between one body and parts. Not its duty: HTTP, or the bytes.
Invariants: a link is for one content, one user and one purpose, and ends after ``TTL_S``, or as soon as the access
token or the rights end that it was given for; the number of parts is bounded, and so is an answer that lists them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorhub.errors import AuthenticationError
from tensorhub.hub.access import ANONYMOUS, LOCAL_OWNER, Identity
from tensorhub.hub.hub import Hub
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId, RepoType

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
    token_id
        Of the access token on whose strength it was given; empty without one.
    """

    sha256: bytes
    nbytes: int
    user: str
    part_nbytes: int = 0
    token_id: str = ""

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
        payload = {
            "o": self.sha256.hex(),
            "n": self.nbytes,
            "u": self.user,
            "p": self.part_nbytes,
            "k": self.token_id,
        }
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
        It was not signed here for this, or has expired, or its access token has.
    """
    payload = hub.signer.verify(text, purpose)
    link = UploadLink(bytes.fromhex(payload["o"]), payload["n"], payload["u"], payload["p"], payload["k"])
    _recall(hub, link.token_id, is_known=True)
    return link


def sign_download(hub: Hub, repository: RepositoryId, file: Digest, identity: Identity) -> str:
    """Give the text of a link to a file of a repository."""
    payload = {
        "t": repository.repo_type.value,
        "r": repository.repo_id,
        "f": file.hex,
        "u": identity.user,
        "k": identity.token_id,
    }
    return hub.signer.sign(payload, TTL_S, purpose=DOWNLOAD)


def read_download(hub: Hub, text: str) -> Digest:
    """Check the text of a link to a file, and that who got it may still read its repository.

    Raises
    ------
    AuthenticationError
        It was not signed here for this, or has expired, or its access token has.
    RepositoryNotFoundError, ForbiddenError
        The repository is gone, or hidden from who got the link by now.
    """
    payload = hub.signer.verify(text, DOWNLOAD)
    identity = _recall(hub, payload["k"], is_known=payload["u"] is not None)
    found = hub.find(RepositoryId(RepoType(payload["t"]), payload["r"]), identity)
    hub.check_files(identity, found)
    return Digest.parse(payload["f"])


def _recall(hub: Hub, token_id: str, *, is_known: bool) -> Identity:
    """Ask again who got a link: it lives for hours, rights may end before."""
    if token_id:
        return hub.accounts.recall(token_id)
    if not is_known:
        return ANONYMOUS
    if hub.accounts.has_users():
        raise AuthenticationError(
            "link",
            expected="one of a user of this hub",
            found="one from the time without users",
            action="Start the transfer again.",
        )
    return LOCAL_OWNER
