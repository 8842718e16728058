"""Prediction comes near what adding does, and stores nothing."""

from pathlib import Path

import pytest

from tensorhub import Mode, Predictor, Store, add_folder, predict_files, predict_folder
from tensorhub.codecs.base import CodecContext, CodedChunk
from tensorhub.errors import UsageError
from tensorhub.store import predict

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


def test_several_folders_at_once(store: Store, tmp_path: Path) -> None:
    """What earlier folders of a call bring is identical or a base for the later ones, small tensors included."""
    small = weights((20, 100), 8)
    base = {"m.safetensors": safetensors({"w": BASE, "s": small}), "t.json": b"{}" * 500}
    child = {
        "m.safetensors": safetensors({"w": tuned(BASE, 3), "s": tuned(small, 4)}),
        "t.json": b"{}" * 500,
        "again.safetensors": safetensors({"w": tuned(tuned(BASE, 3), 5), "v": weights((300, 500), 4)}),
    }
    folders = [write_folder(tmp_path / "base", base), write_folder(tmp_path / "child", child)]
    predictor = Predictor(store)
    told = [predictor.folder(folder, f"a/{folder.name}") for folder in folders]
    done = [add_folder(store, folder, f"a/{folder.name}") for folder in folders]
    assert told[1].bases == done[1].bases == {"a/base": 3}
    for predicted, added in zip(told, done, strict=True):
        assert predicted.delta_nbytes == added.delta_nbytes
        assert predicted.identical_nbytes == added.added_nbytes - added.new_nbytes
        assert predicted.predicted_stored_nbytes == pytest.approx(added.stored_nbytes, rel=0.05)
    assert Predictor(store).files([folders[0] / "t.json"], "c/d").identical_nbytes == 1000


def test_mode(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no tensor is predicted by a sample coded in the mode of the addition; the store's by default."""
    asked: list[Mode] = []

    def note(target: memoryview, context: CodecContext, mode: Mode) -> CodedChunk:
        asked.append(mode)
        return CodedChunk(0, 1, b"", bytes(target))

    monkeypatch.setattr(predict, "encode_chunk", note)
    folder = write_folder(tmp_path / "in", {"x.bin": noise(100, 1)})
    assert predict_folder(store, folder, "a/b", mode="max").predicted_stored_nbytes == 100
    predict_files(store, [folder / "x.bin"], "a/b", mode=Mode.FAST)
    Predictor(store).folder(folder, "a/b")
    assert asked == [Mode.MAX, Mode.FAST, Mode.BALANCED]
    with pytest.raises(UsageError):
        Predictor(store, mode="slow")
