"""Write golden vectors: run once per codec generation, then never again for the same file.

Usage: python -m tests.golden.codecs.make_vectors tests/golden/codecs/generation-N.json

A generation holds the codecs that are written since then. Generation 1 was made of the codecs 0 to 3, of which
encoders do not keep to their old decisions; those of generation 2 are pinned byte by byte.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.registry import CODECS
from tensorhub.testing.weights import WeightSample, near_copy, weight_samples

from ...codec_cases import chunk, prediction_of

WANTED = {
    "bf16",
    "f32",
    "f8_e4m3",
    "f32 mostly zero",
    "zeros",
    "text",
    "bf16 less 3 bytes",
    "i64 range",
    "empty",
}
FIRST_CODEC = 4
# Kind, elements and width of chunks that reach coders which short samples do not.
CHUNKS = (
    ("bell", 1500, 1),  # a cascade, wide rANS
    ("trimmed rows", 1024, 2),
    ("weights", 900, 2),
    ("weights", 400, 4),
    ("nans", 300, 2),
    ("sorted", 400, 4),
    ("far escapes", 600, 2),
)
SMALL_RANS = ("fifteen symbols", 33_000, 1)  # not worth its table in less; for planes alone
PREDICTIONS = ("few steps", "small steps", "low byte lost", "few far steps")


def list_cases() -> Iterator[tuple[WeightSample, str, bytes]]:
    """Give samples, with the name and the bytes of a prediction of each."""
    for sample in weight_samples(250):
        if sample.name in WANTED:
            yield sample, "near copy", near_copy(sample.data)
    for seed, (kind, count, width) in enumerate((*CHUNKS, SMALL_RANS)):
        data = chunk(kind, count, width, seed, tail=width - 1)
        how = PREDICTIONS[seed % len(PREDICTIONS)]
        yield WeightSample(f"{kind}, {count} of {width}", data, width), how, prediction_of(data, how, width)


def make_vectors() -> list[dict[str, object]]:
    """Code every case by every codec; modes of the same coded bytes are kept once."""
    vectors: list[dict[str, object]] = []
    for sample, how, guess in list_cases():
        is_large = sample.name.startswith(SMALL_RANS[0])
        for codec in CODECS[FIRST_CODEC : FIRST_CODEC + 1] if is_large else CODECS[FIRST_CODEC:]:
            prediction = guess if codec.needs_prediction else None
            seen = set()
            for mode in [Mode.BALANCED, Mode.MAX] if is_large else Mode:
                coded = codec.encode(sample.data, CodecContext(sample.element_width, prediction, mode=mode))
                if coded is None or coded.data in seen:
                    continue
                seen.add(coded.data)
                suffix = f" by {how}" if prediction is not None else ""
                vectors.append(
                    {
                        "name": f"{codec.name} {mode.name.lower()}, {sample.name}{suffix}",
                        "codec_id": coded.codec_id,
                        "codec_version": coded.codec_version,
                        "parameters": coded.parameters.hex(),
                        "mode": mode.name,
                        "element_width": sample.element_width,
                        "prediction": None if prediction is None else prediction.hex(),
                        "coded": coded.data.hex(),
                        "decoded": sample.data.hex(),
                    }
                )
    return vectors


def main(path: Path) -> None:
    with path.open("x", encoding="utf-8") as file:  # golden files are added, never replaced
        json.dump(make_vectors(), file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
