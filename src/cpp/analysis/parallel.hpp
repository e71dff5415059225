// A few threads for a few parts of the same work.
#pragma once

#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace clrfast::analysis {

// Calls part(0) ... part(parts - 1), which must not throw, at the same time.
template <typename Part>
void in_parallel(std::size_t parts, const Part& part) {
  std::vector<std::thread> threads;
  threads.reserve(parts);
  for (std::size_t k = 1; k < parts; ++k) {
    try {
      threads.emplace_back(part, k);
    } catch (const std::system_error&) {  // no more threads to be had
      part(k);
    }
  }
  if (parts > 0) part(0);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace clrfast::analysis
