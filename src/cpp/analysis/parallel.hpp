// A few threads for a few parts of the same work.
#pragma once

#include <cstddef>
#include <exception>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace clrfast::analysis {

// Calls part(0) ... part(parts - 1) at the same time. Throws what the first of them threw, once all
// have ended.
template <typename Part>
void in_parallel(std::size_t parts, const Part& part) {
  std::vector<std::exception_ptr> failures(parts);
  const auto attempt = [&](std::size_t k) noexcept {
    try {
      part(k);
    } catch (...) {
      failures[k] = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(parts);
  for (std::size_t k = 1; k < parts; ++k) {
    try {
      threads.emplace_back(attempt, k);
    } catch (const std::system_error&) {  // no more threads to be had
      attempt(k);
    } catch (const std::bad_alloc&) {  // nor memory for one
      attempt(k);
    }
  }
  if (parts > 0) attempt(0);
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace clrfast::analysis
