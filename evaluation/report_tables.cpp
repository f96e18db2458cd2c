#include "evaluation/report_tables.hpp"

#include <algorithm>
#include <cmath>

#include "configs/cat.hpp"
#include "evaluation/chart.hpp"

namespace entrain::evaluation {
namespace {

std::string cell_html(const std::string& text) { return cat("<td>", text, "</td>"); }
std::string number_html(const std::string& text) { return cat("<td class=\"n\">", text, "</td>"); }

std::string interval(double low, double high) {
  return std::isnan(low) || std::isnan(high) ? "" : cat(fixed(low), "&#8202;&ndash;&#8202;", fixed(high));
}

std::string number_of(const nlohmann::json& metrics, const char* key) {
  const auto found = metrics.find(key);
  return found != metrics.end() && found->is_number() ? fixed(found->get<double>()) : "-";
}

std::string text_of(const nlohmann::json& metrics, const char* key) {
  const auto found = metrics.find(key);
  return found != metrics.end() && found->is_string() ? found->get<std::string>() : "-";
}

std::string auc_cell(const Cell& cell) {
  const std::string draws = cell.repeats > 1 ? cat("s ", fixed(cell.deviation), ", K ", cell.repeats) : "K 1";
  return number_html(cat("<b>", fixed(cell.mean), "</b><small>", interval(cell.low, cell.high),
                         "</small><small>", draws, "</small>"));
}

std::string sensitivities(const nlohmann::json& metrics) {
  std::string out;
  const auto list = metrics.find("sensitivity_at");
  if (list == metrics.end() || !list->is_array()) return "-";
  for (const auto& s : *list)
    out += cat("<div>", number_of(s, "sensitivity"), " <small class=\"in\">at ",
               number_of(s, "specificity").substr(0, 4), "</small></div>");
  return out;
}

std::string run_row(const Result& r) {
  const std::string trained =
      cat(r.train_groups > 0 ? counted(r.train_groups, "patient") : "-",
          r.train_images > 0 ? "<small>" + counted(r.train_images, "image") + "</small>" : "");
  const std::string weights =
      cat("<code>", escaped(text_of(r.metrics, "weights_digest").substr(0, 12)),
          "</code><small class=\"path\">", escaped(text_of(r.metrics, "checkpoint")), "</small>");
  return cat("<tr>", cell_html(escaped(r.corpus)),
             cell_html(cat(escaped(r.init), "<small>", escaped(r.mode), "</small>")),
             cell_html(percent(r.fraction)), cell_html(cat(r.repeat)), cell_html(trained),
             cell_html(cat(fixed(r.auc), "<small>", interval(r.low, r.high), "</small>")),
             cell_html(number_of(r.metrics, "accuracy")),
             cell_html(number_of(r.metrics, "balanced_accuracy")), cell_html(number_of(r.metrics, "brier")),
             cell_html(sensitivities(r.metrics)), cell_html(weights), "</tr>");
}

}  // namespace

const char* color_of(const std::string& init) {
  return init == "pretrained" ? "#0072b2" : init == "scratch" ? "#c24e00" : "#555555";
}

std::string count(std::int64_t value) { return value > 0 ? cat(value) : "-"; }

std::string counted(std::int64_t value, const std::string& what) {
  return cat(value, ' ', what, value == 1 ? "" : "s");
}

std::string signed_text(double value) {
  return std::isnan(value) ? "-" : cat(value < 0 ? "&minus;" : "+", fixed(std::abs(value)));
}

std::int64_t patients_at(const CorpusStudy& corpus, double fraction) {
  std::int64_t most = -1;
  for (const Arm& arm : corpus.arms)
    if (const auto cell = arm.cells.find(fraction); cell != arm.cells.end())
      most = std::max(most, cell->second.train_groups);
  return most;
}

std::string auc_table(const CorpusStudy& corpus, const std::vector<double>& fractions) {
  std::string out =
      cat("<div class=\"wide\"><h3>", escaped(corpus.name), "</h3><table><thead><tr><th>start</th>");
  for (const double f : fractions) {
    const auto patients = patients_at(corpus, f);
    out += cat("<th class=\"n\">", percent(f),
               patients > 0 ? "<small>" + counted(patients, "patient") + "</small>" : "", "</th>");
  }
  out += "</tr></thead><tbody>";
  for (const Arm& arm : corpus.arms) {
    out += cat("<tr><th scope=\"row\" style=\"color:", color_of(arm.init), "\">", escaped(arm.init),
               "<small>", escaped(arm.mode), "</small></th>");
    for (const double f : fractions) {
      const auto cell = arm.cells.find(f);
      out += cell == arm.cells.end() ? number_html("-") : auc_cell(cell->second);
    }
    out += "</tr>";
  }
  return out + "</tbody></table></div>";
}

std::string difference_table(const Study& study) {
  std::string rows;
  for (const CorpusStudy& corpus : study.corpora)
    for (const Comparison& c : compare(corpus))
      rows += cat("<tr>", cell_html(escaped(corpus.name)), cell_html(escaped(c.mode)),
                  number_html(percent(c.fraction)), number_html(count(c.pretrained.train_groups)),
                  number_html("<b>" + signed_text(c.difference) + "</b>"),
                  number_html(c.pairs < 2 ? "-" : cat(signed_text(c.low), " to ", signed_text(c.high))),
                  number_html(cat(c.wins, " of ", c.pairs)), number_html(fixed(c.spread)),
                  number_html(c.same_from_scratch ? percent(*c.same_from_scratch) : "more"), "</tr>");
  if (rows.empty()) return "";
  std::string out =
      "<h2>Pretrained against from scratch</h2><p>AUC of the pretrained network less that of the same "
      "network from scratch, paired by draw: "
      "both saw the same labelled patients. The interval is the 95 % t-interval over draws; <i>spread</i> is "
      "the larger standard deviation over "
      "draws of the two; <i>scratch needs</i> is the smallest share here at which the network from scratch "
      "is as good.</p><div class=\"wide\"><table><thead>"
      "<tr><th>corpus</th><th>training</th>";
  for (const char* title :
       {"labels", "patients", "difference", "interval", "better in", "spread", "scratch needs"})
    out += cat("<th class=\"n\">", title, "</th>");
  return cat(out, "</tr></thead><tbody>", rows, "</tbody></table></div>");
}

std::string run_table(const Study& study) {
  std::string out =
      "<h2>What was run</h2><p>One line per evaluation. <i>Sensitivity</i> is that at a specificity reached "
      "on this very test set. The weights are "
      "named by the first digits of their SHA-256, which <code>entrain verify --digest</code> "
      "prints.</p><div class=\"wide\"><table class=\"fine\"><thead><tr>";
  for (const char* title : {"corpus", "start", "labels", "draw", "trained on", "AUC", "accuracy", "balanced",
                            "Brier", "sensitivity", "weights"})
    out += cat("<th>", title, "</th>");
  out += "</tr></thead><tbody>";
  for (const Result& r : study.results) out += run_row(r);
  return out + "</tbody></table></div>";
}

}  // namespace entrain::evaluation
