// Wide rANS: tables, framing and checks; the loops are in wide_rans_kernels.hpp.
#include "tensorhub/wide_rans.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "bit_stream.hpp"
#include "corrupt.hpp"
#include "frequencies.hpp"
#include "little_endian.hpp"
#include "require.hpp"
#include "scratch.hpp"

#define TENSORHUB_KERNELS "wide_rans_kernels.hpp"
#include "simd/for_each_level.hpp"

namespace tensorhub {
namespace {

constexpr std::string_view kThing = "a stream of wide rANS";
constexpr std::uint32_t kTotal = 1U << kWideRansBits;
constexpr std::uint32_t kLeast = 1U << 16;
constexpr std::size_t kMostLanes = 64, kManyLanes = 32, kFewLanes = 4;
// Each lane costs two bytes more than it holds, which may be this share of the coded bytes.
constexpr std::size_t kLaneShare = 96;
constexpr unsigned kKeptBits = 4;  // significant bits of a frequency: 3 % off at most costs 0.0003 bits a symbol
constexpr std::size_t kMaxTableNbytes = 2 + (256 * 7 + 7) / 8;

using Frequencies = std::array<std::uint32_t, 256>;

std::size_t lanes_for(std::size_t coded_nbytes) {
  for (const std::size_t lanes : {kMostLanes, kManyLanes})
    if (2 * lanes * kLaneShare <= coded_nbytes) return lanes;
  return kFewLanes;
}

// Coded size by the tables, about: whole bits for the binary logarithm would be too coarse, so eighths of them.
std::size_t estimate_nbytes(std::span<const std::uint32_t> counts, std::span<const std::uint32_t> ranges) {
  std::uint64_t eighths = 0;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (!counts[k]) continue;
    const std::uint32_t f = ranges[k] & 0xffff;
    const auto length = static_cast<unsigned>(std::bit_width(f));  // f in [2^(length-1), 2^length)
    const std::uint32_t below = (f << 3 >> (length - 1)) - 8;
    eighths += std::uint64_t{counts[k]} * (8 * (kWideRansBits + 1 - length) - below);
  }
  return eighths / 64;
}

// The nearest frequencies of few significant bits around a share of kTotal, below and above.
std::uint32_t round_down(std::uint32_t f) {
  const unsigned length = static_cast<unsigned>(std::bit_width(f));
  return length <= kKeptBits ? f : f >> (length - kKeptBits) << (length - kKeptBits);
}
std::uint32_t round_up(std::uint32_t f) {
  const std::uint32_t down = round_down(f);
  if (down == f) return f;
  const unsigned length = static_cast<unsigned>(std::bit_width(f));
  return down + (1U << (length - kKeptBits));
}

// Frequencies of at least 1 for every symbol that occurs; all but the most frequent have few significant bits. Errors
// are carried on, so that the most frequent one, which takes what is left, gets about its share.
void make_frequencies(std::span<const std::uint32_t> counts, Frequencies& out) {
  std::uint64_t sum = 0;
  std::size_t dominant = 0;
  for (std::size_t s = 0; s < 256; ++s) {
    sum += counts[s];
    if (counts[s] > counts[dominant]) dominant = s;
  }
  out.fill(0);
  if (!sum) {
    out[0] = kTotal;
    return;
  }
  std::int64_t left = kTotal, wanted_so_far = 0, given_so_far = 0;
  for (std::size_t s = 0; s < 256; ++s) {
    if (s == dominant || !counts[s]) continue;
    const std::uint64_t share = std::uint64_t{counts[s]} * kTotal;
    wanted_so_far += static_cast<std::int64_t>(share);
    const auto whole = static_cast<std::uint32_t>(share / sum);
    const std::uint32_t low = std::max<std::uint32_t>(1, round_down(whole)), high = std::max(low, round_up(whole + 1));
    // The one that brings the running sum nearer to what it should be, if both are near the share.
    const std::int64_t before = given_so_far * static_cast<std::int64_t>(sum);
    const std::int64_t gap = wanted_so_far - before, middle = static_cast<std::int64_t>((low + high) * sum);
    out[s] = 2 * gap > middle ? high : low;
    given_so_far += out[s];
    left -= out[s];
  }
  // Many symbols of frequency 1 can take too much: the largest give it back.
  while (left < 1) {
    std::size_t largest = 256;
    for (std::size_t s = 0; s < 256; ++s)
      if (s != dominant && out[s] > 1 && (largest == 256 || out[s] > out[largest])) largest = s;
    const std::uint32_t smaller = round_down(out[largest] - 1);
    left += out[largest] - smaller;
    out[largest] = smaller;
  }
  out[dominant] = static_cast<std::uint32_t>(left);
}

// The last symbol that occurs, the one without an entry, then for each other up to the last: four bits of length
// (0: absent), and the bits below the leading one that are kept.
std::size_t write_table(const Frequencies& frequencies, std::uint8_t* to) {
  std::size_t last = 0, dominant = 0;
  for (std::size_t s = 0; s < 256; ++s) {
    if (frequencies[s]) last = s;
    if (frequencies[s] > frequencies[dominant]) dominant = s;
  }
  // The largest need not be the most frequent one, but it may have any number of significant bits only if it is.
  for (std::size_t s = 0; s < 256; ++s)
    if (frequencies[s] && round_down(frequencies[s]) != frequencies[s]) dominant = s;
  to[0] = static_cast<std::uint8_t>(last);
  to[1] = static_cast<std::uint8_t>(dominant);
  BitWriter bits(to + 2);
  for (std::size_t s = 0; s <= last; ++s) {
    if (s == dominant) continue;
    const std::uint32_t f = frequencies[s];
    const unsigned length = static_cast<unsigned>(std::bit_width(f));
    bits.put(length, 4);
    if (length > 1) {
      const unsigned kept = std::min(length, kKeptBits) - 1;
      bits.put(f >> (length - 1 - kept) & ((1U << kept) - 1), kept);
    }
  }
  return 2 + bits.finish();
}

// @return bytes read
std::size_t read_table(std::span<const std::uint8_t> from, Frequencies& frequencies) {
  if (from.size() < 2) throw corrupt(kThing, "a table for each context", from.size());
  const std::size_t last = from[0], dominant = from[1];
  frequencies.fill(0);
  BitReader bits(from.subspan(2));
  std::uint32_t sum = 0;
  for (std::size_t s = 0; s <= last; ++s) {
    if (s == dominant) continue;
    const auto length = static_cast<unsigned>(bits.get(4));
    if (!length) continue;
    if (length > kWideRansBits) throw corrupt(kThing, "frequencies below 4096", length);
    const unsigned kept = std::min(length, kKeptBits) - 1;
    const auto f = static_cast<std::uint32_t>((std::uint64_t{1} << kept | bits.get(kept)) << (length - 1 - kept));
    frequencies[s] = f;
    sum += f;
  }
  if (bits.used_nbytes() > from.size() - 2) throw corrupt(kThing, "tables inside the stream", from.size());
  if (!bits.is_rest_zero()) throw corrupt(kThing, "zeros after a table", 1);
  if (sum >= kTotal) throw corrupt(kThing, "frequencies that leave some for the dominant symbol", sum);
  frequencies[dominant] = kTotal - sum;
  return 2 + bits.used_nbytes();
}

// Histograms per context; interleaved, because runs of one symbol would wait for each other.
void count_contexts(std::span<const std::uint8_t> symbols, std::span<const std::uint8_t> contexts,
                    std::span<std::uint32_t> counts) {
  if (contexts.empty()) {
    std::array<std::uint32_t, 256> all{};
    count_bytes(symbols, all);
    std::copy(all.begin(), all.end(), counts.begin());
    return;
  }
  const std::size_t size = counts.size();
  const auto parts = scratch<std::uint32_t>(ScratchSlot::kCounts, 4 * size);
  std::fill(parts.begin(), parts.end(), 0U);
  std::size_t i = 0;
  for (; i + 4 <= symbols.size(); i += 4)
    for (std::size_t k = 0; k < 4; ++k) ++parts[k * size + (symbols[i + k] | std::size_t{contexts[i + k]} << 8)];
  for (; i < symbols.size(); ++i) ++parts[symbols[i] | std::size_t{contexts[i]} << 8];
  for (std::size_t k = 0; k < size; ++k)
    counts[k] = parts[k] + parts[size + k] + parts[2 * size + k] + parts[3 * size + k];
}

}  // namespace

std::size_t wide_rans_bound(std::size_t nsymbols, std::size_t contexts) {
  // At most 12 bits a symbol (frequency 1), and 16 for what a step writes past its end.
  return 1 + contexts * (kMaxTableNbytes + 8) + 4 * kMostLanes + (nsymbols + 64) * 3 / 2 + 128;
}

std::size_t encode_wide_rans(std::span<const std::uint8_t> symbols, std::span<const std::uint8_t> contexts,
                             std::size_t ncontexts, std::span<std::uint8_t> out) {
  require_room("wide rANS", wide_rans_bound(symbols.size(), ncontexts), out.size());
  const auto counts = scratch<std::uint32_t>(ScratchSlot::kTables, 3 * 256 * ncontexts);
  const auto inverses = counts.subspan(256 * ncontexts, 256 * ncontexts);
  const auto ranges = counts.subspan(2 * 256 * ncontexts, 256 * ncontexts);
  count_contexts(symbols, contexts, counts.first(256 * ncontexts));
  std::uint8_t* at = out.data() + 1;
  std::uint8_t filler = 0;
  for (std::size_t c = 0; c < ncontexts; ++c) {
    Frequencies frequencies;
    make_frequencies(counts.subspan(256 * c, 256), frequencies);
    at += write_table(frequencies, at);
    if (c == 0)
      filler =
          static_cast<std::uint8_t>(std::max_element(frequencies.begin(), frequencies.end()) - frequencies.begin());
    std::uint32_t start = 0;
    for (std::size_t s = 0; s < 256; ++s) {
      const std::uint32_t f = frequencies[s];
      inverses[256 * c + s] = f < 2 ? 0xffffffffU : static_cast<std::uint32_t>((std::uint64_t{1} << 32) / f);
      ranges[256 * c + s] = f | start << 16;
      start += f;
    }
  }
  const std::size_t lanes = lanes_for(estimate_nbytes(counts.first(256 * ncontexts), ranges));
  out[0] = static_cast<std::uint8_t>(lanes);
  std::uint8_t* const states_at = at;
  at += 4 * lanes;
  std::array<std::uint32_t, kMostLanes> states;
  states.fill(kLeast);
  const auto encode = TENSORHUB_DISPATCH(wide_rans_encode);
  const std::uint8_t* context = contexts.empty() ? nullptr : contexts.data();
  const std::size_t whole = symbols.size() / lanes;
  if (const std::size_t rest = symbols.size() % lanes) {
    // Lanes past the end code the cheapest symbol of context 0.
    std::array<std::uint8_t, kMostLanes> last, last_contexts{};
    last.fill(filler);
    std::copy(symbols.end() - static_cast<std::ptrdiff_t>(rest), symbols.end(), last.begin());
    if (context) {
      std::copy(contexts.end() - static_cast<std::ptrdiff_t>(rest), contexts.end(), last_contexts.begin());
    }
    encode(inverses.data(), ranges.data(), states.data(), lanes, last.data(), context ? last_contexts.data() : nullptr,
           1, at);
  }
  encode(inverses.data(), ranges.data(), states.data(), lanes, symbols.data(), context, whole, at);
  for (std::size_t lane = 0; lane < lanes; ++lane) put32(states_at + 4 * lane, states[lane]);
  return static_cast<std::size_t>(at - out.data());
}

WideRansDecoder::WideRansDecoder(std::span<const std::uint8_t> coded, std::size_t ncontexts,
                                 const std::uint8_t* readable_end, std::uint8_t* work)
    : readable_end_(readable_end) {
  if (coded.empty()) throw corrupt(kThing, "a number of lanes", 0);
  lanes_ = coded[0];
  if (lanes_ != kMostLanes && lanes_ != kManyLanes && lanes_ != kFewLanes)
    throw corrupt(kThing, "4, 32 or 64 lanes", lanes_);
  auto* tables = reinterpret_cast<std::uint32_t*>(work);
  std::size_t at = 1;
  for (std::size_t c = 0; c < ncontexts; ++c) {
    Frequencies frequencies;
    at += read_table(coded.subspan(at), frequencies);
    std::uint32_t* entry = tables + (c << kWideRansBits);
    for (std::uint32_t s = 0; s < 256; ++s)
      for (std::uint32_t k = 0; k < frequencies[s]; ++k) *entry++ = s | (frequencies[s] - 1) << 8 | k << 20;
  }
  tables_ = tables;
  if (coded.size() - at < 4 * lanes_ || (coded.size() - at) % 2)
    throw corrupt(kThing, "states and words", coded.size() - at);
  for (std::size_t lane = 0; lane < lanes_; ++lane) {
    states_[lane] = static_cast<std::uint32_t>(get32(coded.data() + at + 4 * lane));
    if (states_[lane] < kLeast) throw corrupt(kThing, "states of at least 65536", states_[lane]);
  }
  words_begin_ = coded.data() + at + 4 * lanes_;
  words_ = coded.data() + coded.size();
}

void WideRansDecoder::next(const std::uint8_t* contexts, std::uint8_t* out, std::size_t count) {
  const auto decode = TENSORHUB_DISPATCH(wide_rans_decode);
  const std::size_t steps = count / lanes_, whole = steps * lanes_;
  bool is_enough = decode(tables_, states_, lanes_, words_begin_, words_, readable_end_, contexts, out, steps);
  if (const std::size_t rest = count - whole; is_enough && rest) {
    std::array<std::uint8_t, kMostLanes> last, last_contexts{};  // lanes past the end are in context 0
    if (contexts) std::memcpy(last_contexts.data(), contexts + whole, rest);
    is_enough = decode(tables_, states_, lanes_, words_begin_, words_, readable_end_,
                       contexts ? last_contexts.data() : nullptr, last.data(), 1);
    std::memcpy(out + whole, last.data(), rest);
  }
  if (!is_enough) throw corrupt(kThing, "enough coded words", count);
}

void WideRansDecoder::finish() const {
  if (words_ != words_begin_)
    throw corrupt(kThing, "no words left over", static_cast<std::size_t>(words_ - words_begin_));
  for (std::size_t lane = 0; lane < lanes_; ++lane)
    if (states_[lane] != kLeast) throw corrupt(kThing, "states that end at 65536", states_[lane]);
}

}  // namespace tensorhub
