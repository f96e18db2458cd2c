#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace entrain::slurm {

/// "a|b|c" -> {a, b, c}; "" -> {""}.
std::vector<std::string> split(std::string_view text, char between);
/// Of a line of `scontrol --oneliner show ...`, "A=1 B=x y C=", the value of B up to the next blank: "x". Of `scontrol
/// show config`, where blanks stand around "=", the same. Empty: it is not there, or (null).
std::string field_of(std::string_view text, std::string_view name);

}  // namespace entrain::slurm
