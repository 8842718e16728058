// Sanitizer test of the plane kernels: exact-size heap buffers at odd addresses, so that any byte read or written
// outside is reported. Values are checked by round trip; the definition is checked from Python.
#include "tensorhub/planes.hpp"

#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "tensorhub/error.hpp"

namespace {

using tensorhub::Bytes;
using Buffer = std::vector<std::uint8_t>;

void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::exit(1);
}

std::mt19937 generator(7);

Buffer random_buffer(std::size_t nbytes, unsigned zero_of_ten) {
  Buffer buffer(nbytes);
  for (auto& byte : buffer) byte = generator() % 10 < zero_of_ten ? 0 : static_cast<std::uint8_t>(generator());
  buffer.shrink_to_fit();
  return buffer;
}

void test_planes(std::size_t nbytes, std::size_t width) {
  const Buffer data = random_buffer(nbytes, 3), prediction = random_buffer(nbytes, 3);
  Buffer planes(nbytes), back(nbytes);
  tensorhub::split_planes(data, width, planes);
  tensorhub::merge_planes(planes, width, back);
  check(back == data, "planes round trip");
  tensorhub::xor_split_planes(data, prediction, width, planes);
  tensorhub::merge_planes_xor(planes, prediction, width, back);
  check(back == data, "XOR planes round trip");
}

void test_bytes(std::size_t nbytes) {
  const Buffer data = random_buffer(nbytes, 5), other = random_buffer(nbytes, 5);
  Buffer difference(nbytes), back(nbytes), high = data, low = other;
  tensorhub::xor_bytes(data, other, difference);
  tensorhub::xor_bytes(difference, other, back);
  check(back == data, "XOR round trip");
  check(tensorhub::xor_popcount(data, other) == tensorhub::xor_popcount(difference, Buffer(nbytes)), "popcount");
  tensorhub::move_sign_down(high, low);
  tensorhub::move_sign_up(high, low);
  check(high == data && low == other, "moved sign round trip");
  Buffer bitmap((nbytes + 7) / 8), values(nbytes);
  values.resize(tensorhub::split_nonzero(data, bitmap, values));
  values.shrink_to_fit();
  tensorhub::merge_nonzero(bitmap, values, back);
  check(back == data, "non-zero round trip");
}

// Any bitmap with any number of values is either refused or merged, and nothing outside is touched.
void test_hostile_bitmaps(std::size_t nbytes) {
  for (int round = 0; round < 200; ++round) {
    const Buffer bitmap = random_buffer((nbytes + 7) / 8, static_cast<unsigned>(generator() % 10));
    const Buffer values = random_buffer(generator() % (nbytes + 2), 0);
    Buffer out(nbytes);
    try {
      tensorhub::merge_nonzero(bitmap, values, out);
    } catch (const tensorhub::Error& error) {
      check(error.kind() == tensorhub::ErrorKind::kCorruptPack, "hostile bitmap is damage");
    }
  }
}

void test_wrong_sizes() {
  const Buffer four(4), three(3);
  Buffer out(4);
  int refused = 0;
  try {
    tensorhub::split_planes(three, 2, out);
  } catch (const tensorhub::Error& error) {
    refused += error.kind() == tensorhub::ErrorKind::kShapeMismatch;
  }
  try {
    tensorhub::xor_split_planes(four, three, 2, out);
  } catch (const tensorhub::Error& error) {
    refused += error.kind() == tensorhub::ErrorKind::kShapeMismatch;
  }
  try {
    tensorhub::split_planes(Bytes(out), 2, out);
  } catch (const tensorhub::Error& error) {
    refused += error.kind() == tensorhub::ErrorKind::kUsage;
  }
  check(refused == 3, "wrong sizes and overlap are refused");
}

}  // namespace

int main() {
  for (std::size_t width = 1; width <= 17; ++width) {
    for (std::size_t nbytes = 0; nbytes < 700; nbytes += 1 + width / 2) test_planes(nbytes, width);
  }
  for (std::size_t nbytes = 0; nbytes < 300; ++nbytes) test_bytes(nbytes);
  for (std::size_t nbytes : {0u, 1u, 7u, 8u, 9u, 64u, 100u}) test_hostile_bitmaps(nbytes);
  test_wrong_sizes();
  std::puts("planes: ok");
  return 0;
}
