"""Whole folders into something smaller and back: TensorHub's store and three others, behind one interface.

Duty: write folders of a case below a place, read them back, say how many bytes they took. Not its duty: timing
and comparing (``end_to_end``), and sizes alone (``peers``).
Invariants: ``prepare`` is timed by nobody; a contender keeps nothing between two places. To the peers' favour
ZipNN and tar keep no checksum of their own, the chunk store keeps its index in memory, counts it as nothing
and is not charged for finding the cuts.
"""

from __future__ import annotations

import inspect
import json
import os
import shutil
import struct
import tarfile
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import blake3
import zstandard

from benchmarks.peers import cut_chunks, import_zipnn
from benchmarks.store_folder import file_paths, folder_nbytes, stored_nbytes
from benchmarks.throughput import Case
from tensorhub import Store, add_folder, restore
from tensorhub.codecs.mode import Mode

_CUT_NBYTES = 16 << 20  # cutting takes 16 times as much memory as it looks at
_SPAN_CHUNKS = 32  # what a thread takes at once: 2 MiB on average
_SPANS_AHEAD = 4


class FolderCodec(ABC):
    """One way to keep folders."""

    name: str

    def prepare(self, place: Path, case: Case) -> None:  # noqa: B027 - most have nothing to do
        """Make what lies in the place before the measured add."""

    @abstractmethod
    def add(self, place: Path, case: Case, workers: int) -> None:
        """Write the case's folders below the place, which exists."""

    @abstractmethod
    def get(self, place: Path, case: Case, out: Path, workers: int) -> None:
        """Write the folders to ``out / folder.name``."""

    def added_nbytes(self, place: Path) -> int:
        """Bytes that the add left in the place."""
        return folder_nbytes(place)


class TensorHubFolders(FolderCodec):
    """A store, opened and closed within the timing; it holds the base of a fine-tune before."""

    def __init__(self, work: Path, mode: Mode | None) -> None:
        self.name = "tensorhub" if mode is None else f"tensorhub {mode.value}"
        self._options: dict[str, Any] = {} if mode is None else {"mode": mode}
        self._made = work / f"made {self.name}"
        self._before = 0

    def prepare(self, place: Path, case: Case) -> None:
        """Copy the store that holds the bases; the first time, make it."""
        made = self._made / case.name
        if not made.exists():
            made.parent.mkdir(exist_ok=True)
            with Store.create(made) as store:
                for folder in case.before:
                    add_folder(store, folder, f"local/{folder.name}", **self._options)
        shutil.copytree(made, place / "store")
        self._before = stored_nbytes(place / "store")["all"]

    def add(self, place: Path, case: Case, workers: int) -> None:  # noqa: D102 - docstring inherited
        with Store.open(place / "store") as store:
            for folder in case.folders:
                add_folder(store, folder, f"local/{folder.name}", workers=workers, **self._options)

    def get(self, place: Path, case: Case, out: Path, workers: int) -> None:  # noqa: D102
        with Store.open(place / "store") as store:
            for folder in case.folders:
                restore(store, f"local/{folder.name}", out / folder.name, workers=workers)

    def added_nbytes(self, place: Path) -> int:  # noqa: D102 - docstring inherited
        return stored_nbytes(place / "store")["all"] - self._before


class ZipnnFiles(FolderCodec):
    """Each safetensors file by ZipNN, told its first tensor's type; other files by zstd level 3."""

    name = "zipnn files"
    _TYPES: ClassVar = {
        "BF16": "bfloat16",
        "F16": "float16",
        "F8_E4M3": "float8_e4m3fn",
        "I8": "float8_e4m3fn",
    }

    def __init__(self) -> None:
        self._module = import_zipnn()

    def _coder(self, source: Any, workers: int) -> Any:
        header = json.loads(bytes(source[8 : 8 + struct.unpack("<Q", source[:8])[0]]))
        dtypes = [entry["dtype"] for name, entry in header.items() if name != "__metadata__"]
        name = self._TYPES.get(dtypes[0] if dtypes else "", "float32")
        return self._module.ZipNN(input_format="byte", bytearray_dtype=name, threads=workers)

    def add(self, place: Path, case: Case, workers: int) -> None:  # noqa: D102 - docstring inherited
        for folder in case.folders:
            for path in file_paths(folder):
                target = place / folder.name / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                content = bytearray(path.stat().st_size)  # its own to rewrite, which it does
                with path.open("rb") as file:
                    file.readinto(content)
                if path.suffix == ".safetensors":
                    target.write_bytes(self._coder(content, workers).compress(content))
                else:
                    target.write_bytes(zstandard.ZstdCompressor(level=3).compress(content))

    def get(self, place: Path, case: Case, out: Path, workers: int) -> None:  # noqa: D102
        # A decoder learns the element type from the coded bytes.
        decoder = self._module.ZipNN(input_format="byte", threads=workers)
        for path in file_paths(place):
            target = out / path.relative_to(place)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = path.read_bytes()
            if path.suffix == ".safetensors":
                target.write_bytes(decoder.decompress(content))
            else:
                target.write_bytes(zstandard.ZstdDecompressor().decompress(content))


class TarZstd(FolderCodec):
    """``tar | zstd -3``: one archive per folder; with two workers zstd's own threads."""

    name = "tar, zstd -3"

    def add(self, place: Path, case: Case, workers: int) -> None:  # noqa: D102 - docstring inherited
        coder = zstandard.ZstdCompressor(level=3, threads=workers if workers > 1 else 0)
        for folder in case.folders:
            with (
                (place / f"{folder.name}.tar.zst").open("wb") as out,
                coder.stream_writer(out, closefd=False) as stream,
                tarfile.open(fileobj=stream, mode="w|", bufsize=1 << 20) as archive,
            ):
                archive.add(folder, folder.name)

    def get(self, place: Path, case: Case, out: Path, workers: int) -> None:  # noqa: D102
        for path in file_paths(place):
            with (
                path.open("rb") as coded,
                zstandard.ZstdDecompressor().stream_reader(coded) as stream,
                tarfile.open(fileobj=stream, mode="r|", bufsize=1 << 20) as archive,
            ):
                archive.extractall(out, filter="data")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a chunk lies in the pack."""

    offset: int
    nbytes: int


class ChunksZstd(FolderCodec):
    """Content-defined chunks of 64 KiB on average, each distinct one by zstd level 3, in one pack."""

    name = "64 KiB chunks, zstd -3"

    def __init__(self) -> None:
        self._cuts: dict[Path, list[int]] = {}
        self._places: dict[bytes, _Place] = {}
        self._files: dict[Path, list[bytes]] = {}
        self._before = 0

    def prepare(self, place: Path, case: Case) -> None:  # noqa: D102 - docstring inherited
        self._places.clear()
        self._files.clear()
        for folder in (*case.before, *case.folders):
            for path in file_paths(folder):
                if path not in self._cuts:
                    self._cuts[path] = cut_file(path)
        self._add(place, case.before, 2)
        self._before = folder_nbytes(place)

    def add(self, place: Path, case: Case, workers: int) -> None:  # noqa: D102 - docstring inherited
        self._add(place, case.folders, workers)

    def _add(self, place: Path, folders: tuple[Path, ...], workers: int) -> None:
        with (place / "pack").open("ab") as pack, ThreadPoolExecutor(workers) as pool:
            for folder in folders:
                for path in file_paths(folder):
                    digests = self._files[folder.name / path.relative_to(folder)] = []
                    content = path.read_bytes()
                    # A file at a time: a thread that codes what another one is coding loses little.
                    for digest, coded in pool_map(pool, self._code, self._spans(path, content)):
                        digests.append(digest)
                        if coded and digest not in self._places:
                            self._places[digest] = _Place(pack.tell(), len(coded))
                            pack.write(coded)

    def _spans(self, path: Path, content: bytes) -> Iterator[list[memoryview]]:
        ends = self._cuts[path]
        view = memoryview(content)
        chunks = [view[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)] if ends else []
        for start in range(0, len(chunks), _SPAN_CHUNKS):
            yield chunks[start : start + _SPAN_CHUNKS]

    def _code(self, chunks: list[memoryview]) -> list[tuple[bytes, bytes]]:
        coder = zstandard.ZstdCompressor(level=3)
        found = []
        for chunk in chunks:
            digest = blake3.blake3(chunk).digest()
            found.append((digest, b"" if digest in self._places else coder.compress(chunk)))
        return found

    def get(self, place: Path, case: Case, out: Path, workers: int) -> None:  # noqa: D102
        descriptor = os.open(place / "pack", os.O_RDONLY)

        def decode(digests: list[bytes]) -> list[bytes]:
            decoder = zstandard.ZstdDecompressor()
            places = [self._places[digest] for digest in digests]
            return [decoder.decompress(os.pread(descriptor, at.nbytes, at.offset)) for at in places]

        wanted = {folder.name for folder in case.folders}
        try:
            with ThreadPoolExecutor(workers) as pool:
                for path, digests in self._files.items():
                    if path.parts[0] not in wanted:
                        continue
                    (out / path).parent.mkdir(parents=True, exist_ok=True)
                    spans = (digests[at : at + _SPAN_CHUNKS] for at in range(0, len(digests), _SPAN_CHUNKS))
                    with (out / path).open("wb") as file:
                        for chunk in pool_map(pool, decode, spans):
                            file.write(chunk)
        finally:
            os.close(descriptor)

    def added_nbytes(self, place: Path) -> int:  # noqa: D102 - docstring inherited
        return folder_nbytes(place) - self._before


def pool_map(
    pool: ThreadPoolExecutor, work: Callable[[Any], list[Any]], spans: Iterable[Any]
) -> Iterator[Any]:
    """Give the results of all spans one by one, in order, with a few spans at work ahead."""
    ahead: deque[Future[list[Any]]] = deque()
    for span in spans:
        ahead.append(pool.submit(work, span))
        if len(ahead) > _SPANS_AHEAD:
            yield from ahead.popleft().result()
    while ahead:
        yield from ahead.popleft().result()


def cut_file(path: Path) -> list[int]:
    """Cut a file at content-defined places, and every 16 MiB; gives the end of each chunk."""
    ends: list[int] = []
    start = 0
    with path.open("rb") as file:
        while piece := file.read(_CUT_NBYTES):
            ends += [start + end for end in cut_chunks(piece)]
            start += len(piece)
    return ends


def make_folder_codecs(work: Path) -> tuple[list[FolderCodec], dict[str, str]]:
    """Make all contenders, TensorHub in every mode that ``add_folder`` knows, and say what is missing."""
    has_modes = "mode" in inspect.signature(add_folder).parameters
    modes: list[Mode | None] = list(Mode) if has_modes else [None]
    codecs: list[FolderCodec] = [TensorHubFolders(work, mode) for mode in modes]
    missing = {}
    try:
        codecs.append(ZipnnFiles())
    except ImportError as error:
        missing[ZipnnFiles.name] = str(error)
    return [*codecs, TarZstd(), ChunksZstd()], missing
