"""Packs: immutable files of coded chunks with a table of records at the end.

Duty: write a pack (append, seal), read its table and its coded bytes. What the table says is ``pack_table``'s.
Not its duty: choosing what goes into one, or indexing it.
Invariants: a pack's name is the BLAKE3 of its bytes; coded bytes start on 16-byte boundaries; a table is
parsed back and compared before the pack gets its name; a sealed pack never changes.
Specified in ``docs/format.md``, section 4.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

import zstandard

from tensorhub.errors import (
    BackendError,
    CorruptPackError,
    FormatError,
    InvariantError,
    LimitExceededError,
    MissingBlobError,
    UnsupportedVersionError,
    from_os_error,
)
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import CHUNK_ALIGNMENT
from tensorhub.store.hashing import Hasher, checksum
from tensorhub.store.layout import Layout, fsync_folder
from tensorhub.store.pack_table import PackTable, parse_table
from tensorhub.store.table_estimate import TableEstimate

PACK_VERSION = 1
TARGET_NBYTES = 256 << 20  # design: big enough for object stores and few files, small enough to rewrite
MAX_TABLE_NBYTES = 1 << 30  # bounds what a hostile footer can make a reader allocate
_HEAD = struct.Struct("<8sHHI16s")  # magic, version, flags, reserved, store id
_FOOT = struct.Struct("<QQQQQHHI8s")  # table offset, stored, raw nbytes; checksum; sealed_at_ns; version…
_MAGIC = b"\x89THPK\r\n\x1a"  # not text: a transfer that rewrites line ends breaks it visibly
_TAIL_MAGIC = b"\x89THPKEND"
_TABLE_LEVEL = 3  # records are names and digests; higher levels gain below 1 %
_TABLE_MAX_WINDOW_NBYTES = 8 << 20  # level 3 asks for at most 2 MiB; the bound of coded chunks
HEAD_NBYTES, FOOT_NBYTES = _HEAD.size, _FOOT.size
_CHECKSUM_AT = 24  # in the footer; zero while the checksum is computed


class PackWriter:
    """Writes one pack under a temporary name; :meth:`seal` makes it count.

    Not thread-safe: one thread appends. A writer that failed once is dead: it takes nothing more and must be
    discarded.
    """

    def __init__(self, layout: Layout, store_id: bytes, hasher: Hasher, temporary: Path) -> None:
        self._layout = layout
        self._hasher = hasher
        self.path = temporary
        self.table = PackTable()
        self._state = hasher.start()
        self._offset = 0
        self._is_dead = False
        self._estimate = TableEstimate()
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            self._file = temporary.open("xb", buffering=1 << 20)
        except OSError as error:
            raise from_os_error(error, f"creating the pack {temporary}") from error
        self._head = _HEAD.pack(_MAGIC, PACK_VERSION, 0, 0, store_id)
        self._append(self._head)

    @property
    def nbytes(self) -> int:
        """Bytes written so far."""
        return self._offset

    @property
    def table_nbytes_estimate(self) -> int:
        """At least what the table takes so far, before compression; cheap, and a small multiple at most."""
        return self._estimate.update(self.table.blobs, self.table.objects, self.table.facts)

    def _check_alive(self) -> None:
        if self._is_dead:
            raise InvariantError(
                f"pack {self.path}",
                expected="a writer that never failed",
                found="one whose earlier write failed, or that was sealed or discarded",
                action="Nothing of this pack counts; repeat the command once its first error is mended.",
            )

    def _append(self, data: bytes) -> None:
        self._check_alive()
        try:
            self._file.write(data)
        except OSError as error:
            self._is_dead = True
            raise from_os_error(error, f"writing the pack {self.path}") from error
        self._state.update(data)
        self._offset += len(data)

    def append(self, data: bytes) -> int:
        """Append coded bytes on the next 16-byte boundary and give their offset."""
        padding = -self._offset % CHUNK_ALIGNMENT
        if padding:
            self._append(bytes(padding))
        offset = self._offset
        self._append(data)
        return offset

    def flush(self) -> None:
        """Hand what is buffered to the system, so that readers of ``path`` see it; any thread may call."""
        if self._file.closed:
            return
        try:
            self._file.flush()
        except ValueError:  # sealed or discarded by the writer's thread since the line above
            if not self._file.closed:
                raise
        except OSError as error:
            self._is_dead = True
            raise from_os_error(error, f"writing the pack {self.path}") from error

    def seal(self, sealed_at_ns: int) -> tuple[Digest, int]:
        """Write table and footer, make the pack durable and give it its name.

        Returns
        -------
        tuple
            Pack id and size in bytes.
        """
        self._check_alive()
        raw = self._table_bytes(sealed_at_ns)
        coded = zstandard.ZstdCompressor(level=_TABLE_LEVEL).compress(raw)
        offset = self.append(coded)
        padding = bytes(-self._offset % CHUNK_ALIGNMENT)
        fields = (offset, len(coded), len(raw)), (sealed_at_ns, PACK_VERSION, 0, 0, _TAIL_MAGIC)
        unchecked = _FOOT.pack(*fields[0], 0, *fields[1])
        found = checksum(b"".join((self._head, coded, padding, unchecked)))
        self._append(padding + _FOOT.pack(*fields[0], found, *fields[1]))
        self._is_dead = True  # nothing may follow, whether the rest succeeds or not
        pack = self._hasher.finish(self._state)
        target = self._layout.pack(pack)
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._check_size(os.fstat(self._file.fileno()).st_size)
            self._file.close()
            target.parent.mkdir(parents=True, exist_ok=True)
            self.path.replace(target)
            fsync_folder(target.parent)
            fsync_folder(self._layout.packs)
        except OSError as error:
            raise from_os_error(error, f"sealing the pack {self.path}") from error
        return pack, self._offset

    def _table_bytes(self, sealed_at_ns: int) -> bytes:
        """Serialise the table and parse it back."""
        self.table.sealed_at_ns = sealed_at_ns
        raw = self.table.to_bytes()
        if len(raw) > MAX_TABLE_NBYTES:
            raise LimitExceededError(
                f"table of the pack {self.path}",
                expected=f"at most {MAX_TABLE_NBYTES} bytes",
                found=f"{len(raw)} bytes",
                action="Add the files in several commits; nothing of this pack counts.",
            )
        if parse_table(raw, sealed_at_ns) != self.table:
            raise InvariantError(
                "pack table",
                expected="the table that was written",
                found="another one",
                action="Please report this with the command that led here.",
            )
        return raw

    def _check_size(self, nbytes: int) -> None:
        if nbytes != self._offset:
            raise BackendError(
                f"pack {self.path}",
                expected=f"{self._offset} bytes, as written",
                found=f"{nbytes} bytes on disk",
                path=str(self.path),
                action="Look for disk faults and for whatever else wrote to it; nothing of this pack counts.",
            )

    def discard(self) -> None:
        """Throw the unsealed pack away; a disk that fails again has been reported already."""
        self._is_dead = True
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


class PackFile:
    """An open pack; positioned reads from any thread. Closes itself when the last user lets go."""

    def __init__(self, path: Path, pack: Digest | None) -> None:
        self.path = path
        self.pack = pack
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise MissingBlobError(
                f"pack {pack.hex if pack else path}",
                expected="a file in the store",
                found="none",
                path=str(path),
                pack=pack.hex if pack else None,
                action="Run `tensorhub verify` to see which files need it.",
            ) from error
        except OSError as error:
            raise from_os_error(error, f"opening the pack {path}") from error

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    @property
    def nbytes(self) -> int:
        """Size of the file."""
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, nbytes: int) -> bytes:
        """Read exactly ``nbytes`` from ``offset``."""
        try:
            if offset + nbytes > self.nbytes:  # before anything is allocated by a number out of a record
                raise self.corrupt(f"{nbytes} bytes at offset {offset}", f"a pack of {self.nbytes}", offset)
            data = os.pread(self._descriptor, nbytes, offset)
        except OSError as error:
            raise from_os_error(error, f"reading the pack {self.path}") from error
        if len(data) != nbytes:
            raise self.corrupt(f"{nbytes} bytes at offset {offset}", f"{len(data)} bytes", offset)
        return data

    def data_nbytes(self) -> int:
        """Size of what lies before the table: coded bytes, and the padding that aligns them.

        Raises
        ------
        CorruptPackError
            The footer tells no place inside the pack.
        """
        size = self.nbytes
        foot = self.read(max(0, size - FOOT_NBYTES), FOOT_NBYTES)
        offset: int = _FOOT.unpack(foot)[0]
        if not HEAD_NBYTES <= offset <= size:
            raise self.corrupt("a table inside the pack", f"one at {offset}", size - FOOT_NBYTES)
        return offset - HEAD_NBYTES

    def corrupt(self, expected: str, found: str, offset: int | None = None) -> CorruptPackError:
        """Make the error that names this pack."""
        name = self.pack.hex if self.pack else str(self.path)
        return CorruptPackError(
            f"pack {name}",
            expected=expected,
            found=found,
            pack=name,
            path=str(self.path),
            offset=offset,
            action="Run `tensorhub verify` to see which files are affected; undamaged files stay readable.",
        )

    def read_table(self, store_id: bytes | None = None) -> PackTable:
        """Read and check header, footer and table.

        Raises
        ------
        CorruptPackError
            Any of them is damaged.
        UnsupportedVersionError
            A newer version wrote the pack.
        """
        size = self.nbytes
        if size < HEAD_NBYTES + FOOT_NBYTES:
            raise self.corrupt("a header and a footer", f"{size} bytes")
        head, foot = self.read(0, HEAD_NBYTES), self.read(size - FOOT_NBYTES, FOOT_NBYTES)
        magic, version, flags, reserved, owner = _HEAD.unpack(head)
        offset, stored, raw_nbytes, expected, sealed_at_ns, foot_version, *zeros, tail = _FOOT.unpack(foot)
        if magic != _MAGIC:
            raise self.corrupt("the magic of a pack", magic.hex(), 0)
        if not 0 < version <= PACK_VERSION or flags or reserved:
            raise UnsupportedVersionError(
                f"pack {self.path}",
                expected=f"pack version {PACK_VERSION}",
                found=f"version {version}, flags {flags:#x}, reserved {reserved:#x}",
                path=str(self.path),
                action="Upgrade TensorHub; if no newer one ever wrote to this store, the pack is damaged.",
            )
        if tail != _TAIL_MAGIC or foot_version != version or any(zeros) or sealed_at_ns >= 1 << 63:
            raise self.corrupt("the footer of a pack", "another one", size - FOOT_NBYTES)
        if store_id is not None and owner != store_id:
            raise self.corrupt(f"a pack of store {store_id.hex()}", owner.hex(), 16)
        end = offset + stored
        if (
            offset < HEAD_NBYTES
            or offset % CHUNK_ALIGNMENT
            or end + -end % CHUNK_ALIGNMENT != size - FOOT_NBYTES
            or raw_nbytes > MAX_TABLE_NBYTES
        ):
            raise self.corrupt("a table inside the pack", f"{stored} bytes at {offset}", offset)
        table = self.read(offset, size - FOOT_NBYTES - offset)
        unchecked = foot[:_CHECKSUM_AT] + bytes(8) + foot[_CHECKSUM_AT + 8 :]
        if (found := checksum(b"".join((head, table, unchecked)))) != expected:
            raise self.corrupt(
                f"checksum {expected:016x} of header, table and footer", f"{found:016x}", offset
            )
        coded = table[:stored]
        try:
            if zstandard.frame_content_size(coded) != raw_nbytes:
                raise self.corrupt(f"a table of {raw_nbytes} bytes", "another size", offset)
            raw = zstandard.ZstdDecompressor(max_window_size=_TABLE_MAX_WINDOW_NBYTES).decompress(
                coded, max_output_size=raw_nbytes, allow_extra_data=False
            )
            return parse_table(raw, sealed_at_ns)
        except zstandard.ZstdError as error:
            raise self.corrupt("a table that decodes", str(error), offset) from error
        except UnsupportedVersionError:
            raise
        except FormatError as error:
            raise self.corrupt("a table that parses", str(error), offset) from error
