// Cheap statistics of bytes, from a sample, by which encoders decide.
//
// Duty: spread samples and order-0 entropy. Not its duty: decisions.
// Reads only; allocates nothing; any input is fine. The definition is codecs/reference.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorhub {

/// What a sample says.
struct ByteStatistics {
  std::uint64_t total = 0;     ///< bytes sampled
  std::uint64_t zeros = 0;     ///< zeros among them
  std::uint32_t distinct = 0;  ///< different values among them
  double entropy_bits = 0;     ///< order-0 entropy per byte with Miller and Madow's correction, 0 to 8
};

/// Looks at `pieces` evenly spread runs of `piece_nbytes` bytes, or at everything where `data` is not longer than
/// they would be together.
/// @param pieces at least 2 (else kUsage), unless data is short enough to be taken whole.
ByteStatistics byte_statistics(std::span<const std::uint8_t> data, std::size_t pieces, std::size_t piece_nbytes);

}  // namespace tensorhub
