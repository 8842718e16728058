// The cascade: ranked symbols in a few levels of short codes, for planes of few frequent symbols.
//
// Duty: code a run of bytes so that decoding has no branch that depends on data and no serial pass longer than a
// block. Not its duty: the smallest size (small_rans.hpp takes 4 % less of an exponent plane).
// Invariants: lossless for all bytes; blocks of 64 Ki values decode alone, so that a GPU can take them one by one; a
// decoder allocates nothing by a coded number and writes exactly what it is asked for. Layout: docs/format.md,
// "CASCADE". The idea of fixed short codes with escapes is ENEC's; see docs/decisions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorhub {

inline constexpr std::size_t kCascadeBlockValues = std::size_t{1} << 16;

/// What a decoder needs beside its stream: two levels of a block.
inline constexpr std::size_t kCascadeWorkNbytes = 2 * (kCascadeBlockValues + 128);

/// Worst coded size of `nbytes` symbols.
std::size_t cascade_bound(std::size_t nbytes);

/// Code symbols.
/// @param symbols borrowed; at most 4 MiB
/// @param out     at least cascade_bound(symbols.size()) bytes; must not overlap
/// @return bytes written
std::size_t encode_cascade(std::span<const std::uint8_t> symbols, std::span<std::uint8_t> out);

/// Decodes a stream piece by piece, in order.
class CascadeDecoder {
 public:
  CascadeDecoder() = default;
  /// @param coded        the stream; may be hostile
  /// @param count        number of symbols that it must hold
  /// @param work         kCascadeWorkNbytes, the decoder's alone as long as it lives
  /// @throws Error (kCorruptPack)
  CascadeDecoder(std::span<const std::uint8_t> coded, std::size_t count, std::uint8_t* work);

  /// Decode the next `count` symbols: a multiple of 64, or the last ones. `out` has room for a multiple of 64.
  /// @throws Error (kCorruptPack)
  void next(std::uint8_t* out, std::size_t count);

  /// @throws Error (kCorruptPack) unless every coded byte was used up.
  void finish() const;

 private:
  void open_block();

  const std::uint8_t* begin_ = nullptr;
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::uint8_t* work_ = nullptr;
  const std::uint8_t* codes_ = nullptr;
  const std::uint8_t* escaped_ = nullptr;
  const std::uint8_t* escaped_end_ = nullptr;
  std::size_t count_ = 0, done_ = 0;
  std::uint8_t symbols_[16] = {};
};

}  // namespace tensorhub
