"""Hugging Face caches: which repositories and revisions lie in one, and how complete they are.

Duty: read the layout that ``huggingface_hub`` writes, without changing it and without the network.
Not its duty: reading the files, or trusting the digests in their names.
Invariants: a file that is listed lies in its repository's folder, or in the cache's shared blobs; a revision
is called complete only if a stored tree listing proves it, since a missing file must never be answered as
absent.

Layout (``huggingface_hub`` 2.4)::

    <root>/{models,datasets,spaces}--<owner>--<name>/
        refs/<revision>                  commit id; nested for refs/pr/1
        snapshots/<commit>/<path>        link to ../../blobs/<etag>, or the file where links do not work
        blobs/<etag>                     64 hex: SHA-256; 40 hex: git blob SHA-1; *.incomplete: interrupted
        trees/<commit>.json              all files of a commit, with sizes and digests
        .no_exist/<commit>/<path>        files that a client asked for in vain
    <root>/blobs/<2 hex>/<64 hex>        blobs shared by repositories; blobs/<etag> is then a link to one
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorhub.errors import FormatError, InvalidNameError, UsageError, from_os_error
from tensorhub.formats.hf_cache_tree import TreeFile, read_tree
from tensorhub.formats.notices import NoticeBook, shorten
from tensorhub.formats.shard_index import is_shard_index, read_shard_index
from tensorhub.formats.source import FileSource
from tensorhub.schema.names import RepositoryId, is_commit_id, parse_path, parse_ref, parse_repository

_TYPE_OF_PREFIX = {"models": "model", "datasets": "dataset", "spaces": "space"}
_DESKTOP_FILES = frozenset(
    {".DS_Store", "Thumbs.db", "desktop.ini"}
)  # made by file managers, in no repository
_NOT_REPOSITORIES = _DESKTOP_FILES | {".locks", "CACHEDIR.TAG", "version.txt", "blobs"}
_MAX_REF_NBYTES = 256  # a ref file holds 40 characters
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class CachedFile:
    """One file of a cached revision.

    Attributes
    ----------
    path_in_repo
        Path in the repository.
    source_path
        Where its bytes lie; a plain file.
    nbytes
        Its size.
    sha256, git_sha1
        Digests, in hex, that the cache claims for its content; None where it claims none. To be checked.
    """

    path_in_repo: str
    source_path: Path
    nbytes: int
    sha256: str | None
    git_sha1: str | None


@dataclass(frozen=True, slots=True)
class CachedRevision:
    """One commit of a cached repository.

    Attributes
    ----------
    commit_id
        40 hex digits.
    files
        What lies in the cache, sorted by path.
    is_partial
        False only if a tree listing proves that every file is there with its size.
    missing
        Paths known to be missing or damaged, sorted. Empty does not mean complete.
    """

    commit_id: str
    files: tuple[CachedFile, ...]
    is_partial: bool
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CachedRepository:
    """One repository of a cache.

    Attributes
    ----------
    repository
        Type and id.
    folder
        Its folder in the cache.
    refs
        Revision name, as a client asks for it (``main``, ``refs/pr/1``), to commit id. Names of tags and
        branches look alike here. Only commits in ``revisions`` are named.
    revisions
        Sorted by commit id.
    notices
        What was left out, and why.
    """

    repository: RepositoryId
    folder: Path
    refs: Mapping[str, str]
    revisions: tuple[CachedRevision, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CacheListing:
    """What a cache holds.

    Attributes
    ----------
    repositories
        Sorted by folder name.
    notices
        Entries of the cache that are no repositories.
    """

    repositories: tuple[CachedRepository, ...]
    notices: tuple[str, ...]


def default_hf_cache(environ: Mapping[str, str]) -> Path:
    """Say where ``huggingface_hub`` keeps its cache.

    Parameters
    ----------
    environ
        The environment; ``HF_HUB_CACHE``, ``HUGGINGFACE_HUB_CACHE``, ``HF_HOME`` and ``XDG_CACHE_HOME``
        count, in this order.
    """
    for name, below in (
        ("HF_HUB_CACHE", ""), ("HUGGINGFACE_HUB_CACHE", ""),
        ("HF_HOME", "hub"), ("XDG_CACHE_HOME", "huggingface/hub"),
    ):  # fmt: skip
        if environ.get(name):
            return Path(environ[name]).expanduser() / below
    home = environ.get("HOME")
    return (Path(home) if home else Path.home()) / ".cache" / "huggingface" / "hub"


def scan_hf_cache(root: Path) -> CacheListing:
    """List the repositories of a Hugging Face cache.

    Parameters
    ----------
    root
        The cache's folder, as :func:`default_hf_cache` gives it.

    Raises
    ------
    NotFoundError
        The folder does not exist.
    UsageError
        It is not a folder.
    BackendPermissionError
        Something in it cannot be read.
    BackendError
        The disk failed.
    """
    if root.exists() and not root.is_dir():
        raise UsageError(
            f"Hugging Face cache {shorten(str(root))}", expected="a folder", found="a file", path=str(root),
            action="Give the folder that holds models--… folders.",
        )  # fmt: skip
    notices = NoticeBook()
    repositories = []
    for name in _list(root):
        if name in _NOT_REPOSITORIES:
            continue
        repository = _parse_folder_name(name)
        if repository is None or not (root / name).is_dir():
            notices.add("entries of the cache that are no model, dataset or space, skipped", name)
            continue
        try:
            repositories.append(_RepositoryScan(root, root / name, repository).run())
        except OSError as error:
            raise from_os_error(error, f"cached repository {repository}") from error
    return CacheListing(tuple(repositories), notices.to_tuple())


def _parse_folder_name(name: str) -> RepositoryId | None:
    prefix, separator, rest = name.partition("--")
    if not separator or prefix not in _TYPE_OF_PREFIX:
        return None
    try:
        return parse_repository(rest.replace("--", "/"), _TYPE_OF_PREFIX[prefix])
    except InvalidNameError:
        return None


def _list(folder: Path) -> list[str]:
    """Names in a folder, sorted."""
    try:
        return sorted(os.listdir(folder), key=os.fsencode)  # noqa: PTH208 - names, as bytes order them
    except OSError as error:
        raise from_os_error(error, f"folder {shorten(str(folder))} of a Hugging Face cache") from error


class _RepositoryScan:
    """Reads one repository's folder."""

    def __init__(self, root: Path, folder: Path, repository: RepositoryId) -> None:
        self._folder = folder
        self._repository = repository
        # Real paths, since links in a snapshot count ``..`` from where the folder really lies.
        self._real_folder = os.path.realpath(folder)
        self._real_blobs = os.path.join(self._real_folder, "blobs")  # noqa: PTH118
        self._shared_blobs = os.path.join(os.path.realpath(root), "blobs")  # noqa: PTH118
        self._notices = NoticeBook()

    def run(self) -> CachedRepository:
        """Read revisions, then the refs to them."""
        revisions = []
        for name in self._list_if_folder("snapshots"):
            if is_commit_id(name) and not (self._folder / "snapshots" / name).is_symlink():
                revisions.append(self._scan_revision(name))
            elif name not in _DESKTOP_FILES:
                self._notices.add("snapshots that are not called by a commit id, skipped", name)
        for name in self._list_if_folder("blobs"):
            if name.endswith(".incomplete"):
                self._notices.add("interrupted downloads, left out", name)
        refs = self._scan_refs({revision.commit_id for revision in revisions})
        return CachedRepository(
            self._repository, self._folder, refs, tuple(revisions), self._notices.to_tuple()
        )

    def _list_if_folder(self, name: str) -> list[str]:
        path = self._folder / name
        if path.is_symlink():
            self._notices.add("folders of the layout that are links, not followed", name)
            return []
        return _list(path) if path.is_dir() else []

    def _walk(self, top: Path) -> Iterator[tuple[str, Path]]:
        """Yield path below ``top`` and full path of all that is not a folder."""
        pending = [("", top)]
        while pending:
            prefix, folder = pending.pop()
            for name in _list(folder):
                path = folder / name
                if path.is_dir() and not path.is_symlink():
                    pending.append((f"{prefix}{name}/", path))
                else:
                    yield f"{prefix}{name}", path

    def _scan_refs(self, commits: set[str]) -> dict[str, str]:
        refs: dict[str, str] = {}
        if not self._list_if_folder("refs"):
            return refs
        for name, path in self._walk(self._folder / "refs"):
            if path.name in _DESKTOP_FILES or path.name.endswith(".tmp"):
                continue
            commit = self._read_ref(path)
            if commit is None or not _is_ref_name(name):
                self._notices.add("refs that cannot be read, skipped", name)
            elif commit not in commits:
                self._notices.add("refs to commits that are not in the cache, skipped", name)
            elif not commit.startswith(name):  # a client also notes short commit ids as if they were refs
                refs[name] = commit
        return dict(sorted(refs.items()))

    @staticmethod
    def _read_ref(path: Path) -> str | None:
        if path.is_symlink() or not path.is_file():
            return None
        with FileSource(path) as source:
            text = bytearray(min(source.nbytes, _MAX_REF_NBYTES))
            source.read_into(0, text)
        commit = text.decode("ascii", "replace").strip()
        return commit if is_commit_id(commit) else None

    def _scan_revision(self, commit_id: str) -> CachedRevision:
        tree = read_tree(self._folder / "trees" / f"{commit_id}.json")
        files: dict[str, CachedFile] = {}
        missing: set[str] = set()
        for path_in_repo, path in self._walk(self._folder / "snapshots" / commit_id):
            try:
                parse_path(path_in_repo)
            except InvalidNameError:
                self._notices.add("paths that break the naming rules, skipped", path_in_repo)
                continue
            if path.name in _DESKTOP_FILES and not path.is_symlink():
                continue
            file = self._read_file(path_in_repo, path, (tree or {}).get(path_in_repo))
            if file is None:
                missing.add(path_in_repo)
            else:
                files[path_in_repo] = file
        if tree is None:
            missing |= self._find_missing_shards(files)
        else:
            missing |= {path for path, expected in tree.items() if not _agrees(files.get(path), expected)}
        return CachedRevision(
            commit_id,
            tuple(files[path] for path in sorted(files, key=lambda path: path.encode("utf-8"))),
            is_partial=tree is None or bool(missing),
            missing=tuple(sorted(missing)),
        )

    def _read_file(self, path_in_repo: str, path: Path, expected: TreeFile | None) -> CachedFile | None:
        """Find the bytes of a path; None, with a notice, where they are not to be had."""
        sha256 = expected.sha256 if expected else None
        git_sha1 = expected.git_sha1 if expected else None
        if path.is_symlink():
            blob = self._follow(path)
            if blob is None:
                self._notices.add("links that leave the repository's folder, refused", path_in_repo)
                return None
            # The name of the blob is nearer to its content than the listing; ``_agrees`` compares the two.
            if _is_hex(blob.name, 64):
                sha256, git_sha1 = blob.name, None
            elif _is_hex(blob.name, 40):
                sha256, git_sha1 = None, blob.name
            source_path = self._follow_shared(blob)
            if source_path is None:
                self._notices.add("blobs that leave the cache, refused", path_in_repo)
                return None
        else:
            source_path = path
        if not source_path.is_file():
            self._notices.add("links to blobs that are missing", path_in_repo)
            return None
        return CachedFile(path_in_repo, source_path, source_path.stat().st_size, sha256, git_sha1)

    def _follow(self, link: Path) -> Path | None:
        """Follow a snapshot's link once; None where it does not lead right into the blobs."""
        folder, name = os.path.split(os.path.join(link.parent, os.readlink(link)))  # noqa: PTH115, PTH118
        is_blob = os.path.realpath(folder) == self._real_blobs and name not in ("", ".", "..")
        return Path(self._real_blobs, name) if is_blob else None

    def _follow_shared(self, blob: Path) -> Path | None:
        """Follow a blob into the cache's shared blobs, if it is a link; None where it leads elsewhere."""
        if not blob.is_symlink():
            return blob
        folder, name = os.path.split(os.path.join(self._real_blobs, os.readlink(blob)))  # noqa: PTH115, PTH118
        target = Path(self._shared_blobs, name[:2], name)
        is_shared = _is_hex(name, 64) and os.path.realpath(folder) == str(target.parent)
        return target if is_shared and not target.is_symlink() else None

    def _find_missing_shards(self, files: Mapping[str, CachedFile]) -> set[str]:
        """Find shards that the revision's shard indexes name and the cache lacks."""
        missing: set[str] = set()
        for path_in_repo, file in files.items():
            if is_shard_index(path_in_repo):
                try:
                    with FileSource(file.source_path) as source:
                        shards = read_shard_index(path_in_repo, source).shards
                except FormatError:
                    continue  # kept as it is; it just proves nothing
                missing |= {shard for shard in shards if shard not in files}
        return missing


def _agrees(file: CachedFile | None, expected: TreeFile) -> bool:
    return (
        file is not None
        and file.nbytes == expected.nbytes
        and (expected.sha256 is None or file.sha256 == expected.sha256)
        and (expected.git_sha1 is None or file.git_sha1 in (None, expected.git_sha1))
    )


def _is_ref_name(name: str) -> bool:
    try:
        parse_ref(name)
    except InvalidNameError:
        return False
    return True


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and _HEX.issuperset(text)
