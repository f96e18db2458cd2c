#pragma once
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "configs/cat.hpp"
#include "coordinator/control/client.hpp"
#include "coordinator/control/mac.hpp"
#include "tests/coordinator/control/raw_peer.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::tests {

/// A run folder as a supervisor leaves it, with kToken and kRunId.
class SupervisedFolder {
 public:
  SupervisedFolder() { set_token(kToken); }
  void set_token(const std::string& token) const {
    const std::string path = folder_ / ".token";
    write_file(path, control::hex_of(token) + "\n");
    ::chmod(path.c_str(), 0600);
  }
  std::string control_file() const { return folder_ / "control.json"; }
  void set_port(std::uint16_t port) const {
    write_file(folder_ / "control.json.new",
               cat(R"({"address": "127.0.0.1", "port": )", port, R"(, "run_id": ")", std::hex, kRunId,
                   R"(", "generation": 1, "http": ""})"));
    std::rename((folder_ / "control.json.new").c_str(), control_file().c_str());
  }
  control::ClientOptions options(double orphan_seconds = 60) const {
    control::ClientOptions options;
    options.run_dir = folder_.path();
    options.host = "n1";
    options.world = 8;
    options.generation = 1;
    options.build_digest = "build";
    options.config_digest = "config";
    options.corpus_digest = "corpus";
    options.orphan_seconds = orphan_seconds;
    return options;
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace entrain::tests
