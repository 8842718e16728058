// Trimmed blocks. Plain code: compilers make vectors of the two loops that matter.
#include "tensorhub/trimmed.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "corrupt.hpp"

namespace tensorhub {
namespace {

constexpr std::string_view kThing = "a trimmed stream";
constexpr std::size_t kBlock = kTrimmedBlockNbytes;

// The bits that are set in any byte of a block.
std::uint8_t used_bits(const std::uint8_t* block) {
  std::uint64_t all = 0;
  for (std::size_t k = 0; k < kBlock; k += 8) {
    std::uint64_t word;
    std::memcpy(&word, block + k, 8);
    all |= word;
  }
  all |= all >> 32;
  all |= all >> 16;
  return static_cast<std::uint8_t>(all | all >> 8);
}

// One bit of every byte of a block, as 64 bits; its inverse adds them at bit `bit`.
std::uint64_t gather_bit(const std::uint8_t* block, unsigned bit) {
  std::uint64_t bits = 0;
  for (unsigned k = 0; k < kBlock; ++k) bits |= std::uint64_t{block[k] >> bit & 1U} << k;
  return bits;
}

void spread_bit(std::uint64_t bits, unsigned bit, std::uint8_t* block) {
  // Eight bits to eight bytes: a copy in each, one bit of it kept, moved down to bit 0 by the compare with zero.
  for (unsigned k = 0; k < 8; ++k) {
    std::uint64_t word = (bits >> 8 * k & 0xff) * 0x0101010101010101U & 0x8040201008040201U;
    word = ((word + 0x7f7f7f7f7f7f7f7fU) | word) >> 7 & 0x0101010101010101U;
    std::uint64_t old;
    std::memcpy(&old, block + 8 * k, 8);
    old |= word << bit;
    std::memcpy(block + 8 * k, &old, 8);
  }
}

}  // namespace

std::size_t trimmed_nbytes(std::span<const std::uint8_t> bytes) {
  const std::size_t blocks = bytes.size() / kBlock;
  std::size_t nbytes = (blocks + 7) / 8 + bytes.size() % kBlock;
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::uint8_t used = used_bits(bytes.data() + b * kBlock);
    nbytes += used == 0xff ? kBlock : 1 + 8 * static_cast<std::size_t>(std::popcount(used));
  }
  return nbytes;
}

std::size_t encode_trimmed(std::span<const std::uint8_t> bytes, std::span<std::uint8_t> out) {
  const std::size_t blocks = bytes.size() / kBlock;
  std::uint8_t* flags = out.data();
  std::fill_n(flags, (blocks + 7) / 8, std::uint8_t{0});
  std::uint8_t* masks = flags + (blocks + 7) / 8;
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::uint8_t used = used_bits(bytes.data() + b * kBlock);
    if (used == 0xff) continue;
    flags[b / 8] = static_cast<std::uint8_t>(flags[b / 8] | 1U << b % 8);
    *masks++ = used;
  }
  std::uint8_t* payload = masks;
  masks = flags + (blocks + 7) / 8;
  for (std::size_t b = 0; b < blocks; ++b) {
    const std::uint8_t* block = bytes.data() + b * kBlock;
    if (!(flags[b / 8] >> b % 8 & 1)) {
      std::memcpy(payload, block, kBlock);
      payload += kBlock;
      continue;
    }
    const std::uint8_t used = *masks++;
    for (unsigned bit = 0; bit < 8; ++bit) {
      if (!(used >> bit & 1)) continue;
      const std::uint64_t bits = gather_bit(block, bit);
      std::memcpy(payload, &bits, 8);
      payload += 8;
    }
  }
  const std::size_t rest = bytes.size() % kBlock;
  std::copy_n(bytes.data() + blocks * kBlock, rest, payload);
  return static_cast<std::size_t>(payload + rest - out.data());
}

TrimmedDecoder::TrimmedDecoder(std::span<const std::uint8_t> coded, std::size_t count) {
  const std::size_t blocks = count / kBlock, flags_nbytes = (blocks + 7) / 8;
  if (coded.size() < flags_nbytes) throw corrupt(kThing, "a flag for each block", coded.size());
  std::size_t trimmed = 0;
  for (std::size_t b = 0; b < blocks; ++b) trimmed += coded[b / 8] >> b % 8 & 1;
  if (blocks % 8 && coded[flags_nbytes - 1] >> blocks % 8) throw corrupt(kThing, "zeros after the flags", 1);
  if (coded.size() - flags_nbytes < trimmed) throw corrupt(kThing, "a mask for each trimmed block", coded.size());
  std::size_t nbytes = flags_nbytes + trimmed + (blocks - trimmed) * kBlock + count % kBlock;
  for (std::size_t k = 0; k < trimmed; ++k)
    nbytes += 8 * static_cast<std::size_t>(std::popcount(coded[flags_nbytes + k]));
  if (nbytes != coded.size()) throw corrupt(kThing, std::to_string(nbytes) + " bytes by its masks", coded.size());
  flags_ = coded.data();
  masks_ = flags_ + flags_nbytes;
  payload_ = masks_ + trimmed;
}

void TrimmedDecoder::next(std::uint8_t* out, std::size_t count) {
  for (std::size_t b = 0; b < count / kBlock; ++b, ++block_, out += kBlock) {
    if (!(flags_[block_ / 8] >> block_ % 8 & 1)) {
      std::memcpy(out, payload_, kBlock);
      payload_ += kBlock;
      continue;
    }
    const std::uint8_t used = *masks_++;
    std::memset(out, 0, kBlock);
    for (unsigned bit = 0; bit < 8; ++bit) {
      if (!(used >> bit & 1)) continue;
      std::uint64_t bits;
      std::memcpy(&bits, payload_, 8);
      payload_ += 8;
      spread_bit(bits, bit, out);
    }
  }
  std::copy_n(payload_, count % kBlock, out);
  payload_ += count % kBlock;
}

}  // namespace tensorhub
