// Sketch kernels; contracts in sketch.hpp.
#include "tensorhub/sketch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

namespace tensorhub {
namespace {

__extension__ typedef unsigned __int128 Wide;  // products of two 64-bit counts

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;  // 2**64 / golden ratio: splitmix64's increment

std::uint64_t mix64(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
  return value ^ (value >> 31);
}

std::uint64_t jump_row(std::uint64_t state, std::uint64_t nrows) {
  std::uint64_t row = 0;
  Wide next = 0;
  while (next < nrows) {
    row = static_cast<std::uint64_t>(next);
    state += kGolden;
    const std::uint64_t draw = (mix64(state) >> 33) + 1;  // 1 .. 2**31
    // Both forms give the same quotient; the narrow one avoids the slow 128-bit division.
    next = row < (std::uint64_t{1} << 32) ? Wide{((row + 1) << 31) / draw} : (Wide{row + 1} << 31) / draw;
  }
  return row;
}

// Bit numbers of an element that enter the signature, for samples of even and odd number. Sign, exponent and high
// mantissa bits of the usual floats: they tell strangers apart; the lower ones tell near relatives apart.
constexpr std::array<std::uint8_t, 1> kBits1Even{7}, kBits1Odd{4};
constexpr std::array<std::uint8_t, 2> kBits2Even{15, 6}, kBits2Odd{8, 4};
constexpr std::array<std::uint8_t, 4> kBits4Even{31, 24, 22, 20}, kBits4Odd{31, 23, 22, 18};
constexpr std::array<std::uint8_t, 8> kBits8Even{63, 54, 52, 50, 31, 24, 22, 20};

std::span<const std::uint8_t> signature_bits(std::size_t element_width, bool is_odd) {
  switch (element_width) {
    case 2: return is_odd ? std::span<const std::uint8_t>(kBits2Odd) : kBits2Even;
    case 4: return is_odd ? std::span<const std::uint8_t>(kBits4Odd) : kBits4Even;
    case 8: return kBits8Even;
    default: return is_odd ? std::span<const std::uint8_t>(kBits1Odd) : kBits1Even;
  }
}

std::uint64_t load64(const std::uint8_t* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// One row against a query, `Nwords` words. Inlined into both variants below, so that the compiler may use the
// processor's popcount where the variant is allowed to.
template <std::size_t Nwords>
[[gnu::always_inline]] inline std::uint32_t distance_of(const std::uint8_t* row, const std::uint64_t* query,
                                                        const std::uint64_t* mask) {
  std::uint32_t distance = 0;
  for (std::size_t word = 0; word < Nwords; ++word) {
    distance += static_cast<std::uint32_t>(std::popcount((load64(row + 8 * word) ^ query[word]) & mask[word]));
  }
  return distance;
}

template <std::size_t Nwords>
using DistancesFunction = void (*)(const std::uint8_t*, std::size_t, const std::uint64_t*, const std::uint64_t*,
                                   std::uint16_t*);

template <std::size_t Nwords>
void distances_portable(const std::uint8_t* rows, std::size_t nrows, const std::uint64_t* query,
                        const std::uint64_t* mask, std::uint16_t* distances) {
  for (std::size_t row = 0; row < nrows; ++row) {
    distances[row] = static_cast<std::uint16_t>(distance_of<Nwords>(rows + row * Nwords * 8, query, mask));
  }
}

#if defined(__x86_64__) && defined(__GNUC__)
template <std::size_t Nwords>
[[gnu::target("popcnt")]] void distances_popcnt(const std::uint8_t* rows, std::size_t nrows,
                                                const std::uint64_t* query, const std::uint64_t* mask,
                                                std::uint16_t* distances) {
  for (std::size_t row = 0; row < nrows; ++row) {
    distances[row] = static_cast<std::uint16_t>(distance_of<Nwords>(rows + row * Nwords * 8, query, mask));
  }
}

// Popcount by table of nibbles (W. Mula, N. Kurz, D. Lemire, "Faster Population Counts Using AVX2 Instructions",
// 2018, arXiv:1611.07612, figure 10): 1.2 times the speed of the popcnt instruction on 64-byte rows.
template <std::size_t Nwords>
[[gnu::target("avx2")]] void distances_avx2(const std::uint8_t* rows, std::size_t nrows, const std::uint64_t* query,
                                            const std::uint64_t* mask, std::uint16_t* distances) {
  constexpr std::size_t kVectors = Nwords / 4;
  const __m256i nibble = _mm256_set1_epi8(0x0F), zero = _mm256_setzero_si256();
  const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1,
                                         2, 2, 3, 2, 3, 3, 4);
  const auto* queries = reinterpret_cast<const __m256i*>(query);
  const auto* masks = reinterpret_cast<const __m256i*>(mask);
  for (std::size_t row = 0; row < nrows; ++row) {
    const auto* values = reinterpret_cast<const __m256i*>(rows + row * Nwords * 8);
    __m256i sum = zero;
    for (std::size_t vector = 0; vector < kVectors; ++vector) {
      const __m256i differing = _mm256_and_si256(
          _mm256_xor_si256(_mm256_loadu_si256(values + vector), _mm256_loadu_si256(queries + vector)),
          _mm256_loadu_si256(masks + vector));
      const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(differing, nibble));
      const __m256i high =
          _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(differing, 4), nibble));
      sum = _mm256_add_epi64(sum, _mm256_sad_epu8(_mm256_add_epi8(low, high), zero));
    }
    const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    distances[row] = static_cast<std::uint16_t>(_mm_extract_epi16(half, 0) + _mm_extract_epi16(half, 4));
  }
}

template <std::size_t Nwords>
DistancesFunction<Nwords> choose_distances() {
  if (__builtin_cpu_supports("avx2")) return distances_avx2<Nwords>;
  return __builtin_cpu_supports("popcnt") ? distances_popcnt<Nwords> : distances_portable<Nwords>;
}
#else
template <std::size_t Nwords>
DistancesFunction<Nwords> choose_distances() {
  return distances_portable<Nwords>;
}
#endif

constexpr std::size_t kSignatureWords = kSignatureNbytes / 8, kSketchWords = kSketchNbytes / 8;

template <std::size_t Nbytes>
std::array<std::uint64_t, Nbytes / 8> to_words(std::span<const std::uint8_t, Nbytes> bytes) {
  std::array<std::uint64_t, Nbytes / 8> words;
  std::memcpy(words.data(), bytes.data(), Nbytes);
  return words;
}

// Slots of the `keep` smallest distances in slot order: counting selection, since distances are at most 512.
std::vector<std::uint64_t> smallest(std::span<const std::uint16_t> distances, std::size_t keep) {
  // Strangers crowd around one distance; four tables keep an increment from waiting for the one before.
  constexpr std::size_t kTables = 4, kBins = kSignatureNbytes * 8 + 1;
  std::array<std::array<std::uint32_t, kBins>, kTables> tables{};
  std::size_t index = 0;
  for (; index + kTables <= distances.size(); index += kTables) {
    for (std::size_t table = 0; table < kTables; ++table) ++tables[table][distances[index + table]];
  }
  for (; index < distances.size(); ++index) ++tables[0][distances[index]];
  std::array<std::size_t, kBins> counts{};
  for (const auto& table : tables) {
    for (std::size_t bin = 0; bin < kBins; ++bin) counts[bin] += table[bin];
  }
  std::size_t below = 0, limit = 0;
  while (below + counts[limit] <= keep) below += counts[limit++];  // ends: keep < distances.size()
  std::size_t ties = keep - below;
  std::vector<std::uint64_t> slots;
  slots.reserve(keep);
  for (std::size_t slot = 0; slot < distances.size(); ++slot) {
    if (distances[slot] > limit) continue;
    if (distances[slot] == limit) {
      if (ties == 0) continue;
      --ties;
    }
    slots.push_back(slot);
  }
  return slots;
}

// count * log2(count): every entropy of at most 512 samples is a sum of these.
std::array<double, kSketchNbytes + 1> make_count_logs() {
  std::array<double, kSketchNbytes + 1> logs{};
  for (std::size_t count = 1; count < logs.size(); ++count) {
    logs[count] = static_cast<double>(count) * std::log2(static_cast<double>(count));
  }
  return logs;
}

}  // namespace

void sketch_positions(std::uint64_t nrows, std::uint64_t row_nelems, std::span<std::uint64_t> positions) {
  if (nrows == 0 || row_nelems == 0) {
    std::fill(positions.begin(), positions.end(), kNoPosition);
    return;
  }
  for (std::uint64_t bucket = 0; bucket < positions.size(); ++bucket) {
    const std::uint64_t row = jump_row(mix64((2 * bucket + 1) * kGolden), nrows);
    const std::uint64_t jitter = mix64((2 * bucket + 2) * kGolden);
    const Wide numerator = Wide{bucket} * row_nelems + ((Wide{jitter} * row_nelems) >> 64);
    positions[bucket] = row * row_nelems + static_cast<std::uint64_t>(numerator / positions.size());
  }
}

void sketch_signature(SketchView values, std::size_t element_width,
                      std::span<std::uint8_t, kSignatureNbytes> signature) {
  if (element_width != 2 && element_width != 4 && element_width != 8) element_width = 1;
  std::fill(signature.begin(), signature.end(), std::uint8_t{0});
  std::size_t target = 0;
  for (std::size_t sample = 0; sample < kSketchNbytes / element_width; ++sample) {
    const std::uint8_t* element = values.data() + sample * element_width;
    for (const std::uint8_t bit : signature_bits(element_width, sample % 2 == 1)) {
      const unsigned value = (element[bit / 8] >> (bit % 8)) & 1u;
      signature[target / 8] = static_cast<std::uint8_t>(signature[target / 8] | (value << (target % 8)));
      ++target;
    }
  }
}

std::vector<SketchHit> sketch_nearest(const SketchBlocks& signatures, const SketchBlocks& sketches,
                                      const SketchQuery& query, std::size_t coarse_keep, std::size_t keep) {
  static const auto coarse = choose_distances<kSignatureWords>();
  static const auto fine = choose_distances<kSketchWords>();
  std::size_t total = 0;
  for (const std::size_t nrows : sketches.nrows) total += nrows;

  std::vector<std::uint64_t> slots;
  if (coarse_keep < total) {
    const auto words = to_words(query.signature), mask = to_words(query.signature_mask);
    std::vector<std::uint16_t> distances(total);
    std::size_t first = 0;
    for (std::size_t block = 0; block < signatures.rows.size(); ++block) {
      coarse(signatures.rows[block], signatures.nrows[block], words.data(), mask.data(), distances.data() + first);
      first += signatures.nrows[block];
    }
    slots = smallest(distances, coarse_keep);
  } else {
    slots.resize(total);
    for (std::size_t slot = 0; slot < total; ++slot) slots[slot] = slot;
  }

  const auto words = to_words(query.values), mask = to_words(query.mask);
  std::vector<SketchHit> hits;
  hits.reserve(slots.size());
  std::size_t block = 0, first = 0;
  for (const std::uint64_t slot : slots) {
    while (slot - first >= sketches.nrows[block]) first += sketches.nrows[block++];
    std::uint16_t distance = 0;
    fine(sketches.rows[block] + (slot - first) * kSketchNbytes, 1, words.data(), mask.data(), &distance);
    hits.push_back({slot, distance});
  }
  const auto nearer = [](const SketchHit& left, const SketchHit& right) {
    return left.distance != right.distance ? left.distance < right.distance : left.slot < right.slot;
  };
  keep = std::min(keep, hits.size());
  std::partial_sort(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(keep), hits.end(), nearer);
  hits.resize(keep);
  return hits;
}

void sketch_features(SketchView sample, SketchView query, SketchView mask, std::size_t element_width,
                     std::span<float> features) {
  static const auto count_logs = make_count_logs();
  for (std::size_t plane = 0; plane < element_width; ++plane) {
    std::array<std::uint16_t, 256> counts{};
    std::size_t total = 0;
    // Spread one byte's bits over the bytes of a word, and add words: eight counters at once. A counter holds 255,
    // so the word is drained every 128 samples.
    std::array<std::size_t, 8> ones{};
    std::uint64_t packed = 0;
    const auto drain = [&] {
      for (std::size_t bit = 0; bit < 8; ++bit) ones[bit] += (packed >> (8 * bit)) & 0xFF;
      packed = 0;
    };
    for (std::size_t index = plane; index < kSketchNbytes; index += element_width) {
      if (mask[index] == 0) continue;
      const auto value = static_cast<std::uint8_t>(sample[index] ^ query[index]);
      ++counts[value];
      packed += (((value & 0x7F) * 0x0002040810204081ULL) & 0x0001010101010101ULL) |
                (static_cast<std::uint64_t>(value >> 7) << 56);
      if (++total % 128 == 0) drain();
    }
    drain();
    float* out = features.data() + plane * kFeaturesPerPlane;
    out[0] = out[1] = out[2] = 0.0F;
    if (total == 0) continue;
    const double n = static_cast<double>(total);
    double bit_entropy = 0.0, byte_sum = 0.0, distinct = 0.0;
    for (const std::size_t count : ones) {
      bit_entropy += (count_logs[total] - count_logs[count] - count_logs[total - count]) / n;
    }
    for (const std::uint16_t count : counts) {
      byte_sum += count_logs[count];
      distinct += count != 0 ? 1.0 : 0.0;
    }
    const double byte_entropy = (count_logs[total] - byte_sum) / n + (distinct - 1.0) / (2.0 * n * std::log(2.0));
    out[0] = static_cast<float>(counts[0] / n);
    out[1] = static_cast<float>(bit_entropy);
    out[2] = static_cast<float>(std::clamp(byte_entropy, 0.0, 8.0));
  }
}

}  // namespace tensorhub
