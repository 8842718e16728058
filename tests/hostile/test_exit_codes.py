"""The command line ends each bad situation with the exit code of its branch, and with what to do on stderr."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tensorhub.cli import main

from .conftest import Family


def newer(family: Family) -> None:
    hub = family.path / "hub.json"
    hub.write_text(json.dumps(json.loads(hub.read_text()) | {"format_version": 9}))


def truncate_catalogue(family: Family) -> None:
    catalog = family.path / "catalog.sqlite"
    catalog.write_bytes(catalog.read_bytes()[:5000])


def lose_base(family: Family) -> None:
    family.pack_of("a/base").unlink()


def corrupt_pack(family: Family) -> None:
    family.pack_of("a/base").write_bytes(bytes(4000))


def corrupt_ref(family: Family) -> None:
    family.ref_of("a/base").write_bytes(b"main\n")


def nothing(_: Family) -> None:
    pass


Damage = Callable[[Family], None]
SITUATIONS: dict[str, tuple[Damage, tuple[str, ...], int, str]] = {
    "newer version": (newer, ("ls",), 12, "UnsupportedVersionError"),
    "missing file": (nothing, ("cat", "a/base", "nowhere"), 10, "FileEntryNotFoundError"),
    "missing folder": (nothing, ("add", "{tmp}/nowhere"), 10, "NotFoundError"),
    "missing repository": (nothing, ("show", "a/nobody"), 10, "RepositoryNotFoundError"),
    "invalid name": (nothing, ("add", "{folder}", "--name", "a//b"), 2, "InvalidNameError"),
    "corrupt pack": (corrupt_pack, ("cat", "a/base", "README.md"), 13, "CorruptPackError"),
    "corrupt pack, verify": (corrupt_pack, ("verify",), 13, "IntegrityError"),
    "lost base": (lose_base, ("get", "a/tuned", "{tmp}/out"), 13, "MissingBlobError"),
    "corrupt ref": (corrupt_ref, ("show", "a/base"), 13, "CorruptIndexError"),
    "truncated catalogue": (truncate_catalogue, ("ls",), 13, "CorruptIndexError"),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_exit_code(family: Family, tmp_path: Path, capfd: pytest.CaptureFixture[str], situation: str):
    damage, arguments, code, name = SITUATIONS[situation]
    damage(family)
    filled = [item.format(tmp=tmp_path, folder=family.folders["a/base"]) for item in arguments]
    assert main([*filled, "--store", str(family.path), "--json"]) == code
    error = json.loads(capfd.readouterr().err)["error"]
    assert error["error"] == name
    assert error["expected"]
    assert error["found"]
    assert error["action"]


def test_repair_and_heal(family: Family, capfd: pytest.CaptureFixture[str]):
    corrupt_pack(family)

    def run(*arguments: str) -> int:
        return main([*arguments, "--store", str(family.path)])

    assert run("verify", "--repair") == 13
    assert "was set aside" in capfd.readouterr().out
    assert run("add", str(family.folders["a/base"]), "--name", "a/base") == 0
    assert run("verify") == 0, capfd.readouterr()
