"""Prediction comes near what adding does, and stores nothing."""

from pathlib import Path

import pytest

from tensorhub import Store, add_folder, predict_files, predict_folder

from ...weights import noise, put, safetensors, tuned, weights, write_folder

BASE = weights((600, 1024), 1)


def test_near_the_truth(store: Store, tmp_path: Path) -> None:
    """Sizes, bases and what is held already are told; the store does not change."""
    put(store, "org/base", {"m.safetensors": safetensors({"w": BASE, "v": weights((100, 400), 2)})})
    folder = write_folder(
        tmp_path / "child",
        {
            "m.safetensors": safetensors(
                {"w": tuned(BASE, 3), "v": weights((100, 400), 2), "new": weights((300, 500), 4)}
            ),
            "x.bin": noise(200_000, 5),
            "same.bin": noise(200_000, 5),
            "empty": b"",
        },
    )
    before = sorted(path for path in store.path.rglob("*") if path.suffix == ".pack" or "refs" in path.parts)
    told = predict_folder(store, folder, "me/child")
    assert before == sorted(
        path for path in store.path.rglob("*") if path.suffix == ".pack" or "refs" in path.parts
    )
    assert list(store.layout.temporary.iterdir()) == []
    done = add_folder(store, folder, "me/child")
    assert (told.files, told.nbytes, told.tensors) == (done.files, done.nbytes, done.tensors)
    assert told.bases == done.bases == {"org/base": 1}
    assert told.delta_nbytes == done.delta_nbytes
    assert told.identical_nbytes == done.added_nbytes - done.new_nbytes
    assert told.predicted_stored_nbytes == pytest.approx(done.stored_nbytes, rel=0.05)


def test_files(store: Store, tmp_path: Path) -> None:
    """Single files are predicted the same way; what is held already costs nothing."""
    put(store, "a/b", {"x": noise(5000, 1)})
    folder = write_folder(tmp_path / "f", {"x": noise(5000, 1), "y": noise(7000, 2)})
    told = predict_files(store, [folder / "x", folder / "y"], "c/d")
    assert (told.repository, told.identical_nbytes, told.nbytes) == ("c/d", 5000, 12_000)
    assert told.predicted_stored_nbytes == pytest.approx(7000, rel=0.02)
