// The study in words, for a terminal, and as JSON.
#include <algorithm>
#include <cmath>

#include "configs/cat.hpp"
#include "evaluation/study.hpp"

namespace entrain::evaluation {
namespace {

std::string padded(const std::string& text, std::size_t width) {
  return text + std::string(width > text.size() ? width - text.size() : 0, ' ');
}

std::string cell_text(const Cell& cell) {
  if (cell.repeats > 1) return cat(fixed(cell.mean), " +-", fixed(cell.deviation), " (", cell.repeats, ')');
  return cat(fixed(cell.mean), " [", fixed(cell.low), ", ", fixed(cell.high), ']');
}

nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

nlohmann::json cell_json(double fraction, const Cell& cell) {
  return {{"label_fraction", fraction},
          {"repeats", cell.repeats},
          {"auc", number(cell.mean)},
          {"deviation", number(cell.deviation)},
          {"interval", {number(cell.low), number(cell.high)}},
          {"train_groups", cell.train_groups},
          {"train_images", cell.train_images}};
}

nlohmann::json comparison_json(const Comparison& c) {
  return {
      {"mode", c.mode},
      {"label_fraction", c.fraction},
      {"pretrained", number(c.pretrained.mean)},
      {"scratch", number(c.scratch.mean)},
      {"difference", number(c.difference)},
      {"difference_ci", {number(c.low), number(c.high)}},
      {"pairs", c.pairs},
      {"wins", c.wins},
      {"spread", number(c.spread)},
      {"beyond_spread", c.beyond_spread},
      {"same_from_scratch", c.same_from_scratch ? nlohmann::json(*c.same_from_scratch) : nlohmann::json()},
      {"sentence", sentence(c)}};
}

}  // namespace

std::string finding(const Comparison& c) {
  std::string text = c.pairs > 1 ? cat("better in ", c.wins, " of ", c.pairs, " draws; ") : "";
  if (std::isnan(c.spread)) {
    text += "one draw each, so how much draws differ is not known";
  } else {
    text += cat("the difference is ", std::abs(c.difference) > c.spread ? "larger" : "NOT larger",
                " than the spread over draws (", fixed(c.spread), ")");
  }
  // NaN: no interval, then the mean decides.
  const auto at_chance = [](const Cell& cell) {
    return !((std::isnan(cell.low) ? cell.mean : cell.low) > 0.5);
  };
  if (at_chance(c.pretrained) && at_chance(c.scratch))
    return text +
           cat("; both intervals include chance (0.5)", c.pairs < 3 ? ": more draws would narrow them" : "");
  if (c.difference <= 0) return text;
  if (!c.same_from_scratch) return text + "; from scratch no share here reaches it";
  return text + cat("; from scratch that takes ", percent(*c.same_from_scratch));
}

std::string sentence(const Comparison& c) {
  const std::string patients =
      c.pretrained.train_groups > 0 ? cat(" (", c.pretrained.train_groups, " patients)") : "";
  const std::string by = fixed(std::abs(c.difference));
  std::string text = cat(c.mode, ", ", percent(c.fraction), " of the labels", patients, ": pretrained ",
                         fixed(c.pretrained.mean));
  text += c.difference > 0   ? cat(" beats scratch ", fixed(c.scratch.mean), " by ", by)
          : c.difference < 0 ? cat(" is below scratch ", fixed(c.scratch.mean), " by ", by)
                             : cat(" equals scratch ", fixed(c.scratch.mean));
  return text + "; " + finding(c);
}

std::string terminal_table(const Study& study) {
  std::vector<std::vector<std::string>> rows{{"corpus", "mode", "init"}};
  for (const double f : study.fractions) rows[0].push_back(percent(f));
  for (const CorpusStudy& corpus : study.corpora)
    for (const Arm& arm : corpus.arms) {
      rows.push_back({corpus.name + (corpus.leakage ? " (LEAKAGE)" : ""), arm.mode, arm.init});
      for (const double f : study.fractions) {
        const auto cell = arm.cells.find(f);
        rows.back().push_back(cell == arm.cells.end() ? "-" : cell_text(cell->second));
      }
    }
  std::vector<std::size_t> width(rows[0].size(), 0);
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], row[c].size());
  std::string out =
      "AUC by share of the labelled patients: mean +- standard deviation over (repeats), or [95 % interval] "
      "of one\n\n";
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) line += padded(row[c], width[c] + 2);
    out += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  out += '\n';
  for (const CorpusStudy& corpus : study.corpora) {
    std::string mode;
    for (const Comparison& c :
         compare(corpus))  // ascending in the fraction: the first of each mode is the lowest
      if (c.mode != mode) out += cat(corpus.name, ", ", sentence(c), '\n'), mode = c.mode;
  }
  for (const auto& why : study.left_out) out += cat("left out: ", why, '\n');
  return out;
}

nlohmann::json to_json(const Study& study) {
  nlohmann::json json{{"corpora", nlohmann::json::array()},
                      {"left_out", study.left_out},
                      {"results", nlohmann::json::array()}};
  for (const CorpusStudy& corpus : study.corpora) {
    nlohmann::json c{{"name", corpus.name},
                     {"n", corpus.n},
                     {"groups", corpus.groups},
                     {"positives", corpus.positives},
                     {"leakage", corpus.leakage},
                     {"arms", nlohmann::json::array()},
                     {"comparisons", nlohmann::json::array()}};
    for (const Arm& arm : corpus.arms) {
      c["arms"].push_back({{"mode", arm.mode}, {"init", arm.init}, {"cells", nlohmann::json::array()}});
      for (const auto& [fraction, cell] : arm.cells)
        c["arms"].back()["cells"].push_back(cell_json(fraction, cell));
    }
    for (const Comparison& comparison : compare(corpus))
      c["comparisons"].push_back(comparison_json(comparison));
    json["corpora"].push_back(std::move(c));
  }
  for (const Result& r : study.results) {
    json["results"].push_back(r.metrics);
    json["results"].back()["dir"] = r.dir;
  }
  return json;
}

}  // namespace entrain::evaluation
