"""What the paths given to ``add`` mean.

Duty: decide which repository each folder, or all files, go to; refuse what has no meaning.
Not its duty: reading them. Invariants: nothing is written; two targets never name the same repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tensorhub.cli.options import read_repository
from tensorhub.errors import NotFoundError, UsageError
from tensorhub.schema.names import RepositoryId, RepoType, make_repository_id

_CACHE_PREFIXES = ("models--", "datasets--", "spaces--")  # folder names of huggingface_hub's cache


@dataclass(frozen=True, slots=True)
class Target:
    """One repository and what goes into it.

    Attributes
    ----------
    repository
        Where it goes.
    folder
        The folder that becomes its tree; None for files.
    files
        The files laid over its tree; empty for a folder.
    """

    repository: RepositoryId
    folder: Path | None
    files: tuple[Path, ...] = ()


def plan_targets(paths: Sequence[Path], name: str | None, repo_type: RepoType | None) -> list[Target]:
    """Decide where each path goes.

    Parameters
    ----------
    paths
        As given, in order.
    name, repo_type
        What ``--name`` and ``--type`` said, if anything.

    Returns
    -------
    list of Target
        One for each folder, or one for all files.

    Raises
    ------
    NotFoundError
        A path does not exist.
    UsageError
        No path; files without a name; folders and files together; several folders with one name, or
        two that would get the same name; a Hugging Face cache without ``--hf-cache``.
    """
    if not paths:
        raise UsageError(
            "add", expected="at least one PATH, or --hf-cache", found="none", action="See tensorhub add -h."
        )
    folders, files = _sort_paths(paths)
    if files:
        return [_plan_files(folders, files, name, repo_type)]
    if name is not None:
        if len(folders) > 1:
            raise UsageError(
                f"--name {name}",
                expected="one folder for one name",
                found=f"{len(folders)} folders",
                action="Leave out --name, so that each becomes local/<folder>, or add them one by one.",
            )
        return [Target(read_repository(name, repo_type), folders[0])]
    return _plan_unnamed(folders, repo_type)


def _sort_paths(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    folders, files = [], []
    for path in paths:
        if path.is_dir():
            folders.append(path)
        elif path.exists():
            files.append(path)
        else:
            raise NotFoundError(
                f"path {str(path)!r}",
                expected="an existing folder or file",
                found="nothing there",
                action="Check the spelling.",
                path=str(path),
            )
    return folders, files


def _plan_files(
    folders: list[Path], files: list[Path], name: str | None, repo_type: RepoType | None
) -> Target:
    shown = ", ".join(str(path) for path in files[:3]) + (", …" if len(files) > 3 else "")
    if folders:
        raise UsageError(
            "add",
            expected="only folders, or only files",
            found=f"both; the files are {shown}",
            action="Write ~/models/*/ for folders alone, and add files in a call of their own with --name.",
        )
    if name is None:
        raise UsageError(
            f"files {shown}",
            expected="--name OWNER/NAME, since a file does not name a repository",
            found="no name",
            action="Give the repository that they are laid over with --name.",
        )
    return Target(read_repository(name, repo_type), None, tuple(files))


def _plan_unnamed(folders: list[Path], repo_type: RepoType | None) -> list[Target]:
    targets: dict[tuple[str, str], Target] = {}
    for folder in folders:
        own_name = folder.name if folder.name not in ("", "..") else folder.resolve().name
        if own_name.startswith(_CACHE_PREFIXES) or any(_has_cache_name(child) for child in folder.iterdir()):
            raise UsageError(
                f"folder {str(folder)!r}",
                expected="a model folder",
                found="a Hugging Face cache",
                action="Use tensorhub add --hf-cache PATH, which keeps its names, revisions and refs; "
                "or give --name to add it as a plain folder.",
            )
        repository = RepositoryId(repo_type or RepoType.MODEL, make_repository_id(own_name))
        other = targets.setdefault(repository.key, Target(repository, folder))
        if other.folder != folder:
            raise UsageError(
                f"folders {str(other.folder)!r} and {str(folder)!r}",
                expected="a repository of its own for each",
                found=f"both would become {repository}",
                action="Add them one by one, each with a --name.",
            )
    return list(targets.values())


def _has_cache_name(child: Path) -> bool:
    return child.name.startswith(_CACHE_PREFIXES) and child.joinpath("snapshots").is_dir()
