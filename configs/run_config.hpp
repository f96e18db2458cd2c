#pragma once
#include <cstdint>
#include <string>
#include <vector>

// Every knob of a run, one struct per section of the YAML file. Read by read_run_config() in
// configs/reader.hpp; a part of the program receives its own section, never the whole.
namespace entrain {

struct RunSection {
  std::string dir;                  ///< run.dir: where checkpoints, metrics and logs go
  std::uint64_t seed = 0;           ///< every random draw is keyed by it
  std::string numerics = "strict";  ///< strict: same bits for any number of ranks | fast: library all-reduce,
                                    ///< one big lane per rank
  std::string device = "auto";  ///< cpu | cuda (one GPU per rank) | auto: cuda where build and node have it
  std::string precision = "fp32";  ///< fp32 | bf16: of the encoder's products; weights, sums, loss stay fp32
  std::int64_t threads = 0;        ///< lane threads of one rank; 0: cores of this node / ranks on this node
};

struct DataSection {
  std::vector<std::string> files;  ///< HDF5 files or globs, in order; a single string is a list of one
  std::string image = "/images";   ///< dataset path of the images
  std::string group =
      "auto";  ///< patient (or slide, lesion) of each row; auto: /group where there is one; "" none
  std::string label = "auto";  ///< class of each row; auto: /label where there is one; "" none
  std::string split = "auto";  ///< split name of each row; auto: /split where there is one; "" none
  std::string site = "auto";   ///< hospital or scanner of each row; auto: /site where there is one; "" none
  std::vector<std::string>
      use_splits;  ///< rows of these splits only, where the file has splits; empty: all rows
  std::string
      exclude_groups;  ///< text file, one group id per line: their rows are left out (consent withdrawn)
  std::string axes = "auto";        ///< auto | NHW | NHWC | NCHW
  std::string on_corrupt = "fail";  ///< fail: stop at the first unreadable row | skip: read every row once at
                                    ///< start, leave out bad ones
  std::string order =
      "auto";  ///< full: one permutation of all images | windows: images that are decoded together are seen at
               ///< about the same time | auto: windows where a file has such images
  std::int64_t prefetch = 2;               ///< global batches read ahead
  double window_low = 0, window_high = 0;  ///< u16 and f32: values mapped to 0 and 1; both 0: the type's
                                           ///< range (f32: 0 to 1, or 0 to 255 if larger values occur)
};

struct ViewSection {
  std::string preset =
      "simclr";  ///< simclr | xray | dermatology | histology | fundus: sets the defaults below
  std::string profile =
      "torchvision";  ///< torchvision | google: whose definitions of crop, resize, colour and blur
  std::int64_t crop_pixels = 224;  ///< side of a view, pixels
  double min_area = 0.08;          ///< smallest crop, fraction of the image
  double max_area = 1.0;           ///< largest crop, fraction of the image
  double horizontal_flip = 0.5;    ///< probability
  double vertical_flip = 0.0;      ///< probability
  double rotation_degrees = 0;     ///< angle uniform in +- this; bilinear, zero fill; 0: none
  double jitter = 0.8;  ///< probability of the colour jitter (brightness, contrast, saturation, hue, gamma)
  double brightness = 0.8;      ///< factor uniform in [1 - x, 1 + x], not below 0
  double contrast = 0.8;        ///< factor uniform in [1 - x, 1 + x], not below 0
  double saturation = 0.8;      ///< factor uniform in [1 - x, 1 + x], not below 0; three channels only
  double hue = 0.2;             ///< shift uniform in [-x, x] of a turn; three channels only
  double gamma = 0;             ///< exponent exp(uniform(-x, x)); 0: none
  double gray = 0.2;            ///< probability; three channels only
  double blur = 0.5;            ///< probability of a Gaussian blur
  double blur_sigma_min = 0.1;  ///< pixels
  double blur_sigma_max = 2.0;  ///< pixels
  double equalize = 0;          ///< probability of histogram equalisation before all else
};

struct ModelSection {
  std::string name = "bit_r50x1";  ///< bit_r{14,26,50,101,152}x{0.5,1,2,3,4}
  std::int64_t head_layers = 2;    ///< linear layers of the projection head: 1 or 2
  std::int64_t head_dim = 128;     ///< width of z
  std::int64_t head_hidden = 0;    ///< width of the middle layer; 0: that of the features
};

struct MethodSection {
  std::string name = "simclr";
  double temperature = 0.1;
};

struct BatchSection {
  std::int64_t lanes = 8;  ///< lanes of the global batch, a power of two; at most one rank per lane
  std::int64_t lane_images =
      8;  ///< images per lane; the global batch is lanes x lane_images, on any number of ranks
  std::string same_group =
      "allow";  ///< two images of one group, or two equal ones, in a batch: allow | mask: no
                ///< negatives of each other | forbid: never in one batch
};

struct OptimSection {
  std::string name = "lars";          ///< lars | sgd | adamw
  std::string lars_form = "classic";  ///< classic | popular | byol | lightly
  double lr = 0.3;                    ///< before scaling by the batch (schedule.scaling)
  double momentum = 0.9;              ///< lars, sgd
  bool nesterov = false;              ///< sgd
  double weight_decay = 1e-6;
  double eeta = 0.001;                            ///< lars: trust coefficient
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;  ///< adamw
  std::string exclude =
      "one_dim";  ///< from decay and trust ratio: one_dim | google | none | a regular expression on names
};

struct ScheduleSection {
  std::string name =
      "cosine";  ///< cosine (linear warm-up first) | simclr (the same, from exactly 0) | constant | bit_hyper
  double warmup_epochs = 10;  ///< used where warmup_steps is -1
  std::int64_t warmup_steps = -1;
  std::string scaling = "linear";  ///< linear: lr * G / 256 | sqrt: lr * sqrt(G) | none
};

struct TrainSection {
  std::int64_t steps = 0;  ///< 0: from epochs
  double epochs = 0;       ///< 0: from steps
};

struct CheckpointSection {
  std::string every =
      "auto";             ///< auto: from what commits cost and how often the run fails | 500steps | 120s; the
                          ///< end and a stop always commit
  std::int64_t keep = 3;  ///< newest ones kept, at least 2
  std::string keep_every;      ///< besides, the first one of every such time (6h); empty: none
  std::int64_t keep_best = 0;  ///< besides, so many of lowest mean loss
  std::string prove =
      "stop";  ///< a resume computes one committed step again and compares; on a difference: stop | warn;
               ///< off: trust
  std::string resume =
      "auto";  ///< auto: from the newest whole one, if any | never: refuse a run.dir that has any
};

struct InitSection {
  std::string from = "scratch";  ///< scratch | a run directory | a .safetensors file with timm names
};

struct FinetuneSection {
  std::string mode = "full";          ///< linear: features once, then logistic regression | full: all weights
  double label_fraction = 1.0;        ///< of the training patients, (0, 1]
  std::int64_t repeat = 0;            ///< which draw of the patients (and of the head and the order)
  std::string train_split = "train";  ///< rows of data.split used for training
  std::string val_split = "val";      ///< rows that choose
  std::vector<double> lr;             ///< full: the grid; best on val wins; empty: {optim.lr}
  std::vector<double> l2;             ///< linear: the grid; empty: 1e-4 ... 1e2
  std::int64_t eval_every = 0;        ///< full: steps between looks at val; 0: ten looks in all
};

struct EvaluateSection {
  std::vector<double> specificity = {0.8, 0.9, 0.95};  ///< report sensitivity at these
  bool allow_leakage = false;  ///< go on though patients were seen in training; marks the result
  std::string name;            ///< what tables call this corpus; empty: the first file's stem
};

/// What `entrain run` takes for a failure, and what it does about it.
struct FaultSection {
  std::string suspect = "3s";   ///< a rank whose heartbeat is silent for so long is told
  std::string dead = "10s";     ///< silent for so long: dead; sooner where heartbeats came very regularly
  std::string setup = "900s";   ///< longest time from launch to the first step; less once one was seen
  std::string step = "auto";    ///< longest time in one phase of a step; auto: five times the longest seen
  std::string commit = "300s";  ///< longest time of a commit; less once one was seen
  std::int64_t max_cycles = 3;  ///< failed generations without a new commit before giving up (93)
  std::int64_t min_ranks = 1;   ///< with fewer left: requeue rather than go on
};

/// The batch job that `entrain submit` asks for. "" and 0: not asked for, the site's default.
struct SlurmSection {
  std::string time = "24h";         ///< limit of one job: 24h, 90m or Slurm's own D-HH:MM:SS
  std::int64_t nodes = 1;           ///< without spares
  std::int64_t ranks_per_node = 1;  ///< one per GPU, or one per few cores
  std::int64_t cpus_per_rank = 0;
  std::int64_t gpus_per_node = 0;
  std::int64_t spares = 0;  ///< nodes besides, for one that dies
  std::string memory;       ///< per node: 64G
  std::string partition, account, qos, constraint, exclude;
  std::string job_name;              ///< "": the last part of run.dir
  std::vector<std::string> modules;  ///< module load each, after module purge
  std::vector<std::string> setup;    ///< shell lines before the first step
  std::vector<std::string> options;  ///< further options of sbatch: --mail-type=END
  std::string container;             ///< image that srun starts the ranks in (Pyxis)
  std::string staging;               ///< node-local folder that data.files are copied to first
  std::string chain =
      "requeue";  ///< how a run outlives a job: requeue | singleton: a chain of jobs | array: --array=1-K%1
  std::int64_t chain_jobs = 10;      ///< of a chain or an array
  std::string signal_lead = "auto";  ///< warning before the limit; auto: from the commits seen
  std::string launcher = "auto";     ///< auto | srun | mpirun
};

/// Status page and metrics of `entrain run`.
struct HttpSection {
  std::string bind = "127.0.0.1:0";  ///< address:port; port 0: any free one; off: none
};

struct RunConfig {
  RunSection run;
  DataSection data;
  ViewSection views;
  ModelSection model;
  MethodSection method;
  BatchSection batch;
  OptimSection optim;
  ScheduleSection schedule;
  TrainSection train;
  CheckpointSection checkpoint;
  InitSection init;
  FinetuneSection finetune;
  EvaluateSection evaluate;
  FaultSection fault;
  SlurmSection slurm;
  HttpSection http;
};

}  // namespace entrain
