"""Files that a new repository begins with.

Duty: their content. Not its duty: the commit.
Invariants: every new repository has a ``.gitattributes``, so that clients know which files are large; the list is
that of the Hugging Face hub.
"""

from __future__ import annotations

from tensorhub.hub.commit_operations import PutFile, put_bytes

_LFS_PATTERNS = """
*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack *.npy *.npz *.onnx
*.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* *.tar *.tflite *.tgz
*.wasm *.xz *.zip *.zst *tfevents*
"""
_DATASET_PATTERNS = """
*.pcm *.sam *.raw *.aac *.flac *.mp3 *.ogg *.wav *.bmp *.gif *.png *.tiff *.jpg *.jpeg *.webp *.mp4 *.webm
"""

SPACE_SDKS = ("gradio", "streamlit", "docker", "static")
_SPACE_CARD = """---
title: {title}
sdk: {sdk}
pinned: false
---
"""


def initial_files(repo_type: str, name: str, sdk: str | None) -> tuple[PutFile, ...]:
    """Give the files of a new repository.

    Parameters
    ----------
    repo_type
        ``model``, ``dataset`` or ``space``.
    name
        The part after the slash; valid, so it needs no quoting in YAML.
    sdk
        Of a space.
    """
    patterns = _LFS_PATTERNS.split() + (_DATASET_PATTERNS.split() if repo_type == "dataset" else [])
    attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in patterns)
    files = [put_bytes(".gitattributes", attributes.encode())]
    if repo_type == "space":
        files.append(put_bytes("README.md", _SPACE_CARD.format(title=f'"{name}"', sdk=sdk).encode()))
    return tuple(files)
