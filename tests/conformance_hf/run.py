"""Run the Hugging Face client's own tests against a hub of ours, and write down what passed.

Duty: the order of things: environment, tests, a fresh store with the users that the tests expect, the server, the
run, the record. Not its duty: what is in scope (`in_scope.txt`), why something fails (`known_failures.toml`).
It needs the package index for the client and what its tests import, and nothing else from outside.

    python -m tests.conformance_hf.run --json benchmarks/records/conformance.json
    python -m tests.conformance_hf.run -k upload_folder --show      # some tests, with their tracebacks
    python -m tests.conformance_hf.run --derive tests.txt           # which tests ask the hub for anything
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from benchmarks.record import ROOT, machine, write_record

from . import client, hub_under_test, results

CLIENT_VERSION = "2.4.0"
HERE = Path(__file__).resolve().parent
SCOPE = HERE / "in_scope.txt"
BEYOND = HERE / "beyond_scope.txt"  # of features that the hub has, though the set does not count them
# Features of the public hub that TensorHub does not have, as parts of node ids: tests of these are not in scope.
OUT_OF_SCOPE = (
    "bucket",
    "Bucket",
    "test_kernels",
    "test_oauth",
    "test_cli",
    "test_utils_http",
    "TestActivityApi",
    "TestAccessRequestAPI",
    "TestCollectionAPI",
    "TestHfApiDiscussions",
    "TestWebhookApi",
)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the record to this file")
    parser.add_argument(
        "--client", default=CLIENT_VERSION, metavar="VERSION", help="release of huggingface_hub"
    )
    parser.add_argument(
        "--with-torch", action="store_true", help="install torch too, for the tests of its mixin"
    )
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "conformance", help="where things are kept"
    )
    parser.add_argument("--derive", type=Path, help="run all, and write those that ask the hub to this file")
    parser.add_argument("--xet-download", default="all", help="the hub's option of this name; default: all")
    parser.add_argument("--show", action="store_true", help="show pytest's output, with tracebacks")
    parser.add_argument("-k", dest="select", metavar="EXPRESSION", help="run only tests in scope that match")
    return parser.parse_args()


def run_client_tests(
    arguments: argparse.Namespace, python: Path, tests: Path, work: Path, endpoint: str
) -> Path:
    """Run them in the client's environment, with a home of their own; give the file with the outcomes."""
    outcomes = work / "outcomes.jsonl"
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "HUGGING", "PYTEST", "TENSORHUB"))
    }
    environment |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(work / "hf-home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "DISABLE_SYMLINKS_IN_WINDOWS_TESTS": "1",
        "NO_PROXY": "127.0.0.1",
        "CONFORMANCE_OUTCOMES": str(outcomes),
    }
    command = [str(python), "-m", "pytest", "-m", "not production and not inference"]
    command += [f"--ignore-glob=*{name}*" for name in client.IGNORED]
    command += ["--tb=short", "-rN"] if arguments.show else ["--tb=no", "-q", "-rN"]
    if arguments.derive:
        command += ["--continue-on-collection-errors"]  # modules of what is not in scope import more
    else:
        chosen = [*read_tests(SCOPE), *read_tests(BEYOND)]
        (work / "chosen.txt").write_text("\n".join(chosen), encoding="utf-8")
        environment["CONFORMANCE_SCOPE"] = str(work / "chosen.txt")
        command += sorted({test.partition("::")[0] for test in chosen})
    if arguments.select:
        command += ["-k", arguments.select]
    done = subprocess.run(command, cwd=tests, env=environment, check=False)
    if done.returncode not in (0, 1):  # 1: tests failed
        raise SystemExit(f"the run came to no end: pytest left with {done.returncode}; see it with --show")
    return outcomes


def read_tests(path: Path) -> list[str]:
    """Give the node ids that a file lists."""
    return path.read_text(encoding="utf-8").splitlines()


def main() -> None:
    """Run the tests, print a table, and write the record where one is asked for."""
    arguments = parse_arguments()
    python = client.make_environment(arguments.work / "environment", arguments.client, arguments.with_torch)
    sources = client.fetch_sources(arguments.work / "sources", arguments.client, python)
    with tempfile.TemporaryDirectory(prefix="tensorhub-conformance-") as folder:
        work = Path(folder)
        with hub_under_test.serve(
            work / "store", arguments.work / "server.log", arguments.xet_download
        ) as seeds:
            client.prepare_tests(sources, work / "client", seeds)
            outcomes = run_client_tests(arguments, python, work / "client", work, seeds.endpoint)
        verdicts = results.read_outcomes(outcomes)
    if arguments.derive:
        asking = [test for test, verdict in verdicts.items() if verdict["asked_the_hub"]]
        asking = [test for test in asking if not any(part in test for part in OUT_OF_SCOPE)]
        arguments.derive.write_text("".join(f"{test}\n" for test in sorted(asking)), encoding="utf-8")
        return
    summary, beyond = (
        results.summarize(
            [test for test in read_tests(path) if not arguments.select or test in verdicts], verdicts
        )
        for path in (SCOPE, BEYOND)
    )
    results.print_summary(summary, "in scope")
    results.print_summary(beyond, "beyond the scope")
    if arguments.json:
        head = {
            "measurement": "conformance",
            "client": f"huggingface_hub {arguments.client}",
            "xet_download": arguments.xet_download,
            "machine": machine(),
        }
        write_record(head | summary | {"beyond_the_scope": beyond}, arguments.json)


if __name__ == "__main__":
    main()
