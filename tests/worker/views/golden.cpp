#include "tests/worker/views/golden.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <stdexcept>

namespace entrain::worker::test {
namespace {

const std::string kFolder = std::string(ENTRAIN_SOURCE_DIR) + "/tests/reference/views/";

std::vector<char> read_blob() {
  std::ifstream in(kFolder + "views.bin", std::ios::binary);
  if (!in) throw std::runtime_error(kFolder + "views.bin: cannot open");
  return {std::istreambuf_iterator<char>(in), {}};
}

template <typename T>
std::vector<T> part(const std::vector<char>& blob, const nlohmann::json& where,
                    std::size_t value_bytes = sizeof(T)) {
  const std::size_t offset = where.at("offset"), bytes = where.at("values").get<std::size_t>() * value_bytes;
  if (offset + bytes > blob.size()) throw std::runtime_error("views.bin is shorter than views.json says");
  std::vector<T> values(bytes / sizeof(T));
  std::memcpy(values.data(), blob.data() + offset, bytes);
  return values;
}

}  // namespace

nlohmann::json read_reference(const std::string& file) {
  std::ifstream in(kFolder + file);
  if (!in) throw std::runtime_error(kFolder + file + ": cannot open");
  return nlohmann::json::parse(in);
}

ViewParameters parameters_of(const nlohmann::json& p) {
  ViewParameters v;
  const std::array<std::int64_t, 4> box = p.at("crop");
  v.crop = {box[0], box[1], box[2], box[3]};
  v.flip_horizontal = p.at("flip_horizontal");
  v.flip_vertical = p.at("flip_vertical");
  v.rotation_degrees = p.at("rotation");
  v.equalize = p.at("equalize");
  v.jitter = p.at("jitter");
  v.order = p.at("order");
  v.brightness = p.at("brightness");
  v.contrast = p.at("contrast");
  v.saturation = p.at("saturation");
  v.hue = p.at("hue");
  v.gamma = p.at("gamma");
  v.gray = p.at("gray");
  v.blur_sigma = p.at("blur");
  return v;
}

std::vector<GoldenCase> golden_cases() {
  const auto json = read_reference("views.json");
  const auto blob = read_blob();
  std::vector<GoldenCase> cases;
  for (const auto& c : json.at("cases")) {
    const auto& image = json.at("images").at(c.at("image").get<std::string>());
    GoldenCase golden;
    golden.name = c.at("name");
    golden.profile = c.at("profile");
    const std::string type = image.at("type");
    golden.shape = {image.at("height"), image.at("width"), image.at("channels"),
                    type == "u8"    ? sharding::ElementType::kU8
                    : type == "u16" ? sharding::ElementType::kU16
                                    : sharding::ElementType::kF32};
    golden.window_low = image.at("window").at(0);
    golden.window_high = image.at("window").at(1);
    golden.side = c.at("side");
    golden.parameters = parameters_of(c.at("parameters"));
    golden.image = part<std::byte>(blob, image.at("data"), sharding::bytes_of(golden.shape.type));
    golden.view = part<float>(blob, c.at("output"));
    cases.push_back(std::move(golden));
  }
  return cases;
}

std::vector<GoldenControl> golden_controls() {
  const auto json = read_reference("views.json");
  const auto blob = read_blob();
  std::vector<GoldenControl> controls;
  for (const auto& c : json.at("controls"))
    controls.push_back({c.at("name"), c.at("case"), part<float>(blob, c.at("output"))});
  return controls;
}

ViewSection section_of(const GoldenCase& golden) {
  ViewSection section;
  section.profile = golden.profile;
  section.crop_pixels = golden.side;
  return section;
}

double max_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size() || a.empty()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    worst = d <= worst ? worst : d;  // keeps a NaN
  }
  return worst;
}

double spread(const std::vector<float>& a) {
  const auto [low, high] = std::minmax_element(a.begin(), a.end());
  return a.empty() ? 0 : static_cast<double>(*high) - static_cast<double>(*low);
}

}  // namespace entrain::worker::test
