"""The command ``info``: which version this is, how it computes, and where its store lies.

Duty: that, without opening more than the store's settings. Not its duty: what is in the store (``stats``).
"""

from __future__ import annotations

import platform

import typer

import tensorhub as th
from tensorhub._native import simd_level, simd_levels
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import print_line, write_json
from tensorhub.errors import StoreNotFoundError

EXAMPLES = """
  tensorhub info
  tensorhub info --json | jq -r .store
"""


def info(
    context: typer.Context,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Show the version, the vector instructions in use, and where the store lies."""
    options = parse_common(context, store, is_json, is_quiet)
    store_id: str | None = None
    mode: str | None = None
    try:
        with th.Store.open(options.store_path) as opened:
            store_id, mode = opened.store_id, opened.mode.value
    except StoreNotFoundError:
        pass  # no store yet is an answer here, not a failure
    if options.is_json:
        write_json(
            {
                "version": th.__version__,
                "python": platform.python_version(),
                "simd": simd_level(),
                "simd_available": simd_levels(),
                "store": str(options.store_path),
                "is_created": store_id is not None,
                "store_id": store_id,
                "mode": mode,
            }
        )
        return
    print_line(("tensorhub ", "bold"), f"{th.__version__}, Python {platform.python_version()}")
    print_line(f"  vector instructions {simd_level()}, of {', '.join(simd_levels())}")
    print_line(
        f"  store {options.store_path}"
        + (f", mode {mode}" if store_id else " (none yet: tensorhub add or init makes it)")
    )
