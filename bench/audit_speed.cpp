// How long a run's ledger takes to open and to audit. Writes the ledger that a pretraining run of this length would have
// (the digests of the real plan), then times reading it, opening it to write, and the whole audit.
//   audit_speed FOLDER [steps 1000000] [images 10000000] [batch 4096] [steps per commit 500] [threads 0]
// A ledger that is in FOLDER already is audited as it is.
#include <chrono>
#include <ctime>
#include <filesystem>
#include <iostream>

#include "checkpoint/ledger.hpp"
#include "coordinator/audit.hpp"
#include "sharding/batch_digest.hpp"
#include "sharding/sample_plan.hpp"

namespace entrain {
namespace {

double seconds_of(const auto& act) {
  const auto start = std::chrono::steady_clock::now();
  act();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

nlohmann::json span_of(const sharding::SamplePlan& plan, std::int64_t parent, std::int64_t step,
                       std::int64_t lanes) {
  nlohmann::json span{{"first", parent + 1}, {"last", step}, {"world", 8}};
  const std::int64_t lane_images = plan.global_batch() / lanes;
  for (std::int64_t s = parent; s < step; ++s) {
    sharding::BatchDigest sum;
    const auto slots = plan.batch(s);
    for (std::int64_t lane = 0; lane < lanes; ++lane)
      sum += sharding::digest_of_lane(lane,
                                      std::span(slots).subspan(static_cast<std::size_t>(lane * lane_images),
                                                               static_cast<std::size_t>(lane_images)));
    span["batches"].push_back(sum.hex());
    span["loss"].push_back("401ad7b634dad31b");
  }
  return span;
}

void write_ledger(const std::string& folder, std::int64_t steps, std::int64_t images, std::int64_t batch,
                  std::int64_t every) {
  constexpr std::int64_t kLanes = 64;
  const sharding::SamplePlan plan(images, batch, 1);
  checkpoint::Ledger ledger(folder);
  ledger.append({{"kind", "START"},
                 {"world", 8},
                 {"lanes", kLanes},
                 {"lane_images", batch / kLanes},
                 {"plan",
                  {{"digest", plan.digest()},
                   {"num_samples", images},
                   {"global_batch", batch},
                   {"seed", 1},
                   {"same_group", "allow"},
                   {"first_step", 0},
                   {"first_epoch", 0}}}});
  for (std::int64_t parent = 0; parent < steps; parent += every) {
    const std::int64_t step = std::min(steps, parent + every);
    ledger.append({{"kind", "COMMIT"},
                   {"step", step},
                   {"parent", parent},
                   {"span", span_of(plan, parent, step, kLanes)}});
  }
}

int run(int argc, char** argv) {
  const auto number = [&](int i, std::int64_t otherwise) {
    return argc > i ? std::stoll(argv[i]) : otherwise;
  };
  if (argc < 2) {
    std::cerr << "usage: audit_speed FOLDER [steps] [images] [batch] [steps per commit] [threads]\n";
    return 64;
  }
  const std::string folder = argv[1], file = checkpoint::ledger_path(folder);
  std::filesystem::create_directories(folder);
  if (!std::filesystem::exists(file))
    std::cout << "wrote it in " << seconds_of([&] {
      write_ledger(folder, number(2, 1'000'000), number(3, 10'000'000), number(4, 4096), number(5, 500));
    }) << " s\n";
  std::cout << std::filesystem::file_size(file) / 1'000'000 << " MB\n";
  std::cout << "read_ledger  " << seconds_of([&] { checkpoint::read_ledger(folder); }) << " s\n";
  std::cout << "Ledger       " << seconds_of([&] { const checkpoint::Ledger ledger(folder); }) << " s\n";
  coordinator::AuditReport report;
  const std::clock_t before = std::clock();
  const double all = seconds_of([&] {
    report = coordinator::audit_run({.run = folder, .groups = {}, .threads = static_cast<int>(number(6, 0))});
  });
  std::cout << coordinator::audit_text(report) << "audit        " << all << " s, of processors "
            << static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC << " s\n";
  return report.exit_code();
}

}  // namespace
}  // namespace entrain

int main(int argc, char** argv) { return entrain::run(argc, argv); }
