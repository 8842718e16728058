"""The application: its commands, its options before the command, and its one exit.

Duty: register every command; turn errors of the tree into messages and exit codes.
Not its duty: anything about one command.
Invariants: this is the only place of the command line that catches ``TensorHubError``; with ``--json`` an
error is one JSON document on stderr, whoever found it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli import (
    add,
    audit,
    cat,
    gc,
    get,
    info,
    init,
    lineage,
    ls,
    namespace,
    optimize,
    pull,
    rm,
    serve,
    show,
    similar,
    state,
    stats,
    token,
    user,
    verify,
    visibility,
)
from tensorhub.cli.options import GlobalOptions, JsonOption, QuietOption, StoreOption
from tensorhub.cli.output import print_error, print_interrupted, print_line, write_error_json
from tensorhub.errors import InvariantError, TensorHubError, UsageError, from_os_error

EXIT_INTERRUPTED = 130  # 128 + SIGINT
_PLEASE_REPORT = (
    "This is a bug; please report it with the command and the traceback. Nothing kept before is lost."
)
_HELP = """
One store for every tensor a model ever becomes.

Model folders go in, a fraction of the bytes stay, every byte comes back.
"""
_EPILOG = """
[bold]Start here[/bold]

  tensorhub add ~/models/*/          each folder becomes a repository
  tensorhub stats                    what it takes now, and why
  tensorhub get local/model ./there  every byte back

The store lies at --store, else at TENSORHUB_STORE, else in the data folder of the platform.
"""


def reflow(docstring: str) -> str:
    """Join the lines of each paragraph, so that help is wrapped by the terminal and not by the source."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)


app = typer.Typer(
    name="tensorhub",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_Groups = tuple[tuple[str, str, Iterable[tuple[str, Callable[..., None], str]]], ...]


def _register(group: typer.Typer, name: str, command: Callable[..., None], examples: str) -> None:
    group.command(
        name,
        help=reflow(command.__doc__ or ""),
        epilog="[bold]Examples[/bold]\n\n" + examples.strip("\n"),
    )(command)


for _name, _command, _examples in (
    ("init", init.init, init.EXAMPLES),
    ("add", add.add, add.EXAMPLES),
    ("ls", ls.ls, ls.EXAMPLES),
    ("show", show.show, show.EXAMPLES),
    ("get", get.get, get.EXAMPLES),
    ("pull", pull.pull, pull.EXAMPLES),
    ("cat", cat.cat, cat.EXAMPLES),
    ("rm", rm.rm, rm.EXAMPLES),
    ("stats", stats.stats, stats.EXAMPLES),
    ("lineage", lineage.lineage, lineage.EXAMPLES),
    ("similar", similar.similar, similar.EXAMPLES),
    ("verify", verify.verify, verify.EXAMPLES),
    ("optimize", optimize.optimize, optimize.EXAMPLES),
    ("gc", gc.gc, gc.EXAMPLES),
    ("serve", serve.serve, serve.EXAMPLES),
    ("visibility", visibility.visibility, visibility.EXAMPLES),
    ("namespace", namespace.namespace, namespace.EXAMPLES),
    ("audit", audit.audit, audit.EXAMPLES),
    ("info", info.info, info.EXAMPLES),
):
    _register(app, _name, _command, _examples)
_groups: _Groups = (
    ("user", user.HELP, user.COMMANDS),
    ("token", token.HELP, token.COMMANDS),
    ("state", state.HELP, state.COMMANDS),
)
for _name, _help, _commands in _groups:
    _group = typer.Typer(help=_help, no_args_is_help=True, rich_markup_mode="rich")
    for _verb, _action, _examples in _commands:
        _register(_group, _verb, _action, _examples)
    app.add_typer(_group, name=_name)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print_line(f"tensorhub {th.__version__}")
        raise typer.Exit


@app.callback()
def _before_command(
    context: typer.Context,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
    is_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and leave.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    context.obj = GlobalOptions(store, is_json, is_quiet)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        What follows the program's name; default: those of the process.

    Returns
    -------
    int
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    is_json = "--json" in given  # known before parsing, so that an error of parsing is JSON too
    try:
        outcome = app(given, prog_name="tensorhub", standalone_mode=not is_json)
    except TensorHubError as error:
        return _report(error, is_json)
    except typer.TyperException as error:  # raised only where Typer does not print it itself
        return _report(UsageError(error.format_message(), action="See tensorhub --help."), is_json)
    except OSError as error:
        return _report(from_os_error(error, "tensorhub was stopped by the system"), is_json)
    except SystemExit as stop:
        outcome = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        outcome = EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door: what nobody foresaw is a bug, and is told as one
        found = f"{type(error).__name__}: {error}"
        return _report(InvariantError("tensorhub itself", found=found, action=_PLEASE_REPORT), is_json)
    if outcome == EXIT_INTERRUPTED and not is_json:
        print_interrupted()
    return outcome if isinstance(outcome, int) else 0


def _report(error: TensorHubError, is_json: bool) -> int:
    if is_json:
        write_error_json(error.to_dict())
    else:
        print_error(error)
    return error.exit_code
