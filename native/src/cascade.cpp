// The cascade: levels, framing and checks; the loops are in cascade_kernels.hpp.
#include "tensorhub/cascade.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "corrupt.hpp"
#include "frequencies.hpp"
#include "little_endian.hpp"
#include "require.hpp"
#include "scratch.hpp"

#define TENSORHUB_KERNELS "cascade_kernels.hpp"
#include "simd/for_each_level.hpp"

namespace tensorhub {
namespace {

constexpr std::string_view kThing = "a cascade stream";
// Widths 2, 1, 2, 2: on exponents of weights 2.69 bits a value; 2, 2, 2 gives 2.72, the entropy is 2.58.
constexpr std::size_t kRanks = 10;  // symbols with a code: 3, 1, 3, 3
constexpr std::size_t kLevels = 4;
constexpr std::array<std::size_t, kLevels> kFirstRank = {0, 3, 4, 7};
constexpr std::array<std::size_t, kLevels> kCodeNbytes = {16, 8, 16, 16};  // of 64 codes
constexpr std::size_t kHeadNbytes = 12 + 4 * kLevels;  // ten symbols, two zeros, escapes of each level
constexpr std::size_t kSlack = 64;

std::size_t steps_of(std::size_t values) { return (values + 63) / 64; }

std::uint64_t last_lanes(std::size_t values) {
  const std::size_t rest = values % 64;
  return rest ? (std::uint64_t{1} << rest) - 1 : ~std::uint64_t{0};
}

// The ten most frequent symbols, the most frequent first; of equals the smaller.
void rank_symbols(std::span<const std::uint8_t> symbols, std::uint8_t* ranked) {
  std::array<std::uint32_t, 256> counts{};
  count_sample(symbols, counts);
  for (std::size_t rank = 0; rank < kRanks; ++rank) {
    std::size_t best = 0;
    for (std::size_t s = 1; s < 256; ++s)
      if (counts[s] > counts[best]) best = s;
    ranked[rank] = static_cast<std::uint8_t>(best);
    counts[best] = 0;
  }
}

std::size_t encode_block(std::span<const std::uint8_t> symbols, std::uint8_t* out) {
  const auto encode2 = TENSORHUB_DISPATCH(cascade_encode2);
  const auto encode1 = TENSORHUB_DISPATCH(cascade_encode1);
  const std::size_t room = kCascadeBlockValues + 2 * kSlack;
  const auto levels = scratch<std::uint8_t>(ScratchSlot::kLevels, 3 * room);
  std::uint8_t ranked[16] = {};
  rank_symbols(symbols, ranked);
  std::memcpy(out, ranked, kRanks);
  out[10] = out[11] = 0;
  std::uint8_t* at = out + kHeadNbytes;
  const std::uint8_t* from = symbols.data();
  std::size_t count = symbols.size();
  if (count % 64) {
    // Loops read whole steps.
    std::memcpy(levels.data() + 2 * room, from, count);
    from = levels.data() + 2 * room;
  }
  for (std::size_t level = 0; level < kLevels; ++level) {
    std::uint8_t* escaped = levels.data() + level % 2 * room;
    const std::size_t steps = steps_of(count);
    const std::size_t escapes = !steps ? 0
                                : level == 1
                                    ? encode1(ranked[kFirstRank[level]], from, at, escaped, steps, last_lanes(count))
                                    : encode2(ranked + kFirstRank[level], from, at, escaped, steps, last_lanes(count));
    put32(out + 12 + 4 * level, escapes);
    at += steps * kCodeNbytes[level];
    from = escaped;
    count = escapes;
  }
  std::memcpy(at, from, count);
  return static_cast<std::size_t>(at + count - out);
}

}  // namespace

std::size_t cascade_bound(std::size_t nbytes) {
  const std::size_t blocks = nbytes / kCascadeBlockValues + 1;
  return blocks * (4 + kHeadNbytes + 4 * 16) + nbytes / 64 * 56 + nbytes + 64;
}

std::size_t encode_cascade(std::span<const std::uint8_t> symbols, std::span<std::uint8_t> out) {
  require_room("the cascade", cascade_bound(symbols.size()), out.size());
  const std::size_t blocks = (symbols.size() + kCascadeBlockValues - 1) / kCascadeBlockValues;
  std::uint8_t* at = out.data() + 4 * blocks;
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::size_t from = block * kCascadeBlockValues;
    at += encode_block(symbols.subspan(from, std::min(kCascadeBlockValues, symbols.size() - from)), at);
    put32(out.data() + 4 * block, static_cast<std::size_t>(at - out.data()));  // where the block ends
  }
  return static_cast<std::size_t>(at - out.data());
}

CascadeDecoder::CascadeDecoder(std::span<const std::uint8_t> coded, std::size_t count, std::uint8_t* work)
    : begin_(coded.data()), at_(coded.data()), end_(coded.data() + coded.size()), work_(work), count_(count) {
  const std::size_t blocks = (count + kCascadeBlockValues - 1) / kCascadeBlockValues;
  if (coded.size() < 4 * blocks) throw corrupt(kThing, "a directory of its blocks", coded.size());
  std::size_t begin = 4 * blocks;
  for (std::size_t block = 0; block < blocks; ++block) {
    const std::size_t stop = get32(coded.data() + 4 * block);
    if (stop < begin || stop > coded.size()) throw corrupt(kThing, "blocks one after the other", stop);
    begin = stop;
  }
  if (begin != coded.size()) throw corrupt(kThing, "blocks up to its end", begin);
  at_ = coded.data() + 4 * blocks;
}

void CascadeDecoder::open_block() {
  const auto decode2 = TENSORHUB_DISPATCH(cascade_decode2);
  const auto decode1 = TENSORHUB_DISPATCH(cascade_decode1);
  if (static_cast<std::size_t>(end_ - at_) < kHeadNbytes) throw corrupt(kThing, "a block with a head", done_);
  std::uint8_t ranked[16] = {};
  std::memcpy(ranked, at_, kRanks);
  if (at_[10] || at_[11]) throw corrupt(kThing, "reserved bytes of zero", at_[10]);
  std::array<std::size_t, kLevels + 1> counts;
  counts[0] = std::min(kCascadeBlockValues, count_ - done_);
  for (std::size_t level = 0; level < kLevels; ++level) {
    counts[level + 1] = get32(at_ + 12 + 4 * level);
    if (counts[level + 1] > counts[level]) throw corrupt(kThing, "no more escapes than values", counts[level + 1]);
  }
  const std::uint8_t* from = at_ + kHeadNbytes;
  std::array<const std::uint8_t*, kLevels> codes;
  for (std::size_t level = 0; level < kLevels; ++level) {
    const std::size_t nbytes = steps_of(counts[level]) * kCodeNbytes[level];
    if (static_cast<std::size_t>(end_ - from) < nbytes) throw corrupt(kThing, "codes inside the stream", done_);
    codes[level] = from;
    from += nbytes;
  }
  if (static_cast<std::size_t>(end_ - from) < counts[kLevels])
    throw corrupt(kThing, "escapes inside the stream", done_);
  // From the rarest level up; each has room for all that a wrong code could ask for.
  const std::size_t room = kCascadeBlockValues + 2 * kSlack;
  static_assert(kCascadeWorkNbytes == 2 * (kCascadeBlockValues + 2 * kSlack));
  std::uint8_t* escaped = work_;
  std::memcpy(escaped, from, counts[kLevels]);
  for (std::size_t level = kLevels - 1; level > 0; --level) {
    std::uint8_t* decoded = work_ + (kLevels - level) % 2 * room;
    const std::size_t steps = steps_of(counts[level]);
    std::uint8_t table[16] = {};
    std::memcpy(table, ranked + kFirstRank[level], level == 1 ? 1 : 3);
    const std::size_t used = level == 1 ? decode1(table[0], codes[level], escaped, decoded, steps)
                                        : decode2(table, codes[level], escaped, decoded, steps);
    if (used != counts[level + 1]) throw corrupt(kThing, "as many escapes as are stored", used);
    escaped = decoded;
  }
  codes_ = codes[0];
  std::memcpy(symbols_, ranked, 3);
  escaped_ = escaped;
  escaped_end_ = escaped + counts[1];
  at_ = from + counts[kLevels];
  // Whoever decodes blocks one by one goes by the directory: it must say the same.
  const std::size_t stop = get32(begin_ + 4 * (done_ / kCascadeBlockValues)),
                    found = static_cast<std::size_t>(at_ - begin_);
  if (found != stop) throw corrupt(kThing, "a block that ends at byte " + std::to_string(stop), found);
}

void CascadeDecoder::next(std::uint8_t* out, std::size_t count) {
  const auto decode2 = TENSORHUB_DISPATCH(cascade_decode2);
  while (count) {
    if (done_ % kCascadeBlockValues == 0) open_block();
    const std::size_t some = std::min(count, kCascadeBlockValues - done_ % kCascadeBlockValues);
    const std::size_t steps = steps_of(some);
    escaped_ += decode2(symbols_, codes_, escaped_, out, steps);
    codes_ += 16 * steps;
    done_ += some;
    if ((done_ % kCascadeBlockValues == 0 || done_ == count_) && escaped_ != escaped_end_)
      throw corrupt(kThing, "as many escapes as are stored", done_);
    out += some;
    count -= some;
  }
}

void CascadeDecoder::finish() const {
  if (at_ != end_ || done_ != count_) throw corrupt(kThing, "no bytes left over", static_cast<std::size_t>(end_ - at_));
}

}  // namespace tensorhub
