#include "worker/bench/bench_command.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "configs/process.hpp"
#include "coordinator/control/supervised.hpp"
#include "worker/bench/loader_bench.hpp"
#include "worker/bench/time_collectives.hpp"
#include "worker/collectives/mpi.hpp"

namespace entrain::worker {
namespace {

constexpr const char* kHelp =
    "usage: mpirun -n RANKS entrain bench collectives [--seconds N] [--json]\n"
    "       entrain bench loader FILE... (its own --help)\n"
    "  times what a training step asks of the network, from 1 KB to 64 MB, and fits a latency and a "
    "bandwidth\n\n"
    "  --seconds N   about so long in all (default 20)\n"
    "  --json        the answer for machines\n";
constexpr std::int64_t kLargest = 64 << 20;

struct Wanted {
  bool help = false, json = false;
  double seconds = 20;
};

Wanted parse(const std::vector<std::string>& args) {
  Wanted wanted;
  bool collectives = false;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--help" || args[i] == "-h") {
      wanted.help = true;
    } else if (args[i] == "--json") {
      wanted.json = true;
    } else if (args[i] == "--seconds" && i + 1 < args.size()) {
      const std::string& text = args[++i];
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wanted.seconds);
      if (error != std::errc{} || end != text.data() + text.size() || !(wanted.seconds >= 0.1) ||
          wanted.seconds > 3600)
        throw ConfigError(cat("entrain bench: --seconds: want a number from 0.1 to 3600, got \"", text, '"'));
    } else if (args[i] == "collectives") {
      collectives = true;
    } else {
      throw ConfigError(cat("entrain bench: does not know \"", args[i],
                            "\"; as in: mpirun -n 4 entrain bench collectives [--seconds N] [--json]"));
    }
  }
  if (!collectives && !wanted.help)
    throw ConfigError(
        "entrain bench: want what to measure, as in: mpirun -n 4 entrain bench collectives, entrain bench "
        "loader FILE");
  return wanted;
}

// The lines of each operation, in the order of the times.
std::vector<std::vector<AlphaBeta>> fits_of(const std::vector<CollectiveTime>& times, int ranks) {
  std::vector<std::vector<AlphaBeta>> fits;
  for (const CollectiveTime& t : times)
    if (fits.empty() || fits.back()[0].operation != t.operation)
      fits.push_back(fit_protocols(t.operation, times, ranks));
  return fits;
}

std::string scaled(double value, const std::vector<std::pair<double, const char*>>& units) {
  std::ostringstream out;
  for (const auto& [unit, name] : units)
    if (value >= unit || unit == units.back().first) {
      out << std::fixed
          << std::setprecision(value / unit >= 100  ? 0
                               : value / unit >= 10 ? 1
                                                    : 2)
          << value / unit << ' ' << name;
      break;
    }
  return out.str();
}
std::string time_text(double s) { return scaled(s, {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}}); }
std::string size_text(double b) { return scaled(b, {{1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}}); }
std::string rate_text(double r) { return scaled(r, {{1e9, "GB/s"}, {1e6, "MB/s"}, {1e3, "KB/s"}}); }
std::string percent(double share) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(share < 0.1 ? 1 : 0) << 100 * share << " %";
  return out.str();
}

std::vector<AlphaBeta> joined(const std::vector<std::vector<AlphaBeta>>& fits) {
  std::vector<AlphaBeta> all;
  for (const auto& lines : fits) all.insert(all.end(), lines.begin(), lines.end());
  return all;
}

std::string text_of(const std::vector<CollectiveTime>& times, const std::vector<std::vector<AlphaBeta>>& fits,
                    int ranks) {
  std::ostringstream out;
  out << "collectives of " << ranks
      << " ranks: median of the slowest rank's times, beside alpha x hops + bytes x share / rate\n";
  const auto cells = [&](const std::string& a, const std::string& b, const std::string& c,
                         const std::string& d, const std::string& e, const std::string& f) {
    out << "  " << std::left << std::setw(17) << a << std::right << std::setw(12) << b << std::setw(9) << c
        << std::setw(12) << d << std::setw(12) << e << std::setw(9) << f << '\n';
  };
  cells("operation", "size", "calls", "median", "fitted", "off by");
  for (const auto& lines : fits)
    for (const CollectiveTime& t : times)
      if (t.operation == lines[0].operation) {
        const double fitted = line_for(lines, t.bytes).seconds(static_cast<double>(t.bytes));
        cells(t.operation, size_text(static_cast<double>(t.bytes)), cat(t.repetitions), time_text(t.seconds),
              time_text(fitted), percent(std::abs(fitted / t.seconds - 1)));
      }
  double worst = 0;
  for (const AlphaBeta& fit : joined(fits)) {
    worst = std::max(worst, fit.worst);
    out << fit.operation;
    if (fit.from_bytes > 0) out << " above " << size_text(static_cast<double>(fit.from_bytes - 1));
    out << ": alpha " << time_text(fit.alpha_s) << " x " << fit.hops << " hops";
    if (fit.s_per_byte > 0)
      out << ", " << rate_text(1 / fit.s_per_byte) << " for " << fit.share << " x bytes";
    out << "; worst at " << size_text(static_cast<double>(fit.worst_bytes)) << ", off by "
        << percent(fit.worst) << '\n';
  }
  out << "largest relative residual " << percent(worst) << '\n';
  return out.str();
}

std::string json_of(const std::vector<CollectiveTime>& times, const std::vector<std::vector<AlphaBeta>>& fits,
                    const std::vector<std::string>& hosts) {
  nlohmann::ordered_json points = nlohmann::ordered_json::array(), lines = nlohmann::ordered_json::array();
  double worst = 0;
  for (const CollectiveTime& t : times)
    points.push_back(
        {{"operation", t.operation}, {"bytes", t.bytes}, {"seconds", t.seconds}, {"calls", t.repetitions}});
  for (const AlphaBeta& f : joined(fits)) {
    lines.push_back({{"operation", f.operation},
                     {"from_bytes", f.from_bytes},
                     {"hops", f.hops},
                     {"share", f.share},
                     {"alpha_s", f.alpha_s},
                     {"s_per_byte", f.s_per_byte},
                     {"worst", f.worst},
                     {"worst_bytes", f.worst_bytes}});
    worst = std::max(worst, f.worst);
  }
  return nlohmann::ordered_json{
             {"ranks", hosts.size()}, {"hosts", hosts}, {"times", points}, {"fits", lines}, {"worst", worst}}
             .dump(2) +
         "\n";
}

}  // namespace

int bench_command(const std::vector<std::string>& args) {
  if (!args.empty() && args[0] == "loader") return loader_bench({args.begin() + 1, args.end()});
  const Wanted wanted = parse(args);
  if (wanted.help) {
    std::cout << kHelp;
    return 0;
  }
  const MpiSession session;
  MpiCollectives comm;
  set_log_context({comm.rank(), comm.size(), "bench"});
  if (comm.size() == 1)
    throw LaunchError(
        "bench collectives: one rank talks to nobody; start several: mpirun -n 4 entrain bench collectives");
  try {
    const auto times = time_collectives(comm, wanted.seconds, kLargest);
    const auto hosts = comm.all_gather_text(control::node_name());
    const auto fits = fits_of(times, comm.size());
    if (comm.rank() == 0)
      std::cout << (wanted.json ? json_of(times, fits, hosts) : text_of(times, fits, comm.size()));
  } catch (const std::exception& e) {
    const Error error = error_of(e);
    comm.abort(error.what(), error.code());
  }
  comm.barrier();  // nobody ends while another still watches it
  return 0;
}

}  // namespace entrain::worker
