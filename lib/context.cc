// SPDX-License-Identifier: Apache-2.0

#include "lanewise/context.h"

#include <algorithm>
#include <new>
#include <utility>

#include "aligned.h"
#include "plan_cache.h"

namespace lanewise {

namespace {

std::size_t ClampOr(std::size_t value, std::size_t fallback, std::size_t low, std::size_t high) {
  return value == 0 ? fallback : std::clamp(value, low, high);
}

}  // namespace

Machine Machine::From(const CpuFacts& cpu) {
  constexpr std::size_t kKiB = 1024;
  Machine machine;
  machine.l1d = ClampOr(cpu.caches.l1d, 32 * kKiB, 16 * kKiB, 256 * kKiB);
  machine.l2 = ClampOr(cpu.caches.l2, 512 * kKiB, 128 * kKiB, 8192 * kKiB);
  return machine;
}

struct Context::Memory {
  internal::AlignedArray<std::byte> scratch[kScratchKinds];
  internal::PlanCache plans;
  SerialExecutor serial;  // unless the caller brings an executor
};

Context::Context(Kernels kernels)
    : kernels_(std::move(kernels)), machine_(Machine::From(ThisCpu())), memory_(std::make_unique<Memory>()) {
  executor_ = &memory_->serial;
}

Context::Context(Kernels kernels, Executor& executor) : Context(std::move(kernels)) { executor_ = &executor; }

Result<Context> Context::Make(std::string_view request) {
  try {
    Result<Kernels> kernels = SelectKernels(request);
    if (!kernels.ok()) return kernels.status();
    return Context(*std::move(kernels));
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory for a context");
  }
}

Result<Context> Context::Make(std::string_view request, Executor& executor) {
  Result<Context> context = Make(request);
  if (context.ok()) context->executor_ = &executor;
  return context;
}

Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;
Context::~Context() = default;

void Context::set_machine(const Machine& machine) {
  machine_ = machine;
  memory_->plans = {};
}

internal::PlanCache& Context::plans() { return memory_->plans; }

void* Context::ScratchMemory(Scratch kind, std::size_t bytes) {
  internal::AlignedArray<std::byte>& scratch = memory_->scratch[static_cast<int>(kind)];
  return scratch.Reserve(bytes) ? scratch.data() : nullptr;
}

}  // namespace lanewise
