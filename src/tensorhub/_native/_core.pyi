"""Types of the compiled core; contracts are in native/include/tensorhub."""

import numpy as np
from numpy.typing import NDArray

def sketch_features(
    samples: NDArray[np.uint8], query: NDArray[np.uint8], mask: NDArray[np.uint8], element_width: int
) -> NDArray[np.float32]: ...
def sketch_nearest(
    signatures: list[NDArray[np.uint8]],
    sketches: list[NDArray[np.uint8]],
    count: int,
    values: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    query_signature: NDArray[np.uint8],
    signature_mask: NDArray[np.uint8],
    coarse_keep: int,
    keep: int,
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]: ...
def sketch_positions(nrows: int, row_nelems: int, nbuckets: int) -> NDArray[np.uint64]: ...
def sketch_signature(values: NDArray[np.uint8], element_width: int) -> NDArray[np.uint8]: ...
