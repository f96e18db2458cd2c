// libnvidia-ml.so.1, of which the GPUs of cudart.cpp are known: as many as ENTRAIN_STANDIN_GPUS says (8), healthy. The file
// that ENTRAIN_STANDIN_NVML names is read at each call; each of its lines, `name=value` or `name@gpu=value`, changes one thing:
//   utilization (90), memory (bytes in use), temperature (61), power (watts, 250), clock (1980), slowdown (bits), ecc (1),
//   cuda (that the driver knows, 13000), uncorrected, xid (a number that is told to whoever watches from before)
//   the name of a function: the code with which it ends; -1: it never comes back
// With ENTRAIN_STANDIN_OLD it is of a driver that knows neither energy nor slowdown nor events.
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <string>

namespace {

enum Code { kSuccess, kInvalidArgument = 2, kNotSupported = 3, kNotFound = 6, kTimeout = 10 };

struct Events {
  int gpu = -1;
  std::string told{};  // the xid line that was there when it began, or was told since
};

std::map<std::string, std::string> lines() {
  std::map<std::string, std::string> out;
  const char* path = ::getenv("ENTRAIN_STANDIN_NVML");
  std::ifstream in(path != nullptr ? path : "/dev/null");
  for (std::string line; std::getline(in, line);)
    if (const auto equals = line.find('='); equals != line.npos)
      out[line.substr(0, equals)] = line.substr(equals + 1);
  return out;
}

std::string text(const std::string& name, int gpu, const std::string& otherwise) {
  const auto all = lines();
  for (const std::string& key : {name + '@' + std::to_string(gpu), name})
    if (const auto found = all.find(key); found != all.end()) return found->second;
  return otherwise;
}
double number(const char* name, int gpu, double otherwise) {
  const std::string value = text(name, gpu, "");
  return value.empty() ? otherwise : std::atof(value.c_str());
}

int gpus() {
  const char* count = ::getenv("ENTRAIN_STANDIN_GPUS");
  return count != nullptr ? std::atoi(count) : 8;
}

// Handles are the numbers of the GPUs, and one.
int index_of(const void* device) { return static_cast<int>(reinterpret_cast<std::intptr_t>(device)) - 1; }
std::string uuid_of(int gpu) {
  char uuid[64];
  std::snprintf(uuid, sizeof uuid, "GPU-e7000000-0000-0000-0000-%012x", static_cast<unsigned>(gpu));
  return uuid;
}

// What the named function says before it does anything.
int told(const char* function, const void* device = nullptr) {
  const int gpu = index_of(device), code = static_cast<int>(number(function, gpu, kSuccess));
  if (code == -1)
    for (;;) ::pause();
  if (code == kSuccess && device != nullptr && (gpu < 0 || gpu >= gpus())) return kInvalidArgument;
  return code;
}

int copied(const std::string& from, char* to, unsigned bytes) {
  std::snprintf(to, bytes, "%s", from.c_str());
  return kSuccess;
}

}  // namespace

// As one function each: if it is told to fail, it fails.
#define STANDIN(name, device) \
  if (const int code = told(#name, device); code != kSuccess) return code

extern "C" {

int nvmlInit_v2() {
  STANDIN(nvmlInit_v2, nullptr);
  return kSuccess;
}
int nvmlShutdown() { return kSuccess; }
const char* nvmlErrorString(int code) { return code == 9 ? "Driver Not Loaded" : "an error"; }
int nvmlSystemGetDriverVersion(char* version, unsigned bytes) { return copied("580.65.06", version, bytes); }

int nvmlSystemGetCudaDriverVersion_v2(int* version) {
  STANDIN(nvmlSystemGetCudaDriverVersion_v2, nullptr);
  *version = static_cast<int>(number("cuda", -1, 13000));
  return kSuccess;
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  STANDIN(nvmlDeviceGetCount_v2, nullptr);
  *count = static_cast<unsigned>(gpus());
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  void* handle = reinterpret_cast<void*>(static_cast<std::uintptr_t>(index) + 1);
  STANDIN(nvmlDeviceGetHandleByIndex_v2, handle);
  *device = handle;
  return kSuccess;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  for (int gpu = 0; gpu < gpus(); ++gpu)
    if (uuid_of(gpu) == uuid) return nvmlDeviceGetHandleByIndex_v2(static_cast<unsigned>(gpu), device);
  return kNotFound;
}
int nvmlDeviceGetName(void* device, char* name, unsigned bytes) {
  STANDIN(nvmlDeviceGetName, device);
  return copied(text("name", index_of(device), "stand-in (host memory)"), name, bytes);
}
int nvmlDeviceGetUUID(void* device, char* uuid, unsigned bytes) {
  STANDIN(nvmlDeviceGetUUID, device);
  return copied(uuid_of(index_of(device)), uuid, bytes);
}
int nvmlDeviceGetIndex(void* device, unsigned* index) {
  STANDIN(nvmlDeviceGetIndex, device);
  *index = static_cast<unsigned>(index_of(device));
  return kSuccess;
}
int nvmlDeviceGetUtilizationRates(void* device, unsigned* gpu_and_memory) {
  STANDIN(nvmlDeviceGetUtilizationRates, device);
  gpu_and_memory[0] = static_cast<unsigned>(number("utilization", index_of(device), 90));
  gpu_and_memory[1] = 40;
  return kSuccess;
}
int nvmlDeviceGetMemoryInfo(void* device, unsigned long long* total_free_used) {
  STANDIN(nvmlDeviceGetMemoryInfo, device);
  total_free_used[0] = 1ULL << 34;
  total_free_used[2] = static_cast<unsigned long long>(number("memory", index_of(device), 3e9));
  total_free_used[1] = total_free_used[0] - total_free_used[2];
  return kSuccess;
}
int nvmlDeviceGetTemperature(void* device, int sensor, unsigned* celsius) {
  STANDIN(nvmlDeviceGetTemperature, device);
  if (sensor != 0) return kInvalidArgument;
  *celsius = static_cast<unsigned>(number("temperature", index_of(device), 61));
  return kSuccess;
}
int nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) {
  STANDIN(nvmlDeviceGetPowerUsage, device);
  *milliwatts = static_cast<unsigned>(1000 * number("power", index_of(device), 250));
  return kSuccess;
}
int nvmlDeviceGetClockInfo(void* device, int type, unsigned* mhz) {
  STANDIN(nvmlDeviceGetClockInfo, device);
  if (type != 1) return kInvalidArgument;
  *mhz = static_cast<unsigned>(number("clock", index_of(device), 1980));
  return kSuccess;
}
int nvmlDeviceGetMaxClockInfo(void* device, int type, unsigned* mhz) {
  STANDIN(nvmlDeviceGetMaxClockInfo, device);
  if (type != 1) return kInvalidArgument;
  *mhz = 1980;
  return kSuccess;
}
int nvmlDeviceGetEccMode(void* device, int* now, int* after_reboot) {
  STANDIN(nvmlDeviceGetEccMode, device);
  *now = *after_reboot = static_cast<int>(number("ecc", index_of(device), 1));
  return kSuccess;
}
int nvmlDeviceGetTotalEccErrors(void* device, int uncorrected, int since_ever, unsigned long long* count) {
  STANDIN(nvmlDeviceGetTotalEccErrors, device);
  if (number("ecc", index_of(device), 1) == 0) return kNotSupported;
  // Of those that were corrected, and those since ever, there are always some.
  const double errors = number("uncorrected", index_of(device), 0);
  *count = uncorrected == 1 && since_ever == 0 ? static_cast<unsigned long long>(errors) : 12345;
  return kSuccess;
}

#ifndef ENTRAIN_STANDIN_OLD

int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  STANDIN(nvmlDeviceGetTotalEnergyConsumption, device);
  // At the power of now since the machine came up.
  const auto up = std::chrono::steady_clock::now().time_since_epoch();
  *millijoules = static_cast<unsigned long long>(number("power", index_of(device), 250) *
                                                 std::chrono::duration<double, std::milli>(up).count());
  return kSuccess;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void* device, unsigned long long* bits) {
  STANDIN(nvmlDeviceGetCurrentClocksThrottleReasons, device);
  *bits = static_cast<unsigned long long>(number("slowdown", index_of(device), 0));
  return kSuccess;
}

int nvmlEventSetCreate(void** set) {
  STANDIN(nvmlEventSetCreate, nullptr);
  *set = new Events;
  return kSuccess;
}
int nvmlDeviceRegisterEvents(void* device, unsigned long long types, void* set) {
  STANDIN(nvmlDeviceRegisterEvents, device);
  auto& events = *static_cast<Events*>(set);
  if (types != 8) return kNotSupported;
  events.gpu = index_of(device);
  events.told = text("xid", events.gpu, "");
  return kSuccess;
}
int nvmlEventSetWait_v2(void* set, void* data, unsigned) {
  STANDIN(nvmlEventSetWait_v2, nullptr);
  auto& events = *static_cast<Events*>(set);
  const std::string now = text("xid", events.gpu, "");
  if (now.empty() || now == events.told) return kTimeout;
  events.told = now;
  struct {
    const void* device;
    unsigned long long type, number;
    unsigned gpu_instance, compute_instance;
  } event{reinterpret_cast<void*>(static_cast<std::intptr_t>(events.gpu) + 1), 8,
          std::strtoull(now.c_str(), nullptr, 10), ~0U, ~0U};
  std::memcpy(data, &event, sizeof event);
  return kSuccess;
}
int nvmlEventSetFree(void* set) {
  delete static_cast<Events*>(set);
  return kSuccess;
}

#endif

}  // extern "C"
