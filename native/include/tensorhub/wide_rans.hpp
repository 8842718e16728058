// Interleaved rANS for alphabets of up to 256 symbols with contexts: the smallest sizes.
//
// Duty: code a run of bytes, each in a context that both sides know, with frequencies of 12 bits that fill a table
// per context. States of 32 bits, 64 lanes of them (fewer in short streams), renormalised by 16 bits.
// Not its duty: making contexts (joint.hpp, ulp_delta.hpp).
// Invariants: lossless for all symbols that the tables hold, and the encoder's tables hold all; a decoder allocates
// nothing by a coded number and writes exactly what it is asked for. Layout: docs/format.md, "WIDE_RANS". rANS after
// J. Duda (arXiv:1311.2540, section 3); interleaving after F. Giesen (arXiv:1402.3392, section 2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tensorhub {

inline constexpr std::size_t kWideRansMaxContexts = 16;
inline constexpr unsigned kWideRansBits = 12;
/// What a decoder needs beside its stream: a table of 4096 entries of 4 bytes for each context.
inline constexpr std::size_t wide_rans_work_nbytes(std::size_t contexts) { return contexts << (kWideRansBits + 2); }

/// Worst coded size.
std::size_t wide_rans_bound(std::size_t nsymbols, std::size_t contexts);

/// Code symbols.
/// @param symbols  borrowed; at most 4 Mi
/// @param contexts one a symbol, each below `ncontexts`; empty where there is one context only
/// @param out      at least wide_rans_bound() bytes; must not overlap
/// @return bytes written
std::size_t encode_wide_rans(std::span<const std::uint8_t> symbols, std::span<const std::uint8_t> contexts,
                             std::size_t ncontexts, std::span<std::uint8_t> out);

/// Decodes a stream piece by piece, in order.
class WideRansDecoder {
 public:
  WideRansDecoder() = default;
  /// @param coded        the stream; may be hostile
  /// @param ncontexts    1 to 16, as for encoding
  /// @param readable_end memory may be read (not used) up to here; at least coded's end
  /// @param work         wide_rans_work_nbytes(ncontexts), aligned to 64, the decoder's alone as long as it lives
  /// @throws Error (kCorruptPack)
  WideRansDecoder(std::span<const std::uint8_t> coded, std::size_t ncontexts, const std::uint8_t* readable_end,
                  std::uint8_t* work);

  /// Decode the next `count` symbols: a multiple of 64, or the last ones.
  /// @param contexts one a symbol, each below ncontexts; null where there is one context
  /// @throws Error (kCorruptPack)
  void next(const std::uint8_t* contexts, std::uint8_t* out, std::size_t count);

  /// @throws Error (kCorruptPack) unless every coded byte was used up.
  void finish() const;

 private:
  const std::uint32_t* tables_ = nullptr;
  const std::uint8_t* words_begin_ = nullptr;
  const std::uint8_t* words_ = nullptr;
  const std::uint8_t* readable_end_ = nullptr;
  std::size_t lanes_ = 0;
  std::uint32_t states_[64] = {};
};

}  // namespace tensorhub
