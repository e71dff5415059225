#include "events/message.hpp"

#include "events/load.hpp"

namespace clrfast::events {

bool Message::varint(std::uint64_t& value) noexcept {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (at_ == end_) return fail();
    const std::uint64_t byte = *at_++;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return fail();
}

bool Message::next(Field& field) noexcept {
  if (!ok_ || at_ == end_) return false;
  std::uint64_t key = 0;
  if (!varint(key)) return false;
  field.number = key >> 3;
  field.wire = static_cast<Wire>(key & 7);
  if (field.number == 0) return fail();
  switch (field.wire) {
    case Wire::kVarint:
      return varint(field.bits);
    case Wire::kFixed64:
      if (left() < 8) return fail();
      field.bits = load64(at_);
      at_ += 8;
      return true;
    case Wire::kFixed32:
      if (left() < 4) return fail();
      field.bits = load32(at_);
      at_ += 4;
      return true;
    case Wire::kBytes: {
      std::uint64_t size = 0;
      if (!varint(size) || size > left()) return fail();
      field.bytes = {reinterpret_cast<const char*>(at_), static_cast<std::size_t>(size)};
      at_ += size;
      return true;
    }
  }
  return fail();  // groups, which these messages do not use, and what is no wire type
}

}  // namespace clrfast::events
