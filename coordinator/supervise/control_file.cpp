#include "coordinator/supervise/control_file.hpp"

#include <nlohmann/json.hpp>

#include "checkpoint/atomic_file.hpp"
#include "coordinator/status/run_files.hpp"

namespace entrain::supervise {

std::optional<ControlFile> ControlFile::read(const std::string& run_dir) {
  const auto json = status::json_file(run_dir + "/control.json");
  try {
    ControlFile file;
    json.at("address").get_to(file.address);
    json.at("port").get_to(file.port);
    json.at("http").get_to(file.http);
    json.at("run_id").get_to(file.run_id);
    json.at("host").get_to(file.host);
    json.at("stage").get_to(file.stage);
    json.at("started").get_to(file.started);
    json.at("pid").get_to(file.pid);
    json.at("generation").get_to(file.generation);
    json.at("launcher_pid").get_to(file.launcher_pid);
    json.at("launcher_ticks").get_to(file.launcher_ticks);
    json.at("world").get_to(file.world);
    json.at("ranks_per_node").get_to(file.ranks_per_node);
    json.at("nodes").get_to(file.nodes);
    return file;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

void ControlFile::write(const std::string& run_dir) const {
  const nlohmann::ordered_json json{{"address", address},
                                    {"port", port},
                                    {"http", http},
                                    {"run_id", run_id},
                                    {"host", host},
                                    {"stage", stage},
                                    {"started", started},
                                    {"pid", pid},
                                    {"generation", generation},
                                    {"launcher_pid", launcher_pid},
                                    {"launcher_ticks", launcher_ticks},
                                    {"world", world},
                                    {"ranks_per_node", ranks_per_node},
                                    {"nodes", nodes}};
  checkpoint::write_file_atomically(run_dir + "/control.json", json.dump(2) + "\n");
}

}  // namespace entrain::supervise
