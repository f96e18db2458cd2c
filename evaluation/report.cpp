#include "evaluation/report.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "configs/cat.hpp"
#include "evaluation/chart.hpp"
#include "evaluation/report_style.hpp"

namespace entrain::evaluation {
namespace {

// Okabe and Ito's blue and vermillion: told apart by colour-blind eyes and by their grey.
const char* color_of(const std::string& init) {
  return init == "pretrained" ? "#0072b2" : init == "scratch" ? "#c24e00" : "#555555";
}

std::string cell_html(const std::string& text, const char* kind = "") {
  return cat("<td", kind, '>', text, "</td>");
}

std::string count(std::int64_t value) { return value > 0 ? cat(value) : "-"; }

std::string counted(std::int64_t value, const char* what) {
  return cat(value, ' ', what, value == 1 ? "" : "s");
}

std::string interval(double low, double high) {
  return std::isnan(low) || std::isnan(high) ? "" : cat(fixed(low), "&#8202;&ndash;&#8202;", fixed(high));
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

std::string about(const CorpusStudy& corpus) {
  std::string text =
      cat(counted(corpus.n, "image"),
          corpus.groups > 0 && corpus.groups != corpus.n ? " of " + counted(corpus.groups, "patient") : "");
  if (corpus.positives >= 0) text += cat(", ", corpus.positives, " positive");
  return text;
}

// What came out, at the lowest share of each mode: the two numbers beside each other, then the sentence.
std::string headline(const CorpusStudy& corpus) {
  std::string out, mode;
  for (const Comparison& c : compare(corpus)) {
    if (c.mode == mode) continue;
    mode = c.mode;
    out += cat("<div class=\"card\"><p class=\"where\">", escaped(corpus.name), " &middot; ", escaped(c.mode),
               " &middot; ", percent(c.fraction), " of the labels</p><p class=\"pair\"><span class=\"pre\">",
               fixed(c.pretrained.mean), "<small>pretrained</small></span><span class=\"scr\">",
               fixed(c.scratch.mean), "<small>from scratch</small></span><span class=\"diff\">",
               signed_text(c.difference), "<small>difference</small></span></p><p>", escaped(sentence(c)),
               ".</p></div>");
  }
  return out;
}

std::string chart(const CorpusStudy& corpus, std::size_t number) {
  std::vector<ChartCurve> curves;
  std::set<double> fractions;
  for (const Arm& arm : corpus.arms) {
    ChartCurve curve{cat(arm.init, ", ", arm.mode), color_of(arm.init), arm.mode != "full", {}};
    for (const auto& [fraction, cell] : arm.cells) {
      curve.points.push_back({fraction, cell.mean, cell.low, cell.high});
      fractions.insert(fraction);
    }
    curves.push_back(std::move(curve));
  }
  std::vector<ChartTick> ticks;
  std::string description = "AUC against the share of labelled patients.";
  for (const double f : fractions) ticks.push_back({f, percent(f), count(patients_at(corpus, f))});
  for (const auto& curve : curves) {
    description += cat(' ', curve.label, ':');
    for (const auto& p : curve.points) description += cat(' ', fixed(p.y), " at ", percent(p.x), ',');
    description.back() = '.';
  }
  return cat("<figure><figcaption><b>", escaped(corpus.name), "</b> ", about(corpus),
             corpus.leakage ? " <strong class=\"bad\">LEAKAGE</strong>" : "", "</figcaption>",
             label_efficiency_svg(cat("c", number), "Label efficiency on " + corpus.name, description, curves,
                                  ticks),
             "</figure>");
}

std::string table(const CorpusStudy& corpus, const std::vector<double>& fractions) {
  std::string out = cat("<h3>", escaped(corpus.name),
                        "</h3><div class=\"wide\"><table><thead><tr><th>start</th><th>training</th>");
  for (const double f : fractions) {
    const auto patients = patients_at(corpus, f);
    out += cat("<th class=\"n\">", percent(f),
               patients > 0 ? "<small>" + counted(patients, "patient") + "</small>" : "", "</th>");
  }
  out += "</tr></thead><tbody>";
  for (const Arm& arm : corpus.arms) {
    out += cat("<tr><th scope=\"row\" style=\"color:", color_of(arm.init), "\">", escaped(arm.init), "</th>",
               cell_html(escaped(arm.mode)));
    for (const double f : fractions) {
      const auto found = arm.cells.find(f);
      if (found == arm.cells.end()) {
        out += cell_html("-", " class=\"n\"");
        continue;
      }
      const Cell& c = found->second;
      out += cell_html(cat("<b>", fixed(c.mean), "</b><small>", interval(c.low, c.high), "</small>",
                           c.repeats > 1 ? cat("<small>s ", fixed(c.deviation), ", K ", c.repeats, "</small>")
                                         : "<small>K 1</small>"),
                       " class=\"n\"");
    }
    out += "</tr>";
  }
  return out + "</tbody></table></div>";
}

std::string differences(const Study& study) {
  std::string rows;
  for (const CorpusStudy& corpus : study.corpora)
    for (const Comparison& c : compare(corpus))
      rows += cat(
          "<tr>", cell_html(escaped(corpus.name)), cell_html(escaped(c.mode)),
          cell_html(percent(c.fraction), " class=\"n\""),
          cell_html(count(c.pretrained.train_groups), " class=\"n\""),
          cell_html("<b>" + signed_text(c.difference) + "</b>", " class=\"n\""),
          cell_html(c.pairs < 2 ? "-" : cat(signed_text(c.low), " to ", signed_text(c.high)), " class=\"n\""),
          cell_html(cat(c.wins, " of ", c.pairs), " class=\"n\""), cell_html(fixed(c.spread), " class=\"n\""),
          cell_html(c.same_from_scratch ? percent(*c.same_from_scratch) : "none here", " class=\"n\""),
          "</tr>");
  if (rows.empty()) return "";
  return cat(
      "<h2>Pretrained against from scratch</h2><p>AUC of the pretrained network less that of the same "
      "network from scratch, paired by draw: both "
      "saw the same labelled patients. The interval is the 95 % t-interval over draws; <i>spread</i> is the "
      "larger standard deviation of the two.</p>"
      "<div class=\"wide\"><table><thead><tr><th>corpus</th><th>training</th><th class=\"n\">labels</th><th "
      "class=\"n\">patients</th><th "
      "class=\"n\">difference</th><th class=\"n\">interval</th><th class=\"n\">better in</th><th "
      "class=\"n\">spread</th><th class=\"n\">as good from "
      "scratch at</th></tr></thead><tbody>",
      rows, "</tbody></table></div>");
}

std::string number_of(const nlohmann::json& metrics, const char* key) {
  const auto found = metrics.find(key);
  return found != metrics.end() && found->is_number() ? fixed(found->get<double>()) : "-";
}

std::string text_of(const nlohmann::json& metrics, const char* key) {
  const auto found = metrics.find(key);
  return found != metrics.end() && found->is_string() ? found->get<std::string>() : "-";
}

std::string sensitivities(const nlohmann::json& metrics) {
  std::string out;
  const auto list = metrics.find("sensitivity_at");
  if (list == metrics.end() || !list->is_array()) return "-";
  for (const auto& s : *list)
    out += cat(out.empty() ? "" : "<br>", number_of(s, "sensitivity"), " <small class=\"in\">at ",
               number_of(s, "specificity").substr(0, 4), "</small>");
  return out;
}

std::string runs(const Study& study) {
  std::string out =
      "<h2>What was run</h2><p>One line per evaluation. <i>sens.</i> is the sensitivity at a specificity "
      "reached on this very test set. The "
      "weights are named by the first digits of their SHA-256 (<code>entrain verify "
      "--digest</code>).</p><div class=\"wide\"><table class=\"fine\"><thead><tr>";
  for (const char* title :
       {"corpus", "start", "training", "labels", "draw", "trained on", "AUC", "95 % interval", "accuracy",
        "balanced", "Brier", "sens.", "weights", "checkpoint"})
    out += cat("<th>", title, "</th>");
  out += "</tr></thead><tbody>";
  for (const Result& r : study.results) {
    const std::string trained = r.train_groups > 0
                                    ? counted(r.train_groups, "patient") +
                                          (r.train_images > 0 ? ", " + counted(r.train_images, "image") : "")
                                    : "-";
    out +=
        cat("<tr>", cell_html(escaped(r.corpus)), cell_html(escaped(r.init)), cell_html(escaped(r.mode)),
            cell_html(percent(r.fraction)), cell_html(cat(r.repeat)), cell_html(trained),
            cell_html(fixed(r.auc)), cell_html(interval(r.low, r.high)),
            cell_html(number_of(r.metrics, "accuracy")), cell_html(number_of(r.metrics, "balanced_accuracy")),
            cell_html(number_of(r.metrics, "brier")), cell_html(sensitivities(r.metrics)),
            cell_html(cat("<code>", escaped(text_of(r.metrics, "weights_digest").substr(0, 12)), "</code>")),
            cell_html(escaped(text_of(r.metrics, "checkpoint"))), "</tr>");
  }
  return out + "</tbody></table></div>";
}

std::string list(const std::vector<std::string>& sentences) {
  std::string out = "<ul>";
  for (const auto& s : sentences) out += cat("<li>", escaped(s), "</li>");
  return out + "</ul>";
}

}  // namespace

std::string report_html(const Study& study) {
  std::string cards, charts, tables;
  for (std::size_t i = 0; i < study.corpora.size(); ++i) {
    cards += headline(study.corpora[i]);
    charts += chart(study.corpora[i], i);
    tables += table(study.corpora[i], study.fractions);
  }
  std::string out = cat(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">"
      "<title>Label efficiency</title><style>",
      kReportStyle, "</style></head><body><main><h1>How many labels does it take?</h1><p class=\"lead\">",
      counted(static_cast<std::int64_t>(study.results.size()), "evaluation"), " on ",
      counted(static_cast<std::int64_t>(study.corpora.size()), "test corp"),
      study.corpora.size() == 1 ? "us" : "",
      ": the same network, fine-tuned on growing shares of the labelled patients, from an encoder pretrained "
      "without labels and from scratch.</p>");
  if (!cards.empty()) out += cat("<section class=\"cards\">", cards, "</section>");
  out +=
      cat("<h2>Label efficiency</h2><p>AUC on patients held out from training, over the share of labelled "
          "patients (logarithmic) and their number. Solid line and "
          "dots: all weights trained (full). Dashed line and squares: features frozen (linear). The band "
          "adds two doubts: which patients are in the test set (95 % "
          "interval, patients as the independent cases) and which were drawn for training (t-interval over "
          "draws).</p><section class=\"charts\">",
          charts,
          "</section><h2>AUC in numbers</h2><p>Mean over draws; below it the interval of the band, the "
          "standard deviation <i>s</i> over draws, and the number of draws <i>K</i>.</p>",
          tables, differences(study), "<h2>What these numbers do not say</h2>", list(cautions(study)));
  if (!study.left_out.empty()) out += "<h2>Left out</h2>" + list(study.left_out);
  return out + runs(study) +
         "<footer>Made by <code>entrain report</code>. AUC: probability that a positive image scores above a "
         "negative one, ties counting half. Intervals: "
         "Obuchowski 1997 (DeLong for clustered data), on the logit scale.</footer></main></body></html>\n";
}

}  // namespace entrain::evaluation
