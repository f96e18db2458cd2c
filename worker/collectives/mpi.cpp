#include "worker/collectives/mpi.hpp"

#include <ATen/ATen.h>
#include <mpi.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <thread>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/log.hpp"
#include "coordinator/control/progress.hpp"
#include "worker/collectives/node_blocks.hpp"
#include "worker/collectives/peer_watch.hpp"

namespace entrain::worker {

// MPI's own handler ends the process without a word; errors come back as codes and become exceptions.
void check_mpi(int code, const char* what) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw CommError(cat(what, ": ", std::string_view(text, length)));
}

namespace {

MPI_Datatype mpi_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return MPI_FLOAT;
    case at::kDouble:
      return MPI_DOUBLE;
    case at::kLong:
      return MPI_INT64_T;
    case at::kInt:
      return MPI_INT32_T;
    case at::kByte:
      return MPI_UINT8_T;
    default:
      TORCH_CHECK(false, "no MPI type for ", type);
  }
}

int as_count(std::int64_t n) {
  TORCH_CHECK(n <= INT_MAX, "MPI counts at most 2^31 - 1 elements, got ", n);
  return static_cast<int>(n);
}

std::vector<int> offsets_of(const std::vector<int>& counts) {
  std::vector<int> offsets(counts.size());
  std::int64_t sum = 0;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    offsets[r] = as_count(sum);
    sum += counts[r];
  }
  return offsets;
}

// In the heartbeat: who has entered the fewest collectives is who the others wait for.
control::RankProgress::Scope entered() {
  control::progress().count_collective();
  return control::progress().enter(control::Phase::kCollective);
}

// A world of one under a launcher that started several tasks trains the same model several times.
void require_launchers_world(int size) {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    const char* text = std::getenv(name);
    if (!text) continue;
    if (const int told = std::atoi(text); told > 1 && size == 1)
      throw LaunchError(
          cat("the launcher started ", told, " tasks (", name,
              ") but MPI sees a world of 1: each would train alone. "
              "Start with the mpirun of the Open MPI that Entrain was built with, or with srun --mpi=pmix"));
    return;
  }
}

// Open MPI, HDF5 and one pidfd per rank of the node; with fewer it ends in banners that name no cause.
void require_file_descriptors() {
  constexpr rlim_t kLeast = 64, kPlenty = 1024;
  rlimit open_files{};
  if (::getrlimit(RLIMIT_NOFILE, &open_files) != 0) return;
  if (open_files.rlim_cur < kPlenty) {  // what the hard limit allows, nobody has to ask for
    open_files.rlim_cur = std::min(kPlenty, open_files.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &open_files);
  }
  if (open_files.rlim_cur < kLeast)
    throw LaunchError(cat("this process may open ", open_files.rlim_cur, " files at most (ulimit -n), want ",
                          kLeast, " or more; raise the limit in the shell or the job that starts it"));
}

// A process without a launcher starts a helper of Open MPI's, which is looked for in PATH: in an emptied environment
// MPI would end this process with banners that name no cause.
void require_path() { ::setenv("PATH", "/usr/local/bin:/usr/bin:/bin", /*overwrite=*/0); }

}  // namespace

MpiSession::MpiSession() {
  require_file_descriptors();
  require_path();
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS ||
      provided < MPI_THREAD_FUNNELED)
    throw LaunchError("MPI does not start with thread support FUNNELED");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  int size = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  require_launchers_world(size);
}

MpiSession::~MpiSession() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (!finalized) MPI_Finalize();
}

// Beats travel beside MPI, but the memory they are noted in is MPI's: nothing is left behind in /dev/shm by a kill.
class MpiCollectives::SharedWindow {
 public:
  explicit SharedWindow(MPI_Aint bytes) {
    MPI_Comm node = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node),
              "MPI_Comm_split_type");
    int rank = 0;
    MPI_Comm_rank(node, &rank);
    check_mpi(MPI_Win_allocate_shared(rank == 0 ? bytes : 0, 1, MPI_INFO_NULL, node, &memory_, &window_),
              "MPI_Win_allocate_shared");
    MPI_Aint size = 0;
    int unit = 0;
    check_mpi(MPI_Win_shared_query(window_, 0, &size, &unit, &memory_), "MPI_Win_shared_query");
    if (rank == 0) std::memset(memory_, 0, static_cast<std::size_t>(bytes));
    check_mpi(MPI_Barrier(node), "barrier of a node");
    MPI_Comm_free(&node);
  }
  ~SharedWindow() { MPI_Win_free(&window_); }
  SharedWindow(const SharedWindow&) = delete;
  SharedWindow& operator=(const SharedWindow&) = delete;
  void* memory() const { return memory_; }

 private:
  void* memory_ = nullptr;
  MPI_Win window_ = MPI_WIN_NULL;
};

void* MpiCollectives::shared_memory(std::size_t bytes) {
  window_ = std::make_unique<SharedWindow>(static_cast<MPI_Aint>(bytes));
  return window_->memory();
}

MpiCollectives::MpiCollectives() {
  check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node),
            "MPI_Comm_split_type");
  MPI_Comm_rank(node, &local_rank_);
  MPI_Comm_size(node, &local_size_);
  int first = rank_;  // of this node: its name for this
  check_mpi(MPI_Bcast(&first, 1, MPI_INT, 0, node), "first rank of a node");
  MPI_Comm_free(&node);
  std::vector<int> node_of_rank(size_);
  check_mpi(MPI_Allgather(&first, 1, MPI_INT, node_of_rank.data(), 1, MPI_INT, MPI_COMM_WORLD),
            "nodes of ranks");
  ranks_per_node_ = even_ranks_per_node(node_of_rank);
  watch_ = std::make_unique<PeerWatch>(all_gather_text(PeerWatch::describe_self()), rank_);
}

MpiCollectives::~MpiCollectives() = default;

GatheredRows MpiCollectives::all_gather_rows(const at::Tensor& rows) {
  const auto scope = entered();
  TORCH_CHECK(rows.is_contiguous() && rows.dim() > 0, "all_gather_rows: want contiguous rows");
  std::int64_t row = 1;
  for (std::int64_t d = 1; d < rows.dim(); ++d) row *= rows.size(d);
  const int mine = as_count(rows.numel());
  std::vector<int> counts(size_);
  check_mpi(MPI_Allgather(&mine, 1, MPI_INT, counts.data(), 1, MPI_INT, MPI_COMM_WORLD),
            "all_gather_rows (counts)");
  const auto offsets = offsets_of(counts);
  std::vector<std::int64_t> shape = rows.sizes().vec();
  shape[0] = std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) / row;
  GatheredRows gathered{at::empty(shape, rows.options()), offsets[rank_] / row};
  const MPI_Datatype type = mpi_type(rows.scalar_type());
  check_mpi(MPI_Allgatherv(rows.const_data_ptr(), mine, type, gathered.all.mutable_data_ptr(), counts.data(),
                           offsets.data(), type, MPI_COMM_WORLD),
            "all_gather_rows");
  return gathered;
}

at::Tensor MpiCollectives::all_to_all(const at::Tensor& send, const std::vector<std::int64_t>& send_counts,
                                      const std::vector<std::int64_t>& receive_counts) {
  const auto scope = entered();
  TORCH_CHECK(send.is_contiguous() && send.dim() == 1, "all_to_all: want a flat tensor");
  std::vector<int> out(size_), in(size_);
  for (int r = 0; r < size_; ++r) {
    out[r] = as_count(send_counts[r]);
    in[r] = as_count(receive_counts[r]);
  }
  const auto out_offsets = offsets_of(out), in_offsets = offsets_of(in);
  at::Tensor received = at::empty({std::accumulate(in.begin(), in.end(), std::int64_t{0})}, send.options());
  const MPI_Datatype type = mpi_type(send.scalar_type());
  check_mpi(MPI_Alltoallv(send.const_data_ptr(), out.data(), out_offsets.data(), type,
                          received.mutable_data_ptr(), in.data(), in_offsets.data(), type, MPI_COMM_WORLD),
            "all_to_all");
  return received;
}

void MpiCollectives::all_reduce_sum_(at::Tensor t) {
  const auto scope = entered();
  TORCH_CHECK(t.is_contiguous(), "all_reduce_sum_: want a contiguous tensor");
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, t.mutable_data_ptr(), as_count(t.numel()), mpi_type(t.scalar_type()),
                          MPI_SUM, MPI_COMM_WORLD),
            "all_reduce_sum");
}

std::int64_t MpiCollectives::all_reduce_max(std::int64_t value) {
  const auto scope = entered();
  check_mpi(MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD), "all_reduce_max");
  return value;
}

std::vector<std::string> MpiCollectives::all_gather_text(const std::string& mine) {
  const auto scope = entered();
  const int length = as_count(static_cast<std::int64_t>(mine.size()));
  std::vector<int> lengths(size_);
  check_mpi(MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, MPI_COMM_WORLD),
            "all_gather_text (lengths)");
  const auto offsets = offsets_of(lengths);
  std::string all(std::accumulate(lengths.begin(), lengths.end(), std::size_t{0}), '\0');
  check_mpi(MPI_Allgatherv(mine.data(), length, MPI_CHAR, all.data(), lengths.data(), offsets.data(),
                           MPI_CHAR, MPI_COMM_WORLD),
            "all_gather_text");
  std::vector<std::string> texts;
  for (int r = 0; r < size_; ++r) texts.push_back(all.substr(offsets[r], lengths[r]));
  return texts;
}

void MpiCollectives::barrier() {
  const auto scope = entered();
  check_mpi(MPI_Barrier(MPI_COMM_WORLD), "barrier");
}

void MpiCollectives::abort(std::string_view reason, ExitCode code) noexcept {
  if (watch_) watch_->stop();  // this rank is the one that ends first
  // Where all fail alike, rank 0 tells it, and this process is gone before its turn comes.
  if (rank_ > 0) std::this_thread::sleep_for(std::chrono::seconds(3));
  log(Level::kError, reason);
  MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
  ::_exit(static_cast<int>(code));
}

}  // namespace entrain::worker
