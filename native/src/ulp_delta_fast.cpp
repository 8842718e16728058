// The codec `ulp_delta_fast`: tables, layout and the tile loop. Contract: include/tensorhub/ulp_delta.hpp.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "corrupt.hpp"
#include "frequencies.hpp"
#include "little_endian.hpp"
#include "require.hpp"
#include "scratch.hpp"
#include "tensorhub/ulp_delta.hpp"
#include "ulp_elements.hpp"
#include "ulp_fast_tables.hpp"

namespace tensorhub {
namespace {

constexpr std::string_view kThing = "a chunk of fast ULP differences";
constexpr std::size_t kTile = kUlpTileValues, kTotal = 256, kGroup = 64, kMaxLanes = 128;
// Model, nbytes, short and long escapes, groups of lanes, low bytes that are kept as they are.
constexpr std::size_t kHeadNbytes = kUlpModelNbytes + 4 + 4 + 4 + 1 + 1;
constexpr std::uint8_t kShort = kUlpFastShort, kLong = kUlpFastLong;
constexpr std::uint64_t kShortRange = kUlpFastShortRange;
constexpr std::size_t kTwoGroupsValues = std::size_t{1} << 17;

void fill_tables(UlpFastTables& tables, std::size_t contexts) {
  for (std::size_t c = 0; c < contexts; ++c) {
    unsigned start = 0;
    for (std::size_t t = 0; t < kUlpFastTokens; ++t) {
      const unsigned f = tables.frequencies[16 * c + t];
      if (f) tables.lasts[c] = static_cast<std::uint8_t>(16 * c + t);
      // Tokens after the last one that occurs start at 256; a search that ends there is led back by `lasts`.
      tables.starts[16 * c + t] = static_cast<std::uint8_t>(std::min(start, 255U));
      const unsigned inverse = f < 2 ? 0xffff : 0x10000 / f;
      tables.inverse_low[16 * c + t] = static_cast<std::uint8_t>(inverse);
      tables.inverse_high[16 * c + t] = static_cast<std::uint8_t>(inverse >> 8);
      for (unsigned k = 0; k < f; ++k)
        tables.slots[256 * c + start + k] = static_cast<std::uint32_t>(t | f << 8 | k << 16);
      start += f;
    }
  }
}

// Frequencies of the tokens of each context, in the tables and as they lie in a chunk; gives where they end.
std::uint8_t* write_tables(const std::array<std::uint32_t, 128>& counts, std::size_t contexts, UlpFastTables& tables,
                           std::uint8_t* at) {
  for (std::size_t c = 0; c < contexts; ++c) {
    std::array<std::uint64_t, 16> sums{};
    for (std::size_t t = 0; t < 16; ++t) sums[t] = counts[16 * c + t];
    std::size_t used = 0, any = 0;
    for (std::size_t t = 0; t < 16; ++t) {
      used += sums[t] != 0;
      if (sums[t]) any = t;
    }
    // No frequency may be 256: a context of one token gets a second one.
    if (used == 0) sums[0] = kTotal;
    if (used <= 1) sums[any == 0 ? 1 : 0] = 1;
    std::array<std::uint32_t, 16> scaled{};
    scale_frequencies(sums, scaled, kTotal);
    // The last token of which the table speaks, then frequencies up to it.
    std::size_t last = 0;
    for (std::size_t t = 0; t < 16; ++t) {
      tables.frequencies[16 * c + t] = static_cast<std::uint8_t>(scaled[t]);
      if (scaled[t]) last = t;
    }
    *at++ = static_cast<std::uint8_t>(last);
    std::memcpy(at, tables.frequencies + 16 * c, last + 1);
    at += last + 1;
  }
  return at;
}

// Folded differences of a tile to tokens; what tokens do not say goes to the two lists.
void part_tokens(const UlpFastKernels& kernels, std::size_t width, std::size_t low, const std::uint8_t* folded,
                 std::size_t some, std::uint8_t* token, std::uint8_t*& shorts_to, std::uint8_t*& longs_to) {
  const std::size_t steps = (some + kGroup - 1) / kGroup;
  if (width == 2) {
    kernels.part(reinterpret_cast<const std::uint16_t*>(folded), steps, token, shorts_to);
  } else {
    for (std::size_t i = 0; i < steps * kGroup; ++i) {
      const std::uint64_t number = ulp_get(width, folded, i);
      const bool is_direct = number < kShort, is_short = !is_direct && number - kShort < kShortRange;
      token[i] = is_direct ? static_cast<std::uint8_t>(number) : is_short ? kShort : kLong;
      *shorts_to = static_cast<std::uint8_t>(number - kShort);
      shorts_to += is_short;
    }
  }
  for (std::size_t i = 0; i < some; i += kGroup) {
    for (std::uint64_t is_long = kernels.at_least(token + i, kLong); is_long; is_long &= is_long - 1) {
      const std::size_t k = i + static_cast<std::size_t>(std::countr_zero(is_long));
      std::memcpy(longs_to, folded + k * width, width);
      longs_to += width - low;
    }
  }
}

// The inverse, with all checks.
const std::uint8_t* read_tables(const std::uint8_t* at, const std::uint8_t* stop, std::size_t contexts,
                                UlpFastTables& tables) {
  for (std::size_t c = 0; c < contexts; ++c) {
    if (at == stop) throw corrupt(kThing, "a table for each context", c);
    const std::size_t last = *at++;
    if (last >= kUlpFastTokens || static_cast<std::size_t>(stop - at) < last + 1)
      throw corrupt(kThing, "a table of at most 16 tokens", last);
    unsigned total = 0;
    for (std::size_t t = 0; t <= last; ++t) {
      tables.frequencies[16 * c + t] = at[t];
      total += at[t];
    }
    if (total != kTotal) throw corrupt(kThing, "frequencies that add up to 256", total);
    at += last + 1;
  }
  return at;
}

// The escapes of a chunk that are not taken yet.
struct Escapes {
  const std::uint8_t *shorts, *shorts_end, *longs, *longs_end, *readable_end;

  // Tokens of a tile, and the escapes that they ask for, to folded differences.
  void join(const UlpFastKernels& kernels, std::size_t width, std::size_t low, std::uint8_t* tokens, std::size_t some,
            std::uint8_t* folded) {
    if (width == 2 && !low) {
      // Damaged tokens may ask for as many short escapes as there are lanes; those must be readable.
      const std::size_t join_steps = (some + kGroup - 1) / kGroup;
      std::memset(tokens + some, 0, join_steps * kGroup - some);  // lanes past the end have no escapes
      const std::uint8_t* from = shorts;
      std::array<std::uint8_t, kTile> copied;
      if (static_cast<std::size_t>(readable_end - shorts) < join_steps * kGroup) {
        std::copy(shorts, shorts_end, copied.data());
        from = copied.data();
      }
      const std::size_t taken = kernels.join(tokens, from, join_steps, reinterpret_cast<std::uint16_t*>(folded));
      if (static_cast<std::size_t>(shorts_end - shorts) < taken)
        throw corrupt(kThing, "as many short escapes as are stored", static_cast<std::size_t>(shorts_end - shorts));
      shorts += taken;
    } else {
      ulp_widen_tokens(width, tokens, some, folded);
      for (std::size_t i = 0; i < some; ++i) {
        if (tokens[i] != kShort) continue;
        if (shorts == shorts_end) throw corrupt(kThing, "as many short escapes as are stored", static_cast<std::size_t>(shorts_end - shorts));
        if (width - low == 1 && *shorts > 0xff - kShort)
          throw corrupt(kThing, "differences that an element can hold", *shorts);
        ulp_put(width, folded, i, std::uint64_t{*shorts++} + kShort);
      }
    }
    for (std::size_t i = 0; i < some; i += kGroup) {
      std::uint64_t is_long = kernels.at_least(tokens + i, kLong);
      if (some - i < kGroup) is_long &= (std::uint64_t{1} << (some - i)) - 1;
      for (; is_long; is_long &= is_long - 1) {
        const std::size_t k = i + static_cast<std::size_t>(std::countr_zero(is_long));
        if (longs == longs_end) throw corrupt(kThing, "as many long escapes as are stored", static_cast<std::size_t>(longs_end - longs));
        std::memset(folded + k * width, 0, width);
        std::memcpy(folded + k * width, longs, width - low);
        longs += width - low;
      }
    }
  }
};

}  // namespace

std::size_t encode_ulp_delta_fast(std::span<const std::uint8_t> target, std::span<const std::uint8_t> prediction,
                                  std::size_t width, const UlpPlan& plan, std::span<std::uint8_t> out) {
  ulp_check(target, prediction, width);
  const UlpModel& model = plan.fast_model;
  ulp_check_model(model, width, kUlpFastContexts, plan.fast_low);
  const std::size_t low = plan.fast_low;
  require_room("fast ULP differences", ulp_delta_bound(target.size(), width), out.size());
  const std::size_t count = target.size() / width, tail = target.size() % width;
  const UlpFastKernels kernels = ulp_fast_kernels();
  const std::size_t groups = count < kTwoGroupsValues ? 1 : 2, lanes = groups * kGroup;
  const std::size_t padded = (count + lanes - 1) / lanes * lanes;
  const auto tokens = scratch<std::uint8_t>(ScratchSlot::kTokens, padded + kTile);
  const auto contexts = scratch<std::uint8_t>(ScratchSlot::kContexts, padded + kTile);
  const auto folded = scratch<std::uint8_t>(ScratchSlot::kTile, kTile * width);
  const auto shorts = scratch<std::uint8_t>(ScratchSlot::kEscapes, count + 2 * kGroup);
  const auto longs = scratch<std::uint8_t>(ScratchSlot::kExtra, count * width + 64);
  const auto lows = scratch<std::uint8_t>(ScratchSlot::kPlanes, count * low);
  std::uint8_t *shorts_to = shorts.data(), *longs_to = longs.data();
  std::array<std::uint32_t, 128> counts{};
  for (std::size_t begin = 0; begin < count; begin += kTile) {
    const std::size_t some = std::min(kTile, count - begin), steps = (some + kGroup - 1) / kGroup;
    const std::uint8_t* base = prediction.data() + begin * width;
    ulp_fold_differences(width, model.is_float, target.data() + begin * width, base, some, folded.data());
    std::uint8_t *token = tokens.data() + begin, *context = contexts.data() + begin;
    ulp_make_contexts(width, model, base, some, context);
    std::memset(context + some, 0, steps * kGroup - some);  // lanes past the end: token 0 in context 0
    std::memset(folded.data() + some * width, 0, (steps * kGroup - some) * width);
    if (low) {
      std::array<std::uint8_t*, 8> at{};
      for (std::size_t k = 0; k < low; ++k) at[k] = lows.data() + k * count + begin;
      ulp_split_low(width, low, folded.data(), some, at.data());
    }
    part_tokens(kernels, width, low, folded.data(), some, token, shorts_to, longs_to);
    kernels.count(token, context, steps, counts.data());
  }
  const auto nshorts = static_cast<std::size_t>(shorts_to - shorts.data());
  const auto nlongs = static_cast<std::size_t>(longs_to - longs.data()) / (width - low);
  const std::size_t counted = (count + kGroup - 1) / kGroup * kGroup;
  std::memset(tokens.data() + counted, 0, padded - counted);
  std::memset(contexts.data() + counted, 0, padded - counted);
  counts[0] += static_cast<std::uint32_t>(padded - counted);

  ulp_write_model(model, out.data());
  std::uint8_t* head = out.data() + kUlpModelNbytes;
  put32(head, target.size());
  put32(head + 4, nshorts);
  put32(head + 8, nlongs);
  head[12] = static_cast<std::uint8_t>(groups);
  head[13] = static_cast<std::uint8_t>(low);
  std::uint8_t* at = out.data() + kHeadNbytes;
  UlpFastTables tables{};
  at = write_tables(counts, model.contexts, tables, at);
  fill_tables(tables, model.contexts);
  std::memcpy(at, shorts.data(), nshorts);
  at += nshorts;
  std::memcpy(at, longs.data(), nlongs * (width - low));
  at += nlongs * (width - low);
  std::memcpy(at, lows.data(), count * low);
  at += count * low;
  std::uint8_t* const states_at = at;
  at += 2 * lanes;
  std::uint16_t states[kMaxLanes];
  std::fill(states, states + lanes, std::uint16_t{256});
  kernels.encode(tables, states, groups, tokens.data(), contexts.data(), padded / lanes, at);
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    states_at[2 * lane] = static_cast<std::uint8_t>(states[lane]);
    states_at[2 * lane + 1] = static_cast<std::uint8_t>(states[lane] >> 8);
  }
  std::copy_n(target.data() + count * width, tail, at);
  return static_cast<std::size_t>(at - out.data()) + tail;
}

void decode_ulp_delta_fast(std::span<const std::uint8_t> coded, std::span<const std::uint8_t> prediction,
                           std::size_t width, std::span<std::uint8_t> out) {
  ulp_check_decoding(kThing, coded, prediction, width, out);
  const std::size_t count = out.size() / width, tail = out.size() % width;
  if (coded.size() < kHeadNbytes + tail) throw corrupt(kThing, "a head", coded.size());
  const UlpModel model = ulp_read_model(kThing, coded.data(), width, kUlpFastContexts);
  const std::uint8_t* head = coded.data() + kUlpModelNbytes;
  if (get32(head) != out.size()) throw corrupt(kThing, std::to_string(out.size()) + " bytes", get32(head));
  const std::size_t nshorts = get32(head + 4), nlongs = get32(head + 8);
  const std::size_t groups = head[12], low = head[13];
  if (nshorts > count || nlongs > count)
    throw corrupt(kThing, "no more escapes than values", std::max(nshorts, nlongs));
  if (groups != 1 && groups != 2) throw corrupt(kThing, "1 or 2 groups of lanes", groups);
  if (low >= width) throw corrupt(kThing, "fewer low bytes than an element has", low);
  const std::uint8_t* at = coded.data() + kHeadNbytes;
  const std::uint8_t* const stop = coded.data() + coded.size() - tail;
  UlpFastTables tables;
  std::memset(&tables, 0, sizeof(tables));
  at = read_tables(at, stop, model.contexts, tables);
  fill_tables(tables, model.contexts);
  const std::size_t lanes = groups * kGroup;
  if (static_cast<std::size_t>(stop - at) < nshorts + nlongs * (width - low) + count * low + 2 * lanes)
    throw corrupt(kThing, "escapes and states inside of it", static_cast<std::size_t>(stop - at));
  const std::uint8_t *const longs = at + nshorts, *const lows = longs + nlongs * (width - low);
  const std::uint8_t* const states_at = lows + count * low;
  Escapes escapes{at, longs, longs, lows, coded.data() + coded.size()};
  std::uint16_t states[kMaxLanes];
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    states[lane] = static_cast<std::uint16_t>(states_at[2 * lane] | states_at[2 * lane + 1] << 8);
    if (states[lane] < 256) throw corrupt(kThing, "states of at least 256", states[lane]);
  }
  const std::uint8_t *const begin_bytes = states_at + 2 * lanes, *bytes = stop;
  const UlpFastKernels kernels = ulp_fast_kernels();
  const auto tile = scratch<std::uint8_t>(ScratchSlot::kTile, kTile * (width + 2));
  std::uint8_t *folded = tile.data(), *tokens = folded + kTile * width, *contexts = tokens + kTile;
  for (std::size_t begin = 0; begin < count; begin += kTile) {
    const std::size_t some = std::min(kTile, count - begin), steps = (some + lanes - 1) / lanes;
    const std::uint8_t* base = prediction.data() + begin * width;
    ulp_make_contexts(width, model, base, some, contexts);
    std::memset(contexts + some, 0, steps * lanes - some);
    if (!kernels.decode(tables, states, groups, begin_bytes, bytes, coded.data() + coded.size(), contexts, tokens,
                        steps))
      throw corrupt(kThing, "enough coded bytes", begin);
    escapes.join(kernels, width, low, tokens, some, folded);
    if (low) {
      std::array<const std::uint8_t*, 8> low_planes{};
      for (std::size_t k = 0; k < low; ++k) low_planes[k] = lows + k * count + begin;
      ulp_join_low(width, low, folded, some, low_planes.data());
    }
    ulp_apply_differences(width, model.is_float, base, folded, some, out.data() + begin * width);
  }
  if (escapes.shorts != escapes.shorts_end || escapes.longs != escapes.longs_end || bytes != begin_bytes)
    throw corrupt(kThing, "no bytes left over", static_cast<std::size_t>(bytes - begin_bytes));
  for (std::size_t lane = 0; lane < lanes; ++lane)
    if (states[lane] != 256) throw corrupt(kThing, "states that end at 256", states[lane]);
  std::copy_n(stop, tail, out.data() + count * width);
}

}  // namespace tensorhub
