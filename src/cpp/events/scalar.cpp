#include "events/scalar.hpp"

#include <cstdint>

#include "events/load.hpp"
#include "events/message.hpp"

namespace clrfast::events {
namespace {

// Numbers of the fields in tensorboard/compat/proto/{summary,tensor,tensor_shape}.proto.
constexpr unsigned kValueTag = 1, kValueSimple = 2, kValueTensor = 8;
constexpr unsigned kTensorType = 1, kTensorShape = 2, kTensorContent = 4, kTensorFloats = 5,
                   kTensorDoubles = 6;
constexpr unsigned kShapeDimension = 2, kDimensionSize = 1;
constexpr std::uint64_t kFloat = 1, kDouble = 2;  // DataType

const unsigned char* data(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

double float_of(std::uint64_t bits) noexcept {
  return from_bits<float>(static_cast<std::uint32_t>(bits));
}

// Whether a TensorShape has one element; a dimension's size is 0 where it is not given.
bool one_element(std::string_view shape, bool& ok) noexcept {
  bool one = true;
  Message message(shape);
  for (Field field; message.next(field);) {
    if (!field.is(kShapeDimension, Wire::kBytes)) continue;
    std::uint64_t size = 0;
    Message dimension(field.bytes);
    for (Field part; dimension.next(part);)
      if (part.is(kDimensionSize, Wire::kVarint)) size = part.bits;
    one = one && size == 1;
    ok = ok && dimension.ok();
  }
  ok = ok && message.ok();
  return one;
}

bool read_tensor(std::string_view bytes, std::optional<double>& number) noexcept {
  std::uint64_t type = 0;
  std::string_view content;
  std::optional<double> single;
  bool ok = true;
  bool scalar = true;
  Message message(bytes);
  for (Field field; message.next(field);) {
    if (field.is(kTensorType, Wire::kVarint)) type = field.bits;
    if (field.is(kTensorShape, Wire::kBytes)) scalar = one_element(field.bytes, ok);
    if (field.is(kTensorContent, Wire::kBytes)) content = field.bytes;
    // Repeated numbers come packed, or, from old writers, one by one.
    if (field.is(kTensorFloats, Wire::kBytes) && field.bytes.size() == 4)
      single = float_of(load32(data(field.bytes)));
    if (field.is(kTensorFloats, Wire::kFixed32)) single = float_of(field.bits);
    if (field.is(kTensorDoubles, Wire::kBytes) && field.bytes.size() == 8)
      single = from_bits<double>(load64(data(field.bytes)));
    if (field.is(kTensorDoubles, Wire::kFixed64)) single = from_bits<double>(field.bits);
  }
  if (!message.ok() || !ok) return false;
  if (!scalar || (type != kFloat && type != kDouble)) return true;
  if (type == kFloat && content.size() == 4) single = float_of(load32(data(content)));
  if (type == kDouble && content.size() == 8) single = from_bits<double>(load64(data(content)));
  number = single;
  return true;
}

}  // namespace

bool read_value(std::string_view bytes, Value& value) noexcept {
  value = {};
  Message message(bytes);
  for (Field field; message.next(field);) {
    if (field.is(kValueTag, Wire::kBytes)) value.tag = field.bytes;
    if (field.is(kValueSimple, Wire::kFixed32)) value.number = float_of(field.bits);
    if (field.is(kValueTensor, Wire::kBytes) && !read_tensor(field.bytes, value.number))
      return false;
  }
  return message.ok();
}

}  // namespace clrfast::events
