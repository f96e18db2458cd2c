#include "checkpoint/manifest.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "checkpoint/digest.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain::checkpoint {
namespace {

constexpr const char* kOwnDigest = "sha256_of_the_rest";

std::string sealed(nlohmann::json manifest) {
  manifest.erase(kOwnDigest);
  manifest[kOwnDigest] = sha256_of(manifest.dump());
  return manifest.dump(1) + '\n';
}

std::string shortened(const std::string& digest) { return digest.substr(0, 8) + ".."; }

// Which 4 MiB pieces differ: "block 3" or "blocks 3, 7 and 12 more".
std::string bad_blocks(const std::vector<std::string>& have, const std::vector<std::string>& want) {
  std::vector<std::size_t> bad;
  for (std::size_t i = 0; i < want.size(); ++i)
    if (i >= have.size() || have[i] != want[i]) bad.push_back(i);
  if (bad.empty()) return "no block differs: the SHA-256 in the manifest is wrong";
  std::string text = bad.size() == 1 ? "block" : "blocks";
  for (std::size_t i = 0; i < bad.size() && i < 4; ++i) text += cat(i == 0 ? " " : ", ", bad[i]);
  if (bad.size() > 4) text += cat(" and ", bad.size() - 4, " more");
  return text;
}

std::string problem_of_file(const std::string& step_dir, const std::string& name,
                            const nlohmann::json& want) {
  const std::string path = step_dir + '/' + name;
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  if (error) return cat(name, ": ", error.message());
  if (bytes != want.at("bytes").get<std::uint64_t>())
    return cat(name, ": has ", bytes, " bytes but manifest says ", want.at("bytes"));
  const FileDigest have = digest_file(path);
  const auto sha256 = want.at("sha256").get<std::string>();
  if (have.sha256 == sha256) return "";
  return cat(name, ": sha256 is ", shortened(have.sha256), " but manifest says ", shortened(sha256), " (",
             bad_blocks(have.blocks, want.at("xxh3_128_per_4MiB")), ')');
}

}  // namespace

std::string step_name(std::int64_t step) {
  char name[40];
  std::snprintf(name, sizeof name, "step-%08lld", static_cast<long long>(step));
  return name;
}

std::optional<std::int64_t> parse_step_name(const std::string& name) {
  long long step = -1;
  if (std::sscanf(name.c_str(), "step-%lld", &step) != 1 || step < 0 || step_name(step) != name)
    return std::nullopt;
  return step;
}

std::string manifest_text(std::int64_t step, int world, const std::vector<ShardVote>& votes,
                          const nlohmann::json& facts) {
  nlohmann::json manifest = facts.is_object() ? facts : nlohmann::json::object();
  manifest["format_version"] = kFormatVersion;
  manifest["step"] = step;
  manifest["world"] = world;
  manifest["files"] = nlohmann::json::object();
  manifest["tensors"] = nlohmann::json::object();
  for (const ShardVote& vote : votes) {
    if (vote.file.empty()) continue;
    manifest["files"][vote.file] = {
        {"bytes", vote.bytes}, {"sha256", vote.sha256}, {"xxh3_128_per_4MiB", vote.blocks}};
    for (const auto& [name, tensor] : vote.tensors.items()) {
      if (manifest["tensors"].contains(name))
        throw CheckpointError(cat("tensor \"", name, "\" was written twice: ",
                                  manifest["tensors"][name]["shard"], " and ", vote.file));
      manifest["tensors"][name] = tensor;
      manifest["tensors"][name]["shard"] = vote.file;
    }
  }
  try {
    return sealed(manifest);
  } catch (const nlohmann::json::exception& error) {
    throw CheckpointError(cat("the manifest of step ", step, " cannot be written: ", error.what()));
  }
}

nlohmann::json read_manifest(const std::string& step_dir) {
  const std::string path = step_dir + "/manifest.json";
  std::ifstream in(path, std::ios::binary);
  if (!in) throw CheckpointError(cat(path, ": not there, so this was never committed"));
  if (!std::filesystem::is_regular_file(path)) throw CheckpointError(cat(path, ": is not a file"));
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  auto manifest = nlohmann::json::parse(text, nullptr, false);
  if (!manifest.is_object()) throw CheckpointError(cat(path, ": is not JSON (", text.size(), " bytes)"));
  std::string want;
  try {
    want = sealed(manifest);
  } catch (const nlohmann::json::exception&) {  // text that is not UTF-8
  }
  if (text != want)
    throw CheckpointError(cat(path, ": its text is not what was written (its own sha256 differs)"));
  if (manifest.value("format_version", 0) != kFormatVersion)
    throw CheckpointError(cat(path, ": format_version is ", manifest.value("format_version", 0),
                              ", this program reads ", kFormatVersion));
  const auto named = parse_step_name(std::filesystem::path(step_dir).filename());
  if (named && *named != manifest.value("step", std::int64_t{-1}))
    throw CheckpointError(cat(path, ": is of step ", manifest.value("step", std::int64_t{-1}),
                              ", but its folder is named for another one"));
  return manifest;
}

std::vector<std::string> problems_of(const std::string& step_dir, const nlohmann::json& manifest) {
  std::vector<std::string> problems;
  for (const auto& [name, want] : manifest.at("files").items()) {
    try {
      if (std::string problem = problem_of_file(step_dir, name, want); !problem.empty())
        problems.push_back(std::move(problem));
    } catch (const CheckpointError& error) {  // cannot be read: an EIO is one broken file, not the end
      problems.push_back(cat(name, ": ", error.what()));
    }
  }
  return problems;
}

std::string why_broken(const std::string& step_dir, nlohmann::json& manifest) {
  try {
    manifest = read_manifest(step_dir);
    std::string all;
    for (const auto& problem : problems_of(step_dir, manifest)) all += (all.empty() ? "" : "; ") + problem;
    return all;
  } catch (const CheckpointError& error) {
    return error.what();
  } catch (const nlohmann::json::exception& error) {
    return cat("manifest.json: ", error.what());
  }
}

}  // namespace entrain::checkpoint
