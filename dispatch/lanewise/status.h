// SPDX-License-Identifier: Apache-2.0
//
// Status and Result<T>: how every function of Lanewise that can fail reports it. The library throws nothing of its own.
// Where memory is short, the standard library's std::bad_alloc may pass through it:
//
// - A function that names kOutOfMemory among its errors returns that where memory for its work is not to be had. An
//   error's message takes some hundred bytes; where not even these are left, any function that fails may throw.
// - Functions that do not name it, and make texts, lists or copies, throw: SelectKernels, ListKernels, Explain,
//   DefaultThreads, FullSweep, WriteFile, those of cpu.h and environment.h that return strings, the constructors of
//   Context (Context::Make does not), and copying a Status, an Mlp or another value that owns memory.
// - Gemm, the functions of functions.h, Predict and Trainer::Step allocate scratch memory alone, unless they fail.
//
// Callbacks (an executor's tasks, progress, candidates) must not throw.

#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace lanewise {

enum class StatusCode : std::uint8_t {
  kOk,
  kInvalidArgument,  // shapes, strides, aliasing, settings: the caller's mistake
  kUnknownName,      // a request names a tier or kernel that does not exist
  kNotCompiled,      // the tier exists but is not in this library
  kNotSupported,     // the tier is compiled but this CPU or OS cannot run it; the message names the missing bits
  kLayoutMismatch,   // packed weights are laid out for another kernel; Repack mends it
  kBadFile,          // a file breaks a rule of its format; the message names file, offset and rule
  kIoError,          // the operating system could not open, read or write a file
  kOutOfMemory,
  kDiverged,  // training met a value that is not finite
};

// Success, or a code with a message for people: what, where, the rule, what to do. One pointer, so that success, which
// is what nearly every call returns, costs nothing.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : error_(std::make_unique<Error>(Error{code, std::move(message)})) {
    assert(code != StatusCode::kOk);
  }

  bool ok() const { return error_ == nullptr; }
  StatusCode code() const { return ok() ? StatusCode::kOk : error_->code; }
  const std::string& message() const {  // "" of success
    static const std::string kNone;
    return ok() ? kNone : error_->message;
  }

  Status(const Status& other) : error_(other.ok() ? nullptr : std::make_unique<Error>(*other.error_)) {}
  Status& operator=(const Status& other) { return *this = Status(other); }
  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  ~Status() = default;

 private:
  struct Error {
    StatusCode code;
    std::string message;
  };
  std::unique_ptr<Error> error_;
};

// A T, or the Status that says why there is none. Asking a failed Result for its value is a programming error
// (checked by assert).
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                                  // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & { return assert(ok()), *value_; }
  const T& value() const& { return assert(ok()), *value_; }
  T&& value() && { return assert(ok()), *std::move(value_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace lanewise
