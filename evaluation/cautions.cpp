#include <algorithm>
#include <cmath>
#include <set>

#include "configs/cat.hpp"
#include "evaluation/report.hpp"

namespace entrain::evaluation {
namespace {

bool says(const Result& r, const char* key, bool value) {
  const auto found = r.metrics.find(key);
  return found != r.metrics.end() && found->is_boolean() && *found == value;
}

std::string joined(const std::set<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// Names of corpora of which a result is so.
template <typename Predicate>
std::set<std::string> corpora_where(const Study& study, const Predicate& is_so) {
  std::set<std::string> names;
  for (const Result& r : study.results)
    if (is_so(r)) names.insert(r.corpus);
  return names;
}

std::string about_few_patients(const Study& study) {
  const double lowest = study.fractions.front();
  std::int64_t patients = -1, images = -1;
  for (const Result& r : study.results) {
    if (r.fraction != lowest) continue;
    patients = std::max(patients, r.train_groups);
    images = std::max(images, r.train_images);
  }
  if (patients <= 0)
    return cat("The lowest share is ", percent(lowest), "; how many patients that is was not recorded.");
  return cat(
      "The lowest share, ", percent(lowest), ", is ", patients, patients == 1 ? " patient" : " patients",
      images > 0 ? cat(" (", images, images == 1 ? " image)" : " images)") : "", ". ",
      patients < 30
          ? "So few people are not a sample of a hospital: one untypical patient among them moves the curve."
          : "Which patients they are still moves the curve: look at the spread over draws.");
}

std::string about_repeats(const Study& study) {
  int fewest = 1 << 20, most = 0;
  for (const auto& corpus : study.corpora)
    for (const auto& arm : corpus.arms)
      for (const auto& [unused, cell] : arm.cells)
        fewest = std::min(fewest, cell.repeats), most = std::max(most, cell.repeats);
  const std::string count = fewest == most ? cat(fewest) : cat(fewest, " to ", most);
  if (most == 1)
    return "Every point is a single draw of training patients: how much another draw would differ is not "
           "known.";
  return cat(
      "Every point is the mean of ", count,
      " draws of training patients. Draws overlap more and more as the share grows; at 100 % they "
      "are the same patients, and the spread there is only that of the start and the order of training.");
}

}  // namespace

std::vector<std::string> cautions(const Study& study) {
  if (study.corpora.empty()) return {"No result here has a defined AUC."};
  std::vector<std::string> all{about_few_patients(study), about_repeats(study)};
  const auto leaking = corpora_where(study, [](const Result& r) { return r.leakage; });
  if (!leaking.empty())
    all.push_back(
        cat("LEAKAGE: ", joined(leaking),
            " holds patients whose labels were seen in training, and the user went on. Those numbers say "
            "nothing about new patients."));
  const auto transductive = corpora_where(study, [](const Result& r) {
    return r.metrics.contains("transductive_groups") && r.metrics["transductive_groups"] != 0;
  });
  if (!transductive.empty())
    all.push_back(cat("Images of patients in ", joined(transductive),
                      " were seen in pretraining, without their labels. For patients never seen at all "
                      "the pretrained encoder may do less well."));
  const auto ungrouped = corpora_where(study, [](const Result& r) { return says(r, "groups_known", false); });
  if (!ungrouped.empty())
    all.push_back(cat("In ", joined(ungrouped),
                      " it is not known which images belong to one patient, so each counts as its own: if "
                      "patients have several "
                      "images, the intervals are too narrow."));
  all.push_back(
      "Pretrained and scratch are two recipes under the settings that were run. A network from scratch with "
      "other settings, or trained longer, "
      "may do better than here.");
  all.push_back(
      "AUC asks only whether a positive image ranks above a negative one. It does not say that a threshold "
      "chosen at one hospital suits another, nor "
      "that a probability means what it says: look at sensitivity, specificity and Brier score too.");
  if (study.corpora.size() == 1)
    all.push_back(
        "Only one corpus was evaluated. How a model does at a hospital it was not trained for cannot be read "
        "from these curves.");
  all.push_back(
      "Nothing here is evidence of clinical benefit, and no subgroup (age, sex, device) was looked at.");
  return all;
}

}  // namespace entrain::evaluation
