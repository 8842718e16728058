"""The client whose own tests are run: its environment, its tests, and what is changed in them.

Duty: an environment with the client and what its tests need; the tests out of the client's source distribution,
unpacked and pointed at the hub under test. Not its duty: running them. Nothing of the client is kept in this project:
it is fetched by name from the package index when it is needed, and lies below `build/`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What the tests in scope import beside the client; torch only for the mixins (see `--with-torch`).
NEEDS = [
    "pytest",
    "pytest-mock",
    "pytest-timeout",
    "httpx",
    "jedi",
    "jinja2",
    "numpy",
    "pillow",
    "safetensors",
]
TORCH = "torch==2.13.0"
# Test modules outside of what a model hub is: buckets, inference, jobs, tools for the client's own source.
IGNORED = ["inference", "jobs", "sandbox", "generate_cli", "buckets", "webhooks", "oauth", "serialization"]
MARKERS = ["api", "transfer", "inference", "xet", "no_xet", "production", "deprecated", "git_lfs", "vcr"]
# The one file of the suite's fixtures that a test in scope reads: a card whose metadata the hub is asked to check.
SAMPLE_CARD = "---\nlanguage:\n- en\nlicense: mit\nlibrary_name: pytorch\ntags:\n- vision\n---\n\n# A model\n"


@dataclass(frozen=True)
class Seeds:
    """What the suite takes for granted about the hub it talks to.

    Attributes
    ----------
    endpoint
        Where the hub listens.
    token, other_token, enterprise_token
        Access tokens of the suite's user, of somebody else, and of the owner of an organisation whose
        repositories are private unless said otherwise.
    """

    endpoint: str
    token: str
    other_token: str
    enterprise_token: str


def make_environment(folder: Path, version: str, with_torch: bool) -> Path:
    """Make, or bring up to date, the client's environment, and give its interpreter."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    wanted = [f"huggingface_hub=={version}", *NEEDS, *([TORCH] if with_torch else [])]
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--quiet", *wanted], check=True)
    return python


def fetch_sources(folder: Path, version: str, python: Path) -> Path:
    """Fetch the client's source distribution once, and give its unpacked folder."""
    unpacked = folder / f"huggingface_hub-{version}"
    if unpacked.is_dir():
        return unpacked
    folder.mkdir(parents=True, exist_ok=True)
    fetch = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(folder)]
    subprocess.run([str(python), "-m", "pip", *fetch, f"huggingface_hub=={version}"], check=True)
    with tarfile.open(folder / f"huggingface_hub-{version}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return unpacked


def prepare_tests(sources: Path, folder: Path, seeds: Seeds) -> None:
    """Lay out the client's tests in `folder`, pointed at the hub under test.

    Changed are the addresses and tokens in `testing_constants.py`; added are a `conftest.py` of our own and one
    sample card, which a source distribution lacks. The tests themselves stay as they are.
    """
    if folder.exists():
        shutil.rmtree(folder)
    tests = folder / "tests"
    shutil.copytree(sources / "tests", tests)
    (tests / "__init__.py").touch()
    shutil.copyfile(HERE / "client_conftest.py", tests / "conftest.py")
    cards = tests / "fixtures" / "cards"
    cards.mkdir(parents=True)
    (cards / "sample_simple.md").write_text(SAMPLE_CARD, encoding="utf-8")
    constants = tests / "testing_constants.py"
    text = constants.read_text(encoding="utf-8")
    for name, value in (
        ("ENDPOINT_STAGING", seeds.endpoint),
        ("TOKEN", seeds.token),
        ("OTHER_TOKEN", seeds.other_token),
        ("ENTERPRISE_TOKEN", seeds.enterprise_token),
    ):
        text, count = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", text, flags=re.M)
        if count != 1:
            raise SystemExit(
                f"testing_constants.py of this client has {count} lines that set {name}, expected one"
            )
    constants.write_text(text, encoding="utf-8")
    settings = [
        "[pytest]",
        "testpaths = tests",
        "timeout = 120",
        "addopts = -Werror::FutureWarning --strict-markers -p no:cacheprovider",
        "markers =",
        *(f"  {marker}" for marker in MARKERS),
    ]
    (folder / "pytest.ini").write_text("\n".join(settings) + "\n", encoding="utf-8")
