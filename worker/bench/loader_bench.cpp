#include "worker/bench/loader_bench.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/reader.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/flags.hpp"
#include "sharding/order_choice.hpp"
#include "sharding/value_window.hpp"
#include "worker/views/view_loader.hpp"

namespace entrain::worker {
namespace {

using Clock = std::chrono::steady_clock;

struct Request {
  std::vector<std::string> files, overrides;
  std::string config;
  int threads = 2;
  double seconds = 5;
  bool json = false;
};

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

struct Measured {
  std::int64_t images = 0;
  double seconds = 0;
  LoaderClocks clocks;  // of views: per-thread seconds
  double per_second() const { return static_cast<double>(images) / seconds; }
};

// Reading and decoding alone, in the order of training.
Measured read_only(const sharding::Corpus& corpus, const sharding::SamplePlan& plan, const Request& request) {
  std::atomic<std::int64_t> next_step = 0, images = 0;
  const auto began = Clock::now();
  const auto work = [&] {
    std::vector<std::byte> image(corpus.shape().bytes());
    while (seconds_since(began) < request.seconds)
      for (const sharding::Slot& slot : plan.batch(next_step++)) {
        corpus.read(slot.sample, image.data());
        ++images;
      }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < request.threads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return {images, seconds_since(began), {}};
}

Measured with_views(const sharding::Corpus& corpus, const sharding::SamplePlan& plan, const RunConfig& config,
                    const Request& request) {
  constexpr std::int64_t kViews = 2, kEndless = std::int64_t{1} << 40;
  ViewLoading loading{.views = config.views,
                      .seed = config.run.seed,
                      .window = sharding::value_window(config.data, corpus),
                      .mine = {0, 1},
                      .lane_images = plan.global_batch(),
                      .num_views = kViews,
                      .end_step = kEndless,
                      .threads = request.threads};
  const std::int64_t values = plan.global_batch() * kViews * corpus.shape().channels *
                              config.views.crop_pixels * config.views.crop_pixels;
  std::vector<std::vector<float>> memory(static_cast<std::size_t>(config.data.prefetch + 1),
                                         std::vector<float>(static_cast<std::size_t>(values)));
  for (auto& buffer : memory) loading.buffers.push_back(buffer.data());
  ViewLoader loader(corpus, plan, std::move(loading));
  loader.release(loader.next());  // memory is touched and files are open
  const LoaderClocks before = loader.clocks();
  const auto began = Clock::now();
  Measured m;
  for (; seconds_since(began) < request.seconds; m.images += plan.global_batch())
    loader.release(loader.next());
  m.seconds = seconds_since(began);
  const LoaderClocks c = loader.clocks();
  m.clocks = {c.read - before.read, c.render - before.render, c.idle - before.idle, c.waited - before.waited};
  return m;
}

std::string rate(double value) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(value < 100 ? 1 : 0) << value;
  return out.str();
}

std::string micros(double seconds, std::int64_t images) {
  return rate(1e6 * seconds / static_cast<double>(images));
}

void print(const Request& request, const RunConfig& config, const sharding::Corpus& corpus, double opened_s,
           const Measured& read, const Measured& views) {
  const sharding::ImageShape& s = corpus.shape();
  const std::string shape = cat(s.height, " x ", s.width, " x ", s.channels, " ", sharding::name_of(s.type));
  const std::string how = corpus.how_read();
  if (request.json) {
    std::cout << nlohmann::ordered_json{{"images", corpus.size()},
                                        {"shape", shape},
                                        {"threads", request.threads},
                                        {"crop_pixels", config.views.crop_pixels},
                                        {"how", how},
                                        {"open_s", opened_s},
                                        {"read_images_per_s", read.per_second()},
                                        {"views_images_per_s", views.per_second()},
                                        {"read_s", views.clocks.read},
                                        {"render_s", views.clocks.render},
                                        {"idle_s", views.clocks.idle},
                                        {"seconds", views.seconds}}
                     .dump(2)
              << '\n';
    return;
  }
  std::cout << corpus.size() << " images of " << shape << ", opened in " << rate(1e3 * opened_s) << " ms, "
            << request.threads << " threads\n"
            << "read     " << how << '\n'
            << "images/s " << rate(read.per_second()) << " read and decoded\n"
            << "images/s " << rate(views.per_second()) << " with two views of " << config.views.crop_pixels
            << " px, " << micros(views.clocks.read, views.images) << " us to read and "
            << micros(views.clocks.render, views.images) << " us to render each, on one core\n";
}

void measure(const Request& request) {
  RunConfig config = read_run_config(request.config, request.overrides).config;
  if (!request.files.empty()) config.data.files = request.files;
  const auto began = Clock::now();
  const auto corpus = sharding::Corpus::open(config.data);
  const double opened_s = seconds_since(began);
  const std::int64_t batch = std::min<std::int64_t>(256, corpus.size());
  const auto order = sharding::choose_order(corpus, config.data.order, "allow", batch);
  const sharding::SamplePlan plan({.num_samples = corpus.size(),
                                   .global_batch = batch,
                                   .seed = config.run.seed,
                                   .slabs = sharding::slab_settings(corpus, order, batch)});
  const Measured read = read_only(corpus, plan, request), views = with_views(corpus, plan, config, request);
  print(request, config, corpus, opened_s, read, views);
}

}  // namespace

int loader_bench(const std::vector<std::string>& args) {
  CLI::App app{"How fast these files are read, and made into two views of each image.",
               "entrain bench loader"};
  Request request;
  std::vector<std::string> words;
  app.add_option("FILE", words,
                 "HDF5 files or globs; section.key=value sets a knob (data.image, views.crop_pixels)");
  app.add_option("--config", request.config, "the run whose data and views to measure");
  app.add_option("--threads", request.threads, "that read and render")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--seconds", request.seconds, "of each of the two measurements")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_flag("--json", request.json, "the answer for machines");
  if (!coordinator::parse_flags(app, args)) return 0;
  for (const std::string& word : words)
    (word.find('=') == std::string::npos ? request.files : request.overrides).push_back(word);
  coordinator::refuse_twice(request.overrides);
  if (request.files.empty() && request.config.empty())
    throw ConfigError("entrain bench loader: name HDF5 files, or a configuration that does (--config)");
  measure(request);
  return 0;
}

}  // namespace entrain::worker
