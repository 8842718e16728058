"""Files that tests push and pull: small, but of the kinds a model repository has."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

Digests = dict[str, str]


def make_weights(path: Path, rows: int, seed: int = 0) -> None:
    """Write a safetensors file of about 8 KiB a row, with values such as weights have."""
    random = np.random.default_rng(seed)
    tensors = {
        "embed.weight": random.normal(0, 0.02, (rows, 1024)).astype(np.float32),
        "head.weight": random.normal(0, 0.02, (rows, 1024)).astype(np.float32),
    }
    save_file(tensors, path, metadata={"format": "pt"})


def make_model_folder(folder: Path, rows: int = 16) -> Digests:
    """Make a folder as a model has it, and give the SHA-256 of each file by path."""
    (folder / "original" / "a b").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "tiny", "rows": rows}))
    (folder / "README.md").write_text("---\nlicense: mit\ntags:\n- tiny\n---\n\n# A tiny model\n")
    (folder / "empty.txt").touch()
    (folder / "original" / "a b" / "päth #1?.txt").write_text("a path that needs quoting\n")
    (folder / "vocab.bin").write_bytes(np.random.default_rng(1).bytes(3000))
    make_weights(folder / "model.safetensors", rows)
    return hash_folder(folder)


def hash_folder(folder: Path) -> Digests:
    """Give the SHA-256 of each file below a folder, by path; what a client keeps beside them does not count."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in names.items()
        if not name.startswith(".cache/") and name != ".gitattributes"
    }


def git_blob_id(data: bytes) -> str:
    """Give the name that git has for a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
