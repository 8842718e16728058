// What the fuzz targets of all codecs share.
//
// Duty: read choices from the fuzzer's bytes; make data and damage of them; decode between pages that cannot be
// touched, on several SIMD paths, and judge. Not its duty: codecs.
// A decoder refuses damage as damage, or fills its output; it does the same on every path.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <unordered_map>
#include <utility>
#include <vector>

#include "../tests/guarded_memory.hpp"
#include "../tests/sample_data.hpp"
#include "tensorhub/error.hpp"
#include "tensorhub/simd.hpp"

namespace tensorhub {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::abort();
}

/// Choices from the fuzzer's bytes; zeros when there are no more.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const std::uint8_t value = bytes_[0];
    bytes_ = bytes_.subspan(1);
    return value;
  }
  std::size_t number(unsigned nbytes) {
    std::size_t value = 0;
    for (unsigned k = 0; k < nbytes; ++k) value = value << 8 | byte();
    return value;
  }
  std::span<const std::uint8_t> rest() const { return bytes_; }
  bool is_empty() const { return bytes_.empty(); }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// Mostly small, because only then there are many runs; seldom so large that tables and blocks change.
inline constexpr std::size_t kLengths[] = {0,   1,   31,  33,  63,  64,  65,  127, 128,  129,
                                           200, 256, 257, 300, 390, 520, 640, 777, 1030, 2050};
inline constexpr std::size_t kLongLengths[] = {4100, 8320, 16400, 20000};
inline constexpr std::size_t kLongestLengths[] = {65600, 131200, 262150, 300000};
inline constexpr std::size_t kMaxNbytes = 300000;

inline std::size_t choose_nbytes(Choices& choices) {
  const unsigned choice = choices.byte(), other = choices.byte();
  if (choice < 250 || other % 16 != 9) return kLengths[choice % std::size(kLengths)];
  return other / 16 == 7 && choice == 251 ? kLongestLengths[choices.byte() % std::size(kLongestLengths)]
                                          : kLongLengths[choice % std::size(kLongLengths)];
}

inline const GuardedMemory& guarded(unsigned which) {
  static const GuardedMemory memory[] = {GuardedMemory(std::size_t{8} << 20), GuardedMemory(std::size_t{1} << 20),
                                         GuardedMemory(std::size_t{1} << 20)};
  return memory[which];
}

/// How many chunks came by; printed at the end, because runs that a head refuses say little.
struct Counts {
  std::size_t decoded = 0, refused = 0, valid = 0;
  ~Counts() { std::fprintf(stderr, "decoded %zu, refused %zu, valid %zu chunks\n", decoded, refused, valid); }
};
inline Counts& counts() {
  static Counts all;
  return all;
}

/// Portable first.
inline const std::vector<SimdLevel>& all_levels() {
  static const std::vector<SimdLevel> found = [] {
    std::vector<SimdLevel> levels;
    for (std::size_t i = 0; i < kSimdLevelNames.size(); ++i)
      if (has_simd_level(static_cast<SimdLevel>(i))) levels.push_back(static_cast<SimdLevel>(i));
    return levels;
  }();
  return found;
}

/// Portable, the best one, and now and then one between them if the processor has such.
inline std::vector<SimdLevel> some_levels(unsigned choice) {
  const std::vector<SimdLevel>& all = all_levels();
  std::vector<SimdLevel> some = {all.front()};
  if (all.size() > 1) some.push_back(all.back());
  if (all.size() > 2 && choice % 4 == 3) some.push_back(all[1 + choice / 4 % (all.size() - 2)]);
  return some;
}

/// Add to a length in coded bytes, if there is room for one.
inline void add_to_length(Buffer& coded, std::size_t at, std::uint32_t summand) {
  std::uint32_t number = 0;
  const std::size_t some = std::min<std::size_t>(4, coded.size() - at);
  std::memcpy(&number, coded.data() + at, some);
  number += summand;
  std::memcpy(coded.data() + at, &number, some);
}

/// One change that the fuzzer chooses: heads and tables are near the start, states and coded bytes anywhere. Some kinds
/// keep what a decoder checks first: the sum of frequencies, the sum of lengths.
inline void damage(Choices& choices, Buffer& coded) {
  const std::uint8_t kind = choices.byte();
  if (coded.empty()) return coded.push_back(kind);
  const std::size_t near = choices.byte() % coded.size(), anywhere = choices.number(3) % coded.size();
  const std::uint8_t value = choices.byte();
  const std::size_t other = std::min<std::size_t>(near + value % 32, coded.size() - 1);  // in the same table
  const auto at = [&](std::size_t place) { return coded.begin() + static_cast<std::ptrdiff_t>(place); };
  switch (kind % 13) {
    case 0: coded[near] = value; return;
    case 1: coded[anywhere] = value; return;
    case 2: coded[anywhere] = static_cast<std::uint8_t>(coded[anywhere] ^ 1U << value % 8); return;
    case 3: coded.resize(value % 2 ? anywhere : coded.size() - std::min<std::size_t>(coded.size(), value / 2)); return;
    case 4: coded.resize(coded.size() + value % 64 + 1, static_cast<std::uint8_t>(anywhere)); return;
    case 5: add_to_length(coded, near, static_cast<std::uint32_t>(value) - 128); return;
    case 6:
      coded.erase(at(anywhere), at(anywhere + std::min<std::size_t>(value + 1U, coded.size() - anywhere)));
      return;
    case 7: std::swap(coded[near], coded[other]); return;
    case 8: {  // one takes what the other loses
      const std::uint8_t moved = choices.byte();
      coded[near] = static_cast<std::uint8_t>(coded[near] - moved);
      coded[other] = static_cast<std::uint8_t>(coded[other] + moved);
      return;
    }
    case 9: {  // bytes go, and a length says so
      const std::size_t some = std::min<std::size_t>(value + 256U * (choices.byte() % 64), coded.size() - anywhere);
      add_to_length(coded, near, 0U - static_cast<std::uint32_t>(some));
      coded.erase(at(anywhere), at(anywhere + some));
      return;
    }
    case 10: {  // one length takes what another loses
      const std::size_t length = choices.byte() % coded.size();
      const std::uint32_t moved = value * (choices.byte() + 1U);
      add_to_length(coded, near, moved);
      add_to_length(coded, length, 0U - moved);
      return;
    }
    case 11: {  // the most frequent symbol of a table becomes another one
      const std::size_t from = near % 128, until = std::min<std::size_t>(from + 32, coded.size());
      if (from < until)
        std::iter_swap(std::max_element(at(from), at(until)), at(std::min<std::size_t>(from + value % 32, until - 1)));
      return;
    }
    default: {  // a run of equal bytes
      const std::size_t run = std::min<std::size_t>(choices.byte(), coded.size() - anywhere);
      std::fill(at(anywhere), at(anywhere + run), value);
    }
  }
}

/// Decode on several paths.
/// @param decode   (coded, beside, out)
/// @param beside   a prediction, or contexts
/// @param expected what a valid chunk must give; null for damaged ones
template <class Decode>
void check_decoder(std::span<const std::uint8_t> coded, std::span<const std::uint8_t> beside, std::size_t nbytes,
                   unsigned choice, const Buffer* expected, Decode decode) {
  Buffer first;
  bool is_first = true, was_refused = false;
  const Place place = choice / 64 % 4 ? Place::kBack : Place::kFront;
  for (const SimdLevel level : some_levels(choice)) {
    set_simd_level(level);
    const auto out = guarded(2).lend(place, nbytes);
    bool is_refused = false;
    try {
      decode(guarded(0).copy(place, coded), guarded(1).copy(place, beside), out);
    } catch (const Error& error) {
      require(error.kind() == ErrorKind::kCorruptPack, "damage is reported as damage");
      is_refused = true;
    }
    require(!expected || (!is_refused && std::equal(out.begin(), out.end(), expected->begin())), "round trip");
    if (is_first) {
      was_refused = is_refused;
      if (!is_refused) first.assign(out.begin(), out.end());
      is_first = false;
    } else {
      require(is_refused == was_refused, "all paths refuse the same chunks");
      require(is_refused || std::equal(out.begin(), out.end(), first.begin()), "all paths decode to the same bytes");
    }
  }
  ++(expected ? counts().valid : was_refused ? counts().refused : counts().decoded);
}

/// A valid chunk.
struct Prepared {
  Buffer target, beside, coded;
};

/// Valid chunks by what the fuzzer chose of them: coding one costs as much as a hundred runs.
inline std::unordered_map<std::uint64_t, Prepared>& prepared_chunks(std::size_t more) {
  static std::unordered_map<std::uint64_t, Prepared> chunks;
  static std::size_t nbytes = 0;
  nbytes += more;
  if (nbytes > std::size_t{256} << 20) {
    chunks.clear();
    nbytes = 0;
  }
  return chunks;
}

/// One target of a codec.
/// @param beside what a decoder gets beside the coded bytes: a prediction, contexts, or nothing
/// @param encode (target, beside, out) to bytes written
/// @param decode (coded, beside, out)
template <class MakeTarget, class Bound, class Encode, class Decode>
const Prepared& prepare(std::uint64_t key, std::span<const std::uint8_t> beside, MakeTarget make_target, Bound bound,
                        Encode encode, Decode decode) {
  auto& chunks = prepared_chunks(0);
  if (const auto found = chunks.find(key); found != chunks.end()) return found->second;
  Prepared chunk{make_target(), Buffer(beside.begin(), beside.end()), {}};
  const std::size_t room_nbytes = bound(chunk.target);
  for (const SimdLevel level : all_levels()) {
    set_simd_level(level);
    const auto room = guarded(0).lend(Place::kBack, room_nbytes);
    const std::size_t nbytes = encode(std::span(chunk.target), beside, room);
    require(nbytes <= room_nbytes, "no more bytes than the bound");
    if (level == SimdLevel::kPortable)
      chunk.coded.assign(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(nbytes));
    require(nbytes == chunk.coded.size() && std::equal(chunk.coded.begin(), chunk.coded.end(), room.begin()),
            "all paths code to the same bytes");
  }
  for (const unsigned choice : {0U, 3U, 7U, 11U, 64U})
    check_decoder(chunk.coded, beside, chunk.target.size(), choice, &chunk.target, decode);
  const std::size_t nbytes = chunk.target.size() + chunk.beside.size() + chunk.coded.size() + 200;
  return prepared_chunks(nbytes).insert_or_assign(key, std::move(chunk)).first->second;
}

enum class Mode : unsigned char { kRaw, kOverlaid, kDamaged, kDamagedMore };

/// Decode the fuzzer's bytes as they are; or a valid chunk with them laid over it; or one with some changes.
template <class MakeTarget, class Bound, class Encode, class Decode>
void fuzz_chunk(Choices& choices, Mode mode, std::uint64_t key, std::size_t nbytes,
                std::span<const std::uint8_t> beside, MakeTarget make_target, Bound bound, Encode encode,
                Decode decode) {
  const unsigned levels = choices.byte();
  if (mode == Mode::kRaw) return check_decoder(choices.rest(), beside, nbytes, levels, nullptr, decode);
  Buffer coded = prepare(key, beside, make_target, bound, encode, decode).coded;
  if (mode == Mode::kOverlaid) {
    const auto laid = choices.rest();
    for (std::size_t i = 0; i < std::min(laid.size(), coded.size()); ++i)
      coded[i] = static_cast<std::uint8_t>(coded[i] ^ laid[i]);
    return check_decoder(coded, beside, nbytes, levels, nullptr, decode);
  }
  // Each change on top of those before, so that one run tries several chunks.
  for (unsigned k = mode == Mode::kDamaged ? 3 : 0; k < 4; ++k) {
    damage(choices, coded);
    check_decoder(coded, beside, nbytes, levels, nullptr, decode);
    if (choices.is_empty()) return;
  }
}

/// The start of data that never changes: what ULP deltas are applied to.
inline std::span<const std::uint8_t> fixed_data(Shape shape, std::size_t width, std::size_t nbytes) {
  static std::unordered_map<std::size_t, Buffer> kept;
  Buffer& data = kept[static_cast<std::size_t>(shape) << 8 | width];
  if (data.empty()) data = make_data(shape, kMaxNbytes, width, 1);
  return std::span(data).first(nbytes);
}

}  // namespace tensorhub
