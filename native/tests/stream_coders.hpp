// One face for the coders of streams, for tests and fuzz targets.
//
// Duty: encode, and decode piece by piece into memory that has just the room that each coder's header asks for.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "guarded_memory.hpp"
#include "tensorhub/cascade.hpp"
#include "tensorhub/small_rans.hpp"
#include "tensorhub/trimmed.hpp"
#include "tensorhub/wide_rans.hpp"

namespace tensorhub {

enum class Coder : unsigned char { kCascade, kSmallRans, kWideRans, kTrimmed };
inline constexpr std::array<const char*, 4> kCoderNames = {"cascade", "small_rans", "wide_rans", "trimmed"};

inline std::size_t stream_bound_of(Coder coder, std::span<const std::uint8_t> bytes, std::size_t ncontexts) {
  switch (coder) {
    case Coder::kCascade: return cascade_bound(bytes.size());
    case Coder::kSmallRans: return small_rans_bound(bytes.size());
    case Coder::kWideRans: return wide_rans_bound(bytes.size(), ncontexts);
    default: return trimmed_nbytes(bytes);
  }
}

inline std::size_t encode_stream_of(Coder coder, std::span<const std::uint8_t> bytes,
                                    std::span<const std::uint8_t> contexts, std::size_t ncontexts,
                                    std::span<std::uint8_t> out) {
  switch (coder) {
    case Coder::kCascade: return encode_cascade(bytes, out);
    case Coder::kSmallRans: return encode_small_rans(bytes, out);
    case Coder::kWideRans: return encode_wide_rans(bytes, contexts, ncontexts, out);
    default: return encode_trimmed(bytes, out);
  }
}

/// Decode all of `out`, `piece` bytes at a time (a multiple of 128).
/// @param contexts one a byte, or empty where there is one context only
inline void decode_stream_of(Coder coder, std::span<const std::uint8_t> coded, std::span<const std::uint8_t> contexts,
                             std::size_t ncontexts, std::size_t piece, std::span<std::uint8_t> out) {
  static const GuardedMemory works(wide_rans_work_nbytes(kWideRansMaxContexts)), tiles(std::size_t{1} << 20);
  const std::uint8_t* const end = coded.data() + coded.size();
  // Both sizes are multiples of 64, so that the back is aligned as the header asks.
  const auto work =
      works.lend(Place::kBack, coder == Coder::kCascade ? kCascadeWorkNbytes : wide_rans_work_nbytes(ncontexts));
  const auto each_piece = [&](auto&& next, std::size_t step) {
    for (std::size_t begin = 0; begin < out.size(); begin += piece) {
      const std::size_t some = std::min(piece, out.size() - begin);
      const auto tile = tiles.lend(Place::kBack, (some + step - 1) / step * step);
      next(begin, tile.data(), some);
      std::memcpy(out.data() + begin, tile.data(), some);
    }
  };
  switch (coder) {
    case Coder::kCascade: {
      CascadeDecoder decoder(coded, out.size(), work.data());
      each_piece([&](std::size_t, std::uint8_t* to, std::size_t count) { decoder.next(to, count); }, 64);
      return decoder.finish();
    }
    case Coder::kSmallRans: {
      SmallRansDecoder decoder(coded, end);
      each_piece([&](std::size_t, std::uint8_t* to, std::size_t count) { decoder.next(to, count); }, 128);
      return decoder.finish();
    }
    case Coder::kWideRans: {
      WideRansDecoder decoder(coded, ncontexts, end, work.data());
      each_piece(
          [&](std::size_t begin, std::uint8_t* to, std::size_t count) {
            decoder.next(contexts.empty() ? nullptr : contexts.data() + begin, to, count);
          },
          1);
      return decoder.finish();
    }
    default: {
      TrimmedDecoder decoder(coded, out.size());
      each_piece([&](std::size_t, std::uint8_t* to, std::size_t count) { decoder.next(to, count); }, 1);
    }
  }
}

}  // namespace tensorhub
