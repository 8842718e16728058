"""Write golden vectors: run once per codec generation, then never again for the same file.

Usage: python tests/golden/codecs/make_vectors.py tests/golden/codecs/generation-N.json
"""

import json
import sys
from pathlib import Path

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.registry import CODECS
from tensorhub.testing.weights import near_copy, weight_samples

WANTED = {"bf16", "f32", "f8_e4m3", "f32 mostly zero", "zeros", "text", "bf16 less 3 bytes", "empty", "noise"}


def main(path: Path) -> None:
    vectors = []
    for sample in weight_samples(250):
        if sample.name not in WANTED:
            continue
        for codec in CODECS:
            prediction = near_copy(sample.data) if codec.needs_prediction else None
            coded = codec.encode(sample.data, CodecContext(sample.element_width, prediction))
            if coded is not None:
                vectors.append(
                    {
                        "name": f"{codec.name}, {sample.name}",
                        "codec_id": coded.codec_id,
                        "codec_version": coded.codec_version,
                        "parameters": coded.parameters.hex(),
                        "element_width": sample.element_width,
                        "prediction": None if prediction is None else prediction.hex(),
                        "coded": coded.data.hex(),
                        "decoded": sample.data.hex(),
                    }
                )
    with path.open("x", encoding="utf-8") as file:  # golden files are added, never replaced
        json.dump(vectors, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
