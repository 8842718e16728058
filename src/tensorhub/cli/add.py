"""The command ``add``: bring folders, files or a Hugging Face cache into the store.

Duty: understand what was meant (which repository each path goes to), add one after the other, report.
Not its duty: what is stored and how. Invariants: everything that can be refused by looking at the
arguments is refused before anything is stored; each repository is one atomic commit, so that a failure
leaves those before it complete and those after it untouched.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import typer

import tensorhub as th
from tensorhub.cli.add_report import print_added, print_predicted, print_total
from tensorhub.cli.add_targets import Target, plan_targets
from tensorhub.cli.options import (
    CommonOptions,
    JsonOption,
    ModeOption,
    QuietOption,
    StoreOption,
    TypeOption,
    parse_common,
)
from tensorhub.cli.output import print_notices, write_json
from tensorhub.cli.progress import Watcher
from tensorhub.errors import StoreNotFoundError, TensorHubError, UsageError

EXAMPLES = """
  tensorhub add ~/models/llama-chat           becomes local/llama-chat
  tensorhub add ~/models/*/                   each a repository of its own
  tensorhub add ./llama --name me/llama --message "first release"
  tensorhub add README.md --name me/llama     lays a file over the rest
  tensorhub add --hf-cache                    the whole Hugging Face cache
  tensorhub add --hf-cache /data/huggingface/hub
  tensorhub add ~/models/llama-chat --dry-run predicts, stores nothing
  tensorhub add ~/archive/*/ --mode max       as small as it can be
"""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class AddOptions:
    """What ``add`` was asked for, besides the paths."""

    name: str | None
    revision: str | None
    message: str | None
    mode: th.Mode | None
    is_hf_cache: bool
    is_dry_run: bool


def add(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Folders, each its own repository; or files, laid over what --name holds. "
            "With --hf-cache: where the cache lies.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            "--name",
            metavar="OWNER/NAME",
            help="Repository to add to. Default: local/ and the folder's name.",
            show_default=False,
        ),
    ] = None,
    repo_type: TypeOption = None,
    revision: Annotated[
        str | None,
        typer.Option("--revision", metavar="REF", help="Branch or refs/… to move.", show_default="main"),
    ] = None,
    message: Annotated[
        str | None,
        typer.Option("--message", "-m", metavar="TEXT", help="Message of the commit.", show_default=False),
    ] = None,
    mode: ModeOption = None,
    is_hf_cache: Annotated[
        bool,
        typer.Option(
            "--hf-cache",
            help="Add every repository, revision and ref of a Hugging Face cache: at PATH or the usual one.",
        ),
    ] = False,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Predict the saving; store nothing.")] = False,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Bring model folders, files or a Hugging Face cache into the store.

    A folder becomes the tree of the revision: what the folder lacks is not in the new commit. Files are laid
    over the present tree. An identical tree makes no commit. The store is created where there is none.
    """
    options = parse_common(context, store, is_json, is_quiet)
    asked = AddOptions(name, revision, message, mode, is_hf_cache, is_dry_run)
    if is_hf_cache:
        _add_cache(options, asked, paths or [], has_type=repo_type is not None)
        return
    targets = plan_targets(paths or [], name, repo_type)
    if is_dry_run:
        _predict(options, asked, targets)
    else:
        _add_targets(options, asked, targets)


def _add_targets(options: CommonOptions, asked: AddOptions, targets: list[Target]) -> None:
    with _open_or_create(options) as store:
        _collect(options, targets, lambda target, watcher: [_add_one(store, target, asked, watcher)])


def _add_one(store: th.Store, target: Target, asked: AddOptions, watcher: Watcher) -> th.AddResult:
    revision, message = asked.revision or "main", asked.message or ""
    if target.folder is not None:
        return th.add_folder(
            store,
            target.folder,
            target.repository,
            revision=revision,
            message=message,
            mode=asked.mode,
            progress=watcher,
        )
    return th.add_files(
        store,
        target.files,
        target.repository,
        revision=revision,
        message=message,
        mode=asked.mode,
        progress=watcher,
    )


def _add_cache(options: CommonOptions, asked: AddOptions, roots: list[Path], *, has_type: bool) -> None:
    given = (asked.name, asked.revision, asked.message)
    if has_type or any(value is not None for value in given) or asked.is_dry_run or len(roots) > 1:
        raise UsageError(
            "add --hf-cache",
            expected="at most one PATH, and none of --name, --type, --revision, --message, --dry-run",
            found="more than that",
            action="A cache is taken whole, under its own names: tensorhub add --hf-cache [PATH].",
        )
    root = roots[0] if roots else None
    with _open_or_create(options) as store:
        _collect(
            options,
            [root],
            lambda place, watcher: th.add_hf_cache(store, place, mode=asked.mode, progress=watcher),
        )


def _collect(
    options: CommonOptions, items: list[Item], add_item: Callable[[Item, Watcher], list[th.AddResult]]
) -> None:
    """Add one after the other, printing as they come; what was done is told whether or not all succeed."""
    results: list[th.AddResult] = []
    try:
        for index, item in enumerate(items):
            with Watcher(options) as watcher:
                try:
                    added = add_item(item, watcher)
                except TensorHubError as error:
                    _note_rest(error, results, len(items) - index - 1)
                    raise
            results += added
            if not options.is_json:
                for result in added:
                    print_added(result)
                told = [text for result in added for text in result.notices]
                print_notices([*watcher.notices, *told], options)
    finally:
        if options.is_json:
            write_json(th.to_json(results))
    if not options.is_json and len(results) > 1:
        print_total(results)


def _note_rest(error: TensorHubError, done: list[th.AddResult], not_started: int) -> None:
    if done:
        names = ", ".join(result.repository for result in done)
        error.add_note(f"{len(done)} added before this are complete: {names}")
    if not_started:
        error.add_note(f"{not_started} after this were not started; run the same command again to go on.")


def _predict(options: CommonOptions, asked: AddOptions, targets: list[Target]) -> None:
    predictions = []
    with _open_or_pretend(options) as store:
        predictor = th.Predictor(store, mode=asked.mode)
        for target in targets:
            with Watcher(options) as watcher:
                if target.folder is not None:
                    prediction = predictor.folder(target.folder, target.repository, progress=watcher)
                else:
                    prediction = predictor.files(target.files, target.repository, progress=watcher)
            predictions.append(prediction)
            if not options.is_json:
                print_predicted(prediction)
                print_notices([*watcher.notices, *prediction.notices], options)
    if options.is_json:
        write_json(th.to_json(predictions))


@contextmanager
def _open_or_create(options: CommonOptions) -> Iterator[th.Store]:
    try:
        store = th.Store.open(options.store_path)
    except StoreNotFoundError:
        store = th.Store.open(options.store_path, create=True)
        print_notices([f"new store at {store.path}"], options)
    with store:
        yield store


@contextmanager
def _open_or_pretend(options: CommonOptions) -> Iterator[th.Store]:
    """Open the store; where there is none, an empty one that goes away again: a first look stores nothing."""
    try:
        store = th.Store.open(options.store_path)
    except StoreNotFoundError:
        with (
            tempfile.TemporaryDirectory(prefix="tensorhub-") as folder,
            th.Store.create(Path(folder, "empty")) as empty,
        ):
            yield empty
        return
    with store:
        yield store
