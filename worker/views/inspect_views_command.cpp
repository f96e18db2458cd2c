#include "worker/views/inspect_views_command.hpp"

#include <CLI/CLI.hpp>
#include <iostream>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/reader.hpp"
#include "coordinator/cli.hpp"
#include "coordinator/flags.hpp"
#include "coordinator/output_file.hpp"
#include "sharding/file_list.hpp"
#include "worker/views/contact_sheet.hpp"

namespace entrain::worker {
namespace {

struct Request {
  std::vector<std::string> files, overrides;
  std::string out, config, preset;
  bool overwrite = false;
  SheetLayout layout;
};

// Files and section.key=value stand among each other, as in every command: what has a '=' is an override.
void sort_arguments(const std::vector<std::string>& words, Request& request) {
  for (const std::string& word : words)
    (word.find('=') == std::string::npos ? request.files : request.overrides).push_back(word);
  if (!request.preset.empty())
    request.overrides.insert(request.overrides.begin(), cat("views.preset=", request.preset));
  coordinator::refuse_twice(request.overrides);
  if (request.files.empty() && request.config.empty())
    throw ConfigError("entrain inspect --views: name HDF5 files, or a configuration that does (--config)");
}

void draw(const Request& request) {
  RunConfig config = read_run_config(request.config, request.overrides).config;
  if (!request.files.empty()) config.data.files = request.files;
  std::vector<std::string> inputs = sharding::expand_files(config.data.files);
  inputs.push_back(request.config);
  coordinator::require_writable(
      {"entrain inspect: --views", request.out, std::move(inputs), request.overwrite});
  const auto corpus = sharding::Corpus::open(config.data);
  const Canvas sheet = contact_sheet(corpus, config.views, sharding::value_window(config.data, corpus),
                                     config.run.seed, request.layout);
  write_png(sheet, request.out);
  std::cout << request.out << ": " << std::min<std::int64_t>(request.layout.rows, corpus.size()) << " of "
            << corpus.size() << " images, " << request.layout.columns - 1 << " views each of "
            << config.views.crop_pixels << " px, preset " << config.views.preset << ", profile "
            << config.views.profile << '\n';
}

}  // namespace

int inspect_views_command(const std::vector<std::string>& args) {
  CLI::App app{"A contact sheet: originals and the views that training would make of them.",
               "entrain inspect"};
  Request request;
  std::vector<std::string> words;
  app.add_option("FILE", words, "HDF5 files or globs; section.key=value sets a knob of the configuration");
  app.add_option("--views", request.out, "the PNG to write")->required();
  app.add_flag("--overwrite", request.overwrite, "replace a file that is there");
  app.add_option("--config", request.config, "the run whose views to draw");
  app.add_option("--preset", request.preset, "views for a kind of image (views.preset)");
  app.add_option("--rows", request.layout.rows, "images, spread evenly over the corpus")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--columns", request.layout.columns, "the original and its views")
      ->check(CLI::Range(2, 32))
      ->capture_default_str();
  if (!coordinator::parse_flags(app, args)) return 0;
  sort_arguments(words, request);
  draw(request);
  return 0;
}

}  // namespace entrain::worker
