"""What a run of the client's own tests came to: a record for machines, a table for people.

Duty: one verdict per test from the lines the run wrote, and the reason of each that did not pass. Not its duty:
running anything.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# What is known of tests that do not pass, by node id: why, in a sentence.
KNOWN = HERE / "known_failures.toml"
LONGEST_MESSAGE = 300


def read_outcomes(path: Path) -> dict[str, dict[str, Any]]:
    """Give one verdict per test: the first phase that did not pass, else the call's."""
    verdicts: dict[str, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        known = verdicts.setdefault(row["test"], row)
        if known["outcome"] == "passed" and row["outcome"] != "passed":
            row["asked_the_hub"] |= known["asked_the_hub"]
            verdicts[row["test"]] = row
    return verdicts


def explain(test: str, message: str) -> tuple[str, str]:
    """Give the reason somebody wrote down for this failure, if any, and the first lines of its message."""
    reasons: dict[str, str] = tomllib.loads(KNOWN.read_text(encoding="utf-8")).get("reasons", {})
    short = re.sub(r"0x[0-9a-f]+", "0x…", " ".join(message.split()))[:LONGEST_MESSAGE]
    return reasons.get(test, ""), short


def summarize(scope: Iterable[str], verdicts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Count what passed, and list the rest with reasons."""
    counts: Counter[str] = Counter()
    files: dict[str, Counter[str]] = {}
    rest: list[dict[str, str]] = []
    for test in scope:
        verdict = verdicts.get(
            test, {"outcome": "not run", "reason": "the run ended before it, or it is not there"}
        )
        outcome = verdict["outcome"]
        counts[outcome] += 1
        files.setdefault(test.partition("::")[0].removeprefix("tests/"), Counter())[outcome] += 1
        if outcome != "passed":
            reason, message = explain(test, verdict["reason"])
            rest.append({"test": test, "outcome": outcome, "reason": reason, "message": message})
    return {
        "tests": sum(counts.values()),
        "passed": counts["passed"],
        "failed": counts["failed"],
        "skipped": counts["skipped"],
        "not_run": counts["not run"],
        "files": {name: dict(count) for name, count in files.items()},
        "not_passed": rest,
    }


def print_summary(summary: dict[str, Any], title: str) -> None:
    """Print the counts by file, and each test that did not pass with what is known of it."""
    width = max(len(name) for name in [*summary["files"], title])
    print(f"\n{title:{width}}  passed  of")
    for name, count in summary["files"].items():
        print(f"{name:{width}}  {count.get('passed', 0):6}  {sum(count.values()):2}")
    print(f"{'all':{width}}  {summary['passed']:6}  {summary['tests']}")
    for row in summary["not_passed"]:
        print(f"\n{row['outcome']}: {row['test']}")
        print(f"  {row['reason'] or 'no reason is written down'}\n  {row['message']}")
