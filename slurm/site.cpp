#include "slurm/site.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "slurm/fields.hpp"
#include "slurm/time_limit.hpp"

namespace entrain::slurm {
namespace {

std::optional<std::int64_t> whole(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

Partition partition_of(const std::string& line) {
  Partition p;
  p.name = field_of(line, "PartitionName");
  p.is_default = field_of(line, "Default") == "YES";
  p.state = field_of(line, "State");
  p.max_seconds = parse_slurm_time(field_of(line, "MaxTime"));
  p.max_nodes = whole(field_of(line, "MaxNodes"));
  p.total_nodes = whole(field_of(line, "TotalNodes"));
  p.preempt_mode = field_of(line, "PreemptMode");
  return p;
}

}  // namespace

std::vector<Partition> parse_sinfo(const std::string& text) {
  std::vector<Partition> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto fields = split(line, '|');
    if (fields.size() < 4) continue;
    Partition p;
    p.is_default = fields[0].ends_with('*');
    p.name = fields[0].substr(0, fields[0].size() - (p.is_default ? 1 : 0));
    p.state = upper(fields[1]);
    p.max_seconds = parse_slurm_time(fields[2]);
    p.total_nodes = whole(fields[3]);
    out.push_back(std::move(p));
  }
  return out;
}

Site parse_site(const std::string& config, const std::string& partitions) {
  Site site;
  site.version = field_of(config, "SLURM_VERSION");
  if (const auto requeue = field_of(config, "JobRequeue"); !requeue.empty())
    site.job_requeue = requeue == "1";
  site.preempt_mode = field_of(config, "PreemptMode");
  if (const auto wait = whole(field_of(config, "KillWait"))) site.kill_wait = static_cast<double>(*wait);
  site.max_array = whole(field_of(config, "MaxArraySize"));
  std::istringstream lines(partitions);
  for (std::string line; std::getline(lines, line);)
    if (auto p = partition_of(line); !p.name.empty()) site.partitions.push_back(std::move(p));
  return site;
}

std::string why_silent(const CommandResult& answer) {
  const auto says = [&](const char* words) { return answer.complaint.find(words) != std::string::npos; };
  if (says("establish a configuration source") || says("s_p_parse_file"))
    return "its programs are here, but no configuration for them (slurm.conf, or SLURM_CONF)";
  if (says("Unable to contact slurm controller")) return "its controller (slurmctld) cannot be reached";
  return answer.complaint;
}

Site ask_site() {
  Site site;
  const auto config = run_command({"scontrol", "show", "config"}, kAskSeconds);
  if (config.end == CommandResult::End::kAbsent) {
    site.has_scontrol = false;
    const auto sinfo = run_command({"sinfo", "--noheader", "--format=%P|%a|%l|%D"}, kAskSeconds);
    site.partitions = parse_sinfo(sinfo.out);
    site.silent = why_silent(sinfo);
  } else if (config.ok()) {
    const auto partitions = run_command({"scontrol", "--oneliner", "show", "partition"}, kAskSeconds);
    site = parse_site(config.out, partitions.out);
    site.silent = why_silent(partitions);
  } else {
    site.silent = why_silent(config);
  }
  if (!site.silent.empty()) return site;
  const auto mpi = run_command({"srun", "--mpi=list"}, kAskSeconds);
  site.mpi = mpi.out + mpi.err;
  return site;
}

}  // namespace entrain::slurm
