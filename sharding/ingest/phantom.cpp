#include "sharding/ingest/phantom.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <numeric>
#include <span>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/philox.hpp"
#include "configs/sha256.hpp"
#include "sharding/hdf5_writer.hpp"
#include "sharding/ingest/parallel.hpp"

namespace entrain::sharding {
namespace {
constexpr std::uint32_t kCohortStream = 128, kSplitStream = 129, kCountStream = 130;

template <std::size_t N>
std::array<int, N> shuffled(Draws draws) {
  std::array<int, N> order{};
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = N - 1; i > 0; --i) std::swap(order[i], order[draws.below(i + 1)]);
  return order;
}

// Patients come in fours, one of each (finding, scanner) in random order; of ten fours each kind's patients are
// seven train, one val and two test. So every prefix is balanced, and a longer corpus moves nobody.
PhantomRow patient_of(std::int64_t patient, std::uint64_t seed) {
  const std::int64_t four = patient / 4;
  const auto kinds =
      shuffled<4>({seed, Purpose::kPhantom, static_cast<std::uint64_t>(four), 0, kCohortStream});
  const int kind = kinds[static_cast<std::size_t>(patient % 4)];
  const auto turns = shuffled<10>({seed, Purpose::kPhantom, static_cast<std::uint64_t>(four / 10),
                                   static_cast<std::uint32_t>(kind), kSplitStream});
  const int turn = turns[static_cast<std::size_t>(four % 10)];
  return {.patient = patient,
          .finding = kind % 2 == 1,
          .scanner = kind / 2,
          .split = turn < 7   ? "train"
                   : turn < 8 ? "val"
                              : "test"};
}

void check(const PhantomOptions& o) {
  if (o.out.empty()) throw ConfigError("ingest phantom: --out is missing: the HDF5 file to write");
  if (o.images < 1 || o.images > 10'000'000)
    throw ConfigError(cat("ingest phantom: --images: want 1 to 10000000, got ", o.images));
  if (o.px < 24 || o.px > 1024) throw ConfigError(cat("ingest phantom: --px: want 24 to 1024, got ", o.px));
  if (o.site != "both" && o.site != "a" && o.site != "b")
    throw ConfigError(cat("ingest phantom: --site: want both, a or b, got \"", o.site, "\""));
}

std::string name_of_patient(std::int64_t patient) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "phantom-%06lld", static_cast<long long>(patient));
  return text.data();
}
}  // namespace

std::vector<PhantomRow> phantom_rows(const PhantomOptions& options) {
  check(options);
  std::vector<PhantomRow> rows;
  for (std::int64_t patient = 0; static_cast<std::int64_t>(rows.size()) < options.images; ++patient) {
    PhantomRow row = patient_of(patient, options.seed);
    if (options.site != "both" && (options.site == "a") != (row.scanner == 0)) continue;
    Draws draws(options.seed, Purpose::kPhantom, static_cast<std::uint64_t>(patient), 0, kCountStream);
    const auto num_images = 2 + static_cast<std::int64_t>(draws.below(3));
    for (row.image = 0; row.image < num_images && static_cast<std::int64_t>(rows.size()) < options.images;
         ++row.image)
      rows.push_back(row);
  }
  return rows;
}

std::string write_phantom(const PhantomOptions& options) {
  const auto rows = phantom_rows(options);
  const auto num_rows = static_cast<std::int64_t>(rows.size());
  const ImageShape shape{options.px, options.px, 1, ElementType::kU8};
  Hdf5Writer file(options.out, options.overwrite);
  file.create_images("/images", shape, num_rows, Hdf5Writer::Storage::kContiguous);
  Sha256 sha;
  constexpr std::int64_t kBlock = 256;
  std::vector<std::byte> block(kBlock * shape.bytes());
  for (std::int64_t first = 0; first < num_rows; first += kBlock) {
    const std::int64_t count = std::min(kBlock, num_rows - first);
    parallel_for(count, [&](std::int64_t i) {
      const auto grey = render_phantom(rows[static_cast<std::size_t>(first + i)], options.px, options.seed);
      std::copy_n(reinterpret_cast<const std::byte*>(grey.data()), grey.size(),
                  block.data() + static_cast<std::size_t>(i) * shape.bytes());
    });
    file.append_images(block.data(), count);
    sha.add(std::span(block.data(), static_cast<std::size_t>(count) * shape.bytes()));
  }
  std::vector<std::string> groups, splits, sites;
  std::vector<std::int64_t> labels;
  for (const auto& row : rows) {
    groups.push_back(name_of_patient(row.patient));
    splits.emplace_back(row.split);
    sites.emplace_back(row.scanner == 0 ? "scanner_a" : "scanner_b");
    labels.push_back(row.finding);
  }
  file.texts("/group", groups);
  file.texts("/split", splits);
  file.texts("/site", sites);
  file.integers("/label", labels);
  file.attribute("/label", "class_names", std::vector<std::string>{"normal", "finding"});
  file.attribute("/", "schema_version", 1);
  file.attribute("/", "creator", std::string("entrain ingest phantom"));
  std::string digest = sha.hex();
  file.attribute("/", "source_digest", digest);
  file.attribute("/", "phantom_seed", static_cast<std::int64_t>(options.seed));
  file.commit();
  return digest;
}

}  // namespace entrain::sharding
