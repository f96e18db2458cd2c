#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace entrain {

/// One scalar as it was written, and where ("configs/demo.yaml:3:5", "command line", "preset xray").
struct RawScalar {
  std::string text;
  bool quoted = false;  ///< "64" in quotes is text, not a number
  std::string where;
};

/// The value of one key before anybody said what it should be.
struct RawValue {
  enum class Kind { kNothing, kScalar, kList, kNested };
  Kind kind = Kind::kNothing;
  std::vector<RawScalar> items;  ///< one for a scalar
  std::string where;             ///< of the value
  std::string key_where;         ///< of the key
  std::string origin;            ///< what the resolved config says: where the key stands
  bool command_line = false;     ///< then `a,b` is a list where a list is wanted
};

/// What the reader found for each key, in canonical YAML, and where it came from.
struct Reading {
  std::vector<std::string> keys;  ///< "views.crop_pixels", in the order in which they were asked for
  std::map<std::string, std::string> values, origins;
};

/// One section of a configuration being read. Each call asks for one key: the field keeps its value where the
/// key is absent. All throw ConfigError "file:line:column: section.key: want ..., got ...".
class Section {
 public:
  Section(std::string name, std::map<std::string, RawValue> entries, Reading& reading);

  void integer(const std::string& key, std::int64_t& field, std::int64_t low, std::int64_t high);
  void seed(const std::string& key, std::uint64_t& field);
  void number(const std::string& key, double& field, double low, double high);
  void boolean(const std::string& key, bool& field);
  void text(const std::string& key, std::string& field);
  void choice(const std::string& key, std::string& field, const std::vector<std::string>& known);
  /// A single scalar is a list of one.
  void texts(const std::string& key, std::vector<std::string>& field);
  void numbers(const std::string& key, std::vector<double>& field, double low, double high);
  /// Last: a key nobody asked for is an error that names the nearest key.
  void done() const;

  /// Refuses the value that `key` has now, for a reason that takes more than one value to see.
  [[noreturn]] void fail(const std::string& key, const std::string& text) const;

 private:
  const RawValue* find(const std::string& key);
  const RawScalar* scalar(const std::string& key, const std::string& wanted);
  void require_utf8(const RawScalar& got, const std::string& key) const;
  std::vector<RawScalar> list(const RawValue& value, const std::string& key, const std::string& wanted) const;
  [[noreturn]] void refuse(const std::string& where, const std::string& key, const std::string& text) const;
  void note(const std::string& key, const std::string& canonical);

  std::string name_;
  std::map<std::string, RawValue> entries_;
  Reading& reading_;
  std::vector<std::string> asked_;
};

/// The member of `known` that a person may have meant by `word`; empty where none is near. Used by keys,
/// sections, commands and choices.
std::string nearest(std::string_view word, const std::vector<std::string>& known);
/// "a, b, c".
std::string join(const std::vector<std::string>& words, std::string_view between = ", ");
/// Whether a JSON document can hold it.
bool is_utf8(std::string_view text);
/// For messages: what is neither UTF-8 nor a visible character as \xe9.
std::string printable(std::string_view text);
/// A scalar as YAML: as it is where that reads back as the same text, else in double quotes.
std::string yaml_text(const std::string& text);
/// The shortest decimal that reads back as the same double.
std::string number_text(double value);

}  // namespace entrain
