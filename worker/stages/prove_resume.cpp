#include "worker/stages/prove_resume.hpp"

#include <bit>
#include <cmath>
#include <string>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "worker/stages/run_folder.hpp"
#include "worker/stages/span_recorder.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

constexpr double kFastTolerance = 1e-3;

double loss_of(const std::string& bits) {
  return std::bit_cast<double>(std::uint64_t{std::stoull(bits, nullptr, 16)});
}

// Why nothing can be compared; empty: it can.
std::string obstacle(const PretrainSetup& s) {
  const auto& from = *s.resumes.from;
  const auto span = from.manifest.find("span");
  if (span == from.manifest.end() || !span->contains("witness"))
    return "the checkpoint does not say what its first step computed";
  if (s.new_plan) return "other patients are left out than then, so the step cannot be computed again";
  if (s.resumes.before) return "";
  if (from.manifest.value("parent", std::int64_t{0}) > 0) return "the checkpoint before it is gone";
  return s.begins_at_random ? "" : "it is the first one, and began from other weights";
}

std::string sum_over_ranks(const sharding::BatchDigest& mine, Collectives& comm) {
  sharding::BatchDigest sum;
  for (const std::string& hex : comm.all_gather_text(mine.hex()))
    sum += *sharding::BatchDigest::from_hex(hex);
  return sum.hex();
}

// The first tensor, in name order and over all ranks, whose bytes are not the recorded ones.
std::string first_difference(const nlohmann::json& recorded, const std::vector<NamedTensor>& tensors,
                             Collectives& comm) {
  const nlohmann::json computed = digests_of(share_of(tensors, comm.rank(), comm.size()));
  std::string mine;
  for (const auto& [name, digest] : computed.items())
    if (recorded.value(name, "") != digest && (mine.empty() || name < mine)) mine = name;
  std::string first;
  for (const std::string& name : comm.all_gather_text(mine))
    if (!name.empty() && (first.empty() || name < first)) first = name;
  return first;
}

std::string difference(PretrainSetup& s, PretrainStep& step, Stage& stage, const nlohmann::json& span) {
  LaneBatches lanes(stage, s.corpus, s.plan, s.layout, stage.config().run.seed, s.window, s.step, s.step + 1);
  together(stage.comm, [&] { lanes.next(); });
  const std::string samples = sum_over_ranks(
      digest_of(lanes.batch().slots, s.slots.first, stage.config().batch.lane_images), stage.comm);
  if (samples != span.at("batches").at(0))
    return cat("it reads other samples (digest ", samples, ", recorded ", std::string(span["batches"][0]),
               ')');

  const std::string recorded = span.at("loss").at(0);
  const double was = loss_of(recorded), is = step.run(lanes).loss;
  if (stage.config().run.numerics == "fast")
    return std::fabs(is - was) <= kFastTolerance * std::fabs(was)
               ? ""
               : cat("its loss is ", is, ", recorded ", was, "; more than ", kFastTolerance, " apart");
  const std::string tensor = first_difference(span.at("witness").at("tensors"), s.tensors(), stage.comm);
  if (bits_of(is) == recorded && tensor.empty()) return "";
  return cat("its loss is ", is, " (bits ", bits_of(is), "), recorded ", was, " (bits ", recorded, "); ",
             tensor.empty() ? "no tensor differs" : cat("the first tensor that differs is ", tensor));
}

}  // namespace

void prove_resume(PretrainSetup& s, PretrainStep& step, Stage& stage) {
  const std::string& mode = stage.config().checkpoint.prove;
  if (!s.resumes.from) return;
  const auto note = [&](const char* result, const std::string& why) {
    s.committer.note(
        {{"kind", "PROOF"}, {"step", s.resumes.from->step}, {"result", result}, {"reason", why}});
  };
  if (const std::string why = mode == "off" ? "checkpoint.prove is off" : obstacle(s); !why.empty()) {
    log(Level::kInfo, cat("resume not proven: ", why));
    note("none", why);
    return;
  }
  const auto& from = *s.resumes.from;
  const auto& span = from.manifest.at("span");
  together(stage.comm, [&] { s.load(s.resumes.before); });
  const std::string what = difference(s, step, stage, span);
  const std::string which =
      cat("step ", static_cast<std::int64_t>(span.at("first")), ", computed again from ",
          s.resumes.before ? s.resumes.before->dir : "the beginning");
  if (what.empty()) {
    log(Level::kInfo,
        cat("resume proven: ", which, ", gives the same samples, loss and weights as recorded"));
    note("equal", which);
    return;
  }
  const std::string text =
      cat(which, " on ", stage.comm.size(), " ranks, is not what ", from.dir, " recorded: ", what,
          ". Written with ", from.manifest.value("versions", nlohmann::json()).dump(), ", now ",
          versions_of(stage).dump());
  note("differs", cat(which, ": ", what));
  if (mode == "warn") {
    if (stage.leads()) log(Level::kWarning, text);
    return;
  }
  CheckpointError error(cat(text, ". checkpoint.prove=warn goes on all the same"));
  error.set_on_all_ranks();
  throw error;
}

}  // namespace entrain::worker
