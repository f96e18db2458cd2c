#pragma once
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "checkpoint/find.hpp"
#include "configs/reader.hpp"
#include "tests/support/temporary_folder.hpp"
#include "worker/stages/stage.hpp"

namespace entrain::tests {

/// A corpus of 32 x 32 images in which a bright bar lies (class "finding") or stands ("normal") under noise: two
/// images per patient, patients "p000" ... in splits train, val, test by sixes (4 : 1 : 1).
struct SmallCorpus {
  std::int64_t patients = 36;
  std::uint64_t seed = 1;
  std::string prefix = "p";                                      ///< of the patients' names
  std::vector<std::string> class_names = {"normal", "finding"};  ///< order of the attribute
  bool labels = true, splits = true, groups = true;
  std::string redraw_split{};  ///< images and labels of this split are drawn anew
  std::int64_t channels = 1;
  std::string only_class{};  ///< leaves out all patients of other classes; their class_names stay
};
void write_corpus(const std::string& path, const SmallCorpus& corpus);

/// Temporary folder with corpora and runs, and stages run on thread ranks.
class SmallStudy {
 public:
  SmallStudy();
  std::string operator/(const std::string& name) const { return folder_ / name; }

  /// A configuration without a file: a small network at 32 pixels, 4 lanes of 2 images, sgd, few steps.
  ResolvedConfig config(const std::string& run, std::vector<std::string> overrides) const;
  /// The stage on `num_ranks` ranks of one thread each; its return value. Throws what rank 0 throws.
  int run(int (*stage)(worker::Stage&), const ResolvedConfig& config, int num_ranks = 1) const;
  /// "65 text" of the Error that the stage ends with; "0" if it does not.
  std::string refusal(int (*stage)(worker::Stage&), const ResolvedConfig& config, int num_ranks = 1) const;

  nlohmann::json metrics(const std::string& run) const;
  std::string weights(const std::string& run) const;  ///< digest of the newest checkpoint
  /// Of the newest checkpoint; sorted hashes.
  std::vector<std::int64_t> lineage(const std::string& run, const std::string& name) const;

 private:
  TemporaryFolder folder_;
};

}  // namespace entrain::tests
