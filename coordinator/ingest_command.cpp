#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "configs/section.hpp"
#include "coordinator/commands.hpp"
#include "coordinator/flags.hpp"
#include "coordinator/output_file.hpp"
#include "sharding/ingest/images.hpp"
#include "sharding/ingest/phantom.hpp"
#include "sharding/temporary_file.hpp"

namespace entrain::coordinator {
namespace {
using sharding::IngestImagesOptions;
using sharding::IngestReport;
using sharding::PhantomOptions;

constexpr const char* kImagesHelp =
    "\nThe file has /images (u8), and /group, /label (with class_names), /split, /site where asked for. Bad "
    "files are named\n"
    "in OUT.verdicts.jsonl, counted and left out; above the budget nothing is written and the exit code is "
    "65.\n"
    "73: the output cannot be written (a full disk, a name that is taken); nothing is left of it.\n"
    "\n  entrain ingest images --tar cxr.tar --csv cxr.csv --group-column patient_id --label-column label "
    "\\\n"
    "      --px 64 --gray --make-split 70/10/20 --out cxr.h5\n";

template <typename T>
T read_number(const std::string& option, const std::string& text, const std::string& wanted) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw ConfigError(cat(option, ": want ", wanted, ", got \"", printable(text), '"'));
  return value;
}

// Stored with the corpus as a signed number.
std::uint64_t read_seed(const std::string& option, const std::string& text) {
  const std::string wanted = "a whole number from 0 to 9223372036854775807";
  const auto seed = read_number<std::int64_t>(option, text, wanted);
  if (seed < 0) throw ConfigError(cat(option, ": want ", wanted, ", got ", seed));
  return static_cast<std::uint64_t>(seed);
}

// Before any work is done. The parts that need the sources' names are ingest_images' own.
void require_output(const std::string& command, const std::string& path, bool overwrite,
                    const std::vector<std::string>& inputs) {
  require_writable({.option = cat("entrain ingest ", command, ": --out"),
                    .path = path,
                    .inputs = inputs,
                    .overwrite = overwrite});
}

void add_source_options(CLI::App& app, IngestImagesOptions& o) {
  app.add_option("--tar", o.tar, "archive with the image files (uncompressed tar)")->group("Source");
  app.add_option("--folder", o.folder, "folder with the image files, searched to its depth")->group("Source");
  app.add_option("--csv", o.csv, "one row per image; without it every .jpg, .png and .bmp is taken")
      ->group("Source");
  app.add_option("--path-column", o.path_column, "column with the path inside the tar or folder")
      ->group("Source")
      ->capture_default_str();
  app.add_option("--group-column", o.group_column, "column with the patient (slide, lesion)")
      ->group("Source");
  app.add_option("--label-column", o.label_column, "column with the class")->group("Source");
  app.add_option("--site-column", o.site_column, "column with the hospital or scanner")->group("Source");
  app.add_option("--split-column", o.split_column,
                 "column with train, val, test; no patient may stand in two")
      ->group("Source");
  app.add_flag("--label-from-folder", o.label_from_folder, "class = name of the folder a file lies in")
      ->group("Source");
  app.add_flag("--split-from-folder", o.split_from_folder, "split = name of the topmost folder")
      ->group("Source");
}

/// What is not a plain value until it was read. CLI11 would take -1 for a large number, and a number that is too large
/// for the largest there is.
struct Texts {
  std::string fit = "crop", make_split, px = "224", split_seed = "1", limit_errors;
  std::vector<std::string> window;
  bool gray = false, rgb = false, json = false;
};

void add_output_options(CLI::App& app, IngestImagesOptions& o, Texts& t) {
  app.add_option("--out", o.out, "the HDF5 file to write")->required()->group("Output");
  app.add_option("--px", t.px, "side of the stored square images, pixels")
      ->group("Output")
      ->capture_default_str();
  app.add_flag("--gray,--grey", t.gray, "one channel")->group("Output");
  app.add_flag("--rgb", t.rgb, "three channels; without either: grey if the first 32 images are")
      ->group("Output");
  app.add_option("--fit", t.fit, "crop (centred square) | pad (black bars) | stretch (squash)")
      ->group("Output")
      ->capture_default_str();
  app.add_option("--window", t.window, "LOW HIGH: values that become black and white, for 16-bit PNG")
      ->expected(2)
      ->group("Output");
  app.add_option("--make-split", t.make_split, "70/10/20: train/val/test by patient; more data moves nobody")
      ->group("Output");
  app.add_option("--split-seed", t.split_seed, "another seed, another split")
      ->group("Output")
      ->capture_default_str();
  app.add_option("--limit-errors", t.limit_errors, "bad files to bear, N or N%; default 0.1% or 10")
      ->group("Output");
  app.add_flag("--keep-duplicates", o.keep_duplicates, "keep images with equal pixels")->group("Output");
  app.add_flag("--overwrite", o.overwrite, "replace OUT")->group("Output");
  app.add_flag("--dry-run", o.dry_run, "read and judge everything, write nothing")->group("Output");
  app.add_flag("--json", t.json, "the report as JSON")->group("Output");
}

void take_texts(const CLI::App& app, const Texts& t, IngestImagesOptions& o) {
  o.px = read_number<std::int64_t>("ingest images: --px", t.px, "8 to 4096");
  o.split_seed = read_seed("ingest images: --split-seed", t.split_seed);
  if (app.count("--limit-errors") > 0) o.limit_errors = t.limit_errors;
  if (t.gray && t.rgb) throw ConfigError("ingest images: --gray and --rgb exclude each other");
  if (t.gray) o.colour = IngestImagesOptions::Colour::kGrey;
  if (t.rgb) o.colour = IngestImagesOptions::Colour::kRgb;
  if (t.fit != "crop" && t.fit != "pad" && t.fit != "stretch")
    throw ConfigError(cat("--fit: want crop, pad or stretch, got \"", t.fit, "\""));
  o.fit = t.fit == "crop"  ? sharding::Fit::kCrop
          : t.fit == "pad" ? sharding::Fit::kPad
                           : sharding::Fit::kStretch;
  if (!t.window.empty()) {
    const std::string option = "ingest images: --window", wanted = "two numbers, LOW below HIGH";
    o.window = {read_number<double>(option, t.window[0], wanted),
                read_number<double>(option, t.window[1], wanted)};
    if (!(o.window.low < o.window.high))  // also not a number
      throw ConfigError(cat(option, ": want ", wanted, ", got ", t.window[0], " and ", t.window[1]));
  }
  if (app.count("--make-split") > 0) o.make_split = sharding::parse_shares(t.make_split);
}

void print_table(const IngestReport& r) {
  if (r.class_names.empty() && r.split_names.empty()) return;
  const auto classes = r.class_names.empty() ? std::vector<std::string>{""} : r.class_names;
  const auto splits = r.split_names.empty() ? std::vector<std::string>{""} : r.split_names;
  std::cout << '\n' << std::left << std::setw(12) << "  images" << std::right;
  for (const auto& c : classes) std::cout << std::setw(22) << (c.empty() ? "all" : c);
  std::cout << '\n';
  for (const auto& s : splits) {
    std::cout << std::left << std::setw(12) << "  " + (s.empty() ? "all" : s) << std::right;
    for (const auto& c : classes) {
      const auto at = r.table.find({s, c});
      const auto [images, groups] =
          at == r.table.end() ? std::pair<std::int64_t, std::int64_t>{0, 0} : at->second;
      std::cout << std::setw(22) << (r.groups > 0 ? cat(images, " (", groups, " groups)") : cat(images));
    }
    std::cout << '\n';
  }
}

void print_warnings(const IngestReport& r, const IngestImagesOptions& o) {
  for (const auto& bad : r.first_bad) std::cout << "  bad: " << bad << '\n';
  if (r.bad > static_cast<std::int64_t>(r.first_bad.size())) std::cout << "  ... and more\n";
  if (!r.joined_groups.empty())
    std::cout << "  one image stands under two groups (" << join(r.joined_groups) << "): "
              << (o.make_split ? "such groups were put into one split\n" : "keep such groups in one split\n");
  if (r.duplicates_of_other_label > 0)
    std::cout << "  warning: " << r.duplicates_of_other_label
              << " duplicates carry another label than the image that was kept\n";
  if (r.coloured > 0) std::cout << "  note: " << r.coloured << " colour images were turned grey\n";
  if (r.dim_16_bit > 0)
    std::cout << "  warning: " << r.dim_16_bit
              << " 16-bit images use less than 1/8 of the range and came out nearly black; give --window LOW "
                 "HIGH\n";
  if (r.not_in_csv > 0)
    std::cout << "  note: " << r.not_in_csv << " files of the source are not among the rows\n";
  for (const auto& s : r.split_names)
    if (std::find(sharding::kSplitNames.begin(), sharding::kSplitNames.end(), s) ==
        sharding::kSplitNames.end())
      std::cout << "  warning: split \"" << printable(s)
                << "\" is none of train, val and test, which finetune and evaluate look for\n";
  if (r.groups == 0)
    std::cout << "  note: groups unknown, so no claim by patient can be made; --group-column names them\n";
  for (const auto& s : r.split_names)
    for (const auto& c : r.class_names)
      if (!r.table.contains({s, c}))
        std::cout << "  warning: no image of class " << c << " is in split " << s << '\n';
}

void print_report(const IngestReport& r, const IngestImagesOptions& o) {
  std::cout << (o.dry_run ? "would write " : "wrote ") << r.out << ": " << r.kept << " of " << r.rows
            << " images, " << o.px << " x " << o.px << ' ' << r.colour;
  if (r.groups > 0) std::cout << ", " << r.groups << " groups";
  if (!o.dry_run)
    std::cout << ", " << std::fixed << std::setprecision(1) << static_cast<double>(r.bytes) / 1e6 << " MB";
  std::cout << ", " << std::fixed << std::setprecision(1) << r.seconds << " s\nleft out: " << r.duplicates
            << " duplicates, " << r.bad << " bad files"
            << (r.verdicts.empty() ? "" : " (all verdicts: " + r.verdicts + ")") << '\n';
  print_table(r);
  print_warnings(r, o);
}

nlohmann::ordered_json to_json(const IngestReport& r) {
  nlohmann::ordered_json table = nlohmann::ordered_json::array();
  for (const auto& [key, counts] : r.table)
    table.push_back(
        {{"split", key.first}, {"label", key.second}, {"images", counts.first}, {"groups", counts.second}});
  return {{"out", r.out},
          {"rows", r.rows},
          {"kept", r.kept},
          {"bad", r.bad},
          {"duplicates", r.duplicates},
          {"duplicates_of_other_label", r.duplicates_of_other_label},
          {"joined_groups", r.joined_groups},
          {"not_in_csv", r.not_in_csv},
          {"coloured", r.coloured},
          {"groups", r.groups},
          {"first_bad", r.first_bad},
          {"class_names", r.class_names},
          {"table", table},
          {"verdicts", r.verdicts},
          {"bytes", r.bytes},
          {"seconds", r.seconds}};
}

int ingest_images_command(const std::vector<std::string>& args) {
  CLI::App app{"Image files (JPEG, PNG, BMP) become one HDF5 file. Sources are never changed.",
               "entrain ingest images"};
  IngestImagesOptions options;
  Texts texts;
  add_source_options(app, options);
  add_output_options(app, options, texts);
  if (!parse_flags(app, args, kImagesHelp)) return 0;
  take_texts(app, texts, options);
  if (!options.dry_run) require_output("images", options.out, options.overwrite, {options.csv, options.tar});
  sharding::remove_temporaries_on_signals();
  const IngestReport report = sharding::ingest_images(options);
  if (texts.json)
    std::cout << to_json(report).dump(1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  else
    print_report(report, options);
  return 0;
}

int ingest_phantom_command(const std::vector<std::string>& args) {
  CLI::App app{
      "Makes a corpus that looks like chest radiographs: patients of 2 to 4 images, two scanners (/site), a "
      "finding\n"
      "(/label) that no statistic of single pixels tells, split by patient 70/10/20. The same for the same "
      "seed.",
      "entrain ingest phantom"};
  PhantomOptions o;
  bool json = false;
  std::string images = "512", px = "64", seed = "1";
  app.add_option("--out", o.out, "the HDF5 file to write")->required();
  app.add_option("--images", images, "how many")->capture_default_str();
  app.add_option("--px", px, "side, pixels")->capture_default_str();
  app.add_option("--seed", seed, "another seed, other patients")->capture_default_str();
  app.add_option("--site", o.site, "both | a | b: of which scanner")->capture_default_str();
  app.add_flag("--overwrite", o.overwrite, "replace OUT");
  app.add_flag("--json", json, "for machines");
  if (!parse_flags(app, args)) return 0;
  o.images = read_number<std::int64_t>("ingest phantom: --images", images, "1 to 10000000");
  o.px = read_number<std::int64_t>("ingest phantom: --px", px, "24 to 1024");
  o.seed = read_seed("ingest phantom: --seed", seed);
  require_output("phantom", o.out, o.overwrite, {});
  sharding::remove_temporaries_on_signals();
  const std::string digest = sharding::write_phantom(o);
  std::set<std::int64_t> patients;
  for (const auto& row : sharding::phantom_rows(o)) patients.insert(row.patient);
  if (json) {
    std::cout << nlohmann::ordered_json{{"out", o.out},
                                        {"images", o.images},
                                        {"patients", patients.size()},
                                        {"px", o.px},
                                        {"pixels_sha256", digest}}
                     .dump(1)
              << '\n';
  } else {
    std::cout << "wrote " << o.out << ": " << o.images << " phantom radiographs of " << patients.size()
              << " patients, " << o.px << " x " << o.px << ", scanner "
              << (o.site == "both" ? "a and b" : o.site) << "; pixels sha256 " << digest.substr(0, 16)
              << "...\n";
  }
  return 0;
}
}  // namespace

int ingest_command(const std::vector<std::string>& args) {
  const std::string usage =
      "usage: entrain ingest images ...   image files of a tar or a folder, with a CSV -> one HDF5 file\n"
      "       entrain ingest phantom ...  a synthetic corpus that looks like chest radiographs\n"
      "Each says more with --help.\n";
  if (args.empty())
    throw ConfigError("entrain ingest: want images or phantom; entrain ingest --help says more");
  const std::vector<std::string> rest(args.begin() + 1, args.end());
  if (args[0] == "images") return ingest_images_command(rest);
  if (args[0] == "phantom") return ingest_phantom_command(rest);
  if (args[0] == "--help" || args[0] == "-h") {
    std::cout << usage;
    return 0;
  }
  throw ConfigError(cat("entrain ingest: want images or phantom, got \"", args[0], "\""));
}

}  // namespace entrain::coordinator
