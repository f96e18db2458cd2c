#include "worker/stages/image_rows.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/lanes.hpp"
#include "coordinator/control/progress.hpp"
#include "worker/stages/stop_signal.hpp"
#include "worker/stages/together.hpp"
#include "worker/views/render_view.hpp"

namespace entrain::worker {
namespace {

// Between two looks at the stop signal, per rank.
constexpr std::int64_t kChunksPerRound = 16;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

at::Tensor plain_images(const sharding::Corpus& corpus, const PlainViews& plain, std::int64_t first,
                        std::int64_t count) {
  const std::int64_t side = plain.views.crop_pixels, channels = corpus.shape().channels;
  ViewRenderer renderer(plain.views, corpus.shape(), plain.window_low, plain.window_high);
  std::vector<std::byte> bytes(corpus.shape().bytes());
  at::Tensor x_NCPP = at::empty({count, channels, side, side});
  float* row = x_NCPP.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < count; ++i, row += renderer.out_values()) {
    corpus.read(first + i, bytes.data());
    renderer.render_plain(bytes.data(), row);
  }
  return x_NCPP;
}

}  // namespace

at::Tensor rows_of_images(Stage& stage, const sharding::Corpus& corpus, const PlainViews& plain,
                          std::int64_t width, const RowWork& work) {
  control::progress().set_phase(control::Phase::kCompute);
  const std::int64_t world = stage.comm.size(), chunk = plain.chunk;
  const std::int64_t num_chunks = divide_up(corpus.size(), chunk);
  const LaneBlock mine = lanes_of(stage.comm.rank(), world, num_chunks);
  const std::int64_t first_row = std::min(mine.first * chunk, corpus.size());
  const std::int64_t end_row = std::min((mine.first + mine.count) * chunk, corpus.size());
  const at::Tensor mine_ND = at::empty({end_row - first_row, width});

  const std::int64_t rounds =
      divide_up(divide_up(num_chunks, world), kChunksPerRound);  // the same on all ranks
  for (std::int64_t round = 0; round < rounds; ++round) {
    const std::int64_t from = std::min(round * kChunksPerRound, mine.count);
    const std::int64_t to = std::min(from + kChunksPerRound, mine.count);
    together(stage.comm, [&] {
      stage.host_threads.for_each(to - from, [&](std::int64_t i) {
        const std::int64_t first = (mine.first + from + i) * chunk, count = std::min(chunk, end_row - first);
        mine_ND.narrow(0, first - first_row, count)
            .copy_(work(plain_images(corpus, plain, first, count).to(stage.device.tensors())));
      });
    });
    leave_if_stopped(stage);
  }
  return stage.comm.all_gather_rows(mine_ND).all;
}

at::Tensor logits_of_images(Stage& stage, ClassifierNetwork& network, const sharding::Corpus& corpus,
                            const PlainViews& plain) {
  network.encoder.standardise();
  return rows_of_images(stage, corpus, plain, network.bias().numel(), [&](const at::Tensor& x_NCPP) {
    return at::addmm(network.bias(), network.encoder.features(x_NCPP), network.weight().t());
  });
}

void leave_if_stopped(Stage& stage) {
  const std::string mine = stop_reason();
  if (stage.comm.all_reduce_max(mine.empty() ? 0 : 1) == 0) return;
  Error stopped(ExitCode::kRequeue, cat("stopped by ", mine.empty() ? "a signal on another rank" : mine,
                                        "; nothing was committed, the same command starts over (exit 75)"));
  stopped.set_on_all_ranks();
  throw stopped;
}

}  // namespace entrain::worker
