"""Names from outside: repository ids, refs, revisions, paths.

Duty: check each at the border, once, and give back a value that needs no more checks.
Not its duty: whether the named thing exists.
Invariants: a parsed path never leaves its repository; a parsed id follows the rules of the Hugging Face
hub (letters, digits, ``-``, ``_``, ``.``; 96 characters a part; no ``--`` or ``..``; not ending ``.git``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote

from tensorhub.errors import InvalidNameError

_MAX_PART = 96  # the hub's limit on each part of a repository id
_MAX_REF = 240  # bytes of a percent-encoded ref file name: common file systems allow 255
MAX_PATH_NBYTES = 4096  # PATH_MAX on Linux; a longer path could never be restored
_PART = re.compile(r"[A-Za-z0-9._-]+")
_COMMIT_ID = re.compile(r"[0-9a-f]{40}")
_NOT_IN_PART = re.compile(r"[^A-Za-z0-9._-]+")


class RepoType(Enum):
    """The three kinds of repository that Hugging Face has."""

    MODEL = "model"
    DATASET = "dataset"
    SPACE = "space"


class RefKind(Enum):
    """The four kinds of ref."""

    HEADS = "heads"
    TAGS = "tags"
    PR = "pr"
    CONVERT = "convert"


@dataclass(frozen=True, slots=True)
class RepositoryId:
    """A repository's type and id, as written; compare with :attr:`key`.

    Attributes
    ----------
    repo_type
        Model, dataset or space.
    repo_id
        ``owner/name`` or ``name``.
    """

    repo_type: RepoType
    repo_id: str

    @property
    def key(self) -> tuple[str, str]:
        """What two spellings of the same repository share."""
        return self.repo_type.value, self.repo_id.casefold()

    def __str__(self) -> str:
        return self.repo_id if self.repo_type is RepoType.MODEL else f"{self.repo_type.value}s/{self.repo_id}"


@dataclass(frozen=True, slots=True)
class RefName:
    """A ref: kind and name.

    Attributes
    ----------
    kind
        heads, tags, pr or convert.
    name
        Name inside the kind; may contain ``/``.
    """

    kind: RefKind
    name: str

    def __str__(self) -> str:
        return f"refs/{self.kind.value}/{self.name}"


def parse_repository(repo_id: str, repo_type: str = "model") -> RepositoryId:
    """Check a repository id and type.

    Raises
    ------
    InvalidNameError
        The id or the type breaks the rules.
    """
    try:
        kind = RepoType(repo_type)
    except ValueError:
        raise InvalidNameError(
            f"repository type {repo_type!r}",
            expected="model, dataset or space",
            found=repo_type,
            action="Give one of the three with --type.",
        ) from None
    parts = repo_id.split("/")
    if not 1 <= len(parts) <= 2 or not all(_is_valid_part(part) for part in parts):
        raise InvalidNameError(
            f"repository id {repo_id!r}",
            expected="owner/name, each of letters, digits, '-', '_' or '.', at most 96 characters, "
            "without '--' or '..', not starting or ending with '-' or '.', not ending in '.git'",
            found=repo_id,
            action="Choose another name with --name.",
        )
    return RepositoryId(kind, repo_id)


def _is_valid_part(part: str) -> bool:
    return (
        0 < len(part) <= _MAX_PART
        and _PART.fullmatch(part) is not None
        and "--" not in part
        and ".." not in part
        and part[0] not in "-."
        and part[-1] not in "-."
        and not part.endswith(".git")
    )


def parse_namespace(name: str) -> str:
    """Check the name of a user or an organisation: what stands before the slash of a repository id.

    Raises
    ------
    InvalidNameError
        It breaks the rules.
    """
    if not _is_valid_part(name):
        raise InvalidNameError(
            f"name {name!r}",
            expected="letters, digits, '-', '_' or '.', at most 96 characters, without '--' or '..', "
            "not starting or ending with '-' or '.', not ending in '.git'",
            found=name,
            action="Choose another name.",
        )
    return name


def make_repository_id(folder_name: str) -> str:
    """Make a valid id ``local/<name>`` out of any folder name.

    Returns
    -------
    str
        The folder's name where it is valid; else with what is forbidden replaced by ``-``.
    """
    name = folder_name
    if not _is_valid_part(name):
        name = _NOT_IN_PART.sub("-", name)
        name = re.sub(r"\.{2,}", ".", re.sub(r"-{2,}", "-", name)).strip("-.")
        name = re.sub(r"\.git$", "", name)[:_MAX_PART].strip("-.") or "unnamed"
    return f"local/{name}"


def parse_ref(name: str) -> RefName:
    """Parse a ref: ``main``, ``refs/tags/v1``, ``refs/pr/3``.

    A bare name is a branch.

    Raises
    ------
    InvalidNameError
        The name is empty, too long, or has characters that git refuses.
    """
    kind, bare = RefKind.HEADS, name
    if name.startswith("refs/"):
        head, _, bare = name.removeprefix("refs/").partition("/")
        try:
            kind = RefKind(head)
        except ValueError:
            kind, bare = RefKind.HEADS, ""
    is_valid = (
        bare
        and len(quote(bare, safe="._-", errors="surrogatepass")) <= _MAX_REF
        and not bare.startswith(("/", "-", "."))
        and not bare.endswith(("/", ".", ".lock"))
        and ".." not in bare
        and "//" not in bare
        and "@{" not in bare
        and not any(ord(character) < 33 or character in "\\~^:?*[\x7f" for character in bare)
        and not any(0xD800 <= ord(character) < 0xE000 for character in bare)
    )
    if not is_valid or _COMMIT_ID.fullmatch(bare):
        raise InvalidNameError(
            f"ref {name!r}",
            expected="a branch name such as main, or refs/tags/v1",
            found=name,
            action="Choose a name without spaces, control characters, '..' or any of \\ ~ ^ : ? * [, "
            "and not a commit id.",
        )
    return RefName(kind, bare)


def is_commit_id(revision: str) -> bool:
    """Say whether a revision is written as a full commit id."""
    return _COMMIT_ID.fullmatch(revision) is not None


def parse_path(path: str) -> str:
    """Check a path in a repository; it is kept verbatim.

    Raises
    ------
    InvalidNameError
        The path is absolute, leaves the repository, has empty or dot parts, a NUL, or is not UTF-8.
    """
    try:
        nbytes = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        raise InvalidNameError(
            f"path {path!r}",
            expected="a name in UTF-8",
            found="other bytes",
            action="Rename the file, then add again.",
        ) from None
    parts = path.split("/")
    if not path or "\0" in path or nbytes > MAX_PATH_NBYTES or any(part in ("", ".", "..") for part in parts):
        raise InvalidNameError(
            f"path {path!r}",
            expected="a relative path inside the repository, without '.', '..' or empty parts",
            found=path,
            action="Give the path as `tensorhub ls` shows it.",
        )
    return path
