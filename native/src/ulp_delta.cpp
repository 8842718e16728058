// The codec `ulp_delta`: layout and the tile loop. Contract: include/tensorhub/ulp_delta.hpp.
#include "tensorhub/ulp_delta.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "bit_stream.hpp"
#include "corrupt.hpp"
#include "little_endian.hpp"
#include "require.hpp"
#include "scratch.hpp"
#include "tensorhub/wide_rans.hpp"
#include "ulp_elements.hpp"
#include "ulp_fast_tables.hpp"

namespace tensorhub {
namespace {

constexpr std::string_view kThing = "a chunk of ULP differences";
constexpr std::size_t kTile = kUlpTileValues;
constexpr std::size_t kHeadNbytes = kUlpModelNbytes + 4 + 4;  // model, nbytes, bytes of extra bits

// Numbers of up to 61 bits, in two halves where one look would not hold them.
void put_bits(BitWriter& writer, std::uint64_t value, unsigned nbits) {
  if (nbits > 32) {
    writer.put(value & 0xffffffffU, 32);
    value >>= 32;
    nbits -= 32;
  }
  writer.put(value & ((std::uint64_t{1} << nbits) - 1), nbits);
}

// An element of a tile, which is aligned.
std::uint64_t get_element(std::size_t width, const std::uint8_t* tile, std::size_t i) {
  if (width == 2) return reinterpret_cast<const std::uint16_t*>(tile)[i];
  if (width == 4) return reinterpret_cast<const std::uint32_t*>(tile)[i];
  if (width == 8) return reinterpret_cast<const std::uint64_t*>(tile)[i];
  return tile[i];
}

// The differences of up to 64 values whose tokens leave bits open.
template <typename T>
void fill_large(const std::uint8_t* tokens, std::uint64_t large, std::uint8_t* to, BitReader& extra) {
  auto* folded = reinterpret_cast<T*>(to);
  // Where the reader stands depends on tokens alone, so that many values are on their way at once.
  const bool is_safe = extra.has(64 * sizeof(T));
  for (; large; large &= large - 1) {
    const auto k = static_cast<std::size_t>(std::countr_zero(large));
    const unsigned nbits = ulp_extra_bits(tokens[k]);
    if (nbits + 3 > 8 * sizeof(T)) throw corrupt(kThing, "differences that an element can hold", tokens[k]);
    const std::uint64_t lead = 4U + (tokens[k] - unsigned{kUlpDirectTokens}) % 4;  // a one and two bits
    std::uint64_t low;
    if (nbits > 32) {
      low = extra.get(32);
      low |= extra.get(nbits - 32) << 32;
    } else {
      low = is_safe ? extra.get_unchecked(nbits) : extra.get(nbits);
    }
    folded[k] = static_cast<T>(lead << nbits | low);
  }
}

}  // namespace

std::size_t ulp_delta_bound(std::size_t nbytes, std::size_t width) {
  require_chunk(nbytes, width);
  // Extra bits, or escapes and low bytes, take at most an element and a byte each; the rest is tables and states.
  const std::size_t count = nbytes / width + 256;
  return kHeadNbytes + (width + 1) * count + 16 + wide_rans_bound(count, kWideRansMaxContexts) + 1024 + width;
}

std::size_t encode_ulp_delta(std::span<const std::uint8_t> target, std::span<const std::uint8_t> prediction,
                             std::size_t width, const UlpPlan& plan, std::span<std::uint8_t> out) {
  ulp_check(target, prediction, width);
  const UlpModel& model = plan.model;
  ulp_check_model(model, width, kWideRansMaxContexts, 0);
  require_room("ULP differences", ulp_delta_bound(target.size(), width), out.size());
  const std::size_t count = target.size() / width, tail = target.size() % width;
  const auto at_least = ulp_fast_kernels().at_least;
  const auto tokens = scratch<std::uint8_t>(ScratchSlot::kTokens, count + 64);
  const auto contexts = scratch<std::uint8_t>(ScratchSlot::kContexts, count);
  const auto folded = scratch<std::uint8_t>(ScratchSlot::kTile, kTile * width);
  ulp_write_model(model, out.data());
  put32(out.data() + kUlpModelNbytes, target.size());
  BitWriter extra(out.data() + kHeadNbytes);
  for (std::size_t begin = 0; begin < count; begin += kTile) {
    const std::size_t some = std::min(kTile, count - begin);
    const std::uint8_t* base = prediction.data() + begin * width;
    ulp_fold_differences(width, model.is_float, target.data() + begin * width, base, some, folded.data());
    if (model.contexts > 1) ulp_make_contexts(width, model, base, some, contexts.data() + begin);
    std::uint8_t* token = tokens.data() + begin;
    ulp_make_tokens(width, folded.data(), some, token);
    for (std::size_t i = 0; i < some; i += 64) {
      std::uint64_t large = at_least(token + i, kUlpDirectTokens);
      if (some - i < 64) large &= (std::uint64_t{1} << (some - i)) - 1;
      for (; large; large &= large - 1) {
        const std::size_t k = i + static_cast<std::size_t>(std::countr_zero(large));
        put_bits(extra, get_element(width, folded.data(), k), ulp_extra_bits(token[k]));
      }
    }
  }
  const std::size_t extra_nbytes = extra.finish();
  put32(out.data() + kUlpModelNbytes + 4, extra_nbytes);
  std::size_t at = kHeadNbytes + extra_nbytes;
  const auto used_contexts = model.contexts > 1 ? contexts : std::span<std::uint8_t>();
  at += encode_wide_rans(tokens.first(count), used_contexts, model.contexts, out.subspan(at));
  std::copy_n(target.data() + count * width, tail, out.data() + at);
  return at + tail;
}

void decode_ulp_delta(std::span<const std::uint8_t> coded, std::span<const std::uint8_t> prediction, std::size_t width,
                      std::span<std::uint8_t> out) {
  ulp_check_decoding(kThing, coded, prediction, width, out);
  const std::size_t count = out.size() / width, tail = out.size() % width;
  if (coded.size() < kHeadNbytes + tail) throw corrupt(kThing, "a head", coded.size());
  const UlpModel model = ulp_read_model(kThing, coded.data(), width, kWideRansMaxContexts);
  const std::size_t nbytes = get32(coded.data() + kUlpModelNbytes),
                    extra_nbytes = get32(coded.data() + kUlpModelNbytes + 4);
  if (nbytes != out.size()) throw corrupt(kThing, std::to_string(out.size()) + " bytes", nbytes);
  if (extra_nbytes > coded.size() - kHeadNbytes - tail) throw corrupt(kThing, "extra bits inside of it", extra_nbytes);
  BitReader extra(coded.subspan(kHeadNbytes, extra_nbytes));
  const auto stream = coded.subspan(kHeadNbytes + extra_nbytes, coded.size() - kHeadNbytes - extra_nbytes - tail);
  const auto work = scratch<std::uint8_t>(ScratchSlot::kStreams, wide_rans_work_nbytes(model.contexts));
  WideRansDecoder decoder(stream, model.contexts, coded.data() + coded.size(), work.data());
  const auto at_least = ulp_fast_kernels().at_least;
  const auto tile = scratch<std::uint8_t>(ScratchSlot::kTile, kTile * (width + 2));
  std::uint8_t *folded = tile.data(), *tokens = folded + kTile * width, *contexts = tokens + kTile;
  for (std::size_t begin = 0; begin < count; begin += kTile) {
    const std::size_t some = std::min(kTile, count - begin);
    const std::uint8_t* base = prediction.data() + begin * width;
    if (model.contexts > 1) ulp_make_contexts(width, model, base, some, contexts);
    decoder.next(model.contexts > 1 ? contexts : nullptr, tokens, some);
    ulp_widen_tokens(width, tokens, some, folded);
    for (std::size_t i = 0; i < some; i += 64) {
      std::uint64_t large = at_least(tokens + i, kUlpDirectTokens);
      if (some - i < 64) large &= (std::uint64_t{1} << (some - i)) - 1;
      if (!large) continue;
      if (width == 2)
        fill_large<std::uint16_t>(tokens + i, large, folded + i * width, extra);
      else if (width == 4)
        fill_large<std::uint32_t>(tokens + i, large, folded + i * width, extra);
      else if (width == 8)
        fill_large<std::uint64_t>(tokens + i, large, folded + i * width, extra);
      else
        fill_large<std::uint8_t>(tokens + i, large, folded + i * width, extra);
    }
    ulp_apply_differences(width, model.is_float, base, folded, some, out.data() + begin * width);
  }
  decoder.finish();
  if (extra.used_nbytes() != extra_nbytes || !extra.is_rest_zero())
    throw corrupt(kThing, std::to_string(extra.used_nbytes()) + " bytes of extra bits", extra_nbytes);
  std::copy_n(coded.data() + coded.size() - tail, tail, out.data() + count * width);
}

}  // namespace tensorhub
