#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace entrain::evaluation {

/// One evaluate run: the metrics.json of its folder.
struct Result {
  std::size_t given = 0;                ///< number of the folder named on the command line it was found in
  std::string dir, corpus, mode, init;  ///< mode: linear | full; init: scratch | pretrained
  double fraction = 1;                  ///< of the training patients
  std::int64_t repeat = 0, n = 0, groups = 0, positives = -1, train_groups = -1,
               train_images = -1;     ///< -1: not known
  double auc = 0, low = 0, high = 0;  ///< NaN: undefined
  bool leakage = false;               ///< its patients were seen in training, and the user went on
  nlohmann::json metrics;
};

/// One point of a curve: the mean over repeats. [low, high] adds, per side and in quadrature, what the choice of test
/// patients leaves open (mean distance to the 95 % bounds of the single AUCs) and what the draw of the training
/// patients does (t_{K-1} s / sqrt(K)); cut to [0, 1]. One repeat: the interval of its AUC.
struct Cell {
  int repeats = 0;
  double mean = 0, deviation = 0, low = 0, high = 0;  ///< deviation over repeats; NaN for one
  std::map<std::int64_t, double> auc;                 ///< by repeat
  std::int64_t train_groups = -1, train_images = -1;  ///< of the largest repeat
};
Cell make_cell(const std::vector<const Result*>& repeats);

struct Arm {
  std::string mode, init;
  std::map<double, Cell> cells;  ///< by label fraction
};

struct CorpusStudy {
  std::string name;
  std::int64_t n = 0, groups = 0, positives = -1;
  bool leakage = false;
  std::vector<Arm> arms;  ///< pretrained before scratch, full before linear
  const Arm* find(const std::string& mode, const std::string& init) const;
};

struct Study {
  std::vector<CorpusStudy> corpora;   ///< in the order in which their folders were named
  std::vector<double> fractions;      ///< all, ascending
  std::vector<Result> results;        ///< all, sorted
  std::vector<std::string> left_out;  ///< why a result has no place in the curves
};

/// Pretrained against scratch where both have something, paired by repeat (the same draw of patients).
struct Comparison {
  std::string corpus, mode;
  double fraction = 0;
  Cell pretrained, scratch;
  int pairs = 0, wins = 0;
  double difference = 0;     ///< mean over pairs (unpaired where no repeat is shared)
  double low = 0, high = 0;  ///< 95 % t-interval of the paired difference; NaN for fewer than two pairs
  double spread = 0;  ///< the larger standard deviation over repeats of the two; NaN for one repeat each
  bool beyond_spread = false;  ///< difference > spread
  std::optional<double>
      same_from_scratch;  ///< the lowest fraction at which scratch is as good as this pretrained
};

/// Reads metrics.json of each folder; a folder without one is searched, four levels deep. DataError names the file and
/// the field, two results of one cell and repeat, or a folder in which there is nothing.
std::vector<Result> read_results(const std::vector<std::string>& dirs);
Study make_study(std::vector<Result> results);
std::vector<Comparison> compare(const CorpusStudy& corpus);

/// "better in 3 of 3 draws, more than the spread over draws, 0.012; from scratch that takes 10 %".
std::string finding(const Comparison& c);
/// "1 % of the labels (23 patients): pretrained 0.953 beats scratch 0.928 by 0.025 ...".
std::string sentence(const Comparison& c);
std::string percent(double fraction);             ///< "0.5 %"
std::string fixed(double value, int digits = 3);  ///< "0.953"; NaN: "-"

/// The table for a terminal: rows corpus x mode x init, columns label fractions, and the verdict lines.
std::string terminal_table(const Study& study);
/// Everything that the HTML page shows.
nlohmann::json to_json(const Study& study);

}  // namespace entrain::evaluation
