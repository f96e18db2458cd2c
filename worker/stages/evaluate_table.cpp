#include "worker/stages/evaluate_table.hpp"

#include <cstdio>

#include "configs/cat.hpp"

namespace entrain::worker {
namespace {

std::string number(const nlohmann::json& value) {
  if (!value.is_number()) return "n/a";  // undefined: a class is missing
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", value.get<double>());
  return text;
}

std::string line(const std::string& name, const std::string& value) {
  return cat("  ", name, std::string(name.size() < 28 ? 28 - name.size() : 1, ' '), value, '\n');
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%g %%", 100 * share);
  return text;
}

// Two classes, and one of them has no image.
std::string why_no_auc(const nlohmann::json& m) {
  for (const auto& c : m.at("per_class"))
    if (c.at("n") == 0) return cat("no image of class ", std::string(c.at("name")), " to compare with");
  return "undefined";
}

}  // namespace

std::string evaluate_table(const nlohmann::json& m) {
  const bool patients = m.at("groups_known");
  std::string out =
      cat(std::string(m.at("name")), ": ", m.at("n").dump(), " images",
          patients ? cat(" of ", m.at("groups").dump(), " patients") : "", "; ", std::string(m.at("init")),
          ", ", std::string(m.at("mode")), ", ", percent(m.at("label_fraction")), " of the labels\n");
  const auto& ci = m.at("auc_ci");
  out += line(m.contains("auc_classes") ? "AUC (macro)" : "AUC",
              m.at("auc").is_number() ? cat(number(m.at("auc")), "  (", number(ci.at(0)), " to ",
                                            number(ci.at(1)), ", 95 %", patients ? ", by patient" : "", ")")
                                      : "n/a: " + why_no_auc(m));
  out += line("accuracy", number(m.at("accuracy")));
  out += line("balanced accuracy", number(m.at("balanced_accuracy")));
  for (const auto& at : m.value("sensitivity_at", nlohmann::json::array()))
    out +=
        line(cat("sensitivity at specificity ", at.at("specificity").dump()), number(at.at("sensitivity")));
  for (const auto& c : m.at("per_class"))
    out += line(cat("class ", std::string(c.at("name"))),
                cat(c.at("n").dump(), " images, sensitivity ", number(c.at("sensitivity")), ", AUC ",
                    number(c.at("auc"))));
  if (m.at("leakage"))
    out += line("LEAKAGE",
                cat(m.at("leakage_groups").dump(), " patients were trained on, ",
                    m.at("transductive_groups").dump(), " pretrained on: no measure of new patients"));
  if (m.at("pretrain_lineage") == "unknown")
    out += line("pretraining patients", "unknown (weights from a file)");
  return out;
}

}  // namespace entrain::worker
