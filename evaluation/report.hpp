#pragma once
#include <string>
#include <string_view>

#include "evaluation/study.hpp"

namespace entrain::evaluation {

/// How every page begins: what `entrain report --out` may replace without being told to.
inline constexpr std::string_view kReportBegins =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"generator\" "
    "content=\"entrain report\">";

/// The study as one HTML page that needs neither network nor script: what came out, label-efficiency curves as inline
/// SVG, tables, what the numbers do not say, what was run. Its bytes depend on the study only (no date).
std::string report_html(const Study& study);

/// What a reader must know before believing the curves, computed from the results: one sentence each.
std::vector<std::string> cautions(const Study& study);

}  // namespace entrain::evaluation
