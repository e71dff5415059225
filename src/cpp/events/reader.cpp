#include "events/reader.hpp"

#include <utility>

#include "events/crc32c.hpp"
#include "events/load.hpp"
#include "events/message.hpp"
#include "events/scalar.hpp"

namespace clrfast::events {
namespace {

constexpr std::size_t kHeader = 12, kFooter = 4;
constexpr std::uint64_t kLongest = 0x7fffffff;  // no message may be longer
constexpr unsigned kEventStep = 2, kEventSummary = 5, kSummaryValue = 1;

const unsigned char* data(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

Reader::Reader(const std::vector<std::string>& tags) : learning_(tags.empty()) {
  for (const std::string& tag : tags) {
    tags_.push_back(tag);
    ids_.emplace(tags_.back(), static_cast<std::uint32_t>(tags_.size() - 1));
  }
}

void Reader::feed(std::string_view bytes) {
  if (rest_.empty()) {
    const std::size_t used = read(bytes);
    rest_.assign(bytes.substr(used));
  } else {
    rest_.append(bytes);
    rest_.erase(0, read(rest_));
  }
}

void Reader::finish() {
  if (!rest_.empty()) {
    damaged_at(0);
    damage_.cut_short += rest_.size();
  }
  rest_.clear();
  position_ = 0;
}

Scalars Reader::take() { return std::exchange(found_, {}); }

void Reader::damaged_at(std::size_t offset) noexcept {
  if (damage_.records + damage_.skipped + damage_.cut_short == 0)
    damage_.first_position = position_ + offset;
}

// Reads all whole records and returns how many bytes they took.
std::size_t Reader::read(std::string_view bytes) {
  std::size_t at = 0;
  while (bytes.size() - at >= kHeader) {
    const unsigned char* header = data(bytes) + at;
    const std::uint64_t length = load64(header);
    if (length > kLongest || masked_crc32c(header, 8) != load32(header + 8)) {
      damaged_at(at);  // the next record may begin at any byte: its checksum will tell
      ++damage_.skipped;
      ++at;
      continue;
    }
    if (bytes.size() - at - kHeader < length + kFooter) break;
    const std::string_view record = bytes.substr(at + kHeader, static_cast<std::size_t>(length));
    const bool sound = masked_crc32c(data(record), record.size()) == load32(data(record) + length);
    if (sound && event(record)) {
      ++records_;
    } else {
      damaged_at(at);
      ++damage_.records;
    }
    at += kHeader + static_cast<std::size_t>(length) + kFooter;
  }
  position_ += at;
  return at;
}

bool Reader::event(std::string_view bytes) {
  std::int64_t step = 0;
  Message message(bytes);
  for (Field field; message.next(field);)
    if (field.is(kEventStep, Wire::kVarint)) step = static_cast<std::int64_t>(field.bits);
  if (!message.ok()) return false;

  bool ok = true;  // the step is known only now: fields may come in any order
  Message again(bytes);
  for (Field field; again.next(field);)
    if (field.is(kEventSummary, Wire::kBytes)) ok = summary(field.bytes, step) && ok;
  return ok;
}

bool Reader::summary(std::string_view bytes, std::int64_t step) {
  Message message(bytes);
  for (Field field; message.next(field);) {
    if (!field.is(kSummaryValue, Wire::kBytes)) continue;
    Value value;
    if (!read_value(field.bytes, value)) return false;
    if (!value.number) continue;
    const auto known = ids_.find(value.tag);
    if (learning_ && known == ids_.end()) {
      tags_.emplace_back(value.tag);
      ids_.emplace(tags_.back(), static_cast<std::uint32_t>(tags_.size() - 1));
    }
    if (learning_ || known == ids_.end()) continue;
    found_.tag.push_back(known->second);
    found_.step.push_back(step);
    found_.value.push_back(*value.number);
  }
  return message.ok();
}

}  // namespace clrfast::events
