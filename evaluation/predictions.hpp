#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace entrain::evaluation {

/// What a model said of every image of a corpus.
struct Predictions {
  int classes = 2;
  std::vector<std::string> file;    ///< the HDF5 file of each row
  std::vector<std::int64_t> row;    ///< its row in there
  std::vector<std::string> group;   ///< patient; all empty: not known, every row is its own case
  std::vector<std::int64_t> label;  ///< 0 ... classes - 1
  std::vector<float> logits;        ///< [rows, classes], C order

  std::size_t size() const { return label.size(); }
  /// Groups as numbers in order of first appearance; where none is known, every row its own.
  std::vector<std::int64_t> group_ids() const;
};

/// predictions.csv: `file,row,group,label,score_0,score_1,...`; scores are logits with nine digits, so that reading
/// gives the same floats; text is quoted where it must be (RFC 4180).
std::string to_csv(const Predictions& predictions);
/// DataError with the line number.
Predictions from_csv(const std::string& text, const std::string& name);

}  // namespace entrain::evaluation
