#pragma once
#include <functional>
#include <optional>
#include <utility>

#include "worker/collectives/collectives.hpp"

namespace entrain::worker {

/// Runs `work` on every rank and makes its outcome common: if it threw on any rank, an Error with
/// on_all_ranks() is thrown on all, once all are done, so that one bad rank never leaves the others waiting.
/// The text is that of the lowest rank that failed, with its number in front where not all failed alike.
/// Collective; `work` itself must not be.
void together(Collectives& comm, const std::function<void()>& work);

/// The same for work that gives something back.
template <typename Find>
auto found_together(Collectives& comm, Find find) {
  std::optional<decltype(find())> found;
  together(comm, [&] { found.emplace(find()); });
  return std::move(*found);
}

}  // namespace entrain::worker
