"""Shard indexes: which file of a checkpoint holds which tensor.

Duty: read ``*.safetensors.index.json`` into a map from tensor name to the path of its shard.
Not its duty: opening the shards, or checking that they hold what the index says.
Invariants: every path that comes out lies in the folder of the index or below it; memory is proportional to
the map.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tensorhub.errors import InvalidHeaderError, InvalidNameError, LimitExceededError
from tensorhub.formats.json_scan import JsonScanner
from tensorhub.formats.notices import shorten
from tensorhub.formats.source import ByteSource
from tensorhub.schema.names import parse_path

SHARD_INDEX_SUFFIX = ".safetensors.index.json"

_MAX_INDEX_NBYTES = 100_000_000  # as much as a safetensors header; the two name the same tensors
_MAX_OTHER_NBYTES = 1 << 20  # the other members (total size and the like) take some hundred bytes


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """What a shard index says.

    Attributes
    ----------
    path_of_tensor
        Tensor name to path of its shard in the repository.
    shards
        Those paths, each once, sorted.
    """

    path_of_tensor: Mapping[str, str]
    shards: tuple[str, ...]


def is_shard_index(path_in_repo: str) -> bool:
    """Say whether a path is called like a shard index."""
    return path_in_repo.endswith(SHARD_INDEX_SUFFIX)


def read_shard_index(path_in_repo: str, source: ByteSource) -> ShardIndex:
    """Read a shard index.

    Parameters
    ----------
    path_in_repo
        Path of the index; shards are named relative to its folder.
    source
        Its content; borrowed.

    Raises
    ------
    InvalidHeaderError
        The file is not a JSON object with a ``weight_map`` of strings, or names a shard outside its folder.
    LimitExceededError
        It is longer than 100 MB.
    SourceChangedError
        The source shrank while it was read.
    """
    thing = f"shard index {shorten(path_in_repo)}"
    if source.nbytes > _MAX_INDEX_NBYTES:
        raise LimitExceededError(
            thing, expected=f"at most {_MAX_INDEX_NBYTES} bytes", found=f"{source.nbytes} bytes",
            action="The file is not a shard index.",
        )  # fmt: skip
    text = bytearray(source.nbytes)
    source.read_into(0, text)
    scanner = JsonScanner(text, thing)
    weight_map = _scan_weight_map(scanner)
    if weight_map is None:
        raise InvalidHeaderError(
            thing, expected="a member weight_map", found="none", action="The file is not a shard index."
        )
    folder = path_in_repo.rpartition("/")[0]
    paths = {shard: _resolve(folder, shard, thing) for shard in set(weight_map.values())}
    return ShardIndex(
        {name: paths[shard] for name, shard in weight_map.items()}, tuple(sorted(set(paths.values())))
    )


def _scan_weight_map(scanner: JsonScanner) -> dict[str, str] | None:
    weight_map: dict[str, str] | None = None
    scanner.expect(b"{")
    if not scanner.take(b"}"):
        while True:
            name = scanner.string()
            scanner.expect(b":")
            if name == "weight_map":
                weight_map = scanner.string_map()
            else:
                scanner.small_value(_MAX_OTHER_NBYTES)
            if scanner.take(b"}"):
                break
            scanner.expect(b",")
    scanner.finish()
    return weight_map


def _resolve(folder: str, shard: str, thing: str) -> str:
    try:
        return parse_path(f"{folder}/{shard}" if folder else shard)
    except InvalidNameError as error:
        raise InvalidHeaderError(
            thing, expected="shards in the folder of the index", found=repr(shorten(shard)),
            action="Correct the index; its shards are found by it.",
        ) from error  # fmt: skip
