// The metrics text against a reader of the format that shares no code with it, and against promtool.
#include "coordinator/status/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

#include "configs/section.hpp"
#include "coordinator/status/status_file.hpp"
#include "tests/coordinator/status/fake_status.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain::status {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

[[noreturn]] void refuse(const std::string& line, const std::string& why) {
  throw std::runtime_error(why + ": " + line);
}

std::string name_at(const std::string& line, std::size_t& at) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  std::string name;
  while (at < line.size() && (letter(line[at]) || (!name.empty() && line[at] >= '0' && line[at] <= '9')))
    name += line[at++];
  if (name.empty()) refuse(line, "no name");
  return name;
}

void expect(const std::string& line, std::size_t& at, char wanted) {
  if (at >= line.size() || line[at] != wanted) refuse(line, std::string("want ") + wanted);
  ++at;
}

Sample sample_of(const std::string& line) {
  std::size_t at = 0;
  Sample sample{name_at(line, at), {}, 0};
  expect(line, at, '{');
  while (line.at(at) != '}') {
    const std::string label = name_at(line, at);
    expect(line, at, '=');
    expect(line, at, '"');
    std::string value;
    for (; line.at(at) != '"'; ++at) {
      if (line[at] != '\\') {
        value += line[at];
        continue;
      }
      const char escape = line.at(++at);
      if (escape != '\\' && escape != '"' && escape != 'n') refuse(line, "unknown escape");
      value += escape == 'n' ? '\n' : escape;
    }
    ++at;
    if (!is_utf8(value)) refuse(line, "not UTF-8");
    if (!sample.labels.emplace(label, value).second) refuse(line, "label twice");
    if (line.at(at) == ',') ++at;
  }
  ++at;
  expect(line, at, ' ');
  std::size_t used = 0;
  const std::string number = line.substr(at);
  sample.value = number == "NaN"    ? std::nan("")
                 : number == "+Inf" ? std::numeric_limits<double>::infinity()
                                    : std::stod(number, &used);
  if (used != 0 && used != number.size()) refuse(line, "no number");
  return sample;
}

// Format 0.0.4, strictly: HELP and TYPE once before the samples of a name, which stand together; no sample twice.
std::vector<Sample> parse(const std::string& text) {
  if (text.empty() || text.back() != '\n') throw std::runtime_error("the last line has no end");
  std::istringstream lines(text);
  std::vector<Sample> samples;
  std::set<std::string> helped, typed;
  std::set<std::pair<std::string, std::map<std::string, std::string>>> seen;
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, what, name, rest;
    words >> hash >> what >> name >> rest;
    if (hash == "#" && what == "HELP") {
      if (!helped.insert(name).second || rest.empty()) refuse(line, "HELP twice or empty");
    } else if (hash == "#" && what == "TYPE") {
      if (!typed.insert(name).second || helped.count(name) == 0) refuse(line, "TYPE twice or before HELP");
      if (rest != "gauge" && rest != "counter") refuse(line, "type");
      if ((rest == "counter") != name.ends_with("_total"))
        refuse(line, "_total is for counters, and for all of them");
      current = name;
    } else {
      samples.push_back(sample_of(line));
      if (samples.back().name != current) refuse(line, "stands apart from its TYPE");
      if (!seen.emplace(samples.back().name, samples.back().labels).second) refuse(line, "twice");
    }
  }
  return samples;
}

const Sample& only(const std::vector<Sample>& samples, const std::string& name, const std::string& label = "",
                   const std::string& value = "") {
  const Sample* found = nullptr;
  for (const Sample& s : samples)
    if (s.name == name && (label.empty() || (s.labels.count(label) > 0 && s.labels.at(label) == value))) {
      if (found) throw std::runtime_error("more than one " + name);
      found = &s;
    }
  if (!found) throw std::runtime_error("no " + name);
  return *found;
}

TEST(Metrics, SaysWhatTheDocumentSays) {
  const auto samples = parse(metrics_text(tests::training(8)));
  const std::map<std::string, double> wanted{
      {"entrain_up", 1},
      {"entrain_generation", 2},
      {"entrain_ranks", 8},
      {"entrain_step", 1200},
      {"entrain_steps_planned", 5000},
      {"entrain_committed_step", 1150},
      {"entrain_last_commit_timestamp_seconds", 1772445809},
      {"entrain_loss", 3.25},
      {"entrain_views_per_second", 4863.5},
      {"entrain_step_duration_seconds", 0.85},
      {"entrain_goodput_ratio", 0.964},
      {"entrain_failures_total", 1},
      {"entrain_eta_seconds", 3230},
      {"entrain_deadline_seconds", 41300},
  };
  for (const auto& [name, value] : wanted) {
    const Sample& sample = only(samples, name);
    EXPECT_DOUBLE_EQ(sample.value, value) << name;
    EXPECT_EQ(sample.labels.at("run_id"), "a-1");
    EXPECT_EQ(sample.labels.at("stage"), "pretrain");
  }
  EXPECT_EQ(only(samples, "entrain_rank_step", "rank", "7").value, 1200);
  EXPECT_EQ(only(samples, "entrain_rank_phase_seconds", "rank", "7").labels.at("phase"), "collective");
  EXPECT_EQ(only(samples, "entrain_rank_collectives_total", "rank", "7").value, 2400);
  EXPECT_EQ(only(samples, "entrain_rank_memory_bytes", "rank", "7").value, 3.0 * (1 << 30));
}

TEST(Metrics, TheStateIsOneOfASet) {
  RunStatus s = tests::training(2);
  s.state = "recovering";
  s.ranks[1].health = "dead";
  const auto samples = parse(metrics_text(s));
  EXPECT_EQ(only(samples, "entrain_up").value, 0);
  std::vector<std::string> on, off;
  for (const Sample& sample : samples)
    if (sample.name == "entrain_state") (sample.value == 1 ? on : off).push_back(sample.labels.at("state"));
  EXPECT_THAT(on, ElementsAre("recovering"));
  EXPECT_EQ(off.size(), 5U);
  std::vector<std::string> dead;
  for (const Sample& sample : samples)
    if (sample.name == "entrain_rank_health" && sample.value == 1 && sample.labels.at("health") == "dead")
      dead.push_back(sample.labels.at("rank"));
  EXPECT_THAT(dead, ElementsAre("1"));
}

TEST(Metrics, WhatIsNotKnownIsAbsent) {
  RunStatus s;
  s.run_id = "new";
  const std::string text = metrics_text(s);
  for (const char* name : {"entrain_loss", "entrain_eta_seconds", "entrain_deadline_seconds", "entrain_rank_",
                           "entrain_exit_code", "entrain_last_commit"})
    EXPECT_THAT(text, Not(HasSubstr(name)));
  EXPECT_EQ(only(parse(text), "entrain_step").value, 0);
  s.state = "ended";
  s.exit_code = 93;
  EXPECT_EQ(only(parse(metrics_text(s)), "entrain_exit_code").value, 93);
}

TEST(Metrics, HostileNamesStayInsideTheirLabel) {
  RunStatus s = tests::training(2);
  s.run_id = "a\"} 1\nentrain_up 0\n\\";
  s.ranks[0].host = tests::kHostile;
  s.loss = std::nan("");
  const auto samples = parse(metrics_text(s));
  EXPECT_EQ(only(samples, "entrain_up").labels.at("run_id"), s.run_id);
  EXPECT_TRUE(std::isnan(only(samples, "entrain_loss").value));
  EXPECT_EQ(samples.size(), parse(metrics_text(tests::training(2))).size());
}

TEST(Metrics, TheReaderOfThisTestIsStrict) {
  const std::string good = "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\"} 1\n";
  EXPECT_EQ(parse(good).size(), 1U);
  EXPECT_ANY_THROW(parse("# HELP a_total x\n# TYPE a_total counter\na_total{b=\"c\"} 1"));
  EXPECT_ANY_THROW(parse(good + "a_total{b=\"c\"} 2\n"));
  EXPECT_ANY_THROW(parse("# HELP a x\n# TYPE a counter\na{b=\"c\"} 1\n"));
  EXPECT_ANY_THROW(parse("# TYPE a gauge\na{b=\"c\"} 1\n"));
  EXPECT_ANY_THROW(parse("# HELP a x\n# TYPE a gauge\na{b=\"c\\d\"} 1\n"));
  EXPECT_ANY_THROW(parse("# HELP a x\n# TYPE a gauge\na{b=\"c\"} 1x\n"));
}

TEST(Metrics, PromtoolHasNothingToSay) {
  if (tests::run("command -v promtool >/dev/null").code != 0)
    GTEST_SKIP() << "promtool is not installed (Debian package prometheus)";
  const tests::TemporaryFolder folder;
  RunStatus ended = tests::training(4);
  ended.state = "ended";
  ended.exit_code = 76;
  ended.ranks[1].host = tests::kHostile;
  for (const RunStatus& s : {tests::training(64), ended, RunStatus{}}) {
    tests::write_file(folder / "m.prom", metrics_text(s));
    const auto ran = tests::run("promtool check metrics < " + folder / "m.prom");
    EXPECT_EQ(ran.code, 0) << ran.output;
    EXPECT_EQ(ran.output, "");
  }
  tests::write_file(folder / "m.prom", "# TYPE a_total gauge\na_total 1\n");
  EXPECT_NE(tests::run("promtool check metrics < " + folder / "m.prom").code, 0);
}

TEST(Metrics, WhatAStageDoesNotHaveIsNotZero) {
  RunStatus s = tests::training(1);
  ASSERT_THAT(metrics_text(s), ::testing::HasSubstr("entrain_committed_step{"));
  s.stage = "evaluate";
  s.step = s.total_steps = s.committed = 0;
  s.commits.clear();
  s.goodput = s.loss = s.views_per_second = std::nullopt;
  for (const char* name : {"entrain_step{", "entrain_steps_planned", "entrain_committed_step",
                           "entrain_goodput", "entrain_loss", "entrain_views"})
    EXPECT_THAT(metrics_text(s), ::testing::Not(::testing::HasSubstr(name)));
  s.stage = "pretrain";  // one that has not begun to step is at 0
  EXPECT_THAT(metrics_text(s), ::testing::HasSubstr("entrain_step{"));
}

}  // namespace
}  // namespace entrain::status
