// Sketch kernels: where a sketch samples a tensor, and which kept sketches lie near one.
//
// Duty: sample positions, signatures, the two-stage nearest search and per-plane sample statistics.
// Not its duty: reading tensors, predicting sizes, holding an index (the caller owns all memory).
// Invariants: no state, no allocation except where said, no read outside the given spans whatever their
// content; every count is checked by the caller (bindings) or stated as a precondition here.
// Specified in docs/format.md, section 11; the reference twin of the placement is tensorhub.lineage.placement.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tensorhub {

inline constexpr std::size_t kSketchNbytes = 512;    // sample bytes of one sketch
inline constexpr std::size_t kSignatureNbytes = 64;  // one cache line per kept sketch in the coarse scan
inline constexpr std::uint64_t kNoPosition = ~std::uint64_t{0};
inline constexpr std::size_t kFeaturesPerPlane = 3;

using SketchView = std::span<const std::uint8_t, kSketchNbytes>;
using SignatureView = std::span<const std::uint8_t, kSignatureNbytes>;

/// Choose the sampled element of each bucket.
///
/// The row is the jump consistent hash (Lamping and Veach, 2014, arXiv:1406.2294, figure 1; ours draws with
/// splitmix64 and divides integers) of the bucket over `nrows`; the column is stratified over the buckets.
/// A tensor with fewer rows therefore keeps a bucket's position with probability nrows_small / nrows_large.
///
/// @param nrows, row_nelems  Any values whose product is below 2**63; the product is not checked for overflow
///     beyond wrapping, which cannot touch memory.
/// @param positions  One flat element index per bucket; `kNoPosition` everywhere if the tensor is empty.
/// O(buckets * log(nrows)), no allocation.
void sketch_positions(std::uint64_t nrows, std::uint64_t row_nelems, std::span<std::uint64_t> positions);

/// Gather a signature: 512 chosen bits of a sketch's 4,096, so that the coarse scan reads one cache line each.
///
/// @param values  Sample bytes (or a mask of them: the signature of a mask is the signature's mask).
/// @param element_width  1, 2, 4 or 8; anything else is treated as 1.
/// Not part of any format: it may change with the code. No allocation; hostile bytes are harmless.
void sketch_signature(SketchView values, std::size_t element_width,
                      std::span<std::uint8_t, kSignatureNbytes> signature);

/// Blocks of kept sketches: block i has `nrows[i]` rows; rows are numbered through all blocks ("slots").
struct SketchBlocks {
  std::vector<const std::uint8_t*> rows;  ///< first byte of each block, rows contiguous, no alignment needed
  std::vector<std::size_t> nrows;         ///< rows in each block
};

/// A query with its mask; masked-out bytes do not count.
struct SketchQuery {
  SketchView values;
  SketchView mask;
  SignatureView signature;
  SignatureView signature_mask;
};

/// A kept sketch near the query.
struct SketchHit {
  std::uint64_t slot;
  std::uint32_t distance;  ///< differing bits among the unmasked sample bits
};

/// Find the sketches that differ from the query in the fewest bits.
///
/// Stage one ranks all by signature and keeps about `coarse_keep` (all that tie with the last are cut in slot
/// order); stage two counts all 4,096 bits of those. `coarse_keep >= total rows` makes the search exhaustive.
///
/// @param signatures, sketches  Same row counts in both; precondition.
/// @return  At most `keep` hits by (distance, slot).
/// Allocates 2 bytes per row and 16 per kept row. O(rows). Hostile bytes are harmless.
std::vector<SketchHit> sketch_nearest(const SketchBlocks& signatures, const SketchBlocks& sketches,
                                      const SketchQuery& query, std::size_t coarse_keep, std::size_t keep);

/// Sample statistics of `sample XOR query` for each byte plane: what a size prediction needs.
///
/// @param element_width  1, 2, 4 or 8; precondition.
/// @param features  `element_width * kFeaturesPerPlane` floats, per plane: fraction of zero bytes; sum over the
///     eight bit positions of the binary entropy; byte entropy with the Miller-Madow correction, at most 8.
///     All zero where no sample is unmasked.
/// No allocation.
void sketch_features(SketchView sample, SketchView query, SketchView mask, std::size_t element_width,
                     std::span<float> features);

}  // namespace tensorhub
