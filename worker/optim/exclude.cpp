#include "worker/optim/exclude.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <regex>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::worker {
namespace {

// Ours: norms.0.weight is a BatchNorm of the projection head; norm.bias and norm1.bias are GroupNorms (timm's
// names).
bool excluded_by_google(const std::string& name) {
  static const std::regex batch_norm(R"((^|\.)norms\.\d+\.(weight|bias)$)"), bias(R"((^|\.)bias$)"),
      group_norm(R"((^|\.)norm\d?\.(weight|bias)$)");
  return std::regex_search(name, batch_norm) ||
         (std::regex_search(name, bias) && !std::regex_search(name, group_norm));
}

std::regex compile(const std::string& pattern) {
  try {
    return std::regex(pattern);
  } catch (const std::regex_error& e) {
    throw ConfigError(
        cat("optim.exclude: want one_dim, google, none or a regular expression on parameter names, got \"",
            pattern, "\": ", e.what()));
  }
}

}  // namespace

std::vector<bool> excluded(const std::string& exclude, const ParameterSet& parameters) {
  std::vector<bool> out(parameters.all().size(), false);
  if (exclude == "none") return out;
  const bool one_dim = exclude == "one_dim", google = exclude == "google";
  const std::regex pattern = one_dim || google ? std::regex() : compile(exclude);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto& [name, value] = parameters.all()[i];
    out[i] = one_dim  ? value.dim() <= 1
             : google ? excluded_by_google(name)
                      : std::regex_search(name, pattern);
  }
  if (!one_dim && !google && std::find(out.begin(), out.end(), true) == out.end())
    throw ConfigError(cat("optim.exclude: no parameter's name matches \"", exclude, "\"; names look like ",
                          parameters.all().empty() ? "" : parameters.all().back().name,
                          "; write none to exclude nothing"));
  return out;
}

}  // namespace entrain::worker
