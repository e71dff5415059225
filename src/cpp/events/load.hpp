// Little-endian numbers at any address, on any machine; compilers turn each into one load where
// they can.
#pragma once

#include <cstdint>
#include <cstring>

namespace clrfast::events {

inline std::uint32_t load32(const unsigned char* p) noexcept {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
         static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
}

inline std::uint64_t load64(const unsigned char* p) noexcept {
  return load32(p) | static_cast<std::uint64_t>(load32(p + 4)) << 32;
}

// The same bits as a floating-point number.
template <typename Float, typename Bits>
Float from_bits(Bits bits) noexcept {
  static_assert(sizeof(Float) == sizeof(Bits));
  Float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace clrfast::events
