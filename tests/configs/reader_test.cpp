#include "configs/reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "configs/error.hpp"
#include "configs/presets.hpp"
#include "configs/section.hpp"
#include "tests/support/command.hpp"
#include "tests/support/temporary_folder.hpp"

namespace entrain {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Reader : public ::testing::Test {
 protected:
  std::string write(const std::string& text, const std::string& name = "x.yaml") {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  ResolvedConfig read(const std::string& text, const std::vector<std::string>& overrides = {}) {
    return read_run_config(write(text), overrides);
  }
  // What the reader says, the folder cut off the front; fails the test where it says nothing.
  std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
      read(text, overrides);
    } catch (const ConfigError& e) {
      EXPECT_EQ(e.code(), ExitCode::kConfig);
      const std::string what = e.what();
      return what.starts_with(folder_.path()) ? what.substr(folder_.path().size() + 1) : what;
    }
    ADD_FAILURE() << "accepted: " << text;
    return "";
  }
  tests::TemporaryFolder folder_;
};

TEST_F(Reader, ShippedFilesLoadAndReadBackAsTheSameValues) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ENTRAIN_SOURCE_DIR "/configs")) {
    if (entry.path().extension() != ".yaml") continue;
    ++seen;
    SCOPED_TRACE(entry.path());
    const auto config = read_run_config(entry.path().string(), {});
    const auto again = read_run_config(write(config.yaml()), {});
    EXPECT_EQ(config.values, again.values);
    std::ifstream in(entry.path());
    std::string first;
    std::getline(in, first);
    EXPECT_THAT(first, StartsWith("# ")) << "says what it is for";
  }
  EXPECT_GE(seen, 7);
}

TEST_F(Reader, DefaultsAreThoseOfTheStructs) {
  const auto c = read_run_config("", {}).config;
  EXPECT_EQ(c.views.crop_pixels, ViewSection{}.crop_pixels);
  EXPECT_EQ(c.optim.name, "lars");
  EXPECT_EQ(c.optim.weight_decay, 1e-6);
  EXPECT_EQ(c.evaluate.specificity, EvaluateSection{}.specificity);
}

TEST_F(Reader, EveryKindOfValueIsRead) {
  const auto c = read(
                     "run: {seed: 18446744073709551615}\n"
                     "data: {files: [a.h5, 'b c.h5'], group: \"\"}\n"
                     "views: {crop_pixels: 64, min_area: 1e-1}\n"
                     "optim: {nesterov: true}\n"
                     "finetune: {lr: [1e-3, 0.01], l2: 3}\n")
                     .config;
  EXPECT_EQ(c.run.seed, 18446744073709551615ULL);
  EXPECT_THAT(c.data.files, ElementsAre("a.h5", "b c.h5"));
  EXPECT_EQ(c.data.group, "");
  EXPECT_EQ(c.views.crop_pixels, 64);
  EXPECT_EQ(c.views.min_area, 0.1);
  EXPECT_TRUE(c.optim.nesterov);
  EXPECT_THAT(c.finetune.lr, ElementsAre(1e-3, 0.01));
  EXPECT_THAT(c.finetune.l2, ElementsAre(3.0));
}

TEST_F(Reader, AWordThatYamlTakesForABooleanStaysTextWhereTextIsWanted) {
  EXPECT_EQ(read("data: {split: yes}\n").config.data.split, "yes");
  EXPECT_EQ(read("data: {split: on}\n").config.data.split, "on");
  EXPECT_THAT(refusal("optim:\n  nesterov: yes\n"),
              StartsWith("x.yaml:2:13: optim.nesterov: want true or false, got \"yes\""));
}

TEST_F(Reader, UnknownKeyNamesPlaceNearestAndKnown) {
  EXPECT_THAT(
      refusal("views:\n  crop_pixel: 64\n"),
      AllOf(StartsWith(
                "x.yaml:2:3: views.crop_pixel: unknown key; did you mean crop_pixels? this section has: "),
            HasSubstr("min_area, max_area")));
  EXPECT_THAT(refusal("views:\n  zzzzzzzz: 64\n"),
              AllOf(HasSubstr("x.yaml:2:3: views.zzzzzzzz: unknown key; this section has:")));
}

TEST_F(Reader, UnknownSectionNamesPlaceAndNearest) {
  EXPECT_THAT(
      refusal("run: {seed: 1}\nview: {crop_pixels: 64}\n"),
      StartsWith("x.yaml:2:1: view: unknown section; did you mean views? there are: run, data, views,"));
}

TEST_F(Reader, WrongTypesAreRefusedWithBothSides) {
  EXPECT_EQ(refusal("views:\n  min_area: 8%\n"),
            "x.yaml:2:13: views.min_area: want a number from 1.0e-04 to 1, got \"8%\"");
  EXPECT_THAT(refusal("views:\n  crop_pixels: \"64\"\n"),
              HasSubstr("want a whole number from 16 to 4096, got the text \"64\" (in quotes)"));
  EXPECT_THAT(refusal("views: {crop_pixels: 64.0}\n"), HasSubstr("got \"64.0\""));
  EXPECT_THAT(refusal("views: {crop_pixels: [64]}\n"), HasSubstr("got a list"));
  EXPECT_THAT(refusal("views: {crop_pixels: {a: 64}}\n"), HasSubstr("got a mapping"));
  EXPECT_THAT(refusal("views: {crop_pixels: }\n"), HasSubstr("got nothing"));
  EXPECT_THAT(refusal("data: {image: }\n"),
              HasSubstr("x.yaml:1:15: data.image: want a text (\"\" for an empty one), got nothing"));
  EXPECT_THAT(refusal("data: {files: [a, [b]]}\n"),
              HasSubstr("data.files: want a text or a list of texts, got"));
  EXPECT_THAT(refusal("finetune: {lr: [1e-3, fast]}\n"),
              HasSubstr("x.yaml:1:23: finetune.lr: want numbers from"));
  EXPECT_THAT(refusal("run: {seed: -1}\n"),
              HasSubstr("want a whole number from 0 to 18446744073709551615, got \"-1\""));
  EXPECT_THAT(refusal("views: 64\n"), StartsWith("x.yaml:1:8: views: want a mapping"));
  EXPECT_THAT(refusal("- a\n"), HasSubstr("want sections"));
}

TEST_F(Reader, NotANumberIsNoNumber) {
  for (const auto* text : {"nan", ".nan", "inf", ".inf", "-inf", "1e999"})
    EXPECT_THAT(refusal(std::string("method: {temperature: ") + text + "}\n"),
                HasSubstr("method.temperature: want a number"))
        << text;
}

TEST_F(Reader, RangesHold) {
  const std::vector<std::pair<std::string, std::string>> wrong{{"views.crop_pixels", "15"},
                                                               {"views.crop_pixels", "4097"},
                                                               {"views.min_area", "0"},
                                                               {"views.min_area", "1.01"},
                                                               {"views.hue", "0.51"},
                                                               {"views.blur", "-0.1"},
                                                               {"method.temperature", "0"},
                                                               {"batch.lane_images", "0"},
                                                               {"batch.lanes", "0"},
                                                               {"checkpoint.keep", "1"},
                                                               {"optim.beta1", "1"},
                                                               {"optim.lr", "-1"},
                                                               {"finetune.label_fraction", "0"},
                                                               {"finetune.label_fraction", "1.5"},
                                                               {"evaluate.specificity", "1"},
                                                               {"data.prefetch", "0"},
                                                               {"run.threads", "-1"},
                                                               {"model.head_layers", "3"},
                                                               {"schedule.warmup_steps", "-2"},
                                                               {"train.steps", "-1"}};
  for (const auto& [key, value] : wrong) {
    const std::string section = key.substr(0, key.find('.')), name = key.substr(section.size() + 1);
    EXPECT_THAT(refusal(section + ":\n  " + name + ": " + value + "\n"),
                AllOf(StartsWith("x.yaml:2:"), HasSubstr(key + ": want")))
        << key << '=' << value;
  }
}

TEST_F(Reader, NamesAreChecked) {
  EXPECT_THAT(
      refusal("optim: {name: adam}\n"),
      HasSubstr("x.yaml:1:15: optim.name: want one of lars, sgd, adamw, got \"adam\"; did you mean adamw?"));
  for (const auto* text :
       {"run: {numerics: exact}", "data: {axes: HWC}", "data: {on_corrupt: ignore}", "data: {order: random}",
        "views: {preset: ct}", "views: {profile: lightly}", "method: {name: moco}",
        "batch: {same_group: never}", "optim: {lars_form: lars}", "schedule: {name: step}",
        "schedule: {scaling: square}", "checkpoint: {resume: always}", "finetune: {mode: half}"})
    EXPECT_THAT(refusal(std::string(text) + "\n"), HasSubstr("want one of")) << text;
  EXPECT_THAT(refusal("model: {name: resnet50}\n"),
              HasSubstr("x.yaml:1:15: model.name: no network \"resnet50\""));
  EXPECT_THAT(refusal("optim: {exclude: \"(\"}\n"),
              HasSubstr("optim.exclude: want one_dim, google, none or a regular expression"));
}

TEST_F(Reader, WhatNeedsTwoKeysIsChecked) {
  EXPECT_THAT(refusal("batch:\n  lanes: 6\n"),
              AllOf(StartsWith("x.yaml:2:10: batch.lanes: want a power of two"),
                    HasSubstr("got 6; nearest: 4 and 8")));
  EXPECT_THAT(refusal("train: {steps: 3, epochs: 2}\n"),
              HasSubstr("train.epochs: want train.steps or train.epochs, got both"));
  EXPECT_THAT(refusal("views: {min_area: 0.5, max_area: 0.4}\n"),
              HasSubstr("views.min_area: want at most views.max_area = 0.4, got 0.5"));
  EXPECT_THAT(refusal("views: {blur_sigma_min: 3}\n"), HasSubstr("blur_sigma_max = 2"));
  EXPECT_THAT(refusal("data: {window_low: 5, window_high: 5}\n"),
              HasSubstr("want more than data.window_low = 5"));
  EXPECT_THAT(refusal("checkpoint: {every: 100}\n"),
              HasSubstr("x.yaml:1:21: checkpoint.every: want auto, a number of steps such as 500steps"));
}

TEST_F(Reader, DuplicatesAreRefused) {
  EXPECT_EQ(refusal("views:\n  hue: 0.1\n  blur: 0\n  hue: 0.2\n").substr(0, 45),
            "x.yaml:4:3: views.hue: given twice; first at ");
  EXPECT_THAT(refusal("run: {seed: 1}\ndata: {}\nrun: {seed: 2}\n"),
              StartsWith("x.yaml:3:1: run: given twice; first at "));
}

TEST_F(Reader, BrokenYamlNamesItsPlace) {
  EXPECT_THAT(refusal("run:\n  seed: [1\n"), AllOf(StartsWith("x.yaml:3:1: not YAML: ")));
  EXPECT_THAT(refusal(""), HasSubstr("x.yaml: "));
  EXPECT_THAT(refusal("run: {seed: 1}\n---\nrun: {seed: 2}\n"), HasSubstr("holds 2 YAML documents"));
}

TEST_F(Reader, AMissingFileIsNamed) {
  try {
    read_run_config(folder_ / "nowhere.yaml", {});
    FAIL();
  } catch (const ConfigError& e) {
    EXPECT_THAT(e.what(), AllOf(HasSubstr("nowhere.yaml"), HasSubstr("No such file")));
  }
}

TEST_F(Reader, OverridesGoThroughTheSameSchema) {
  const auto c = read("data: {files: [a.h5]}\nbatch: {lanes: 4}\n",
                      {"data.files=x*.h5,y.h5", "batch.lanes=8", "run.dir=runs/a=b",
                       "finetune.lr=[1e-3, 1e-4]", "data.group=", "batch.lanes=16"});
  EXPECT_THAT(c.config.data.files, ElementsAre("x*.h5", "y.h5"));
  EXPECT_EQ(c.config.batch.lanes, 16) << "the last one holds";
  EXPECT_EQ(c.config.run.dir, "runs/a=b");
  EXPECT_THAT(c.config.finetune.lr, ElementsAre(1e-3, 1e-4));
  EXPECT_EQ(c.config.data.group, "");
  EXPECT_EQ(c.origins.at("batch.lanes"), "command line");
  EXPECT_EQ(read("{}", {"data.files=one.h5"}).config.data.files.size(), 1U);
  EXPECT_TRUE(read("data: {use_splits: [test]}", {"data.use_splits=[]"}).config.data.use_splits.empty());
}

TEST_F(Reader, WrongOverridesAreRefused) {
  EXPECT_THAT(refusal("{}", {"batch.lane=4"}),
              StartsWith("command line: batch.lane: unknown key; did you mean lanes?"));
  EXPECT_THAT(refusal("{}", {"btach.lanes=4"}),
              StartsWith("command line: btach: unknown section; did you mean batch?"));
  EXPECT_THAT(refusal("{}", {"batch.lanes=four"}),
              HasSubstr("command line: batch.lanes: want a whole number"));
  for (const auto* text : {"lanes=4", "batch.lanes", ".lanes=4", "batch.=4"})
    EXPECT_THAT(refusal("{}", {text}), HasSubstr("want section.key=value")) << text;
}

TEST_F(Reader, TextThatNoManifestCanHoldIsRefused) {
  for (const char* text : {"run.dir=caf\xE9", "data.files=a.h5,caf\xE9.h5", "evaluate.name=caf\xE9"})
    EXPECT_THAT(refusal("{}", {text}),
                AllOf(StartsWith("command line: "), HasSubstr("want UTF-8 text"), HasSubstr("caf\\xe9")));
  EXPECT_EQ(read("{}", {"run.dir=caf\xC3\xA9"}).config.run.dir, "caf\xC3\xA9");
}

TEST_F(Reader, TheLastLayerDecidesBetweenStepsAndEpochs) {
  const auto c = read("train: {epochs: 10}\nschedule: {warmup_steps: 7}\n",
                      {"train.steps=8", "schedule.warmup_epochs=1"})
                     .config;
  EXPECT_EQ(c.train.steps, 8);
  EXPECT_EQ(c.train.epochs, 0);
  EXPECT_EQ(c.schedule.warmup_steps, -1);
  EXPECT_THAT(refusal("{}", {"train.steps=8", "train.epochs=1"}), HasSubstr("got both"));
}

TEST_F(Reader, PresetsSetDefaultsThatExplicitKeysOverride) {
  const auto c = read("views:\n  hue: 0.05\n  preset: xray\n");
  EXPECT_EQ(c.config.views.hue, 0.05);
  EXPECT_EQ(c.config.views.saturation, 0);
  EXPECT_EQ(c.config.views.min_area, 0.3);
  EXPECT_EQ(c.config.views.rotation_degrees, 15);
  EXPECT_EQ(c.origins.at("views.min_area"), "preset xray");
  EXPECT_THAT(c.origins.at("views.hue"), HasSubstr("x.yaml:2:3"));
  EXPECT_EQ(c.origins.at("views.crop_pixels"), "default");
  EXPECT_EQ(read("views: {preset: xray}", {"views.preset=simclr"}).config.views.hue, 0.2);
  for (const auto& name : view_presets()) EXPECT_NO_THROW(read("views: {preset: " + name + "}")) << name;
}

TEST_F(Reader, IncludesAreReadFirstAndRelativeToTheFile) {
  std::filesystem::create_directory(folder_ / "base");
  write("batch: {lanes: 4, lane_images: 16}\ntrain: {epochs: 3}\n", "base/a.yaml");
  write("include: a.yaml\nbatch: {lane_images: 32}\n", "base/b.yaml");
  const auto c = read("include: [base/b.yaml]\nbatch:\n  lanes: 8\ntrain: {steps: 5}\n");
  EXPECT_EQ(c.config.batch.lanes, 8);
  EXPECT_EQ(c.config.batch.lane_images, 32);
  EXPECT_EQ(c.config.train.steps, 5);
  EXPECT_EQ(c.config.train.epochs, 0);
  EXPECT_EQ(c.origins.at("batch.lane_images"), folder_ / "base/b.yaml:2:9");
  EXPECT_THAT(refusal("include: x.yaml\n"), HasSubstr("includes itself"));
  EXPECT_THAT(refusal("include: nowhere.yaml\n"), HasSubstr("nowhere.yaml: cannot open"));
  write("views:\n  hues: 1\n", "base/c.yaml");
  EXPECT_THAT(refusal("include: base/c.yaml\n"), StartsWith("base/c.yaml:2:3: views.hues: unknown key"));
}

TEST_F(Reader, TheEnvironmentIsExpanded) {
  ::setenv("ENTRAIN_TEST_DIR", "/scratch/me", 1);
  ::unsetenv("ENTRAIN_TEST_NONE");
  EXPECT_EQ(read("run: {dir: \"${env:ENTRAIN_TEST_DIR}/runs/${oc.env:ENTRAIN_TEST_DIR}\"}").config.run.dir,
            "/scratch/me/runs//scratch/me");
  EXPECT_EQ(read("{}", {"run.dir=${env:ENTRAIN_TEST_DIR}/a"}).config.run.dir, "/scratch/me/a");
  EXPECT_THAT(refusal("run:\n  dir: ${env:ENTRAIN_TEST_NONE}\n"),
              AllOf(StartsWith("x.yaml:2:8: run.dir: "), HasSubstr("no variable ENTRAIN_TEST_NONE")));
  EXPECT_THAT(refusal("run: {dir: \"${HOME}\"}\n"), HasSubstr("only ${env:VARIABLE} is expanded"));
}

// PyYAML follows YAML 1.1, where yes is a boolean and 1e-06 a text.
TEST_F(Reader, WhatIsWrittenReadsTheSameInYaml11) {
  EXPECT_EQ(yaml_text("yes"), "\"yes\"");
  EXPECT_EQ(yaml_text("Off"), "\"Off\"");
  EXPECT_EQ(yaml_text("1x"), "\"1x\"");
  EXPECT_EQ(yaml_text("runs/a-b_1.h5"), "runs/a-b_1.h5");
  EXPECT_EQ(number_text(1e-6), "1.0e-06");
  EXPECT_EQ(number_text(0.08), "0.08");
  EXPECT_EQ(number_text(2.5e-7), "2.5e-07");
  EXPECT_EQ(number_text(64), "64");
}

TEST_F(Reader, AnyTextSurvivesTheWayThroughYaml) {
  for (const std::string text : {"", "yes", "1e-3", "64", "a b", "#x", "a: b", "\"q\"", "back\\slash",
                                 "tab\tnew\nline", "~", "- a", "[x", "\x01"}) {
    auto config = read_run_config("", {});
    const std::string quoted =
        read("{}", {"evaluate.name=" + (text.find_first_of("[\"") == 0 ? "'" + text + "'" : text)}).yaml();
    const auto again = read(quoted).config.evaluate.name;
    EXPECT_EQ(again, text);
  }
}

}  // namespace
}  // namespace entrain
