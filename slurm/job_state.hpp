#pragma once
#include <map>
#include <string>
#include <vector>

namespace entrain::slurm {

/// Where a job stands, in Slurm's words.
struct JobState {
  std::string state = "UNKNOWN";  ///< PENDING, RUNNING, COMPLETED, TIMEOUT, ...; UNKNOWN: nobody could say
  std::string reason{};           ///< why it waits, or why nobody could say
  bool known() const { return state != "UNKNOWN"; }
  /// Waits, runs, or is being ended: it may still write into its run folder.
  bool alive() const;
};

/// Asks squeue, then scontrol, which remembers ended jobs for some minutes. Accounting is not asked: it may be off.
JobState job_state(const std::string& job_id);

/// The states of those jobs that are still alive, by id; an array's by the id of the array. One question to squeue; on
/// failure `complaint` says why and the answer is empty.
std::map<std::string, std::string> alive_jobs(const std::vector<std::string>& job_ids,
                                              std::string& complaint);

/// What a person should do about a job in this state; one line. Empty where nothing is to be done.
std::string advice_for(const JobState& state);

}  // namespace entrain::slurm
