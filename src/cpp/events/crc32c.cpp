#include "events/crc32c.hpp"

#include <array>

#include "events/load.hpp"

namespace clrfast::events {
namespace {

// kTables[k][b] is the CRC of byte b followed by k zero bytes, so that eight bytes take eight
// independent look-ups ("slicing by 8", Kounavis and Berry 2005) instead of a chain of them.
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t zeros = 1; zeros < 8; ++zeros)
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[zeros - 1][byte];
      tables[zeros][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint32_t crc32c(const unsigned char* data, std::size_t size, std::uint32_t before) noexcept {
  std::uint32_t crc = ~before;
  for (; size >= 8; data += 8, size -= 8) {
    const std::uint32_t low = load32(data) ^ crc;
    const std::uint32_t high = load32(data + 4);
    crc = kTables[7][low & 0xff] ^ kTables[6][(low >> 8) & 0xff] ^ kTables[5][(low >> 16) & 0xff] ^
          kTables[4][low >> 24] ^ kTables[3][high & 0xff] ^ kTables[2][(high >> 8) & 0xff] ^
          kTables[1][(high >> 16) & 0xff] ^ kTables[0][high >> 24];
  }
  for (; size > 0; ++data, --size) crc = (crc >> 8) ^ kTables[0][(crc ^ *data) & 0xff];
  return ~crc;
}

}  // namespace clrfast::events
