"""A small family of repositories for tests of the page's view models."""

from __future__ import annotations

from tensorhub import Store

from ....weights import put, safetensors, tuned, weights

BASE = weights((128, 320), 1)
NORM = weights((16,), 9)
CARD = b"---\nlicense: mit\n---\n# Base\n\n![logo](img/logo.png)\n"
MODEL = safetensors({"layer.weight": BASE, "norm.weight": NORM})
CHILD = safetensors({"layer.weight": tuned(BASE, 3), "norm.weight": NORM})


def fill(store: Store) -> None:
    """Put a base and a fine-tune of it into a store."""
    put(
        store,
        "ada/base",
        {"README.md": CARD, "model.safetensors": MODEL, "img/logo.png": b"\x89PNG" + bytes(9)},
    )
    put(store, "bob/child", {"model.safetensors": CHILD, "config.json": b'{"a": 1}\n', "a/b/c.txt": b"deep"})
