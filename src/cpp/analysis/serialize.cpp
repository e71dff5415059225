#include "analysis/serialize.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "analysis/grid.hpp"
#include "analysis/kernels.hpp"

namespace clrfast::analysis {
namespace {

// The bytes, in words of eight: the name and the format, the next step, the grid index of the first
// cell, the number of cells, the lowest and the highest rate; then each cell, as struct Cell has
// it. Format 1, which no release wrote, was without the next step.
constexpr char kName[] = "clrfast";
constexpr std::size_t kNameBytes = sizeof kName - 1;
constexpr unsigned char kFormat = 2;
constexpr std::size_t kWord = 8;
constexpr std::size_t kHeaderBytes = 6 * kWord;
constexpr std::size_t kCellBytes = 8 * kWord;

void put(std::string& bytes, std::uint64_t word) {
  for (unsigned shift = 0; shift < 64; shift += 8)
    bytes.push_back(static_cast<char>(word >> shift & 0xff));
}

void put(std::string& bytes, std::int64_t value) { put(bytes, static_cast<std::uint64_t>(value)); }

void put(std::string& bytes, double value) {
  std::uint64_t word;
  std::memcpy(&word, &value, sizeof word);
  put(bytes, word);
}

class Words {
 public:
  explicit Words(const char* at) noexcept : at_(at) {}

  std::int64_t integer() noexcept {
    std::uint64_t word = 0;
    for (unsigned shift = 0; shift < 64; shift += 8)
      word |= std::uint64_t{static_cast<unsigned char>(*at_++)} << shift;
    std::int64_t value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }

  double number() noexcept {
    const std::int64_t word = integer();
    double value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }

 private:
  const char* at_;
};

void require(bool fact, const char* what) {
  if (!fact)
    throw std::invalid_argument(std::string("data must be what State.to_bytes() gave, but ") +
                                what);
}

Cell read_cell(Words& words) {
  const Cell empty;
  Cell cell;
  cell.count = words.integer();
  cell.nonfinite = words.integer();
  cell.x = words.number();
  cell.loss = words.number();
  cell.lowest = words.number();
  cell.highest = words.number();
  cell.first = words.integer();
  cell.last = words.integer();
  require(cell.count >= 0 && cell.count <= kMostRows && cell.nonfinite >= 0 &&
              cell.nonfinite <= kMostRows,
          "a number of rows is out of range");
  if (cell.count == 0) {
    require(cell.x == empty.x && cell.loss == empty.loss && cell.lowest == empty.lowest &&
                cell.highest == empty.highest,
            "a cell without rows has a loss");
  } else {
    require(std::fabs(cell.x) <= 0.5 * (1 + 1e-9) * kCellWidth, "a rate lies outside its cell");
    // A mean may round to just beyond the extremes.
    const double slack = 1e-9 * (std::fabs(cell.lowest) + std::fabs(cell.highest));
    require(cell.lowest >= -kLargestLoss && cell.highest <= kLargestLoss &&
                cell.loss >= cell.lowest - slack && cell.loss <= cell.highest + slack,
            "a loss is out of range");
  }
  if (cell.empty()) {
    require(cell.first == empty.first && cell.last == empty.last, "a cell without rows has steps");
  } else {
    require(cell.first <= cell.last && cell.first >= -kMostRows && cell.last <= kMostRows,
            "a step is out of range");
  }
  return cell;
}

}  // namespace

std::string to_bytes(const State& state) {
  std::string bytes(kName, kNameBytes);
  bytes.reserve(kHeaderBytes + kCellBytes * state.cells().size());
  bytes.push_back(static_cast<char>(kFormat));
  put(bytes, state.next_step());
  put(bytes, state.origin());
  put(bytes, static_cast<std::uint64_t>(state.cells().size()));
  put(bytes, state.lowest_lr());
  put(bytes, state.highest_lr());
  for (const Cell& cell : state.cells()) {
    put(bytes, cell.count);
    put(bytes, cell.nonfinite);
    put(bytes, cell.x);
    put(bytes, cell.loss);
    put(bytes, cell.lowest);
    put(bytes, cell.highest);
    put(bytes, cell.first);
    put(bytes, cell.last);
  }
  return bytes;
}

State from_bytes(const char* bytes, std::size_t size) {
  require(size >= kWord && std::memcmp(bytes, kName, kNameBytes) == 0,
          "it begins with something else");
  const auto format = static_cast<unsigned char>(bytes[kNameBytes]);
  if (format != kFormat) {
    const std::string found = "data is a State of format " + std::to_string(format);
    const std::string ours = std::to_string(kFormat);
    throw std::invalid_argument(
        format > kFormat ? found + ", written by a newer clrfast: this one reads up to " + ours
                         : found + ", which no release wrote: this one reads " + ours);
  }
  require(size >= kHeaderBytes && (size - kHeaderBytes) % kCellBytes == 0, "its length is wrong");
  Words words(bytes + kWord);
  const std::int64_t next_step = words.integer();
  require(next_step >= -kMostRows && next_step <= kMostRows, "a step is out of range");
  const std::int64_t origin = words.integer();
  const auto cells = static_cast<std::int64_t>((size - kHeaderBytes) / kCellBytes);
  require(words.integer() == cells, "its length is wrong");
  const double lowest = words.number();
  const double highest = words.number();
  if (cells == 0) return State(next_step);
  require(origin >= kLowestCell && cells <= kHighestCell - origin + 1,
          "a cell lies outside the grid");
  require(is_rate(lowest) && is_rate(highest) && cell_of(lowest) == origin &&
              cell_of(highest) == origin + cells - 1,
          "its rates lie outside its cells");
  std::vector<Cell> contents;
  contents.reserve(static_cast<std::size_t>(cells));
  std::int64_t rows = 0;
  for (std::int64_t i = 0; i < cells; ++i) {
    contents.push_back(read_cell(words));
    rows += contents.back().count + contents.back().nonfinite;
    require(rows <= kMostRows, "a number of rows is out of range");
  }
  require(!contents.front().empty() && !contents.back().empty(), "its rates lie outside its cells");
  return State(next_step, origin, std::move(contents), lowest, highest);
}

}  // namespace clrfast::analysis
