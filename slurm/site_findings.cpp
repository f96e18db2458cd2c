#include "slurm/site_findings.hpp"

#include <algorithm>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/section.hpp"
#include "slurm/time_limit.hpp"

namespace entrain::slurm {
namespace {

using Findings = std::vector<Finding>;
constexpr ExitCode kMachine = ExitCode::kPreflight;

const Partition* partition_of(const Site& site, const std::string& name) {
  const auto found = std::find_if(site.partitions.begin(), site.partitions.end(), [&](const Partition& p) {
    return name.empty() ? p.is_default : p.name == name;
  });
  return found == site.partitions.end() ? nullptr : &*found;
}

Finding no_partition(const Site& site, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& p : site.partitions) known.push_back(p.name);
  if (name.empty())
    return failure(
        kMachine,
        cat("partition: this cluster has no default one; set slurm.partition to one of: ", join(known)));
  const std::string near = nearest(name, known);
  return failure(kMachine,
                 cat("partition ", name, ": this cluster has none of that name; ",
                     near.empty() ? "" : cat("did you mean ", near, "? "), "there are: ", join(known)));
}

void look_at_partition(const Partition& p, const SlurmSection& s, Findings& out) {
  const std::int64_t nodes = s.nodes + s.spares;
  const std::size_t before = out.size();
  if (p.state != "UP")
    out.push_back(failure(kMachine, cat("partition ", p.name, ": is ", p.state,
                                        " and starts no job; choose another one (slurm.partition)")));
  if (p.max_seconds && !s.time.empty() && parse_time_limit(s.time) > *p.max_seconds)
    out.push_back(failure(
        kMachine,
        cat("partition ", p.name, ": gives at most ", time_limit_text(*p.max_seconds),
            ", slurm.time asks for ", time_limit_text(parse_time_limit(s.time)),
            "; set slurm.time=", time_limit_text(*p.max_seconds), ": the run goes on in the next job")));
  const auto most = std::min(p.max_nodes.value_or(INT64_MAX), p.total_nodes.value_or(INT64_MAX));
  if (nodes > most)
    out.push_back(
        failure(kMachine, cat("partition ", p.name, ": gives at most ", most, most == 1 ? " node" : " nodes",
                              ", slurm.nodes and slurm.spares ask for ", nodes, "; lower them")));
  if (out.size() == before)
    out.push_back(
        good(cat("partition ", p.name, ": up",
                 p.total_nodes ? cat(", ", *p.total_nodes, *p.total_nodes == 1 ? " node" : " nodes") : "",
                 ", ", p.max_seconds ? cat("at most ", time_limit_text(*p.max_seconds)) : "no time limit")));
}

void look_at_requeue(const Site& site, const Partition* p, const SlurmSection& s, Findings& out) {
  const std::string mode = p && !p->preempt_mode.empty() ? p->preempt_mode : site.preempt_mode;
  if (mode.find("CANCEL") != std::string::npos)
    out.push_back(
        warning("preemption: this partition cancels a preempted job (PreemptMode=CANCEL), and a job that has "
                "no time to stop "
                "by itself is not requeued; slurm.chain=singleton keeps successors in the queue"));
  if (s.chain != "requeue") return;
  if (!site.has_scontrol)
    out.push_back(
        warning("requeue: there is no scontrol here; if compute nodes have none either, the job submits a "
                "successor of itself, "
                "or set slurm.chain=singleton"));
  else if (site.job_requeue == false)
    out.push_back(
        warning("requeue: is off by default here (JobRequeue=0); the job asks for it (--requeue), and "
                "submits a successor of "
                "itself where that is refused; slurm.chain=singleton needs no requeue"));
  else
    out.push_back(good("requeue: allowed"));
}

void look_at_times(const Site& site, const SlurmSection& s, const RunTimes& times, std::int64_t lead,
                   Findings& out) {
  const double limit = s.time.empty() ? 0 : parse_time_limit(s.time);
  const double shown = static_cast<double>(lead);
  if (limit > 0 && shown >= limit)
    out.push_back(failure(
        ExitCode::kConfig,
        cat("slurm.signal_lead: the warning comes ", duration_text(shown), " before the end of a job of ",
            duration_text(limit), ", so at its start; lower it, or raise slurm.time")));
  else
    out.push_back(good(cat(
        "notice: ", duration_text(shown), " before the time limit",
        times.commit_seconds ? cat(" (a commit of this run takes ", duration_text(*times.commit_seconds), ")")
                             : "")));
  if (site.kill_wait && times.commit_seconds && *times.commit_seconds > *site.kill_wait)
    out.push_back(
        warning(cat("KillWait: Slurm kills ", duration_text(*site.kill_wait),
                    " after a scancel or a preemption without grace, and a commit of "
                    "this run takes ",
                    duration_text(*times.commit_seconds),
                    ": such an end falls back to the commit before; commit more often (checkpoint.every)")));
}

}  // namespace

Finding good(std::string text) { return {Finding::Kind::kGood, std::move(text)}; }
Finding warning(std::string text) { return {Finding::Kind::kWarning, std::move(text)}; }
Finding failure(ExitCode code, std::string text) { return {Finding::Kind::kError, std::move(text), code}; }

std::vector<Finding> site_findings(const Site& site, const SlurmSection& s, const RunTimes& times,
                                   std::int64_t lead, std::size_t rows) {
  Findings out;
  const Partition* partition = nullptr;
  if (!site.silent.empty()) {
    out.push_back(
        failure(kMachine, cat("Slurm does not answer: ", site.silent,
                              "; is this a login node, and is its controller up? --print shows the script")));
  } else {
    std::vector<std::string> names;  // a list of partitions: Slurm takes the first that is free
    for (std::size_t at = 0, end; at <= s.partition.size(); at = end + 1) {
      end = std::min(s.partition.find(',', at), s.partition.size());
      const std::string name = s.partition.substr(at, end - at);
      partition = partition_of(site, name);
      if (partition)
        look_at_partition(*partition, s, out);
      else
        out.push_back(no_partition(site, name));
    }
    look_at_requeue(site, partition, s, out);
    if (s.launcher == "srun" && site.mpi.find("pmix") == std::string::npos)
      out.push_back(failure(
          kMachine, "launcher: this srun knows no pmix (srun --mpi=list); set slurm.launcher=mpirun"));
    const std::int64_t elements = rows > 0             ? static_cast<std::int64_t>(rows)
                                  : s.chain == "array" ? s.chain_jobs + 1
                                                       : 0;
    if (site.max_array && elements > *site.max_array)
      out.push_back(failure(kMachine, cat("array: this cluster takes indices up to ", *site.max_array - 1,
                                          " (MaxArraySize), this needs ", elements - 1,
                                          rows > 0 ? "; split the sweep" : "; lower slurm.chain_jobs")));
  }
  look_at_times(site, s, times, lead, out);
  return out;
}

}  // namespace entrain::slurm
