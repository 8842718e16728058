// Streams: the choice of a coder, and one face for all of them. Contract: stream.hpp.
#include "stream.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "corrupt.hpp"
#include "entropy.hpp"
#include "frequencies.hpp"
#include "scratch.hpp"

namespace tensorhub {
namespace {

// Rounding of 8-bit frequencies: measured 0.022 bits a value on exponents.
constexpr std::uint64_t kSmallRansLossBits65536 = 1442;
// kBalanced takes the coder that decodes three times as fast where it costs no more than a 64th of the plane.
constexpr std::size_t kSpeedShare = 64;
// Below a saving of one part in so many, a plane stays raw: decoding noise for it would cost more than it saves.
constexpr std::size_t kWorthShare = 200;
constexpr std::size_t kFewBytes = 32;
// kFast takes the slow coder only where it saves more than one part in so many.
constexpr std::size_t kFastWorthShare = 10;
// A plane of more bits a byte than this (in hundredths) is not worth a histogram of all of it.
constexpr unsigned kNoiseBits100 = 794;

struct Estimates {
  std::size_t wide, small, cascade;
};

Estimates estimate(const std::array<std::uint32_t, 256>& counts, std::size_t nbytes) {
  std::array<std::uint32_t, 256> order = counts;
  std::sort(order.begin(), order.end(), std::greater<>());
  std::uint64_t sum = 0, distinct = 0;
  for (const std::uint32_t count : order) {
    sum += count;
    distinct += count != 0;
  }
  const auto scaled = [&](std::uint64_t bits) { return static_cast<std::size_t>(bits * nbytes / sum / 8); };
  std::array<std::uint32_t, 16> kept{};
  std::uint64_t left = sum;
  for (std::size_t k = 0; k < 15; ++k) {
    kept[k] = order[k];
    left -= order[k];
  }
  kept[15] = static_cast<std::uint32_t>(left);
  std::uint64_t after3 = sum, after4, after7, after10;
  for (std::size_t k = 0; k < 3; ++k) after3 -= order[k];
  after4 = after3 - order[3];
  after7 = after4 - order[4] - order[5] - order[6];
  after10 = after7 - order[7] - order[8] - order[9];
  const std::size_t wide_table = 3 + distinct * 7 / 8;
  return {scaled(entropy_bits(order)) + wide_table + 16,
          scaled(entropy_bits(kept) + 8 * left + (sum * kSmallRansLossBits65536 >> 16)) + 168,
          scaled(2 * sum + after3 + 2 * after4 + 2 * after7 + 8 * after10) + 32};
}

bool is_constant(std::span<const std::uint8_t> plane) {
  return plane.size() < 2 || std::memcmp(plane.data(), plane.data() + 1, plane.size() - 1) == 0;
}

// The plane may lie in `out` already.
CodedStream keep_raw(std::span<const std::uint8_t> plane, std::span<std::uint8_t> out) {
  if (plane.data() != out.data()) std::copy_n(plane.data(), plane.size(), out.data());
  return {StreamMode::kRaw, plane.size()};
}

CodedStream trim(std::span<const std::uint8_t> plane, std::span<std::uint8_t> out) {
  if (plane.data() == out.data()) {
    const auto copy = scratch<std::uint8_t>(ScratchSlot::kLevels, plane.size());
    std::memcpy(copy.data(), plane.data(), plane.size());
    plane = copy;
  }
  return {StreamMode::kTrimmed, encode_trimmed(plane, out)};
}

// Whether a look at every eighth block promises that trimming pays.
bool may_trim(std::span<const std::uint8_t> plane) {
  std::size_t saved = 0;
  for (std::size_t at = 0; at + kTrimmedBlockNbytes <= plane.size(); at += 8 * kTrimmedBlockNbytes)
    saved += kTrimmedBlockNbytes + 1 - trimmed_nbytes(plane.subspan(at, kTrimmedBlockNbytes));
  return 8 * saved > plane.size() / kWorthShare;
}

}  // namespace

bool is_noise(std::span<const std::uint8_t> plane) {
  // Sixteen pieces of 1 KiB. So few samples of noise look like 7.99 bits; sign and mantissa of BF16 like 7.97.
  if (plane.size() < (std::size_t{32} << 10)) return false;
  std::array<std::uint32_t, 256> counts{};
  for (std::size_t k = 0; k < 16; ++k) count_bytes(plane.subspan((plane.size() - 1024) * k / 15, 1024), counts);
  return entropy_bits(counts) > (16 << 10) * std::uint64_t{kNoiseBits100} / 100;
}

std::size_t stream_bound(std::size_t nbytes) {
  return std::max({cascade_bound(nbytes), small_rans_bound(nbytes), wide_rans_bound(nbytes, 1)});
}

CodedStream encode_stream(std::span<const std::uint8_t> plane, PlanesEffort effort, std::span<std::uint8_t> out) {
  if (plane.size() > 1 && is_constant(plane)) {
    out[0] = plane[0];
    return {StreamMode::kConstant, 1};
  }
  if (plane.size() < kFewBytes) return keep_raw(plane, out);
  if (effort != PlanesEffort::kSmall && is_noise(plane)) {
    const std::size_t trimmed = may_trim(plane) ? trimmed_nbytes(plane) : plane.size();
    return trimmed < plane.size() - plane.size() / kWorthShare ? trim(plane, out) : keep_raw(plane, out);
  }
  std::array<std::uint32_t, 256> counts{};
  // A coarser look where the coder takes a closer one by itself; 16 Ki values at least.
  count_sample(plane, counts, effort != PlanesEffort::kSmall && plane.size() >= (std::size_t{256} << 10) ? 1024 : 256);
  const Estimates sizes = estimate(counts, plane.size());
  StreamMode mode = StreamMode::kCascade;
  std::size_t best = sizes.cascade;
  // Bytes of many symbols, as those of FP8, get too long in short codes: then fast means less fast, not raw.
  const std::size_t saved = plane.size() - std::min(plane.size(), sizes.cascade);
  const std::size_t possible = plane.size() - std::min(plane.size(), sizes.wide);
  if (effort == PlanesEffort::kFast && possible > plane.size() / kFastWorthShare && saved < possible / 2) {
    mode = StreamMode::kWideRans;
    best = sizes.wide;
  } else if (effort != PlanesEffort::kFast) {
    const bool is_wide = sizes.wide < sizes.small &&
                         (effort == PlanesEffort::kSmall || sizes.small - sizes.wide > sizes.small / kSpeedShare);
    mode = is_wide ? StreamMode::kWideRans : StreamMode::kSmallRans;
    best = is_wide ? sizes.wide : sizes.small;
  }
  const std::size_t worth = effort == PlanesEffort::kSmall ? plane.size() : plane.size() - plane.size() / kWorthShare;
  if (best + best / 16 > plane.size()) {
    // Near noise: perhaps some rows are shorter floats than the others.
    const std::size_t trimmed = trimmed_nbytes(plane);
    if (trimmed < worth && trimmed < best) return trim(plane, out);
  }
  if (best >= worth) return keep_raw(plane, out);
  const std::size_t nbytes = mode == StreamMode::kCascade     ? encode_cascade(plane, out)
                             : mode == StreamMode::kSmallRans ? encode_small_rans(plane, out)
                                                              : encode_wide_rans(plane, {}, 1, out);
  return nbytes < plane.size() ? CodedStream{mode, nbytes} : keep_raw(plane, out);
}

StreamDecoder::StreamDecoder(std::uint8_t mode, std::span<const std::uint8_t> coded, std::size_t count,
                             const std::uint8_t* readable_end, std::uint8_t* work) {
  switch (static_cast<StreamMode>(mode)) {
    case StreamMode::kRaw:
      if (coded.size() != count) throw corrupt("a raw stream", std::to_string(count) + " bytes", coded.size());
      decoder_ = Raw{coded.data()};
      return;
    case StreamMode::kConstant:
      if (coded.size() != 1) throw corrupt("a constant stream", "1 byte", coded.size());
      decoder_ = Constant{coded[0]};
      return;
    case StreamMode::kTrimmed: decoder_ = TrimmedDecoder(coded, count); return;
    case StreamMode::kCascade: decoder_ = CascadeDecoder(coded, count, work); return;
    case StreamMode::kSmallRans: decoder_ = SmallRansDecoder(coded, readable_end); return;
    case StreamMode::kWideRans: decoder_ = WideRansDecoder(coded, 1, readable_end, work); return;
  }
  throw corrupt("a chunk of planes", "a stream mode from 0 to 5", mode);
}

const std::uint8_t* StreamDecoder::next(std::uint8_t* tile, std::size_t count) {
  if (auto* raw = std::get_if<Raw>(&decoder_)) {
    const std::uint8_t* at = raw->at;
    raw->at += count;
    return at;
  }
  if (auto* constant = std::get_if<Constant>(&decoder_))
    std::memset(tile, constant->value, count);
  else if (auto* trimmed = std::get_if<TrimmedDecoder>(&decoder_))
    trimmed->next(tile, count);
  else if (auto* cascade = std::get_if<CascadeDecoder>(&decoder_))
    cascade->next(tile, count);
  else if (auto* small = std::get_if<SmallRansDecoder>(&decoder_))
    small->next(tile, count);
  else if (auto* wide = std::get_if<WideRansDecoder>(&decoder_))
    wide->next(nullptr, tile, count);
  return tile;
}

void StreamDecoder::finish() const {
  if (const auto* cascade = std::get_if<CascadeDecoder>(&decoder_))
    cascade->finish();
  else if (const auto* small = std::get_if<SmallRansDecoder>(&decoder_))
    small->finish();
  else if (const auto* wide = std::get_if<WideRansDecoder>(&decoder_))
    wide->finish();
}

}  // namespace tensorhub
