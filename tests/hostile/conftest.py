"""A small store to damage: a base, a fine-tune of it, and small files, each repository in a pack of its own."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import tensorhub as th


@dataclass(frozen=True)
class Family:
    """A store on disk, what was put into it, and the folders that it was added from."""

    path: Path
    folders: dict[str, Path]

    @property
    def contents(self) -> dict[tuple[str, str], bytes]:
        return {
            (name, str(file.relative_to(folder))): file.read_bytes()
            for name, folder in self.folders.items()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }

    def pack_of(self, repository: str) -> Path:
        """Find the pack that holds a repository's tensors: packs were sealed in order of adding."""
        packs = sorted(self.path.glob("packs/??/*.pack"), key=lambda path: path.stat().st_mtime_ns)
        return packs[list(self.folders).index(repository)]

    def ref_of(self, repository: str) -> Path:
        return self.path / "refs" / "model" / repository.replace("/", "%2F") / "heads" / "main"


def read_all(store: th.Store, family: Family) -> dict[tuple[str, str], bytes | th.TensorHubError]:
    """Every file of the family: its bytes, or the error that reading it raised. Other errors pass through."""
    found: dict[tuple[str, str], bytes | th.TensorHubError] = {}
    for name, path in family.contents:
        try:
            found[name, path] = store.read(name, path)
        except th.TensorHubError as error:
            found[name, path] = error
    return found


def _make_folders(root: Path) -> dict[str, Path]:
    rng = np.random.default_rng(7)
    base = (rng.standard_normal((48, 64)) * 0.02).astype(ml_dtypes.bfloat16)
    tuned = base.copy()
    tuned.view(np.uint16)[::5, ::7] ^= 1
    big = (rng.standard_normal((160, 256)) * 0.02).astype(np.float32)
    text = b"".join(b"line %d of a small file\n" % line for line in range(9))
    contents = {
        "a/base": {"model.safetensors": {"w": base, "big": big}, "README.md": text},
        "a/tuned": {
            "model.safetensors": {"w": tuned, "big": big * np.float32(1.0009765625)},
            "notes/x": b"x",
        },
        "b/small": {
            "config.json": b'{"hidden": 64}',
            "vocab.txt": rng.integers(97, 122, 900, np.uint8).tobytes(),
        },
    }
    folders: dict[str, Path] = {}
    for name, files in contents.items():
        folder = folders[name] = root / name
        for path, data in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(data, dict):
                from tensorhub.store.tensor_source import tensors_source

                source = tensors_source(path, data, None)
                out = bytearray(source.nbytes)
                source.read_into(0, out)
                data = bytes(out)
            file.write_bytes(data)
    return folders


@pytest.fixture(scope="session")
def family_template(tmp_path_factory: pytest.TempPathFactory) -> Family:
    root = tmp_path_factory.mktemp("family")
    folders = _make_folders(root / "folders")
    with th.Store.create(root / "store") as store:
        for name, folder in folders.items():
            th.add_folder(store, folder, name, workers=1)
    return Family(root / "store", folders)


@pytest.fixture
def family(family_template: Family, tmp_path: Path) -> Family:
    """Give a copy of the store that a test may damage."""
    shutil.copytree(family_template.path, tmp_path / "store")
    return Family(tmp_path / "store", family_template.folders)


@pytest.fixture
def flip() -> Callable[[Path, int], None]:
    """Change one bit of a file."""

    def flip_bit(path: Path, position: int) -> None:
        data = bytearray(path.read_bytes())
        data[position // 8] ^= 1 << position % 8
        path.write_bytes(bytes(data))

    return flip_bit
