#pragma once
#include <string>
#include <vector>

#include "evaluation/study.hpp"

// The tables of the report, and how it writes numbers. HTML text.
namespace entrain::evaluation {

std::string auc_table(const CorpusStudy& corpus, const std::vector<double>& fractions);
std::string difference_table(
    const Study& study);                    ///< with its heading; empty where there is nothing to compare
std::string run_table(const Study& study);  ///< with its heading

/// Okabe and Ito's blue and vermillion: told apart by colour-blind eyes and by their grey.
const char* color_of(const std::string& init);
std::string count(std::int64_t value);                             ///< "-" where it is not known
std::string counted(std::int64_t value, const std::string& what);  ///< "1 patient", "2 patients"
std::string signed_text(double value);                             ///< "+0.042", with a true minus
/// Labelled patients behind a share; -1: not known.
std::int64_t patients_at(const CorpusStudy& corpus, double fraction);

}  // namespace entrain::evaluation
