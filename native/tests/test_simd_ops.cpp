// Every vector operation of every path that this processor has gives what the portable one gives.
//
// Buffers that an operation reads or fills to the last byte end at a page that cannot be touched, since a sanitizer
// does not see all that intrinsics do.
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "guarded_memory.hpp"
#include "tensorhub/simd.hpp"

namespace tensorhub {

struct Inputs {
  const std::uint8_t *a, *b;             // 64 any bytes
  const std::uint8_t* table;             // 16
  const std::uint8_t *nibbles, *twos;    // 64 below 16, 64 below 4
  const std::uint16_t *word_a, *word_b;  // 64
  const std::uint8_t* pairs;             // 256
  const std::uint8_t* ends_with_64;      // nothing can be read after 64
  std::uint8_t* room_of_64;              // nothing can be written after 64
  std::uint64_t bits;
};

/// What the operations of one path gave, in their order.
class Results {
 public:
  std::uint8_t* next(const char* name, std::size_t nbytes);
  std::uint16_t* next_words(const char* name, std::size_t nwords);
  /// The name of the first result that differs, or none.
  const char* first_difference(const Results& other) const;
  void clear() { results_.clear(); }

 private:
  struct Result {
    const char* name;
    std::vector<std::uint8_t> bytes;  // one too many in front: stores are to odd addresses
    std::vector<std::uint16_t> words;
  };
  std::vector<Result> results_;
};

}  // namespace tensorhub

#define TENSORHUB_KERNELS "../tests/simd_ops_kernels.hpp"
#include "simd/for_each_level.hpp"

namespace tensorhub {

std::uint8_t* Results::next(const char* name, std::size_t nbytes) {
  results_.push_back({name, std::vector<std::uint8_t>(nbytes + 1), {}});
  return results_.back().bytes.data() + 1;
}
std::uint16_t* Results::next_words(const char* name, std::size_t nwords) {
  results_.push_back({name, {}, std::vector<std::uint16_t>(nwords)});
  return results_.back().words.data();
}
const char* Results::first_difference(const Results& other) const {
  if (results_.size() != other.results_.size()) return "number of results";
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const Result &mine = results_[i], &theirs = other.results_[i];
    if (mine.bytes != theirs.bytes || mine.words != theirs.words) return mine.name;
  }
  return nullptr;
}

namespace {

std::mt19937_64 generator(11);

/// Memory whose end is the end of what may be touched.
class PageEnd {
 public:
  explicit PageEnd(std::size_t nbytes) : memory_(nbytes), data_(memory_.lend(Place::kBack, nbytes).data()) {}
  std::uint8_t* data() const { return data_; }

 private:
  GuardedMemory memory_;
  std::uint8_t* data_;
};

template <class Number>
Number any_number() {
  static constexpr Number kEdges[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff, static_cast<Number>(0x100),
                                      static_cast<Number>(0x7fff), static_cast<Number>(0x8000),
                                      static_cast<Number>(0x8001), static_cast<Number>(0xfffe),
                                      static_cast<Number>(0xffff)};
  const std::uint64_t random = generator();
  return random & 1 ? kEdges[(random >> 1) % std::size(kEdges)] : static_cast<Number>(random >> 40);
}

/// Ready inputs that are filled anew for each case.
class Case {
 public:
  explicit Case(std::uint64_t bits) {
    static const PageEnd a(64), b(64), table(16), nibbles(64), twos(64), word_a(128), word_b(128), pairs(256), tail(64),
        room(64);
    for (int i = 0; i < 64; ++i) {
      a.data()[i] = any_number<std::uint8_t>();
      b.data()[i] = generator() % 4 ? any_number<std::uint8_t>() : a.data()[i];
      nibbles.data()[i] = generator() & 15;
      twos.data()[i] = generator() & 3;
      tail.data()[i] = any_number<std::uint8_t>();
      const auto first = any_number<std::uint16_t>();
      const auto second = generator() % 4 ? any_number<std::uint16_t>() : first;
      std::memcpy(word_a.data() + 2 * i, &first, 2);
      std::memcpy(word_b.data() + 2 * i, &second, 2);
    }
    for (int i = 0; i < 16; ++i) table.data()[i] = any_number<std::uint8_t>();
    for (int i = 0; i < 256; ++i) pairs.data()[i] = any_number<std::uint8_t>();
    in_ = {a.data(), b.data(), table.data(), nibbles.data(), twos.data(),
           reinterpret_cast<const std::uint16_t*>(word_a.data()), reinterpret_cast<const std::uint16_t*>(word_b.data()),
           pairs.data(), tail.data(), room.data(), bits};
  }
  const Inputs& inputs() const { return in_; }
  /// All pairs of bytes come by, over 1024 cases.
  void set_pairs_of_bytes(unsigned part) {
    for (unsigned i = 0; i < 64; ++i) {
      const_cast<std::uint8_t*>(in_.a)[i] = static_cast<std::uint8_t>(64 * part + i);
      const_cast<std::uint8_t*>(in_.b)[i] = static_cast<std::uint8_t>((64 * part + i) >> 8);
    }
  }

 private:
  Inputs in_;
};

std::uint64_t random_bits(int popcount) {
  std::uint64_t bits = 0;
  while (std::popcount(bits) < popcount) bits |= std::uint64_t{1} << generator() % 64;
  return bits;
}

/// Masks of every number of set lanes, runs at both ends, and every byte at every place.
std::vector<std::uint64_t> some_masks() {
  std::vector<std::uint64_t> masks;
  for (int popcount = 0; popcount <= 64; ++popcount) {
    const std::uint64_t low = popcount == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << popcount) - 1;
    masks.insert(masks.end(), {low, ~low, random_bits(popcount), random_bits(popcount)});
  }
  for (unsigned place = 0; place < 8; ++place) {
    for (std::uint64_t byte = 0; byte < 256; ++byte)
      masks.push_back((generator() & ~(std::uint64_t{0xff} << 8 * place)) | byte << 8 * place);
  }
  return masks;
}

int run_all() {
  std::vector<SimdLevel> levels;
  std::string names;
  for (std::size_t i = 1; i < kSimdLevelNames.size(); ++i) {
    const auto level = static_cast<SimdLevel>(i);
    if (!has_simd_level(level)) continue;
    levels.push_back(level);
    names += ' ';
    names += kSimdLevelNames[i];
  }
  Results expected, found;
  const std::vector<std::uint64_t> masks = some_masks();
  for (std::size_t number = 0; number < masks.size(); ++number) {
    Case one(masks[number]);
    if (number < 1024) one.set_pairs_of_bytes(static_cast<unsigned>(number));
    expected.clear();
    portable::run_operations(one.inputs(), expected);
    for (const SimdLevel level : levels) {
      set_simd_level(level);
      found.clear();
      TENSORHUB_DISPATCH(run_operations)(one.inputs(), found);
      const char* name = expected.first_difference(found);
      if (name == nullptr) continue;
      const auto path = kSimdLevelNames[static_cast<std::size_t>(level)];
      std::fprintf(stderr, "failed: %s on %.*s, case %zu, mask %016llx\n", name, static_cast<int>(path.size()),
                   path.data(), number, static_cast<unsigned long long>(masks[number]));
      return 1;
    }
  }
  std::printf("vector operations: ok (%zu cases;%s)\n", masks.size(), names.c_str());
  return 0;
}

}  // namespace
}  // namespace tensorhub

int main() { return tensorhub::run_all(); }
