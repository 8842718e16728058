"""The store on disk: which path holds what, and the settings fixed at creation.

Duty: paths, ``hub.json``, durable small writes. Not its duty: what the files mean.
Invariants: ``hub.json`` is written once; a reader refuses values that it does not know; every file that
counts appears by rename after ``fsync``. Specified in ``docs/format.md``, section 2.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import platformdirs

from tensorhub.codecs.mode import Mode, parse_mode
from tensorhub.errors import (
    AlreadyExistsError,
    CorruptIndexError,
    StoreNotFoundError,
    UnsupportedVersionError,
    from_os_error,
)
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefKind, RefName, RepositoryId, RepoType
from tensorhub.store.hashing import Hasher, checksum

FORMAT_VERSION = 1
STORE_ID_NBYTES = 16
_DIGESTS = ("blake3", "blake3-keyed")
_PACK_NAME = re.compile(r"([0-9a-f]{64})\.pack")
# How old a folder's time must be when it is listed for the list to be trusted later: file systems that keep whole
# seconds would show no change that follows within the same one.
SETTLED_NS = 2_000_000_000
_SAFE = "._-"  # beside letters and digits; everything else is percent-encoded in file names


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``hub.json`` fixes at creation.

    Attributes
    ----------
    store_id
        16 random bytes; packs carry it.
    key
        Digest key, or None for plain BLAKE3.
    mode
        How hard encoders try where a call does not say.
    """

    store_id: bytes
    key: bytes | None
    mode: Mode

    @property
    def hasher(self) -> Hasher:
        """The store's hasher."""
        return Hasher(self.key)

    def choose_mode(self, asked: str | Mode | None) -> Mode:
        """Give the mode that a caller asked for, else the store's.

        Raises
        ------
        UsageError
            There is no mode of this name.
        """
        if asked is None:
            return self.mode
        return asked if isinstance(asked, Mode) else parse_mode(asked)


class Layout:
    """Paths inside one hub directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hub_json = root / "hub.json"
        self.packs = root / "packs"
        self.temporary = root / "packs" / "tmp"
        self.damaged = root / "packs" / "damaged"
        self.refs = root / "refs"
        self.refs_changed = root / "leases" / "refs-changed"
        self.leases = root / "leases"
        self.uploads = root / "uploads"
        self.state = root / "state.sqlite"
        self._listed: dict[
            str, tuple[int, dict[Digest, Path]]
        ] = {}  # folder of packs -> its time and content

    def pack(self, pack: Digest) -> Path:
        """Where a sealed pack lies."""
        return self.packs / pack.hex[:2] / f"{pack.hex}.pack"

    def list_packs(self) -> dict[Digest, Path]:
        """Every sealed pack present; a folder that did not change since it was listed is not listed again."""
        found: dict[Digest, Path] = {}
        settled_ns = time.time_ns() - SETTLED_NS
        try:
            for folder in os.scandir(self.packs):
                if len(folder.name) != 2 or not folder.is_dir():
                    continue
                mtime_ns = folder.stat().st_mtime_ns
                known = self._listed.get(folder.name)
                if known is None or known[0] != mtime_ns:
                    known = (mtime_ns if mtime_ns < settled_ns else -1, _list_folder(folder))
                    self._listed[folder.name] = known
                found.update(known[1])
        except OSError as error:
            raise from_os_error(error, f"listing {self.packs}") from error
        return found

    def repository(self, repository: RepositoryId) -> Path:
        """Folder of a repository's refs."""
        return self.refs / repository.repo_type.value / quote(repository.repo_id, safe=_SAFE)

    def ref(self, repository: RepositoryId, ref: RefName) -> Path:
        """File of a ref."""
        return self.repository(repository) / ref.kind.value / encode_name(ref.name)


def _list_folder(folder: os.DirEntry[str]) -> dict[Digest, Path]:
    found: dict[Digest, Path] = {}
    for entry in os.scandir(folder.path):
        if (name := _PACK_NAME.fullmatch(entry.name)) and entry.name.startswith(folder.name):
            found[Digest.parse(name[1])] = Path(entry.path)
    return found


def encode_name(name: str) -> str:
    """Percent-encode a ref name into one file name that never collides, begins with a dot, or is a temp file."""
    encoded = quote(name, safe=_SAFE)
    return "%2E" + encoded[1:] if encoded.startswith(".") else encoded


def decode_ref(kind: str, file_name: str) -> RefName:
    """Undo :func:`encode_name`."""
    return RefName(RefKind(kind), unquote(file_name))


def decode_repository(repo_type: str, folder_name: str) -> RepositoryId:
    """Undo the folder naming of :meth:`Layout.repository`."""
    return RepositoryId(RepoType(repo_type), unquote(folder_name))


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes, *, is_new: bool = False) -> None:
    """Write a small file as a whole: sibling temp file, fsync, rename, fsync of the folder.

    Parameters
    ----------
    path, data
        Where and what.
    is_new
        Another process that writes the same file must not be overwritten.

    Raises
    ------
    AlreadyExistsError
        ``is_new``, and the file is there.
    BackendError
        The disk is full, read-only, and the like; the old file is as it was.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            path.hardlink_to(temporary)  # fails where the name is taken, as rename does not
            temporary.unlink()
        else:
            temporary.replace(path)
        fsync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if is_new and isinstance(error, FileExistsError):
            raise AlreadyExistsError(
                f"file {path}",
                expected="none yet",
                found="one that another process made just now",
                path=str(path),
                action="Use it as it is.",
            ) from error
        raise from_os_error(error, f"writing {path}") from error


def create_layout(root: Path, *, is_keyed: bool, mode: Mode = Mode.BALANCED) -> tuple[Layout, Settings]:
    """Make an empty store.

    Raises
    ------
    AlreadyExistsError
        The folder holds a store, or anything else.
    CorruptIndexError
        It holds packs or refs: a store that lost its ``hub.json``.
    BackendError
        The folder cannot be made.
    """
    layout = Layout(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob(".hub.json.*.tmp"):  # by a creation that was killed
            left.unlink(missing_ok=True)
        present = [entry.name for entry in root.iterdir()]
        if "hub.json" in present:
            raise AlreadyExistsError(
                f"store {root}",
                expected="an empty folder",
                found="a store",
                path=str(root),
                action="Use it as it is, or choose another folder.",
            )
        foreign = set(present) - {"packs", "refs", "leases"}
        if not foreign or "packs" in present:
            _check_no_content(layout)
        if foreign:
            raise AlreadyExistsError(
                f"folder {root}",
                expected="an empty folder",
                found=f"{len(present)} entries",
                path=str(root),
                action="Choose an empty or a new folder for the store.",
            )
        for folder in (layout.packs, layout.temporary, layout.refs, layout.leases):
            folder.mkdir(exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"creating the store {root}") from error
    key = secrets.token_bytes(32) if is_keyed else None
    settings = Settings(secrets.token_bytes(STORE_ID_NBYTES), key, mode)
    document: dict[str, Any] = {
        "format": "tensorhub",
        "format_version": FORMAT_VERSION,
        "store_id": settings.store_id.hex(),
        "digest": _DIGESTS[1] if is_keyed else _DIGESTS[0],
        "cipher": "none",
    }
    if settings.key is not None:
        document["digest_key"] = settings.key.hex()
    if mode is not Mode.BALANCED:  # what a store without the key means
        document["mode"] = mode.value
    document["checksum"] = _settings_checksum(document)
    write_durably(layout.hub_json, (json.dumps(document, indent=2) + "\n").encode(), is_new=True)
    return layout, settings


def _check_no_content(layout: Layout) -> None:
    """Make sure that what an interrupted creation left is all there is, and no store without its settings."""
    packs = (path for path in layout.packs.glob("*/*.pack") if path.parent != layout.temporary)
    refs = (path for path in layout.refs.rglob("*") if not path.name.startswith(".") and path.is_file())
    found = next(packs, None) or next(refs, None)
    if found is not None and not layout.hub_json.exists():  # one that was made just now is refused below
        raise CorruptIndexError(
            f"store {layout.root}",
            expected="a hub.json beside packs and refs",
            found=f"{found.relative_to(layout.root)}, but no hub.json",
            path=str(layout.hub_json),
            action="Restore hub.json from a backup (docs/format.md, section 2; its store_id stands in every "
            "pack's header, bytes 16 to 32), or choose another folder for a new store.",
        )


def _settings_checksum(document: dict[str, Any]) -> str:
    rest = {key: value for key, value in document.items() if key != "checksum"}
    text = json.dumps(rest, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return f"{checksum(text.encode('ascii')):016x}"


def open_layout(root: Path) -> tuple[Layout, Settings]:
    """Find a store and read its settings.

    Raises
    ------
    StoreNotFoundError
        There is no ``hub.json``.
    CorruptIndexError
        It cannot be parsed.
    UnsupportedVersionError
        A newer version wrote the store, or it uses a digest or cipher that is not known here.
    """
    layout = Layout(root)
    try:
        text = layout.hub_json.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise StoreNotFoundError(
            f"store {root}",
            expected="a folder with a hub.json",
            found="none",
            path=str(root),
            action="Make one with `tensorhub init`, or point --store or TENSORHUB_STORE at one.",
        ) from None
    except UnicodeDecodeError as error:
        raise _broken_settings(layout, str(error)) from error
    except OSError as error:
        raise from_os_error(error, f"opening the store {root}") from error
    try:
        document = json.loads(text)
        version = document["format_version"]
        if document["format"] != "tensorhub" or type(version) is not int or version < 1:
            raise _broken_settings(layout, "another format")
        if version > FORMAT_VERSION:
            raise UnsupportedVersionError(
                f"store {root}",
                expected=f"format version {FORMAT_VERSION} or older",
                found=str(version),
                path=str(root),
                action="Upgrade TensorHub; if no newer one used this store, restore hub.json from a copy.",
            )
        if document["digest"] not in _DIGESTS or document["cipher"] != "none":
            raise UnsupportedVersionError(
                f"store {root}",
                expected=f"digest {' or '.join(_DIGESTS)} and cipher none",
                path=str(root),
                found=f"digest {document['digest']} and cipher {document['cipher']}",
                action="Upgrade TensorHub; if no newer one used this store, restore hub.json from a copy.",
            )
        key = bytes.fromhex(document["digest_key"]) if document["digest"] == _DIGESTS[1] else None
        settings = Settings(bytes.fromhex(document["store_id"]), key, _read_mode(document.get("mode")))
        if document["checksum"] != _settings_checksum(document):
            raise _broken_settings(layout, "a checksum of other settings")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, UnsupportedVersionError):
            raise
        raise _broken_settings(layout, f"{type(error).__name__}: {error}") from error
    if len(settings.store_id) != STORE_ID_NBYTES or (key is not None and len(key) != 32):
        raise _broken_settings(layout, "a store id or key of another length")
    return layout, settings


def _read_mode(value: object) -> Mode:
    """Take one that is not known here for the default: it steers encoders only, and closes no store."""
    try:
        return Mode(value)
    except ValueError:
        return Mode.BALANCED


def _broken_settings(layout: Layout, found: str) -> CorruptIndexError:
    return CorruptIndexError(
        f"settings {layout.hub_json}",
        expected="the hub.json that `tensorhub init` wrote",
        found=found,
        path=str(layout.hub_json),
        action="Restore hub.json from a backup; its format is in docs/format.md, section 2.",
    )


def default_store_path() -> Path:
    """Where the store lies when nobody says: ``TENSORHUB_STORE``, else the platform's data folder."""
    configured = os.environ.get("TENSORHUB_STORE")
    return (
        Path(configured).expanduser()
        if configured
        else Path(platformdirs.user_data_dir("tensorhub")) / "store"
    )
