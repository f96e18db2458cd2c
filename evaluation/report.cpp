#include "evaluation/report.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "configs/cat.hpp"
#include "evaluation/chart.hpp"
#include "evaluation/report_style.hpp"
#include "evaluation/report_tables.hpp"

namespace entrain::evaluation {
namespace {

std::string about(const CorpusStudy& corpus) {
  std::string text =
      cat(counted(corpus.n, "image"),
          corpus.groups > 0 && corpus.groups != corpus.n ? " of " + counted(corpus.groups, "patient") : "");
  if (corpus.positives >= 0) text += cat(", ", corpus.positives, " positive");
  return text;
}

// What came out, at the lowest share of each mode: the two numbers beside each other, then the sentence.
// What came out, at the lowest share of each mode: the two numbers beside each other, then how sure that is.
std::string headline(const CorpusStudy& corpus) {
  std::string out, mode;
  for (const Comparison& c : compare(corpus)) {
    if (c.mode == mode) continue;
    mode = c.mode;
    std::string how_sure = finding(c);
    how_sure[0] = static_cast<char>(std::toupper(how_sure[0]));
    out += cat(
        "<div class=\"card\"><p class=\"where\">", escaped(corpus.name), " &middot; ", escaped(c.mode),
        " &middot; ", percent(c.fraction), " of the labels",
        c.pretrained.train_groups > 0 ? cat(" (", counted(c.pretrained.train_groups, "patient"), ")") : "",
        "</p><p class=\"pair\"><span class=\"pre\">", fixed(c.pretrained.mean),
        "<small>pretrained</small></span><span class=\"scr\">", fixed(c.scratch.mean),
        "<small>from scratch</small></span><span class=\"diff\">", signed_text(c.difference),
        "<small>difference</small></span></p><p>", escaped(how_sure), ".</p></div>");
  }
  return out;
}

ChartCurve curve_of(const Arm& arm) {
  ChartCurve curve{
      arm.init == "scratch" ? "from scratch" : arm.init, color_of(arm.init), arm.init != "pretrained", {}};
  for (const auto& [fraction, cell] : arm.cells)
    curve.points.push_back({fraction, cell.mean, cell.low, cell.high});
  return curve;
}

std::string figure(const CorpusStudy& corpus, const std::string& mode, const ChartRange& range,
                   const std::string& id) {
  std::vector<ChartCurve> curves;
  std::set<double> fractions;
  std::string description = "AUC against the share of labelled patients.";
  for (const Arm& arm : corpus.arms) {
    for (const auto& [fraction, unused] : arm.cells) fractions.insert(fraction);
    if (arm.mode != mode) continue;
    curves.push_back(curve_of(arm));
    description += cat(' ', curves.back().label, ':');
    for (const auto& p : curves.back().points) description += cat(' ', fixed(p.y), " at ", percent(p.x), ',');
    description.back() = '.';
  }
  std::vector<ChartTick> ticks;
  for (const double f : fractions) ticks.push_back({f, percent(f), count(patients_at(corpus, f))});
  const char* what = mode == "full"     ? "all weights trained"
                     : mode == "linear" ? "features frozen, linear classifier"
                                        : "";
  return cat("<figure><figcaption><b>", escaped(mode), "</b> ", what,
             corpus.leakage ? " <strong class=\"bad\">LEAKAGE</strong>" : "", "</figcaption>",
             label_efficiency_svg(id, cat("Label efficiency on ", corpus.name, ", ", mode), description,
                                  curves, ticks, range),
             "</figure>");
}

// One chart per mode, side by side with the same axes.
std::string charts_of(const CorpusStudy& corpus, std::size_t number) {
  ChartRange range;
  std::vector<std::string> modes;
  for (const Arm& arm : corpus.arms) {
    range.include(curve_of(arm));
    if (std::find(modes.begin(), modes.end(), arm.mode) == modes.end()) modes.push_back(arm.mode);
  }
  std::string out =
      cat("<h3>", escaped(corpus.name), " <small>", about(corpus), "</small></h3><section class=\"charts\">");
  for (std::size_t m = 0; m < modes.size(); ++m)
    out += figure(corpus, modes[m], range, cat("c", number, "m", m));
  return out + "</section>";
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
    charts += charts_of(study.corpora[i], i);
    tables += auc_table(study.corpora[i], study.fractions);
  }
  std::string out = cat(
      kReportBegins,
      "<meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\">"
      "<title>Label efficiency</title><style>",
      kReportStyle, "</style></head><body><main><h1>How many labels does it take?</h1><p class=\"lead\">",
      counted(static_cast<std::int64_t>(study.results.size()), "evaluation"), " on ", study.corpora.size(),
      study.corpora.size() == 1 ? " test corpus" : " test corpora",
      ": the same network, fine-tuned on growing shares of the labelled patients, from an encoder pretrained "
      "without labels and from scratch.</p>");
  if (!cards.empty()) out += cat("<section class=\"cards\">", cards, "</section>");
  out +=
      cat("<h2>Label efficiency</h2><p>AUC on patients held out from training, over the share of labelled "
          "patients (logarithmic) and their number. The band "
          "adds two doubts: which patients are in the test set (95 % interval, patients as the independent "
          "cases) and which were drawn for training "
          "(t-interval over draws).</p>",
          charts,
          "<h2>AUC in numbers</h2><p>Mean over draws; below it the interval of the band, the "
          "standard deviation <i>s</i> over draws, and the number of draws <i>K</i>.</p>",
          "<section class=\"charts\">", tables, "</section>", difference_table(study),
          "<h2>What these numbers do not say</h2>", list(cautions(study)));
  if (!study.left_out.empty()) out += "<h2>Left out</h2>" + list(study.left_out);
  return out + run_table(study) +
         "<footer>Made by <code>entrain report</code>. AUC: probability that a positive image scores above a "
         "negative one, ties counting half. Intervals: "
         "Obuchowski 1997 (DeLong for clustered data), on the logit scale.</footer></main></body></html>\n";
}

}  // namespace entrain::evaluation
