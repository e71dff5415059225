// CRC-32C (Castagnoli, RFC 3720 appendix B.4), which TensorFlow's record files protect their bytes
// with.
#pragma once

#include <cstddef>
#include <cstdint>

namespace clrfast::events {

// `before` is the CRC of the bytes that precede these.
std::uint32_t crc32c(const unsigned char* data, std::size_t size,
                     std::uint32_t before = 0) noexcept;

// As the files store it: rotated and shifted, so that bytes which hold their own CRC get another.
inline std::uint32_t masked(std::uint32_t crc) noexcept {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

inline std::uint32_t masked_crc32c(const unsigned char* data, std::size_t size) noexcept {
  return masked(crc32c(data, size));
}

}  // namespace clrfast::events
