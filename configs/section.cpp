#include "configs/section.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"

namespace entrain {
namespace {

template <typename T>
bool parse_whole(const std::string& text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

bool parse_number(const RawScalar& scalar, double& out) {
  return !scalar.quoted && parse_whole(scalar.text, out) && std::isfinite(out);
}

std::string shown(const RawScalar& scalar) {
  return scalar.quoted ? cat("the text \"", scalar.text, "\" (in quotes)") : cat('"', scalar.text, '"');
}

}  // namespace

Section::Section(std::string name, std::map<std::string, RawValue> entries, Reading& reading)
    : name_(std::move(name)), entries_(std::move(entries)), reading_(reading) {}

void Section::refuse(const std::string& where, const std::string& key, const std::string& text) const {
  throw ConfigError(cat(where, ": ", name_, '.', key, ": ", text));
}

void Section::fail(const std::string& key, const std::string& text) const {
  const auto found = entries_.find(key);
  refuse(found == entries_.end() ? "default" : found->second.where, key, text);
}

// Every value ends in manifests and logs, which are JSON: other bytes would be found out at the first commit only.
void Section::require_utf8(const RawScalar& got, const std::string& key) const {
  if (!is_utf8(got.text))
    refuse(got.where, key,
           cat("want UTF-8 text, got \"", printable(got.text),
               "\"; where it names a file or folder, rename that, or reach it by a link"));
}

const RawValue* Section::find(const std::string& key) {
  asked_.push_back(key);
  const auto found = entries_.find(key);
  reading_.keys.push_back(cat(name_, '.', key));
  reading_.origins[reading_.keys.back()] = found == entries_.end() ? "default" : found->second.origin;
  return found == entries_.end() ? nullptr : &found->second;
}

void Section::note(const std::string& key, const std::string& canonical) {
  reading_.values[cat(name_, '.', key)] = canonical;
}

const RawScalar* Section::scalar(const std::string& key, const std::string& wanted) {
  const RawValue* value = find(key);
  if (!value) return nullptr;
  if (value->kind == RawValue::Kind::kNothing)
    refuse(value->where, key, cat("want ", wanted, ", got nothing"));
  if (value->kind == RawValue::Kind::kList) refuse(value->where, key, cat("want ", wanted, ", got a list"));
  if (value->kind == RawValue::Kind::kNested)
    refuse(value->where, key, cat("want ", wanted, ", got a mapping"));
  require_utf8(value->items.front(), key);
  return &value->items.front();
}

void Section::integer(const std::string& key, std::int64_t& field, std::int64_t low, std::int64_t high) {
  const std::string wanted = cat("a whole number from ", low, " to ", high);
  if (const RawScalar* got = scalar(key, wanted)) {
    std::int64_t parsed = 0;
    if (got->quoted || !parse_whole(got->text, parsed) || parsed < low || parsed > high)
      refuse(got->where, key, cat("want ", wanted, ", got ", shown(*got)));
    field = parsed;
  }
  note(key, cat(field));
}

void Section::seed(const std::string& key, std::uint64_t& field) {
  const std::string wanted = "a whole number from 0 to 18446744073709551615";
  if (const RawScalar* got = scalar(key, wanted)) {
    if (got->quoted || !parse_whole(got->text, field))
      refuse(got->where, key, cat("want ", wanted, ", got ", shown(*got)));
  }
  note(key, cat(field));
}

void Section::number(const std::string& key, double& field, double low, double high) {
  const std::string wanted = cat("a number from ", number_text(low), " to ", number_text(high));
  if (const RawScalar* got = scalar(key, wanted)) {
    double parsed = 0;
    if (!parse_number(*got, parsed) || parsed < low || parsed > high)
      refuse(got->where, key, cat("want ", wanted, ", got ", shown(*got)));
    field = parsed;
  }
  note(key, number_text(field));
}

void Section::boolean(const std::string& key, bool& field) {
  if (const RawScalar* got = scalar(key, "true or false")) {
    if (got->quoted || (got->text != "true" && got->text != "false"))
      refuse(got->where, key, cat("want true or false, got ", shown(*got)));
    field = got->text == "true";
  }
  note(key, field ? "true" : "false");
}

void Section::text(const std::string& key, std::string& field) {
  if (const RawScalar* got = scalar(key, "a text (\"\" for an empty one)")) field = got->text;
  note(key, yaml_text(field));
}

void Section::choice(const std::string& key, std::string& field, const std::vector<std::string>& known) {
  const std::string wanted = cat("one of ", join(known));
  if (const RawScalar* got = scalar(key, wanted)) {
    if (std::find(known.begin(), known.end(), got->text) == known.end()) {
      const std::string near = nearest(got->text, known);
      refuse(got->where, key,
             cat("want ", wanted, ", got \"", got->text, '"',
                 near.empty() ? "" : cat("; did you mean ", near, '?')));
    }
    field = got->text;
  }
  note(key, yaml_text(field));
}

std::vector<RawScalar> Section::list(const RawValue& value, const std::string& key,
                                     const std::string& wanted) const {
  if (value.kind == RawValue::Kind::kNothing)
    refuse(value.where, key, cat("want ", wanted, ", got nothing ([] is an empty list)"));
  if (value.kind == RawValue::Kind::kNested)
    refuse(value.where, key, cat("want ", wanted, ", got a mapping or a list of lists"));
  for (const RawScalar& item : value.items) require_utf8(item, key);
  if (value.kind == RawValue::Kind::kList || !value.command_line) return value.items;
  const RawScalar& whole = value.items.front();
  std::vector<RawScalar> out;
  if (whole.quoted) return {whole};
  for (std::size_t begin = 0; begin <= whole.text.size();) {
    const std::size_t end = std::min(whole.text.find(',', begin), whole.text.size());
    out.push_back({whole.text.substr(begin, end - begin), false, whole.where});
    begin = end + 1;
  }
  if (whole.text.empty()) out.clear();
  return out;
}

void Section::texts(const std::string& key, std::vector<std::string>& field) {
  if (const RawValue* value = find(key)) {
    field.clear();
    for (const auto& item : list(*value, key, "a text or a list of texts")) {
      if (item.text.empty()) refuse(item.where, key, "an empty text in the list");
      field.push_back(item.text);
    }
  }
  std::vector<std::string> canonical(field.size());
  std::transform(field.begin(), field.end(), canonical.begin(), yaml_text);
  note(key, cat('[', join(canonical), ']'));
}

void Section::numbers(const std::string& key, std::vector<double>& field, double low, double high) {
  const std::string wanted = cat("numbers from ", number_text(low), " to ", number_text(high));
  if (const RawValue* value = find(key)) {
    field.clear();
    for (const auto& item : list(*value, key, wanted)) {
      double parsed = 0;
      if (!parse_number(item, parsed) || parsed < low || parsed > high)
        refuse(item.where, key, cat("want ", wanted, ", got ", shown(item)));
      field.push_back(parsed);
    }
  }
  std::vector<std::string> canonical(field.size());
  std::transform(field.begin(), field.end(), canonical.begin(), number_text);
  note(key, cat('[', join(canonical), ']'));
}

void Section::done() const {
  for (const auto& [key, value] : entries_) {
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    const std::string near = nearest(key, asked_);
    refuse(value.key_where, key,
           cat("unknown key; ", near.empty() ? "" : cat("did you mean ", near, "? "),
               "this section has: ", join(asked_)));
  }
}

}  // namespace entrain
