#include "checkpoint/safetensors.hpp"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "configs/error.hpp"
#include "configs/philox.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {
namespace {

using checkpoint::DType;
using checkpoint::SafetensorsFile;
using checkpoint::TensorView;
using ::testing::HasSubstr;

// Made by tests/reference/safetensors_cases.py with safetensors 0.8.0.
nlohmann::json reference() {
  return nlohmann::json::parse(read_file(ENTRAIN_SOURCE_DIR "/tests/reference/safetensors_cases.json"));
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

// A file in memory: thousands of them are written here.
class MemoryFile {
 public:
  explicit MemoryFile(const std::string& bytes) : fd_(::memfd_create("header", 0)) {
    if (::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("memfd");
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

// What the reader says: "" if it takes the file.
std::string verdict(const std::string& path, const std::string& bytes) {
  write_file(path, bytes);
  try {
    const SafetensorsFile file(path);
    return "";
  } catch (const CheckpointError& error) {
    return error.what();
  }
}

TEST(Safetensors, WritesTheGoldenFileOfTheFormat) {
  const std::uint16_t b[] = {0x0000, 0x3c00, 0x4000};
  const float a[] = {1, 2};
  const std::int64_t c = 5;
  const auto bytes_of = [](const void* p) { return static_cast<const std::byte*>(p); };
  const TemporaryFolder folder;
  checkpoint::write_safetensors(folder / "f",
                                {{"b", DType::kF16, {3}, bytes_of(b)},
                                 {"a", DType::kF32, {1, 2}, bytes_of(a)},
                                 {"c", DType::kI64, {}, bytes_of(&c)}},
                                {{"format", "pt"}});
  const std::string got = read_file(folder / "f");
  EXPECT_EQ(got.size(), 230U);
  EXPECT_EQ(got, from_hex(reference()["golden"]["ecosystem"]));
  EXPECT_FALSE(std::filesystem::exists(folder / "f.tmp"));
}

TEST(Safetensors, RewritesFilesOfTheReferenceToTheByteInAnyOrderOfTensors) {
  const TemporaryFolder folder;
  std::set<DType> dtypes;
  const auto golden = reference()["golden"];
  for (const auto& [name, hex] : golden.items()) {
    write_file(folder / "in", from_hex(hex));
    const SafetensorsFile in(folder / "in");
    ASSERT_GT(in.tensors().size(), 2U);
    for (const auto& tensor : in.tensors()) dtypes.insert(tensor.dtype);
    auto tensors = in.tensors();
    for (const bool reversed : {false, true}) {
      if (reversed) std::reverse(tensors.begin(), tensors.end());
      checkpoint::write_safetensors(folder / "out", tensors, in.metadata());
      EXPECT_EQ(read_file(folder / "out"), from_hex(hex)) << name;
    }
  }
  EXPECT_EQ(dtypes.size(), 16U) << "every dtype must have been seen";
}

TEST(Safetensors, TakesAndRefusesWhatTheReferenceDoesButForTheListed) {
  // The format forbids the first two; the third does not fit our extents.
  const std::set<std::string> stricter = {"twice the same name", "a space before {", "shape above 63 bits"};
  const TemporaryFolder folder;
  int taken = 0, refused = 0;
  const auto cases = reference()["cases"];
  for (const auto& c : cases) {
    const std::string name = c["name"], said = verdict(folder / "f", from_hex(c["hex"]));
    const bool want = c["reference"] == "accepts" && stricter.count(name) == 0;
    EXPECT_EQ(said.empty(), want) << name << ": we say \"" << said << "\", the reference " << c["reference"];
    EXPECT_TRUE(said.empty() || said.find(folder / "f") != said.npos) << name;
    ++(want ? taken : refused);
  }
  EXPECT_GE(taken, 10);
  EXPECT_GE(refused, 30);
}

TEST(Safetensors, NamesTheTensorThatIsWrong) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> tensor{{"overlap", "\"b\""},
                                                  {"size unlike shape", "\"a\""},
                                                  {"unknown dtype", "\"a\""},
                                                  {"no shape", "\"a\""},
                                                  {"shape overflows", "\"a\""}};
  std::size_t seen = 0;
  const auto cases = reference()["cases"];
  for (const auto& c : cases) {
    const auto named = tensor.find(c["name"]);
    if (named == tensor.end()) continue;
    EXPECT_THAT(verdict(folder / "f", from_hex(c["hex"])), HasSubstr("tensor " + named->second));
    ++seen;
  }
  EXPECT_EQ(seen, tensor.size());
}

TEST(Safetensors, FileThatIsNotThereOrNotAFile) {
  EXPECT_THROW(SafetensorsFile("/no/such/file"), CheckpointError);
  EXPECT_THROW(SafetensorsFile("/dev/null"), CheckpointError);
  EXPECT_THROW(SafetensorsFile("/"), CheckpointError);
}

TEST(Safetensors, RefusesToWriteWhatItWouldNotRead) {
  const TemporaryFolder folder;
  const float x = 1;
  const TensorView a{"a", DType::kF32, {}, reinterpret_cast<const std::byte*>(&x)};
  TensorView metadata = a, bytes = a;
  metadata.name = "__metadata__";
  bytes.name = "\xff";
  EXPECT_THROW(checkpoint::write_safetensors(folder / "f", {a, a}, {}), CheckpointError);
  EXPECT_THROW(checkpoint::write_safetensors(folder / "f", {metadata}, {}), CheckpointError);
  EXPECT_THROW(checkpoint::write_safetensors(folder / "f", {bytes}, {}), CheckpointError);
  EXPECT_FALSE(std::filesystem::exists(folder / "f"));
}

TEST(Safetensors, DamagedHeadersNeverCrashAndNeverLieAboutTheBounds) {
  const std::string good = from_hex(reference()["golden"]["all dtypes"]);
  Draws draws(3, Purpose::kPhantom, 1);
  int taken = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = good;
    for (std::uint64_t flips = 1 + draws.below(4); flips > 0; --flips)
      bytes[draws.below(1250)] =
          static_cast<char>(draws.below(3) == 0 ? "0123456789[]{},:\" "[draws.below(18)] : draws.below(256));
    if (draws.below(4) == 0) bytes.resize(draws.below(bytes.size()));
    const MemoryFile in_memory(bytes);
    try {
      const SafetensorsFile file(in_memory.path());
      std::size_t sum = 0;
      for (const auto& tensor : file.tensors()) {
        sum += tensor.bytes();
        for (std::size_t k = 0; k < tensor.bytes(); ++k)
          sum += static_cast<unsigned char>(tensor.data[k]) & 0U;
      }
      EXPECT_LE(sum, bytes.size());
      ++taken;
    } catch (const CheckpointError&) {
      ++refused;
    }
  }
  EXPECT_GT(taken, 20);  // a letter of a name changed
  EXPECT_GT(refused, 1000);
}

TEST(Safetensors, HostileNumbersAllocateNothing) {
  const TemporaryFolder folder;
  for (const std::uint64_t claim : {std::uint64_t{99'999'999}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &claim, 8);
    EXPECT_THAT(verdict(folder / "f", bytes + "{}"), HasSubstr("claims"));
  }
  // 1 MB of brackets inside an extra key: skipped, not built.
  std::string deep = "{\"a\":{\"x\":" + std::string(500000, '[') + std::string(500000, ']') +
                     ",\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}";
  std::string length(8, '\0');
  const std::uint64_t n = deep.size();
  std::memcpy(length.data(), &n, 8);
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  EXPECT_EQ(verdict(folder / "f", length + deep), "");
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 20000) << "kB";
}

}  // namespace
}  // namespace entrain::tests
