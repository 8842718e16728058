"""The command ``show``: the card of one repository.

Duty: refs, history, files and tensors of a repository on one page. Not its duty: listing every tensor, which
``ls --tensors`` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import typer

import tensorhub as th
from tensorhub.cli.ls import print_files
from tensorhub.cli.options import (
    JsonOption,
    QuietOption,
    RepositoryArgument,
    RevisionOption,
    StoreOption,
    TypeOption,
    parse_common,
    read_repository,
)
from tensorhub.cli.output import print_line, write_json
from tensorhub.schema.names import RepositoryId
from tensorhub.schema.sizes import format_commit_id, format_count, format_date, format_nbytes, format_ratio

EXAMPLES = """
  tensorhub show me/llama-chat
  tensorhub show datasets/me/questions --revision refs/pr/1
"""
_COMMITS_SHOWN = 10  # a screen's worth of history; --json has all
_FILES_SHOWN = 30  # a checkpoint in shards still fits; `ls` has all


@dataclass(frozen=True, slots=True)
class TensorTotals:
    """Tensors of a snapshot, summed up; ``stored_nbytes`` counts a blob once, however often it occurs."""

    count: int
    nbytes: int
    stored_nbytes: int
    delta: int
    standalone: int
    dtypes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that ``show`` prints; ``commit_id`` is None for a repository without a commit."""

    repository: RepositoryId
    commit_id: str | None
    refs: Sequence[th.RefInfo]
    commits: Sequence[th.CommitInfo]
    files: Sequence[th.FileInfo]
    tensors: TensorTotals


def show(
    context: typer.Context,
    repository: RepositoryArgument,
    revision: RevisionOption = None,
    repo_type: TypeOption = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Show a repository: its refs, last commits, files and tensors."""
    options = parse_common(context, store, is_json, is_quiet)
    with th.Store.open(options.store_path) as opened:
        card = read_card(opened, read_repository(repository, repo_type), revision)
    if options.is_json:
        write_json(th.to_json(card))
    else:
        print_card(card)


def read_card(store: th.Store, repository: RepositoryId, revision: str | None) -> Card:
    """Gather a repository's card."""
    refs = store.refs(repository)
    if not refs and revision is None:
        return Card(repository, None, (), (), (), sum_tensors(()))
    commit_id = store.resolve(repository, revision)
    return Card(
        repository,
        commit_id,
        refs,
        store.commits(repository, commit_id),
        store.files(repository, commit_id),
        sum_tensors(store.tensors(repository, commit_id)),
    )


def sum_tensors(tensors: Sequence[th.TensorInfo]) -> TensorTotals:
    """Sum up tensors; what a blob takes on disk counts once."""
    return TensorTotals(
        count=len(tensors),
        nbytes=sum(item.nbytes for item in tensors),
        stored_nbytes=sum({item.digest: item.stored_nbytes for item in tensors}.values()),
        delta=sum(item.coding == "delta" for item in tensors),
        standalone=sum(item.coding != "delta" for item in tensors),
        dtypes=dict(Counter(item.dtype for item in tensors)),
    )


def print_card(card: Card) -> None:
    """Print a repository's card."""
    print_line((str(card.repository), "bold"))
    if card.commit_id is None:
        print_line("  empty: nothing was added yet")
        return
    nbytes = sum(item.nbytes for item in card.files)
    print_line(f"  {format_nbytes(nbytes)} in {format_count(len(card.files), 'file')} at {card.commit_id}")
    totals = card.tensors
    if totals.count:
        dtypes = ", ".join(f"{count:,} {dtype}" for dtype, count in sorted(totals.dtypes.items()))
        print_line(
            f"  {format_count(totals.count, 'tensor')} ({dtypes}): "
            f"{format_nbytes(totals.nbytes)} → {format_nbytes(totals.stored_nbytes)} coded, "
            f"{format_ratio(totals.nbytes, totals.stored_nbytes)}; "
            f"{totals.delta:,} as delta, {totals.standalone:,} standalone"
        )
    print_line(("refs", "bold"))
    for ref in card.refs:
        print_line("  ", (format_commit_id(ref.commit_id), "dim"), f"  {ref.name}")
    print_line(("commits", "bold"))
    for commit in card.commits[:_COMMITS_SHOWN]:
        _print_commit(commit)
    if len(card.commits) > _COMMITS_SHOWN:
        print_line(f"  … and {format_count(len(card.commits) - _COMMITS_SHOWN, 'earlier commit')}")
    print_line(("files", "bold"))
    print_files(card.files[:_FILES_SHOWN])
    if len(card.files) > _FILES_SHOWN:
        rest = format_count(len(card.files) - _FILES_SHOWN, "more file")
        print_line(f"… and {rest}: tensorhub ls {card.repository}")


def _print_commit(commit: th.CommitInfo) -> None:
    marks = "  (partial: some files were never here)" if commit.is_partial else ""
    author = f"  {commit.author}" if commit.author else ""
    print_line(
        "  ",
        (format_commit_id(commit.commit_id), "dim"),
        f"  {format_date(commit.date_ms)}{author}  {commit.title}{marks}",
    )
