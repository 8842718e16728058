// Small-alphabet rANS: tables, framing and checks; the loops are in small_rans_kernels.hpp.
#include "tensorhub/small_rans.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "corrupt.hpp"
#include "frequencies.hpp"
#include "little_endian.hpp"
#include "require.hpp"
#include "scratch.hpp"

namespace tensorhub {
namespace {

struct SmallRansTables {
  std::uint8_t symbols[16], frequencies[16], starts[16], inverse_low[16], inverse_high[16];
  std::uint8_t rank_of_slot[256], rank_of_symbol[256];
};

struct SmallRansStreams {
  std::uint16_t* states;
  const std::uint8_t *bytes_begin, *bytes;  // read from `bytes` down to `bytes_begin`
  const std::uint8_t *escapes_begin, *escapes;
  const std::uint8_t* readable_end;
};

}  // namespace
}  // namespace tensorhub

#define TENSORHUB_KERNELS "small_rans_kernels.hpp"
#include "simd/for_each_level.hpp"

namespace tensorhub {
namespace {

constexpr std::string_view kThing = "a stream of small rANS";
constexpr std::size_t kGroup = 64, kEscape = 15, kTotal = 256;
constexpr std::size_t kHeadNbytes = 7;  // groups of lanes, escapes, bytes of tables
// Each lane costs a byte more than it holds. Two groups hide each other's latency; from here on that is worth 0.2 %.
constexpr std::size_t kTwoGroupsValues = std::size_t{1} << 17;
// A symbol rarer than this costs less as an escape of about 14 bits than a 256th of the coder's range.
constexpr std::size_t kRareShare = 1400;

struct Counted {
  std::uint64_t count;
  std::uint8_t symbol;
};

// The most frequent symbols with their frequencies; the last of `frequencies` is the escape's.
struct SmallModel {
  std::size_t used = 0;  // symbols, at most 15
  std::uint8_t symbols[15] = {};
  std::uint8_t frequencies[16] = {};
};

SmallModel make_model(std::span<const std::uint8_t> symbols) {
  std::array<std::uint32_t, 256> counts{};
  count_sample(symbols, counts);
  std::array<Counted, 256> order;
  for (std::size_t s = 0; s < 256; ++s) order[s] = {counts[s], static_cast<std::uint8_t>(s)};
  std::sort(order.begin(), order.end(), [](const Counted& a, const Counted& b) {
    return a.count != b.count ? a.count > b.count : a.symbol < b.symbol;
  });
  SmallModel model;
  std::array<std::uint64_t, 16> kept{};
  std::uint64_t left = 0;
  for (const std::uint32_t count : counts) left += count;
  const std::uint64_t counted = left;
  while (model.used < kEscape && order[model.used].count * kRareShare > counted) {
    model.symbols[model.used] = order[model.used].symbol;
    kept[model.used] = order[model.used].count;
    left -= order[model.used].count;
    ++model.used;
  }
  kept[model.used] = left ? left : 1;  // the escape, always possible: so no frequency is 256
  std::array<std::uint32_t, 16> scaled{};
  scale_frequencies(std::span(kept).first(model.used + 1), std::span(scaled).first(model.used + 1), kTotal);
  for (std::size_t k = 0; k < model.used; ++k) model.frequencies[k] = static_cast<std::uint8_t>(scaled[k]);
  model.frequencies[kEscape] = static_cast<std::uint8_t>(scaled[model.used]);
  return model;
}

// Starts of all ranks; unused ranks lie empty before the escape, so that a search never ends in one.
void fill_starts(const std::uint8_t* frequencies, std::uint8_t* starts) {
  unsigned start = 0;
  for (std::size_t rank = 0; rank < 16; ++rank) {
    starts[rank] = static_cast<std::uint8_t>(rank == kEscape ? kTotal - frequencies[kEscape] : start);
    start += frequencies[rank];
  }
}

SmallRansTables encode_tables(const SmallModel& model) {
  SmallRansTables tables{};
  std::memcpy(tables.frequencies, model.frequencies, 16);
  fill_starts(tables.frequencies, tables.starts);
  std::memset(tables.rank_of_symbol, kEscape, 256);
  for (std::size_t rank = 0; rank < model.used; ++rank)
    tables.rank_of_symbol[model.symbols[rank]] = static_cast<std::uint8_t>(rank);
  for (std::size_t rank = 0; rank < 16; ++rank) {
    const unsigned f = tables.frequencies[rank];
    const unsigned inverse = f < 2 ? 0xffff : 0x10000 / f;
    tables.inverse_low[rank] = static_cast<std::uint8_t>(inverse);
    tables.inverse_high[rank] = static_cast<std::uint8_t>(inverse >> 8);
  }
  return tables;
}

}  // namespace

std::size_t small_rans_bound(std::size_t nbytes) {
  const std::size_t tables = nbytes / kSmallRansTableValues + 1;
  // A step spills at most one byte a lane, may have as many escapes, and writes 64 bytes at a time.
  return kHeadNbytes + tables * 32 + 2 * kSmallRansMaxLanes + 2 * (nbytes + kSmallRansMaxLanes) + 2 * kGroup;
}

std::size_t encode_small_rans(std::span<const std::uint8_t> symbols, std::span<std::uint8_t> out) {
  require_room("small rANS", small_rans_bound(symbols.size()), out.size());
  const std::size_t tables = (symbols.size() + kSmallRansTableValues - 1) / kSmallRansTableValues;
  std::vector<SmallModel> models;
  models.reserve(tables);
  for (std::size_t t = 0; t < tables; ++t) {
    const std::size_t from = t * kSmallRansTableValues;
    models.push_back(make_model(symbols.subspan(from, std::min(kSmallRansTableValues, symbols.size() - from))));
  }
  std::uint8_t* at = out.data() + kHeadNbytes;
  for (const SmallModel& model : models) {
    *at++ = static_cast<std::uint8_t>(model.used);
    std::memcpy(at, model.symbols, model.used);
    at += model.used;
    std::memcpy(at, model.frequencies, model.used);
    at += model.used;
    *at++ = model.frequencies[kEscape];
  }
  const std::size_t groups = symbols.size() < kTwoGroupsValues ? 1 : 2, lanes = groups * kGroup;
  std::uint8_t* const states_at = at;
  at += 2 * lanes;
  const auto escapes = scratch<std::uint8_t>(ScratchSlot::kEscapes, symbols.size() + 2 * lanes);
  std::uint8_t* escapes_to = escapes.data();
  std::uint16_t states[kSmallRansMaxLanes];
  std::fill(states, states + lanes, std::uint16_t{256});
  std::uint8_t* const bytes = at;
  std::uint8_t* to = bytes;
  const auto encode = TENSORHUB_DISPATCH(small_rans_encode);
  for (std::size_t t = tables; t-- > 0;) {
    const SmallRansTables used = encode_tables(models[t]);
    const std::size_t from = t * kSmallRansTableValues;
    const std::size_t count = std::min(kSmallRansTableValues, symbols.size() - from);
    if (const std::size_t rest = count % lanes) {
      // Lanes past the end code the most frequent symbol.
      std::uint8_t last[kSmallRansMaxLanes];
      std::fill(last, last + lanes, models[t].symbols[0]);
      std::memcpy(last, symbols.data() + from + count - rest, rest);
      encode(used, last, groups, 1, states, to, escapes_to);
    }
    encode(used, symbols.data() + from, groups, count / lanes, states, to, escapes_to);
  }
  const auto nbytes = static_cast<std::size_t>(to - bytes);
  const auto nescapes = static_cast<std::size_t>(escapes_to - escapes.data());
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    states_at[2 * lane] = static_cast<std::uint8_t>(states[lane]);
    states_at[2 * lane + 1] = static_cast<std::uint8_t>(states[lane] >> 8);
  }
  // The spilled bytes lie last; escapes go before them.
  std::memmove(bytes + nescapes, bytes, nbytes);
  std::memcpy(bytes, escapes.data(), nescapes);
  const auto tables_nbytes = static_cast<std::size_t>(states_at - out.data()) - kHeadNbytes;
  out[0] = static_cast<std::uint8_t>(groups);
  put32(out.data() + 1, nescapes);
  out[5] = static_cast<std::uint8_t>(tables_nbytes);
  out[6] = static_cast<std::uint8_t>(tables_nbytes >> 8);
  return static_cast<std::size_t>(bytes + nescapes + nbytes - out.data());
}

SmallRansDecoder::SmallRansDecoder(std::span<const std::uint8_t> coded, const std::uint8_t* readable_end)
    : readable_end_(readable_end) {
  if (coded.size() < kHeadNbytes) throw corrupt(kThing, "a head", coded.size());
  groups_ = coded[0];
  if (groups_ != 1 && groups_ != 2) throw corrupt(kThing, "1 or 2 groups of lanes", groups_);
  const std::size_t lanes = groups_ * kGroup;
  const std::size_t nescapes = get32(coded.data() + 1), tables_nbytes = coded[5] | std::size_t{coded[6]} << 8;
  const std::size_t left = coded.size() - kHeadNbytes;
  if (left < 2 * lanes || tables_nbytes > left - 2 * lanes || nescapes > left - 2 * lanes - tables_nbytes)
    throw corrupt(kThing, "tables, states and escapes inside of it", coded.size());
  tables_ = coded.data() + kHeadNbytes;
  tables_end_ = tables_ + tables_nbytes;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    states_[lane] = static_cast<std::uint16_t>(tables_end_[2 * lane] | tables_end_[2 * lane + 1] << 8);
    if (states_[lane] < 256) throw corrupt(kThing, "states of at least 256", states_[lane]);
  }
  escapes_begin_ = tables_end_ + 2 * lanes;
  escapes_ = escapes_begin_ + nescapes;
  bytes_begin_ = escapes_;
  bytes_ = coded.data() + coded.size();
}

void SmallRansDecoder::load_table() {
  if (tables_ == tables_end_) throw corrupt(kThing, "a table for each run of values", done_);
  const std::size_t used = *tables_++;
  if (used > kEscape || static_cast<std::size_t>(tables_end_ - tables_) < 2 * used + 1)
    throw corrupt(kThing, "a table of at most 15 symbols", used);
  std::memset(symbols_, 0, 16);
  std::memcpy(symbols_, tables_, used);
  std::memset(frequencies_, 0, 16);
  std::memcpy(frequencies_, tables_ + used, used);
  frequencies_[kEscape] = tables_[2 * used];
  tables_ += 2 * used + 1;
  unsigned total = 0;
  for (const std::uint8_t f : frequencies_) total += f;
  if (total != kTotal || frequencies_[kEscape] == 0) throw corrupt(kThing, "frequencies that add up to 256", total);
  for (std::size_t k = 0; k < used; ++k)
    if (!frequencies_[k]) throw corrupt(kThing, "frequencies of at least 1", 0);
  fill_starts(frequencies_, starts_);
  for (std::size_t rank = 0; rank < 16; ++rank)
    std::memset(rank_of_slot_ + starts_[rank], static_cast<int>(rank), frequencies_[rank]);
}

void SmallRansDecoder::next(std::uint8_t* out, std::size_t count) {
  const auto decode = TENSORHUB_DISPATCH(small_rans_decode);
  SmallRansStreams streams{states_, bytes_begin_, bytes_, escapes_begin_, escapes_, readable_end_};
  while (count) {
    if (done_ % kSmallRansTableValues == 0) load_table();
    SmallRansTables tables{};
    std::memcpy(tables.symbols, symbols_, 16);
    std::memcpy(tables.frequencies, frequencies_, 16);
    std::memcpy(tables.starts, starts_, 16);
    std::memcpy(tables.rank_of_slot, rank_of_slot_, 256);
    const std::size_t some = std::min(count, kSmallRansTableValues - done_ % kSmallRansTableValues);
    const std::size_t lanes = groups_ * kGroup;
    if (!decode(tables, streams, out, groups_, (some + lanes - 1) / lanes))
      throw corrupt(kThing, "enough coded bytes", done_);
    done_ += some;
    out += some;
    count -= some;
  }
  bytes_ = streams.bytes;
  escapes_ = streams.escapes;
}

void SmallRansDecoder::finish() const {
  if (bytes_ != bytes_begin_ || escapes_ != escapes_begin_ || tables_ != tables_end_)
    throw corrupt(kThing, "no bytes left over", static_cast<std::size_t>(bytes_ - bytes_begin_));
  for (std::size_t lane = 0; lane < groups_ * kGroup; ++lane)
    if (states_[lane] != 256) throw corrupt(kThing, "states that end at 256", states_[lane]);
}

}  // namespace tensorhub
