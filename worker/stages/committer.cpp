#include "worker/stages/committer.hpp"

#include <ATen/ATen.h>

#include <chrono>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "worker/stages/together.hpp"

namespace entrain::worker {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

checkpoint::DType dtype_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return checkpoint::DType::kF32;
    case at::kDouble:
      return checkpoint::DType::kF64;
    case at::kLong:
      return checkpoint::DType::kI64;
    default:
      TORCH_CHECK(false, "checkpoints hold float32, float64 and int64, not ", type);
  }
}

}  // namespace

std::vector<checkpoint::TensorView> views_of(const std::vector<NamedTensor>& tensors) {
  std::vector<checkpoint::TensorView> views;
  for (const NamedTensor& t : tensors) {
    TORCH_CHECK(t.value.is_contiguous(), t.name, " is not contiguous");
    views.push_back({t.name, dtype_of(t.value.scalar_type()), t.value.sizes().vec(),
                     static_cast<const std::byte*>(t.value.const_data_ptr())});
  }
  return views;
}

void load_tensors(const checkpoint::CheckpointReader& reader, const std::vector<NamedTensor>& into) {
  for (const NamedTensor& t : into) {
    const checkpoint::TensorView view = reader.view(t.name);
    if (view.shape != t.value.sizes().vec() || view.dtype != dtype_of(t.value.scalar_type()))
      throw CheckpointError(cat(t.name, " has shape ", at::IntArrayRef(view.shape),
                                " in the checkpoint, but ", t.value.sizes(), " in this run"));
    std::copy_n(view.data, view.bytes(), static_cast<std::byte*>(t.value.mutable_data_ptr()));
  }
}

Committer::Committer(std::string run_dir, const CheckpointSection& config, Collectives& comm)
    : run_dir_(std::move(run_dir)),
      config_(config),
      interval_(parse_commit_interval(config.every)),
      comm_(comm),
      store_(run_dir_, static_cast<int>(config.keep)),
      last_time_(now()) {
  together(comm_, [&] {
    if (comm_.rank() != 0) return;
    lock_.emplace(run_dir_);
    store_.sweep();
  });
}

std::optional<checkpoint::Found> Committer::newest() {
  std::optional<checkpoint::Found> found;
  together(comm_, [&] {
    if (comm_.rank() != 0) return;
    found = store_.newest_whole();
    if (found && config_.resume == "never")
      throw CheckpointError(cat(run_dir_, ": holds ", found->dir,
                                " but checkpoint.resume is never; set run.dir anew, or resume=auto"));
  });
  nlohmann::json told;
  if (found)
    told = {{"step", found->step},
            {"dir", found->dir},
            {"manifest", found->manifest},
            {"passed_over", found->passed_over}};
  told = nlohmann::json::parse(comm_.all_gather_text(comm_.rank() == 0 ? told.dump() : "")[0]);
  if (told.is_null()) return std::nullopt;
  last_step_ = told.at("step");
  return checkpoint::Found{told.at("step"), told.at("dir"), told.at("manifest"), told.at("passed_over")};
}

void Committer::commit(std::int64_t step, const std::vector<NamedTensor>& tensors,
                       const nlohmann::json& facts) {
  const auto views = views_of(tensors);
  std::vector<checkpoint::TensorView> mine;
  for (const std::size_t i : checkpoint::shard_of(views, comm_.rank(), comm_.size()))
    mine.push_back(views[i]);
  const checkpoint::ShardVote vote = store_.write_shard(step, mine, comm_.rank(), comm_.size());
  std::vector<checkpoint::ShardVote> votes;
  for (const std::string& text : comm_.all_gather_text(vote.to_json()))
    votes.push_back(checkpoint::ShardVote::from_json(text));
  last_time_ = now();  // also after a failure: not again at the very next step
  together(comm_, [&] {
    if (comm_.rank() == 0) store_.commit(step, votes, facts);
  });
  last_step_ = step;
}

bool Committer::due(std::int64_t step) const {
  if (interval_.steps > 0) return step % interval_.steps == 0;
  return comm_.rank() == 0 && now() - last_time_ >= interval_.seconds;
}

}  // namespace entrain::worker
