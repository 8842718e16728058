"""Records: what every measurement says of the machine, and how it is written down.

Duty: machine facts, spread of repeated timings, one JSON file per measurement. Not its duty: measuring.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

ROOT = Path(__file__).resolve().parent.parent


def machine() -> dict[str, Any]:
    """Say where, when and of which commit a record was made."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line
        ]
        model = names[0] if names else model
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit(),
        "processor": model,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "zstandard": zstandard.__version__,
    }


def commit() -> str:
    """Give the commit of the source tree, marked where the tree differs from it; empty outside of git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def spread(values: Sequence[float], digits: int = 4) -> dict[str, Any]:
    """Give median, least, greatest and number of repeated measurements."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
        "rounds": len(values),
    }


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """Make the parser that all measurements share."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0] if doc else None)
    parser.add_argument("--quick", action="store_true", help="small data, one round: proves the script only")
    parser.add_argument("--json", type=Path, help="write the record to this file")
    parser.add_argument("--work", type=Path, help="folder for temporary data on disk")
    return parser


def write_record(record: dict[str, Any], path: Path | None) -> None:
    """Print a record, or write it where a file is asked for."""
    text = json.dumps(record, indent=2)
    if path is None:
        print(text)
    else:
        path.write_text(text + "\n")
        print(f"record: {path}")


def print_table(rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Print rows as aligned columns; the first row is the head."""
    if title:
        print(f"\n{title}")
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    for row in texts:
        first, *rest = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *rest]))
