// SPDX-License-Identifier: Apache-2.0
//
// The one file that reads environment variables.

#include "lanewise/environment.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "format.h"
#include "lanewise/names.h"

namespace lanewise {
namespace {

constexpr const char* kIsa = "LANEWISE_ISA";
constexpr const char* kThreads = "LANEWISE_THREADS";
constexpr const char* kOmpThreads = "OMP_NUM_THREADS";
constexpr const char* kTestRequire = "LANEWISE_TEST_REQUIRE";
constexpr const char* kTestTiers = "LANEWISE_TEST_TIERS";
constexpr const char* kRead[] = {kIsa, kThreads, kOmpThreads};
// All that begin with LANEWISE_.
constexpr std::string_view kKnown[] = {kIsa, kThreads, kTestRequire, kTestTiers};

// "" if unset: for each of our variables that is the same as empty.
std::string Get(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes the environment
  return value == nullptr ? "" : value;
}

}  // namespace

std::string RequestFromEnvironment() { return Get(kIsa); }

Result<int> ParseThreads(const std::string& text) {
  if (text == "auto") return 0;
  int threads = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, threads);
  if (error != std::errc() || stop != end || threads < 1 || threads > kMaxThreads) {
    return Status(StatusCode::kInvalidArgument,
                  Format("'{}' is not a number of threads; give 1 to {}, or auto", text, kMaxThreads));
  }
  return threads;
}

Result<ThreadSetting> ThreadsFromEnvironment() {
  for (const char* name : {kThreads, kOmpThreads}) {
    const std::string text = Get(name);
    if (text.empty()) continue;
    const std::string first = name == kOmpThreads ? text.substr(0, text.find(',')) : text;
    const Result<int> threads = ParseThreads(first);
    if (!threads.ok()) {
      return Status(threads.status().code(), Format("{}: {}", name, threads.status().message()));
    }
    return ThreadSetting{.threads = *threads, .origin = name};
  }
  return ThreadSetting{};
}

int ColumnsFromEnvironment() {
  const std::string text = Get("COLUMNS");
  int columns = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), columns);
  return error == std::errc() && stop == text.data() + text.size() && columns > 0 ? columns : 0;
}

std::vector<std::string> SettingsInEnvironment() {
  std::vector<std::string> settings;
  for (const char* name : kRead) {
    const std::string value = Get(name);
    if (!value.empty()) settings.push_back(Format("{}={}", name, value));
  }
  return settings;
}

std::vector<std::string> UnknownInEnvironment() {
  std::vector<std::string> messages;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view entry = *variable;
    const std::string_view name = entry.substr(0, entry.find('='));
    if (name.starts_with("LANEWISE_") && std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown)) {
      messages.push_back(UnknownName("environment variable", name, kKnown));
    }
  }
  return messages;
}

}  // namespace lanewise
