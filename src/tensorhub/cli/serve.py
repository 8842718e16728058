"""The command ``serve``: turn the store into a hub.

Duty: options to settings, one call. Not its duty: serving.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import print_line, write_json
from tensorhub.errors import MissingExtraError, UsageError

EXAMPLES = """
  tensorhub serve                                   for this machine, at http://127.0.0.1:8088
  HF_ENDPOINT=http://127.0.0.1:8088 hf download local/model
  tensorhub user add ada --admin                    then others can be let in:
  tensorhub serve --host 0.0.0.0 --port 8088
  tensorhub serve --upstream https://hub.example    what is missing is fetched once
"""


HostOption = Annotated[
    str, typer.Option("--host", help="Address to listen at. Others than loopback need a user first.")
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")]
RootPathOption = Annotated[
    str, typer.Option("--root-path", metavar="PREFIX", help="Path under which a reverse proxy shows the hub.")
]
ProxyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--trusted-proxy", metavar="ADDRESS", help="Believe this proxy's X-Forwarded headers. Repeatable."
    ),
]
AnonymousOption = Annotated[
    bool,
    typer.Option("--anonymous-read/--no-anonymous-read", help="Show public repositories without a token."),
]
UpstreamOption = Annotated[
    str,
    typer.Option(
        "--upstream",
        metavar="URL",
        help="Fetch what is missing from another hub. Its token: TENSORHUB_UPSTREAM_TOKEN.",
    ),
]
RateLimitOption = Annotated[
    int,
    typer.Option(
        "--rate-limit",
        min=0,
        metavar="N",
        help="Requests a minute that one caller may make; 0 for any number.",
    ),
]
XetOption = Annotated[
    str,
    typer.Option(
        "--xet-download",
        help="Which files are offered for download through Xet: large (from 64 MB), all or none.",
    ),
]
ParallelOption = Annotated[
    int,
    typer.Option(
        "--parallel-limit",
        min=0,
        metavar="N",
        help="Requests that one caller may have running at a time; 0 for any number.",
    ),
]
MetricsOption = Annotated[
    str, typer.Option("--metrics", help="Who may read /metrics: local (this machine), admin or all.")
]
LogFormatOption = Annotated[str, typer.Option("--log-format", help="text or json.")]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="Threads that decode and code. Default: one per processor.",
        show_default=False,
    ),
]


def serve(
    context: typer.Context,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8088,
    root_path: RootPathOption = "",
    trusted_proxy: ProxyOption = None,
    anonymous_read: AnonymousOption = True,
    upstream: UpstreamOption = "",
    rate_limit: RateLimitOption = 0,
    xet_download: XetOption = "large",
    parallel_limit: ParallelOption = 0,
    metrics: MetricsOption = "local",
    log_format: LogFormatOption = "text",
    workers: WorkersOption = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Serve the store to Hugging Face clients and browsers: set HF_ENDPOINT to its address, and nothing else."""
    options = parse_common(context, store, is_json, is_quiet)
    check_choice("--log-format", log_format, ("text", "json"))
    check_choice("--xet-download", xet_download, ("large", "all", "none"))
    check_choice("--metrics", metrics, ("local", "admin", "all"))
    try:
        from tensorhub.hub.config import HubConfig
        from tensorhub.hub.serve import serve as run_server
    except ImportError as error:
        raise MissingExtraError(
            "command serve",
            expected="the packages of the extra hub",
            found=str(error),
            action="Run `pip install 'tensorhub[hub]'`.",
        ) from error
    config = HubConfig(
        host=host,
        port=port,
        root_path="/" + root_path.strip("/") if root_path.strip("/") else "",
        trusted_proxies=tuple(trusted_proxy or ()),
        allows_anonymous_read=anonymous_read,
        upstream=upstream.rstrip("/"),
        upstream_token=os.environ.get("TENSORHUB_UPSTREAM_TOKEN", ""),
        workers=workers,
        log_format=log_format,
        xet_download=xet_download,
        rate_limit_per_minute=rate_limit,
        parallel_limit=parallel_limit,
        metrics=metrics,
    )

    def tell(url: str) -> None:
        if options.is_json:
            write_json({"url": url, "store": str(options.store_path)}, indent=None)
        elif not options.is_quiet:
            print_line(("Serving ", ""), (str(options.store_path), "bold"), " at ", (url, "bold green"))
            print_line(f"  HF_ENDPOINT={url} hf download REPO      Ctrl-C stops it")

    with th.Store.open(options.store_path, create=True) as opened:
        run_server(opened, config, when_ready=tell)


def check_choice(option: str, found: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that an option does not have.

    Raises
    ------
    UsageError
        It is none of the choices.
    """
    if found not in choices:
        words = ", ".join(choices)
        raise UsageError(
            f"option {option}", expected=f"one of {words}", found=found, action=f"Give one of {words}."
        )
