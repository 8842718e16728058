"""The command ``cat``: bytes of one file to stdout.

Duty: stream any range of a file. Not its duty: several files (``get``).
Invariants: memory does not grow with the range, except with ``--json``, which holds it whole.
"""

from __future__ import annotations

import base64
from typing import Annotated

import typer

import tensorhub as th
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
from tensorhub.cli.output import write_bytes, write_json
from tensorhub.schema.names import RepositoryId

EXAMPLES = """
  tensorhub cat me/llama-chat config.json
  tensorhub cat me/llama-chat model.safetensors --offset 8 --length 200
"""
_PIECE_NBYTES = (
    4 << 20
)  # a few chunks at a time: large enough for parallel decoding, small beside the memory bound


def cat(
    context: typer.Context,
    repository: RepositoryArgument,
    path: Annotated[str, typer.Argument(metavar="PATH", help="Path in the repository.", show_default=False)],
    offset: Annotated[int, typer.Option("--offset", min=0, metavar="BYTES", help="First byte.")] = 0,
    length: Annotated[
        int | None,
        typer.Option(
            "--length", min=0, metavar="BYTES", help="How many. Default: to the end.", show_default=False
        ),
    ] = None,
    revision: RevisionOption = None,
    repo_type: TypeOption = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Write bytes of one file to stdout, raw."""
    options = parse_common(context, store, is_json, is_quiet)
    wanted = read_repository(repository, repo_type)
    with th.Store.open(options.store_path) as opened:
        if options.is_json:
            data = opened.read(wanted, path, revision=revision, offset=offset, length=length)
            document = {"repository": str(wanted), "path": path, "offset": offset, "nbytes": len(data)}
            write_json({**document, "base64": base64.b64encode(data).decode("ascii")})
        else:
            _stream(opened, wanted, path, revision, offset, length)


def _stream(
    store: th.Store,
    repository: RepositoryId,
    path: str,
    revision: str | None,
    offset: int,
    length: int | None,
) -> None:
    with store.open_file(repository, path, revision=revision) as file:
        file.seek(offset)
        left = length
        while left is None or left > 0:
            piece = file.read(_PIECE_NBYTES if left is None else min(_PIECE_NBYTES, left))
            if not piece:
                return
            write_bytes(piece)
            left = None if left is None else left - len(piece)
