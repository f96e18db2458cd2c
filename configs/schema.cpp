#include "configs/schema.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <regex>
#include <utility>

#include "configs/cat.hpp"
#include "configs/duration.hpp"
#include "configs/error.hpp"
#include "configs/http_bind.hpp"
#include "configs/model_shapes.hpp"
#include "configs/presets.hpp"

namespace entrain {
namespace {

constexpr std::int64_t kMany = std::numeric_limits<std::int64_t>::max();
constexpr double kHuge = 1e12;
constexpr double kTiny = 1e-12;  // "above 0"

void read_run(Section s, RunSection& c) {
  s.text("dir", c.dir);
  s.seed("seed", c.seed);
  s.choice("numerics", c.numerics, {"strict", "fast"});
  s.choice("device", c.device, {"auto", "cpu", "cuda"});
  s.choice("precision", c.precision, {"fp32", "bf16"});
  s.integer("threads", c.threads, 0, 4096);
  s.done();
}

void read_data(Section s, DataSection& c) {
  s.texts("files", c.files);
  s.text("image", c.image);
  s.text("group", c.group);
  s.text("label", c.label);
  s.text("split", c.split);
  s.text("site", c.site);
  s.texts("use_splits", c.use_splits);
  s.text("exclude_groups", c.exclude_groups);
  s.choice("axes", c.axes, {"auto", "NHW", "NHWC", "NCHW"});
  s.choice("on_corrupt", c.on_corrupt, {"fail", "skip"});
  s.choice("order", c.order, {"auto", "full", "windows"});
  s.integer("prefetch", c.prefetch, 1, 64);
  s.number("window_low", c.window_low, -kHuge, kHuge);
  s.number("window_high", c.window_high, -kHuge, kHuge);
  s.done();
  if (c.image.empty()) s.fail("image", "want the path of a dataset, got nothing");
  if (c.window_low >= c.window_high && !(c.window_low == 0 && c.window_high == 0))
    s.fail("window_high", cat("want more than data.window_low = ", c.window_low, ", got ", c.window_high,
                              " (both 0: the range of the type)"));
}

void read_views(Section s, ViewSection& c) {
  s.choice("preset", c.preset, view_presets());
  s.choice("profile", c.profile, {"torchvision", "google"});
  s.integer("crop_pixels", c.crop_pixels, 16, 4096);
  s.number("min_area", c.min_area, 1e-4, 1);
  s.number("max_area", c.max_area, 1e-4, 1);
  s.number("horizontal_flip", c.horizontal_flip, 0, 1);
  s.number("vertical_flip", c.vertical_flip, 0, 1);
  s.number("rotation_degrees", c.rotation_degrees, 0, 180);
  s.number("jitter", c.jitter, 0, 1);
  s.number("brightness", c.brightness, 0, 10);
  s.number("contrast", c.contrast, 0, 10);
  s.number("saturation", c.saturation, 0, 10);
  s.number("hue", c.hue, 0, 0.5);
  s.number("gamma", c.gamma, 0, 3);
  s.number("gray", c.gray, 0, 1);
  s.number("blur", c.blur, 0, 1);
  s.number("blur_sigma_min", c.blur_sigma_min, 1e-3, 1000);
  s.number("blur_sigma_max", c.blur_sigma_max, 1e-3, 1000);
  s.number("equalize", c.equalize, 0, 1);
  s.done();
  if (c.min_area > c.max_area)
    s.fail("min_area", cat("want at most views.max_area = ", c.max_area, ", got ", c.min_area));
  if (c.blur_sigma_min > c.blur_sigma_max)
    s.fail("blur_sigma_min",
           cat("want at most views.blur_sigma_max = ", c.blur_sigma_max, ", got ", c.blur_sigma_min));
}

void read_model(Section s, ModelSection& c) {
  s.text("name", c.name);
  s.integer("head_layers", c.head_layers, 1, 2);
  s.integer("head_dim", c.head_dim, 1, 65536);
  s.integer("head_hidden", c.head_hidden, 0, 65536);
  s.done();
  try {
    bit_architecture(c.name, 3);
  } catch (const ConfigError& e) {
    const std::string text = e.what();
    s.fail("name", text.substr(text.find(": ") + 2));
  }
}

void read_method(Section s, MethodSection& c) {
  s.choice("name", c.name, {"simclr"});
  s.number("temperature", c.temperature, 0.001, 100);
  s.done();
}

void read_batch(Section s, BatchSection& c) {
  s.integer("lanes", c.lanes, 1, 65536);
  s.integer("lane_images", c.lane_images, 1, 65536);
  s.choice("same_group", c.same_group, {"allow", "mask", "forbid"});
  s.done();
  if ((c.lanes & (c.lanes - 1)) != 0) {
    std::int64_t below = 1;
    while (below * 2 < c.lanes) below *= 2;
    s.fail("lanes", cat("want a power of two (gradients are summed in a binary tree), got ", c.lanes,
                        "; nearest: ", below, " and ", 2 * below));
  }
}

void read_optim(Section s, OptimSection& c) {
  s.choice("name", c.name, {"lars", "sgd", "adamw"});
  s.choice("lars_form", c.lars_form, {"classic", "popular", "byol", "lightly"});
  s.number("lr", c.lr, 0, 1e6);
  s.number("momentum", c.momentum, 0, 0.9999999);
  s.boolean("nesterov", c.nesterov);
  s.number("weight_decay", c.weight_decay, 0, 1e3);
  s.number("eeta", c.eeta, kTiny, 1e3);
  s.number("beta1", c.beta1, 0, 0.9999999);
  s.number("beta2", c.beta2, 0, 0.9999999);
  s.number("eps", c.eps, 0, 1);
  s.text("exclude", c.exclude);
  s.done();
  try {
    const std::regex parsed(c.exclude, std::regex::ECMAScript);
  } catch (const std::regex_error& e) {
    s.fail("exclude",
           cat("want one_dim, google, none or a regular expression, got \"", c.exclude, "\": ", e.what()));
  }
}

void read_schedule(Section s, ScheduleSection& c) {
  s.choice("name", c.name, {"cosine", "simclr", "constant", "bit_hyper"});
  s.number("warmup_epochs", c.warmup_epochs, 0, 1e6);
  s.integer("warmup_steps", c.warmup_steps, -1, kMany);
  s.choice("scaling", c.scaling, {"linear", "sqrt", "none"});
  s.done();
}

void read_train(Section s, TrainSection& c) {
  s.integer("steps", c.steps, 0, 1'000'000'000'000);
  s.number("epochs", c.epochs, 0, 1e9);
  s.done();
  if (c.steps > 0 && c.epochs > 0)
    s.fail("epochs", cat("want train.steps or train.epochs, got both (", c.steps, " and ", c.epochs, ')'));
}

void read_checkpoint(Section s, CheckpointSection& c) {
  s.text("every", c.every);
  s.integer("keep", c.keep, 2, 1'000'000);
  s.text("keep_every", c.keep_every);
  s.integer("keep_best", c.keep_best, 0, 1'000'000);
  s.choice("prove", c.prove, {"stop", "warn", "off"});
  s.choice("resume", c.resume, {"auto", "never"});
  s.done();
  try {
    parse_commit_interval(c.every);
  } catch (const ConfigError& e) {
    s.fail("every", e.what());
  }
  try {
    if (!c.keep_every.empty()) parse_duration(c.keep_every);
  } catch (const ConfigError& e) {
    s.fail("keep_every", e.what());
  }
}

void read_init(Section s, InitSection& c) {
  s.text("from", c.from);
  s.done();
  if (c.from.empty()) s.fail("from", "want scratch, a run directory or a .safetensors file, got nothing");
}

void read_finetune(Section s, FinetuneSection& c) {
  s.choice("mode", c.mode, {"full", "linear"});
  s.number("label_fraction", c.label_fraction, 1e-9, 1);
  s.integer("repeat", c.repeat, 0, 1'000'000);
  s.text("train_split", c.train_split);
  s.text("val_split", c.val_split);
  s.numbers("lr", c.lr, kTiny, 1e6);
  s.numbers("l2", c.l2, 0, 1e9);
  s.integer("eval_every", c.eval_every, 0, kMany);
  s.done();
}

void read_evaluate(Section s, EvaluateSection& c) {
  s.numbers("specificity", c.specificity, 1e-6, 0.999999);
  s.boolean("allow_leakage", c.allow_leakage);
  s.text("name", c.name);
  s.done();
}

void require_duration(const Section& s, const std::string& key, const std::string& text,
                      const std::optional<std::string>& or_else = {}) {
  if (text == or_else) return;
  try {
    parse_duration(text);
  } catch (const ConfigError& e) {
    s.fail(key, e.what());
  }
}

void read_fault(Section s, FaultSection& c) {
  s.text("suspect", c.suspect);
  s.text("dead", c.dead);
  s.text("setup", c.setup);
  s.text("step", c.step);
  s.text("commit", c.commit);
  s.integer("max_cycles", c.max_cycles, 1, 1000);
  s.integer("min_ranks", c.min_ranks, 1, 65536);
  s.done();
  require_duration(s, "suspect", c.suspect);
  require_duration(s, "dead", c.dead);
  require_duration(s, "setup", c.setup);
  require_duration(s, "step", c.step, "auto");
  require_duration(s, "commit", c.commit);
  if (parse_duration(c.dead) <= parse_duration(c.suspect))
    s.fail("dead", cat("want more than fault.suspect (", c.suspect, "), got ", c.dead));
}

// As Slurm reads it, and no further: it would say "Invalid --mem specification" only once a job is submitted.
bool is_memory(const std::string& text) {
  static const std::regex kForm("[0-9]+([KMGTkmgt](i?[Bb])?)?");
  return std::regex_match(text, kForm);
}

void read_slurm(Section s, SlurmSection& c) {
  s.text("time", c.time);
  s.integer("nodes", c.nodes, 1, 100'000);
  s.integer("ranks_per_node", c.ranks_per_node, 1, 1024);
  s.integer("cpus_per_rank", c.cpus_per_rank, 0, 4096);
  s.integer("gpus_per_node", c.gpus_per_node, 0, 1024);
  s.integer("spares", c.spares, 0, 10'000);
  s.text("memory", c.memory);
  s.text("partition", c.partition);
  s.text("account", c.account);
  s.text("qos", c.qos);
  s.text("constraint", c.constraint);
  s.text("exclude", c.exclude);
  s.text("job_name", c.job_name);
  s.texts("modules", c.modules);
  s.texts("setup", c.setup);
  s.texts("options", c.options);
  s.text("container", c.container);
  s.text("staging", c.staging);
  s.choice("chain", c.chain, {"requeue", "singleton", "array"});
  s.integer("chain_jobs", c.chain_jobs, 1, 10'000);
  s.text("signal_lead", c.signal_lead);
  s.choice("launcher", c.launcher, {"auto", "srun", "mpirun"});
  s.done();
  require_duration(s, "signal_lead", c.signal_lead, "auto");
  if (!c.memory.empty() && !is_memory(c.memory))
    s.fail("memory", cat("want memory per node as a whole number with K, M, G or T, such as 64G, got \"",
                         c.memory, '"'));
}

void read_http(Section s, HttpSection& c) {
  s.text("bind", c.bind);
  s.done();
  try {
    parse_http_bind(c.bind);
  } catch (const ConfigError& e) {
    s.fail("bind", e.what());
  }
}

void add_preset(RawSection& views) {
  const auto chosen = views.entries.find("preset");
  if (chosen == views.entries.end() || chosen->second.kind != RawValue::Kind::kScalar) return;
  const std::string name = chosen->second.items[0].text, origin = cat("preset ", name);
  for (const auto& known : view_presets()) {
    if (known != name) continue;
    for (const auto& [key, value] : view_preset(name))
      views.entries.insert(
          {key, {RawValue::Kind::kScalar, {{value, false, origin}}, origin, origin, origin, false}});
  }
}

}  // namespace

RunConfig read_sections(ConfigTree tree, Reading& reading) {
  RunConfig c;
  add_preset(tree["views"]);
  std::vector<std::string> sections;
  const auto take = [&](const std::string& name) {
    sections.push_back(name);
    Section section(name, std::move(tree[name].entries), reading);
    tree.erase(name);
    return section;
  };
  read_run(take("run"), c.run);
  read_data(take("data"), c.data);
  read_views(take("views"), c.views);
  read_model(take("model"), c.model);
  read_method(take("method"), c.method);
  read_batch(take("batch"), c.batch);
  read_optim(take("optim"), c.optim);
  read_schedule(take("schedule"), c.schedule);
  read_train(take("train"), c.train);
  read_checkpoint(take("checkpoint"), c.checkpoint);
  read_init(take("init"), c.init);
  read_finetune(take("finetune"), c.finetune);
  read_evaluate(take("evaluate"), c.evaluate);
  read_fault(take("fault"), c.fault);
  read_slurm(take("slurm"), c.slurm);
  read_http(take("http"), c.http);
  for (const auto& [name, section] : tree) {
    const std::string near = nearest(name, sections);
    throw ConfigError(cat(section.where, ": ", name, ": unknown section; ",
                          near.empty() ? "" : cat("did you mean ", near, "? "),
                          "there are: ", join(sections)));
  }
  return c;
}

}  // namespace entrain
