#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/flags.hpp"
#include "sharding/inspect.hpp"

namespace entrain::coordinator {
namespace {
using sharding::DatasetInfo;
using sharding::Inspection;
constexpr std::size_t kFilesShown = 4;

std::string size_text(std::int64_t bytes) {
  char text[32];
  const auto b = static_cast<double>(bytes);
  const char* format = b < 1e3 ? "%.0f B" : b < 1e6 ? "%.1f kB" : b < 1e9 ? "%.1f MB" : "%.2f GB";
  std::snprintf(text, sizeof text, format, b < 1e3 ? b : b < 1e6 ? b / 1e3 : b < 1e9 ? b / 1e6 : b / 1e9);
  return text;
}

std::string storage_text(const DatasetInfo& d) {
  std::string text = d.layout;
  for (std::size_t i = 0; i < d.chunk.size(); ++i) text += cat(i ? " x " : " ", d.chunk[i]);
  if (!d.filters.empty()) text += ", " + join(d.filters);
  if (d.layout == "contiguous" && d.stored_bytes == 0 && d.raw_bytes() > 0) text += ", never written";
  return text;
}

void print_files(const Inspection& i) {
  for (std::size_t f = 0; f < std::min(kFilesShown, i.files.size()); ++f) {
    const auto& file = i.files[f];
    std::cout << file.path << "  " << size_text(file.bytes) << '\n';
    std::size_t names = 0, shapes = 0, types = 0;
    for (const auto& d : file.datasets) {
      names = std::max(names, d.path.size());
      shapes = std::max(shapes, d.dims_text().size());
      types = std::max(types, d.type_name.size());
    }
    std::size_t shown = 0;
    for (const auto& d : file.datasets) {
      if (++shown > 12) {
        std::cout << "  ... " << file.datasets.size() - 12 << " more datasets\n";
        break;
      }
      std::cout << "  " << std::left << std::setw(static_cast<int>(names)) << d.path << "  "
                << std::setw(static_cast<int>(shapes)) << d.dims_text() << "  "
                << std::setw(static_cast<int>(types)) << d.type_name << "  " << std::right << std::setw(9)
                << size_text(d.stored_bytes) << "  " << storage_text(d) << '\n';
    }
  }
  if (i.files.size() > kFilesShown)
    std::cout << "... and " << i.files.size() - kFilesShown << " more files\n";
}

void print_images(const Inspection& i) {
  const auto& s = i.shape;
  std::cout << "\nimages   " << i.rows << " of " << s.height << " x " << s.width << " x " << s.channels
            << ", " << sharding::name_of(s.type) << ", "
            << size_text(i.rows * static_cast<std::int64_t>(s.bytes())) << " raw, from " << i.image
            << " read as " << i.axes << '\n'
            << "values   " << i.low << " to " << i.high << ", mean " << std::setprecision(4) << i.mean << " ("
            << i.sampled << " images sampled)\n";
  if (i.groups > 0)
    std::cout << "groups   " << i.groups << ", " << std::setprecision(3)
              << static_cast<double>(i.rows) / static_cast<double>(i.groups)
              << " images each on average, at most " << i.largest_group << '\n';
}

// Rows: split and site; columns: label.
void print_table(const Inspection& i) {
  if (i.class_names.empty() && i.split_names.empty() && i.site_names.empty()) return;
  const auto or_blank = [](const std::vector<std::string>& names) {
    return names.empty() ? std::vector<std::string>{""} : names;
  };
  auto classes = or_blank(i.class_names);
  const std::size_t num_classes = classes.size();
  if (classes.size() > 8) classes.resize(8);
  std::vector<int> widths;
  std::cout << "\n  " << std::left << std::setw(22) << "";
  for (const auto& c : classes) {
    widths.push_back(static_cast<int>(std::max<std::size_t>(9, c.size() + 2)));
    std::cout << std::right << std::setw(widths.back()) << (c.empty() ? "images" : c);
  }
  std::cout << (num_classes > 8 ? cat("  ... ", num_classes, " classes") : "") << '\n';
  for (const auto& split : or_blank(i.split_names)) {
    for (const auto& site : or_blank(i.site_names)) {
      std::cout << "  " << std::left << std::setw(8) << split << std::setw(14)
                << (split.empty() && site.empty() ? "all" : site) << std::right;
      for (std::size_t c = 0; c < classes.size(); ++c) {
        const auto at = i.table.find({split, site, classes[c]});
        std::cout << std::setw(widths[c]) << (at == i.table.end() ? 0 : at->second);
      }
      std::cout << '\n';
    }
  }
}

void print_page(const Inspection& i) {
  print_files(i);
  if (i.rows > 0) {
    print_images(i);
    print_table(i);
  }
  std::cout << '\n';
  for (const auto& odd : i.odd) std::cout << "mind     " << odd << '\n';
  if (!i.refusal.empty()) {
    std::cout << "refused  " << i.refusal << '\n';
    return;
  }
  std::cout << "use      data.files=" << (i.files.size() == 1 ? i.files[0].path : "'GLOB'");
  for (const auto& key : i.keys) std::cout << ' ' << key;
  std::cout << '\n';
}

nlohmann::ordered_json to_json(const Inspection& i) {
  nlohmann::ordered_json files = nlohmann::ordered_json::array(), table = nlohmann::ordered_json::array();
  for (const auto& f : i.files) {
    nlohmann::ordered_json datasets = nlohmann::ordered_json::array();
    for (const auto& d : f.datasets)
      datasets.push_back({{"path", d.path},
                          {"dims", d.dims},
                          {"type", d.type_name},
                          {"layout", d.layout},
                          {"chunk", d.chunk},
                          {"filters", d.filters},
                          {"stored_bytes", d.stored_bytes}});
    files.push_back({{"path", f.path}, {"bytes", f.bytes}, {"datasets", datasets}});
  }
  for (const auto& [key, count] : i.table)
    table.push_back({{"split", key[0]}, {"site", key[1]}, {"label", key[2]}, {"images", count}});
  return {{"files", files},
          {"image", i.image},
          {"axes", i.axes},
          {"rows", i.rows},
          {"height", i.shape.height},
          {"width", i.shape.width},
          {"channels", i.shape.channels},
          {"type", sharding::name_of(i.shape.type)},
          {"columns", i.columns},
          {"groups", i.groups},
          {"largest_group", i.largest_group},
          {"straddling_groups", i.straddling_groups},
          {"class_names", i.class_names},
          {"table", table},
          {"sample",
           {{"images", i.sampled},
            {"unreadable", i.unreadable},
            {"not_a_number", i.not_a_number},
            {"constant", i.constant},
            {"grey_as_rgb", i.grey_as_rgb},
            {"low", i.low},
            {"high", i.high},
            {"mean", i.mean}}},
          {"odd", i.odd},
          {"keys", i.keys},
          {"refusal", i.refusal}};
}
}  // namespace

int inspect_command(const std::vector<std::string>& args) {
  CLI::App app{
      "What is in these HDF5 files, how it is stored, what is odd about it, and which data.* keys read it.",
      "entrain inspect"};
  std::vector<std::string> files;
  bool json = false;
  app.add_option("FILE", files, "HDF5 files or globs")->required();
  app.add_flag("--json", json, "for machines");
  if (!parse_flags(
          app, args,
          "\nExit code 0: a run with the keys of the last line could read them; 65: it could not, and the "
          "last line says why.\n"
          "\nA contact sheet of what training would see of them, instead:\n"
          "  --views PNG          originals and the views that training would make of them\n"
          "  --preset NAME        views for a kind of image: simclr, xray, dermatology, histology, fundus\n"
          "  --config CONFIG      the run whose views to draw; FILEs are then optional\n"
          "  --rows N             images, spread evenly over the corpus\n"
          "  --columns N          the original and its views\n"
          "  --overwrite          replace PNG\n"
          "  section.key=value    sets a knob of the configuration\n"))
    return 0;
  const Inspection inspection = sharding::inspect_files(files);
  if (json)
    std::cout << to_json(inspection).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  else
    print_page(inspection);
  return static_cast<int>(inspection.refusal.empty() ? ExitCode::kDone : ExitCode::kData);
}

}  // namespace entrain::coordinator
