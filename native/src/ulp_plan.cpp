// Which model of contexts fits a chunk and its prediction, and how small it will get: from a sample.
// Contract: plan_ulp_delta in include/tensorhub/ulp_delta.hpp.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "entropy.hpp"
#include "scratch.hpp"
#include "tensorhub/ulp_delta.hpp"
#include "tensorhub/wide_rans.hpp"
#include "ulp_elements.hpp"
#include "ulp_fast_tables.hpp"

namespace tensorhub {
namespace {

constexpr std::size_t kPieces = 16, kPieceValues = 512;
constexpr std::size_t kSampled = kPieces * kPieceValues;
// Magnitudes that fewer than one value in so many exceeds share the first context.
constexpr std::size_t kRareShare = 512;
constexpr std::uint64_t kFixed = 65536;
// An entropy that is measured on few values is too low by (symbols - 1) / 2 nats a table (Miller and Madow): 0.72 bits.
constexpr std::uint64_t kBiasPerSymbol = kFixed * 72 / 100;
// A frequency takes seven bits in ulp_delta's tables, eight in the fast form's.
constexpr std::uint64_t kTableBits = 7, kTableHeadBits = 16;
// 8-bit frequencies lose about this part of the tokens' entropy, and at least so many 65536ths of a bit a value.
constexpr std::uint64_t kFastLossShare = 50, kFastLeastBits = 370;

struct Sample {
  std::vector<std::uint8_t> target, prediction;
  std::size_t count = 0;
};

Sample take_sample(std::span<const std::uint8_t> target, std::span<const std::uint8_t> prediction, std::size_t width) {
  const std::size_t count = target.size() / width;
  Sample sample;
  if (count <= kSampled) {
    sample.target.assign(target.begin(), target.begin() + static_cast<std::ptrdiff_t>(count * width));
    sample.prediction.assign(prediction.begin(), prediction.begin() + static_cast<std::ptrdiff_t>(count * width));
    sample.count = count;
    return sample;
  }
  sample.target.resize(kSampled * width);
  sample.prediction.resize(kSampled * width);
  for (std::size_t k = 0; k < kPieces; ++k) {
    const std::size_t from = (count - kPieceValues) * k / (kPieces - 1) * width, to = k * kPieceValues * width;
    std::memcpy(sample.target.data() + to, target.data() + from, kPieceValues * width);
    std::memcpy(sample.prediction.data() + to, prediction.data() + from, kPieceValues * width);
  }
  sample.count = kSampled;
  return sample;
}

// The highest magnitude (shifted) that a share of values worth a context reaches. Shifts leave 12 bits at most.
std::uint64_t choose_top(const Sample& sample, std::size_t width, unsigned shift) {
  std::array<std::uint32_t, 4096> counts{};
  const std::uint64_t mask = (std::uint64_t{1} << (8 * width - 1 - shift)) - 1;
  for (std::size_t i = 0; i < sample.count; ++i)
    ++counts[ulp_get(width, sample.prediction.data(), i) >> shift & mask & 4095];
  std::size_t top = counts.size() - 1;
  for (std::size_t above = 0; top > 0; --top) {
    above += counts[top];
    if (above > sample.count / kRareShare) break;
  }
  return top;
}

using Histogram = std::array<std::uint32_t, 256>;

struct Cost {
  std::uint64_t bits = 0;    // of the sample, in 65536ths
  std::uint64_t tables = 0;  // bits, whatever the number of values
};

void add_table(std::span<const std::uint32_t> counts, Cost& cost) {
  std::uint64_t sum = 0, weighted = 0, distinct = 0;
  for (const std::uint32_t count : counts) {
    if (!count) continue;
    sum += count;
    ++distinct;
    weighted += count * log2_fixed(count);
  }
  if (sum) cost.bits += sum * log2_fixed(sum) - weighted + (distinct - 1) * kBiasPerSymbol;
  cost.tables += distinct * kTableBits + kTableHeadBits;
}

// Size of a chunk of `count` values in bytes.
std::size_t scaled(const Cost& cost, std::size_t count, std::size_t sampled, std::uint64_t extra_bits) {
  if (!sampled) return 0;
  const std::uint64_t bits = cost.bits / kFixed + extra_bits;
  return static_cast<std::size_t>((bits * count / sampled + cost.tables) / 8);
}

struct Candidate {
  UlpModel model;
  std::size_t nbytes;
};

using Histograms = std::vector<Histogram>;

Histograms count_tokens(const std::vector<std::uint8_t>& tokens, const std::vector<std::uint8_t>& contexts,
                        std::size_t ncontexts) {
  Histograms counts(ncontexts, Histogram{});
  for (std::size_t i = 0; i < tokens.size(); ++i) ++counts[contexts[i]][tokens[i]];
  return counts;
}

std::uint64_t bits_of(const Histograms& counts) {
  Cost cost;
  for (const Histogram& table : counts) add_table(table, cost);
  return cost.bits / kFixed + cost.tables;
}

// The best number of contexts for one way to make them: the rarest ones are joined while tables cost more.
Candidate best_contexts(UlpModel model, const Histograms& counts, std::size_t count, std::size_t sampled,
                        std::uint64_t extra_bits) {
  Candidate best{model, ~std::size_t{0}};
  std::vector<Cost> before(model.contexts + 1);
  for (std::size_t c = 0; c < model.contexts; ++c) {
    before[c + 1] = before[c];
    add_table(counts[c], before[c + 1]);
  }
  Histogram joined{};
  for (std::size_t kept = model.contexts; kept > 0; --kept) {
    for (std::size_t t = 0; t < 256; ++t) joined[t] += counts[kept - 1][t];
    if (kept > 4 && kept % 3 != 0 && kept != model.contexts) continue;  // neighbours cost nearly the same
    Cost cost = before[kept - 1];
    add_table(joined, cost);
    const std::size_t nbytes = scaled(cost, count, sampled, extra_bits);
    if (nbytes < best.nbytes) {
      best.nbytes = nbytes;
      best.model.contexts = static_cast<unsigned>(kept);
    }
  }
  return best;
}

// Shifts that leave the exponent (of each format of this width), then the exponent and a bit of mantissa.
std::span<const unsigned> exponent_shifts(std::size_t width) {
  static constexpr std::array<unsigned, 2> kOne = {3, 2}, kTwo = {7, 10};
  static constexpr std::array<unsigned, 1> kFour = {23}, kEight = {52};
  return width == 1   ? std::span<const unsigned>(kOne)
         : width == 2 ? std::span<const unsigned>(kTwo)
         : width == 4 ? std::span<const unsigned>(kFour)
                      : std::span<const unsigned>(kEight);
}

struct Tokens {
  std::vector<std::uint8_t> tokens, fast;
  std::uint64_t extra_bits = 0, fast_extra_bits = 0;
  std::size_t low = 0;
};

// Tokens of the fast form with some low bytes kept aside; gives the bits beside the tokens.
std::uint64_t make_fast_tokens(const std::uint8_t* folded, std::size_t count, std::size_t width, std::size_t low,
                               std::vector<std::uint8_t>& tokens) {
  std::uint64_t extra = 8 * low * count;
  tokens.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    // Folded again after the shift: the sign stays lowest, and what is shifted out of a negative number is its floor.
    std::uint64_t number = ulp_get(width, folded, i);
    if (low) number = (number >> 1 >> 8 * low) << 1 | (number & 1);
    const bool is_direct = number < kUlpFastShort, is_short = number - kUlpFastShort < kUlpFastShortRange;
    tokens[i] = static_cast<std::uint8_t>(is_direct ? number : is_short ? kUlpFastShort : kUlpFastLong);
    extra += is_direct ? 0 : is_short ? 8 : 8 * (width - low);
  }
  return extra;
}

Tokens make_tokens(const Sample& sample, std::size_t width, bool is_float) {
  Tokens made;
  made.tokens.resize(sample.count + 64);
  const auto folded = scratch<std::uint8_t>(ScratchSlot::kTile, sample.count * width);
  ulp_fold_differences(width, is_float, sample.target.data(), sample.prediction.data(), sample.count, folded.data());
  ulp_make_tokens(width, folded.data(), sample.count, made.tokens.data());
  made.tokens.resize(sample.count);
  for (const std::uint8_t token : made.tokens) made.extra_bits += ulp_extra_bits(token);
  made.fast_extra_bits = make_fast_tokens(folded.data(), sample.count, width, 0, made.fast);
  std::vector<std::uint8_t> other;
  for (std::size_t low = 1; width > 2 && low + 1 < width; ++low) {
    // Compared by what they keep beside the tokens, and four bits a token.
    const std::uint64_t extra = make_fast_tokens(folded.data(), sample.count, width, low, other);
    if (extra >= made.fast_extra_bits) continue;
    made.fast_extra_bits = extra;
    made.fast = other;
    made.low = low;
  }
  return made;
}

}  // namespace

UlpPlan plan_ulp_delta(std::span<const std::uint8_t> target, std::span<const std::uint8_t> prediction,
                       std::size_t width) {
  ulp_check(target, prediction, width);
  const std::size_t count = target.size() / width;
  const Sample sample = take_sample(target, prediction, width);
  UlpPlan plan;
  if (!sample.count) return plan;
  std::vector<std::uint8_t> contexts(sample.count, 0);
  plan.nbytes = plan.fast_nbytes = ~std::size_t{0};
  const auto count_in = [&](const UlpModel& model, const Tokens& tokens) {
    ulp_make_contexts(width, model, sample.prediction.data(), sample.count, contexts.data());
    return count_tokens(tokens.tokens, contexts, model.contexts);
  };
  const auto consider = [&](const UlpModel& model, const Histograms& counts, const Tokens& tokens) {
    const Candidate found = best_contexts(model, counts, count, sample.count, tokens.extra_bits);
    if (found.nbytes >= plan.nbytes) return;
    plan.nbytes = found.nbytes;
    plan.model = found.model;
  };
  const auto consider_fast = [&](UlpModel model, const Tokens& tokens) {
    model.contexts = std::min<unsigned>(model.contexts, kUlpFastContexts);
    ulp_make_contexts(width, model, sample.prediction.data(), sample.count, contexts.data());
    Candidate found = best_contexts(model, count_tokens(tokens.fast, contexts, model.contexts), count, sample.count,
                                    tokens.fast_extra_bits);
    const std::size_t extra_nbytes = static_cast<std::size_t>(tokens.fast_extra_bits * count / sample.count / 8);
    const std::size_t coded = found.nbytes - std::min(found.nbytes, extra_nbytes);
    found.nbytes += coded / kFastLossShare + static_cast<std::size_t>(count * kFastLeastBits / kFixed / 8);
    if (found.nbytes >= plan.fast_nbytes) return;
    plan.fast_nbytes = found.nbytes;
    plan.fast_model = found.model;
    plan.fast_low = tokens.low;
  };
  const Tokens floats = make_tokens(sample, width, true);
  UlpModel model;
  Histograms counts;
  for (const unsigned shift : exponent_shifts(width)) {
    const UlpModel other{true, shift, choose_top(sample, width, shift), kWideRansMaxContexts};
    Histograms found = count_in(other, floats);
    if (!counts.empty() && bits_of(found) >= bits_of(counts)) continue;
    model = other;
    counts = std::move(found);
  }
  consider(model, counts, floats);
  consider_fast(model, floats);
  // Half an octave a context, where the exponent made good ones.
  if (plan.model.contexts > 4) {
    const unsigned finer = model.shift - 1;
    const UlpModel other{true, finer, choose_top(sample, width, finer), kWideRansMaxContexts};
    consider(other, count_in(other, floats), floats);
  }
  // Integers differ from floats only where signs meet; they are worth a look where floats gain little.
  if (width == 1 || plan.nbytes > target.size() / 2) {
    const Tokens integers = make_tokens(sample, width, false);
    const UlpModel other{false, 0, 0, 1};
    consider(other, count_in(other, integers), integers);
    consider_fast(other, integers);
  }
  constexpr std::size_t kHeads = 160;  // head, states of the lanes
  plan.nbytes += kHeads;
  plan.fast_nbytes += kHeads;
  return plan;
}

}  // namespace tensorhub
