#include "worker/export/export_command.hpp"

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "checkpoint/find.hpp"
#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "coordinator/flags.hpp"
#include "coordinator/output_file.hpp"
#include "worker/export/timm_names.hpp"

namespace entrain::worker {
namespace {

struct Options {
  std::string from, out, names = "timm";
  bool classifier = false, overwrite = false, json = false;
};

// False: --help was asked for and answered.
bool parse(const std::vector<std::string>& args, Options& o) {
  CLI::App app{
      "Weights of a run's newest whole checkpoint as one safetensors file, and the Python that loads it.",
      "entrain export"};
  app.add_option("--from", o.from, "run directory of a pretraining or fine-tuning, or one of its checkpoints")
      ->required();
  app.add_option("--out", o.out, "the file to write, encoder.safetensors")->required();
  app.add_option("--names", o.names, "whose names the tensors get: timm")->capture_default_str();
  app.add_flag("--classifier", o.classifier, "also the classifier of a fine-tuning, as head.fc");
  app.add_flag("--overwrite", o.overwrite, "replace a file that is there");
  app.add_flag("--json", o.json, "the answer for machines");
  if (!coordinator::parse_flags(app, args)) return false;
  if (o.names != "timm")
    throw ConfigError(cat("entrain export: --names: want timm, got \"", o.names,
                          "\"; torchvision's names fit no BiT (post-activation, BatchNorm)"));
  if (!is_utf8(o.from))  // it goes into the file, as JSON
    throw ConfigError(cat("entrain export: --from: want a name in UTF-8, got \"", printable(o.from), '"'));
  coordinator::require_writable({"entrain export: --out", o.out, {o.from}, o.overwrite});
  return true;
}

std::string joined(const nlohmann::json& names) {
  std::string text;
  for (const auto& name : names) text += cat(text.empty() ? "" : ",", std::string(name));
  return text;
}

// The data config that timm ships with weights, and where they come from. Text only: the format's rule.
checkpoint::Metadata metadata_of(const checkpoint::Found& found, const checkpoint::CheckpointReader& reader,
                                 const Options& o) {
  const auto& facts = found.manifest;
  const std::string channels = facts.at("in_channels").dump(),
                    side = facts.at("config").at("views.crop_pixels");
  const std::string mean = channels == "1" ? "0.5" : "0.5,0.5,0.5";
  checkpoint::Metadata metadata{{"format", "pt"},
                                {"run", o.from},
                                {"step", cat(found.step)},
                                {"stage", facts.at("stage")},
                                {"corpus_digest", facts.at("corpus_digest")},
                                {"weights_digest", checkpoint::weights_digest(reader.tensors())},
                                {"model", facts.at("config").at("model.name")},
                                {"in_channels", channels},
                                {"input_size", cat(channels, ',', side, ',', side)},
                                {"mean", mean},
                                {"std", mean},
                                {"std_conv_eps", "1e-10"}};
  if (facts.contains("model"))
    metadata["model"] = facts.at("model");  // a fine-tuning may take it from its start
  if (o.classifier) metadata["class_names"] = joined(facts.at("class_names"));
  return metadata;
}

}  // namespace

int export_command(const std::vector<std::string>& args) {
  Options o;
  if (!parse(args, o)) return 0;
  const auto found = checkpoint::open_checkpoint(o.from);
  for (const auto& why : found.passed_over) std::cerr << "passed over " << why << '\n';
  const checkpoint::CheckpointReader reader(found.dir);
  const auto tensors = timm_tensors(reader, o.classifier);
  const checkpoint::Metadata metadata = metadata_of(found, reader, o);
  checkpoint::write_safetensors(o.out, tensors, metadata);

  const ExportedModel exported{o.out, metadata.at("model"), std::stoll(metadata.at("in_channels")),
                               o.classifier ? reader.view("classifier.bias").shape.at(0) : 0};
  std::int64_t parameters = 0;
  for (const auto& tensor : tensors)
    parameters += static_cast<std::int64_t>(tensor.bytes() / checkpoint::dtype_bytes(tensor.dtype));
  const std::string python = timm_python(exported);
  if (o.json) {
    std::cout << nlohmann::json{{"file", o.out},
                                {"checkpoint", found.dir},
                                {"step", found.step},
                                {"tensors", tensors.size()},
                                {"parameters", parameters},
                                {"metadata", metadata},
                                {"python", python}}
                     .dump(1)
              << '\n';
    return 0;
  }
  std::cout << o.out << ": " << tensors.size() << " tensors, " << parameters << " parameters of " << found.dir
            << "\nimages: " << metadata.at("input_size")
            << " (channels, height, width), values (x - 0.5) / 0.5 of x in "
            << "[0, 1]\n"
            << (exported.num_classes == 0 ? "no head: head.fc is left out on purpose, so load with "
                                            "num_classes=0; model(x) gives features\n"
                                          : cat("head.fc: ", metadata.at("class_names"), "\n"))
            << "\n"
            << python;
  return 0;
}

}  // namespace entrain::worker
