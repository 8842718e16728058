// Histograms and frequencies that fill a power of two: what every entropy coder here starts with.
//
// Invariant: integer arithmetic only, so that every machine makes the same tables of the same bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace tensorhub {

/// Adds the histogram of `bytes` to `counts`. Four tables, because equal neighbours would wait for each other.
inline void count_bytes(std::span<const std::uint8_t> bytes, std::array<std::uint32_t, 256>& counts) {
  std::array<std::array<std::uint32_t, 256>, 4> parts{};
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    for (unsigned k = 0; k < 8; ++k) ++parts[k & 3][word >> 8 * k & 0xff];
  }
  for (; i < bytes.size(); ++i) ++counts[bytes[i]];
  for (std::size_t s = 0; s < 256; ++s) counts[s] += parts[0][s] + parts[1][s] + parts[2][s] + parts[3][s];
}

/// Adds the histogram of 64 of every `stride` bytes, of all bytes below 16 KiB: enough for tables whose symbols may
/// escape. Over 32 Ki samples the tables of exponents cost 0.0003 bits a value more than over all.
inline void count_sample(std::span<const std::uint8_t> bytes, std::array<std::uint32_t, 256>& counts,
                         std::size_t stride = 256) {
  if (bytes.size() < (std::size_t{16} << 10)) return count_bytes(bytes, counts);
  std::array<std::array<std::uint32_t, 256>, 4> parts{};
  for (std::size_t i = 0; i + 64 <= bytes.size(); i += stride) {
    for (std::size_t j = 0; j < 64; j += 8) {
      std::uint64_t word;
      std::memcpy(&word, bytes.data() + i + j, 8);
      for (unsigned k = 0; k < 8; ++k) ++parts[k & 3][word >> 8 * k & 0xff];
    }
  }
  for (std::size_t s = 0; s < 256; ++s) counts[s] += parts[0][s] + parts[1][s] + parts[2][s] + parts[3][s];
}

/// Scales counts to frequencies of at least 1 (0 for a count of 0) that add up to `total`.
/// At most `total` counts are not 0, and at least one.
inline void scale_frequencies(std::span<const std::uint64_t> counts, std::span<std::uint32_t> out,
                              std::uint32_t total) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : counts) sum += count;
  std::int64_t missing = total;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const std::uint64_t share = counts[k] * total / sum;
    out[k] = counts[k] ? static_cast<std::uint32_t>(share ? share : 1) : 0;
    missing -= out[k];
  }
  // One step at a time where it gains most, or costs least: a step from f to f + 1 gains count / (f + 1/2).
  for (; missing > 0; --missing) {
    std::size_t best = counts.size();
    for (std::size_t k = 0; k < counts.size(); ++k)
      if (counts[k] &&
          (best == counts.size() || counts[k] * (2 * out[best] + 1) > counts[best] * (2 * std::uint64_t{out[k]} + 1)))
        best = k;
    ++out[best];
  }
  for (; missing < 0; ++missing) {
    std::size_t best = counts.size();
    for (std::size_t k = 0; k < counts.size(); ++k)
      if (out[k] > 1 &&
          (best == counts.size() || counts[k] * (2 * out[best] - 1) < counts[best] * (2 * std::uint64_t{out[k]} - 1)))
        best = k;
    --out[best];
  }
}

}  // namespace tensorhub
