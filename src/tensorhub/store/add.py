"""Adding: folders and files as callers of the commit transaction.

Duty: map a folder listing to a transaction; the meaning of *add*. Not its duty: reading folders (formats).
Invariants: a folder becomes the revision's whole tree; files are laid over the present tree; everything is
checked (names, links) before anything is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tensorhub.codecs.mode import Mode
from tensorhub.errors import UsageError
from tensorhub.formats.folder import FolderEntry, scan_folder
from tensorhub.formats.model_card import read_base_models
from tensorhub.formats.source import FileSource
from tensorhub.schema.names import RepositoryId, parse_path
from tensorhub.schema.records import FileMode
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.store import Store
from tensorhub.store.transaction import CommitTransaction
from tensorhub.store.values import AddResult


def add_folder(
    store: Store,
    folder: Path,
    repository: str | RepositoryId,
    *,
    revision: str = "main",
    message: str = "",
    mode: str | Mode | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
) -> AddResult:
    """Make a folder the tree of a repository's revision.

    Parameters
    ----------
    store
        Where to.
    folder
        What; names must be UTF-8 and must not collide.
    repository, revision
        Made where they do not exist.
    message
        First line is the commit's title.
    mode, progress, workers
        See :meth:`Store.begin_commit`.

    Returns
    -------
    AddResult
        ``is_new_commit`` is False where the revision holds exactly this tree already.

    Raises
    ------
    UsageError
        The store lies inside the folder.
    InvalidNameError
        A name is not allowed; nothing was stored.
    NotFoundError, BackendError, SourceChangedError
        Something could not be read, or changed meanwhile; no commit was made.
    """
    listener = progress or Quiet()
    if store.path.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"folder {folder}",
            expected="a folder without the store itself",
            found=f"the store {store.path} inside it",
            path=str(folder),
            action="Add the model folders by themselves, or keep the store elsewhere.",
        )
    listing = scan_folder(folder)
    listener.begin(f"Adding {folder.name or folder}", sum(entry.nbytes for entry in listing.entries))
    for text in listing.notices:
        listener.notice(text)
    with store.begin_commit(
        repository, revision=revision, mode=mode, progress=listener, workers=workers
    ) as transaction:
        transaction.delete_all()
        for text in listing.notices:
            transaction.notice(text)
        hint_from_card(transaction, listing.entries)
        for entry in listing.entries:
            put_entry(transaction, entry)
        result = transaction.publish(message or f"Add folder {folder.resolve().name}")
    listener.end()
    return result


def add_files(
    store: Store,
    files: Sequence[Path],
    repository: str | RepositoryId,
    *,
    revision: str = "main",
    message: str = "",
    mode: str | Mode | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
) -> AddResult:
    """Lay files over a revision's present tree, each under its own name.

    Raises
    ------
    UsageError
        Two files have one name, or none was given.
    NotFoundError, BackendError, SourceChangedError
        Something could not be read, or changed meanwhile; no commit was made.
    """
    names = [path.name for path in files]
    if not files or len(set(names)) != len(names):
        raise UsageError(
            "files to add",
            expected="at least one, each of another name",
            found=", ".join(names) or "none",
            action="Put them into a folder that has the paths you want, and add the folder.",
        )
    for name in names:
        parse_path(name)
    entries = [file_entry(path) for path in files]
    listener = progress or Quiet()
    listener.begin(f"Adding {len(entries)} files", sum(entry.nbytes for entry in entries))
    with store.begin_commit(
        repository, revision=revision, mode=mode, progress=listener, workers=workers
    ) as transaction:
        transaction.check_names(names)
        hint_from_card(transaction, entries)
        for entry in entries:
            put_entry(transaction, entry)
        title = f"Add {names[0]}" if len(names) == 1 else f"Add {len(names)} files"
        result = transaction.publish(message or title)
    listener.end()
    return result


def file_entry(path: Path) -> FolderEntry:
    """Describe one file as a folder listing would."""
    with FileSource(path) as source:
        nbytes = source.nbytes
    mode = FileMode.EXECUTABLE if path.stat().st_mode & 0o111 else FileMode.FILE
    return FolderEntry(path.name, mode, path, None, nbytes)


def put_entry(transaction: CommitTransaction, entry: FolderEntry) -> None:
    """Put one entry of a folder listing into a transaction."""
    if entry.mode is FileMode.SYMLINK and entry.link_target is not None:
        transaction.put_file(entry.path_in_repo, entry.link_target.encode(), mode=FileMode.SYMLINK)
    elif entry.source_path is not None:
        transaction.put_file(entry.path_in_repo, entry.source_path, mode=entry.mode)


def hint_from_card(transaction: CommitTransaction, entries: Sequence[FolderEntry]) -> None:
    """Pass on what a model card says of its base model."""
    card = next((entry for entry in entries if entry.path_in_repo == "README.md" and entry.source_path), None)
    if card is not None and card.source_path is not None:
        with FileSource(card.source_path) as source:
            transaction.hint_base_models(read_base_models(source))
