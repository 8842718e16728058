// Interleaved rANS for planes of few frequent symbols: the exponents of weights.
//
// Duty: code a run of bytes of which at most 15 values are frequent; all others are escapes. 64 or 128 states
// of 16 bits, frequencies of 8 bits, so that every table look-up stays in vector registers.
// Not its duty: alphabets of 256 (wide_rans.hpp), how streams lie in a chunk (planes_codec.hpp).
// Invariants: lossless for all bytes; a decoder allocates nothing by a coded number and writes exactly what it is
// asked for. Layout: docs/format.md, "SMALL_RANS". The coder is rANS (J. Duda, "Asymmetric numeral systems",
// arXiv:1311.2540, section 3) with byte-wise renormalisation, L = M = 256.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorhub {

inline constexpr std::size_t kSmallRansTableValues = std::size_t{1} << 17;  // one frequency table for so many values
inline constexpr std::size_t kSmallRansMaxLanes = 128;

/// Worst coded size of `nbytes` symbols.
std::size_t small_rans_bound(std::size_t nbytes);

/// Code symbols.
/// @param symbols borrowed; at most 4 MiB
/// @param out     at least small_rans_bound(symbols.size()) bytes; must not overlap
/// @return bytes written
std::size_t encode_small_rans(std::span<const std::uint8_t> symbols, std::span<std::uint8_t> out);

/// Decodes a stream piece by piece, in order.
class SmallRansDecoder {
 public:
  SmallRansDecoder() = default;
  /// @param coded        the stream; may be hostile
  /// @param readable_end memory may be read (not used) up to here; at least coded's end
  /// @throws Error (kCorruptPack)
  SmallRansDecoder(std::span<const std::uint8_t> coded, const std::uint8_t* readable_end);

  /// Decode the next `count` symbols: a multiple of 128, or the last ones. `out` has room for a multiple of 128.
  /// @throws Error (kCorruptPack)
  void next(std::uint8_t* out, std::size_t count);

  /// @throws Error (kCorruptPack) unless every coded byte was used up.
  void finish() const;

 private:
  void load_table();

  const std::uint8_t* tables_ = nullptr;
  const std::uint8_t* tables_end_ = nullptr;
  const std::uint8_t* escapes_begin_ = nullptr;
  const std::uint8_t* escapes_ = nullptr;
  const std::uint8_t* bytes_begin_ = nullptr;
  const std::uint8_t* bytes_ = nullptr;
  const std::uint8_t* readable_end_ = nullptr;
  std::size_t done_ = 0, groups_ = 1;
  std::uint16_t states_[kSmallRansMaxLanes] = {};
  std::uint8_t symbols_[16] = {};
  std::uint8_t frequencies_[16] = {};
  std::uint8_t starts_[16] = {};
  std::uint8_t rank_of_slot_[256] = {};
};

}  // namespace tensorhub
