#include "worker/stages/pretrain.hpp"

#include "configs/error.hpp"
#include "coordinator/control/progress.hpp"
#include "worker/stages/background_commits.hpp"
#include "worker/stages/pretrain_setup.hpp"
#include "worker/stages/pretrain_step.hpp"
#include "worker/stages/prove_resume.hpp"
#include "worker/stages/together.hpp"
#include "worker/stages/training_log.hpp"

namespace entrain::worker {
namespace {

int train(PretrainSetup& s, PretrainStep& step, Stage& stage) {
  const RunConfig& config = stage.config();
  LaneBatches lanes(stage, s.corpus, s.plan, s.layout, config.run.seed, s.window, s.step, s.total_steps);
  TrainingLog training(stage, s.step, s.total_steps, 2 * s.layout.global_batch());
  BackgroundCommits commits(s.committer, stage.comm, s.slots, config.batch.lane_images, s.step, s.total_steps,
                            {[&] { return s.tensors(); }, [&] { return s.facts(); }});

  control::progress().begin_steps(s.step, s.total_steps);
  while (s.step < s.total_steps) {
    training.begin_step(s.step);
    const bool writing = commits.in_flight();
    together(stage.comm, [&] {
      const auto phase = control::progress().enter(control::Phase::kData);
      lanes.next();  // this rank's lanes: images read and decoded, two views of each
    });
    const StepDone done = step.run(lanes);  // from here on s describes finished work
    const bool stopped = commits.after_step(s.step, lanes.batch().slots, done.loss, training.step_seconds());
    control::progress().finished_step(s.step, training.step_seconds());
    control::progress().committed(s.committer.committed());
    training.end_step({s.step, done.loss, done.contrastive_accuracy, done.lr, done.gradient_norm,
                       lanes.clocks(), commits.take_stall_seconds(), writing});
    if (stopped) {
      training.stopped(commits.why_stopped());
      return static_cast<int>(ExitCode::kRequeue);
    }
  }
  training.finished();
  return 0;
}

}  // namespace

int pretrain(Stage& stage) {
  PretrainSetup s(stage);  // corpus, plan, network, optimiser, schedule
  try {
    PretrainStep step(s, stage);
    prove_resume(s, step, stage);
    s.begin(stage);  // the weights of the newest checkpoint, or the first ones
    const int code = train(s, step, stage);
    s.committer.end(code, code == 0 ? "done" : "stopped on request");
    return code;
  } catch (const Error& e) {
    // Every rank comes here alike, and what is being committed is from before.
    if (e.code() == ExitCode::kNumeric) s.committer.finish();
    s.committer.end(static_cast<int>(e.code()), e.what());
    throw;
  }
}

}  // namespace entrain::worker
