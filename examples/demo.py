"""What TensorHub does, in a minute: `make demo`.

Duty: put a small family of real trained models into a temporary store through the command line, show what
was saved and through what, give one model back and compare it byte for byte. Not its duty: measuring.
Invariant: leaves nothing behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

FAMILY = Path(__file__).parent / "tiny-family"
RESTORED = "ft-chat"


def main() -> int:
    """Run the demonstration; the exit code is 0 only if every byte came back."""
    folders = sorted(str(folder) for folder in FAMILY.iterdir() if folder.is_dir())
    with tempfile.TemporaryDirectory(prefix="tensorhub-demo-") as place:
        environment = {**os.environ, "TENSORHUB_STORE": str(Path(place, "store"))}
        title("1. Six model folders go in, each a repository of its own")
        run(environment, "add", *folders, shown="add examples/tiny-family/*/")
        title("2. What they take now, and through what")
        run(environment, "stats")
        title("3. What one of them leans on, found from the bytes alone")
        run(environment, "lineage", f"local/{RESTORED}")
        title("4. One model comes back")
        destination = Path(place, RESTORED)
        run(
            environment,
            "get",
            f"local/{RESTORED}",
            str(destination),
            shown=f"get local/{RESTORED} {RESTORED}",
        )
        compared = compare(FAMILY / RESTORED, destination)
        print(f"  compared with the original: {compared:,} bytes, all equal")
        title("5. Every chunk decoded, every digest checked")
        run(environment, "verify")
    print(
        "\nThe temporary store is gone again. Where to go next:\n"
        "  .venv/bin/tensorhub add ~/models/*/       put your own models in\n"
        "  .venv/bin/tensorhub add --hf-cache        or your whole Hugging Face cache\n"
        "  .venv/bin/tensorhub --help                every command; docs/cli.md has the details\n"
        "  README.md                                 the same from Python"
    )
    return 0


def title(text: str) -> None:
    """Announce a step."""
    print(f"\n{text}", flush=True)


def run(environment: dict[str, str], *arguments: str, shown: str | None = None) -> None:
    """Run one command as a user would, and stop the demonstration if it fails."""
    print(f"$ tensorhub {shown or ' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", "tensorhub", *arguments], env=environment, check=True)


def compare(original: Path, restored: Path) -> int:
    """Compare two folders byte for byte.

    Returns
    -------
    int
        How many bytes were compared.

    Raises
    ------
    SystemExit
        Something differs.
    """
    names = sorted(path.relative_to(original) for path in original.rglob("*") if path.is_file())
    back = sorted(path.relative_to(restored) for path in restored.rglob("*") if path.is_file())
    if names != back:
        raise SystemExit(f"the restored folder holds {back}, the original {names}")
    compared = 0
    for name in names:
        data = (original / name).read_bytes()
        if (restored / name).read_bytes() != data:
            raise SystemExit(f"{name} differs from the original")
        compared += len(data)
    return compared


if __name__ == "__main__":
    sys.exit(main())
