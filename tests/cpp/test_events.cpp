// The reader of event files: checksums, both ways to write a scalar, damage, and any cut of the
// bytes.
#include <algorithm>
#include <cstring>
#include <random>

#include "check.hpp"
#include "events_split.hpp"

using clrfast::events::check_splits;
using clrfast::events::crc32c;
using clrfast::events::Damage;
using clrfast::events::framed;
using clrfast::events::little_endian;
using clrfast::events::Reader;
using clrfast::events::Scalars;

namespace {

std::uint32_t crc_of(const std::string& text) {
  return crc32c(reinterpret_cast<const unsigned char*>(text.data()), text.size());
}

// One bit at a time, as the polynomial says.
std::uint32_t slow_crc(const std::string& text) {
  std::uint32_t crc = ~0U;
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

template <typename Bits, typename Float>
std::string bits(Float value) {
  Bits raw;
  static_assert(sizeof raw == sizeof value);
  std::memcpy(&raw, &value, sizeof raw);
  return little_endian(raw, sizeof raw);
}

std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7) text.push_back(static_cast<char>(value | 0x80));
  text.push_back(static_cast<char>(value));
  return text;
}

std::string bytes(unsigned field, const std::string& content) {
  return varint(field << 3 | 2) + varint(content.size()) + content;
}

std::string number(unsigned field, std::uint64_t value) {
  return varint(field << 3) + varint(value);
}

std::string simple(const std::string& tag, float value) {
  return bytes(1, tag) + varint(2 << 3 | 5) + bits<std::uint32_t>(value);
}

std::string tensor(const std::string& tag, const std::string& content) {
  return bytes(1, tag) + bytes(9, bytes(1, bytes(1, "scalars"))) + bytes(8, content);
}

// A record with an event of these values, and with a time and a name as real ones have.
std::string event(std::int64_t step, const std::vector<std::string>& values) {
  std::string summary;
  for (const std::string& value : values) summary += bytes(1, value);
  return framed(varint(1 << 3 | 1) + bits<std::uint64_t>(1.5e9) +
                number(2, static_cast<std::uint64_t>(step)) + bytes(5, summary));
}

std::string dims(const std::vector<std::uint64_t>& sizes) {
  std::string shape;
  for (const std::uint64_t size : sizes) shape += bytes(2, number(1, size));
  return bytes(2, shape);
}

Scalars read(const std::string& file, const std::vector<std::string>& tags) {
  Reader reader(tags);
  reader.feed(file);
  reader.finish();
  return reader.take();
}

void checksums() {
  CHECK(crc_of("123456789") == 0xe3069283U);  // the check value of CRC-32C's definition
  std::mt19937 random(1);
  for (std::size_t size = 0; size < 100; ++size) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(random());
    CHECK(crc_of(text) == slow_crc(text));
  }
}

void scalars_of_every_kind() {
  const std::string one = bits<std::uint32_t>(1.5F), two = bits<std::uint64_t>(0.1);
  const std::string file =
      event(0, {simple("lr", 0.25F), simple("loss", -3)}) +
      event(-7, {tensor("lr", number(1, 1) + bytes(2, "") + bytes(5, one))}) +          // packed
      event(8, {tensor("lr", number(1, 1) + varint(5 << 3 | 5) + one)}) +               // unpacked
      event(9, {tensor("loss", number(1, 2) + dims({1, 1}) + bytes(4, two))}) +         // content
      event(10, {tensor("loss", number(1, 2) + bytes(6, two)), bytes(1, "picture")}) +  // no value
      event(11, {tensor("loss", number(1, 1) + dims({2}) + bytes(5, one + one))}) +     // two
      event(12, {tensor("loss", number(1, 3) + bytes(4, one))}) +                       // int32
      event(13, {tensor("loss", number(1, 2) + varint(6 << 3 | 1) + two)}) + framed("");  // empty
  const Scalars found = read(file, {"loss", "lr"});
  const std::vector<std::uint32_t> tags = {1, 0, 1, 1, 0, 0, 0};
  const std::vector<std::int64_t> steps = {0, 0, -7, 8, 9, 10, 13};
  const std::vector<double> values = {0.25, -3, 1.5, 1.5, 0.1, 0.1, 0.1};
  CHECK(found.tag == tags && found.step == steps && found.value == values);

  Reader learner;
  learner.feed(file);
  learner.finish();
  CHECK(learner.tags().size() == 2 && learner.tags()[0] == "lr" && learner.tags()[1] == "loss");
  CHECK(learner.take().tag.empty() && learner.records() == 9);
  CHECK(read(file, {"other"}).tag.empty());
}

// Fields out of order, and numbers that a plain cast would break.
void step_after_summary() {
  const std::string data = bytes(5, bytes(1, simple("lr", 1))) + number(2, 1ULL << 40);
  CHECK(read(framed(data), {"lr"}).step == std::vector<std::int64_t>{1LL << 40});
}

void damage_is_passed_over_and_told() {
  const std::string good = event(1, {simple("lr", 1)}), last = event(2, {simple("lr", 2)});
  const auto steps = [](const std::string& file, std::uint64_t records, std::uint64_t skipped,
                        std::uint64_t cut_short, std::uint64_t first) {
    Reader reader({"lr"});
    reader.feed(file);
    reader.finish();
    const Damage& damage = reader.damage();
    CHECK(damage.records == records && damage.skipped == skipped);
    CHECK(damage.cut_short == cut_short && damage.first_position == first);
    return reader.take().step;
  };
  using Steps = std::vector<std::int64_t>;
  CHECK(steps(good + last, 0, 0, 0, 0) == (Steps{1, 2}));
  std::string flipped = good;
  flipped[20] = static_cast<char>(flipped[20] ^ 4);  // in the data: only this record is lost
  CHECK(steps(flipped + last, 1, 0, 0, 0) == Steps{2});
  flipped = good;
  flipped[3] = 1;  // in the length: the next record is searched for
  CHECK(steps(last + flipped + last, 0, good.size(), 0, last.size()) == (Steps{2, 2}));
  CHECK(steps(good + "junk" + last, 0, 4, 0, good.size()) == (Steps{1, 2}));
  CHECK(steps(good + last.substr(0, last.size() - 1), 0, 0, last.size() - 1, good.size()) ==
        Steps{1});
  CHECK(steps(good + framed("\x0f"), 1, 0, 0, good.size()) == Steps{1});  // no wire type
  const std::string huge = little_endian(1ULL << 62, 8);                  // no record is so long
  const std::string header = huge + framed("").substr(8, 4);
  CHECK(steps(header + good, 0, header.size(), 0, 0) == Steps{1});
}

// What is longer than is kept is passed, its checksum verified, wherever the bytes are cut.
void long_records_are_not_kept() {
  const std::string good = event(1, {simple("lr", 1)});
  std::string graph = framed(std::string(clrfast::events::kLongestKept + 1, 'x'));
  for (const bool sound : {true, false}) {
    if (!sound) graph[graph.size() / 2] = 'y';
    const std::string file = good + graph + good;
    Reader reader({"lr"});
    for (std::size_t at = 0; at < file.size(); at += 999'999) reader.feed(file.substr(at, 999'999));
    reader.finish();
    const Damage& damage = reader.damage();
    CHECK(damage.too_long == (sound ? 1 : 0) && damage.records == (sound ? 0 : 1));
    CHECK(damage.first_position == good.size() && damage.skipped + damage.cut_short == 0);
    CHECK(reader.records() == (sound ? 3 : 2) && reader.take().step.size() == 2);
  }
  for (const std::size_t left : {std::size_t{12}, graph.size() / 2, graph.size() - 1})
    check_splits(good + graph.substr(0, left), 1'000'003);
  check_splits(good + graph, good.size() + graph.size() - 2);
}

// Real records, mutated: a few thousand of what the fuzzer does for hours.
void any_bytes() {
  std::mt19937 random(2);
  const std::string sound =
      event(1, {simple("a/loss", 1), tensor("lr", number(1, 1) + bytes(5, "abcd"))}) +
      event(2, {simple("b", 2)});
  for (int round = 0; round < 4000; ++round) {
    std::string data = sound;
    for (unsigned flips = random() % 4; flips > 0; --flips)
      data[random() % data.size()] = static_cast<char>(random());
    if (random() % 4 == 0) data.resize(random() % data.size());
    if (random() % 4 == 0) data.insert(random() % (data.size() + 1), random() % 9, '\0');
    check_splits(
        round % 2 == 0 ? data : framed(data.substr(std::min<std::size_t>(12, data.size()))),
        1 + random() % 50);
  }
}

}  // namespace

int main() {
  checksums();
  scalars_of_every_kind();
  step_after_summary();
  damage_is_passed_over_and_told();
  long_records_are_not_kept();
  any_bytes();
}
