// Trimmed blocks: bytes of which, block by block, some bits are always zero.
//
// Duty: planes of mantissas whose low bits are zero in some rows (a float that was rounded to a shorter one once),
// and integers of a narrow range. Each block of 64 bytes is kept whole or as its used bits only.
// Invariants: lossless for all bytes; a decoder writes exactly what it is asked for. Layout: docs/format.md, "TRIMMED".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorhub {

inline constexpr std::size_t kTrimmedBlockNbytes = 64;

/// Coded size of some bytes; about the cost of reading them.
std::size_t trimmed_nbytes(std::span<const std::uint8_t> bytes);

/// Code bytes.
/// @param out at least trimmed_nbytes() bytes
/// @return bytes written
std::size_t encode_trimmed(std::span<const std::uint8_t> bytes, std::span<std::uint8_t> out);

/// Decodes a stream piece by piece, in order.
class TrimmedDecoder {
 public:
  TrimmedDecoder() = default;
  /// @throws Error (kCorruptPack) unless the lengths of all blocks add up to the stream's.
  TrimmedDecoder(std::span<const std::uint8_t> coded, std::size_t count);

  /// Decode the next `count` bytes: a multiple of 64, or the last ones.
  void next(std::uint8_t* out, std::size_t count);

 private:
  const std::uint8_t* flags_ = nullptr;
  const std::uint8_t* masks_ = nullptr;
  const std::uint8_t* payload_ = nullptr;
  std::size_t block_ = 0;
};

}  // namespace tensorhub
