// SPDX-License-Identifier: Apache-2.0
//
// A training's state as a safetensors file and back. What the file has in common with a model's is in save_model.cc and
// load_model.cc.

#include "lanewise/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <new>
#include <utility>

#include "format.h"
#include "hash.h"
#include "model_format.h"
#include "nlohmann/json.hpp"
#include "numeric_class.h"
#include "training_step.h"

namespace lanewise {
namespace {

using internal::kCheckpoint;
using internal::kCheckpointHash;
using internal::kMomentumBuffer;
using internal::kRevision;
using internal::Source;

Status Invalid(std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); }

Status NoMemory(const std::string& path) {
  return Status(StatusCode::kOutOfMemory, Format("{}: no memory for the checkpoint", path));
}

std::string NameOf(std::optional<NumericClass> numeric_class) { return numeric_class ? Name(*numeric_class) : "mixed"; }

// Of all kernels that a step of training may use.
template <typename T>
std::optional<NumericClass> ClassOf(const Kernels& kernels) {
  return internal::CommonClass<T>(
      kernels, {"gemm", "relu", "leaky_relu", "sigmoid", "tanh", "softmax", "log_softmax", "relu_gradient",
                "leaky_relu_gradient", "sigmoid_gradient", "tanh_gradient", "softmax_gradient", "log_softmax_gradient",
                "log", "log1p", "sum", "column_sum", "sgd", "convert_u8"});
}

// Of everything in the file but the hash itself.
std::uint64_t ContentHash(const SafetensorsFile& file) {
  std::string text;
  for (const auto& [key, value] : file.metadata) {
    if (key != kCheckpointHash) text += Format("{} {} {}\n", key, value.size(), value);
  }
  for (const Tensor& tensor : file.tensors) {
    text += tensor.name;
    for (const std::ptrdiff_t dimension : tensor.shape) text += Format(" {}", dimension);
    text += std::visit([](const auto& v) { return HashText(Hash(v.data(), v.size() * sizeof(v[0]))); }, tensor.values);
  }
  return Hash(text.data(), text.size());
}

// The velocities in the network's place, since the file has both in the same layout.
template <typename T>
Mlp<T> WithParameters(Mlp<T> network, const std::vector<T>& values) {
  std::ranges::copy(values, network.parameters().begin());
  return network;
}

template <typename T>
Status Check(const Checkpoint<T>& checkpoint) {
  const Mlp<T>& network = checkpoint.model.network;
  if (!internal::IsVelocity<T>(checkpoint.velocity, network.parameters().size())) {
    return Invalid("the velocity is not one finite number for each parameter");
  }
  if (checkpoint.model.input_scale != checkpoint.options.input_scale) {
    return Invalid(Format("the input scale {} of the model is not the options' {}", checkpoint.model.input_scale,
                          checkpoint.options.input_scale));
  }
  if (checkpoint.model.numerics_revision != kNumericsRevision) {
    return Invalid(
        Format("numerics revision {} is not this library's {}", checkpoint.model.numerics_revision, kNumericsRevision));
  }
  if (!internal::IsPossible(checkpoint.done)) {
    return Invalid(Format("{} samples with a sum of losses of {}, {} of them right, are no result of an epoch",
                          checkpoint.done.samples, checkpoint.done.loss_sum, checkpoint.done.correct));
  }
  return internal::CheckOptions<T>(checkpoint.options, network.layers().back().activation);
}

template <typename T>
std::map<std::string, std::string> ToEntries(const Checkpoint<T>& checkpoint) {
  const TrainerOptions& options = checkpoint.options;
  return {{"loss", std::string{Name(options.loss)}},
          {"learning_rate", internal::FormatHex(options.learning_rate)},
          {"momentum", internal::FormatHex(options.momentum)},
          {"batch", std::to_string(options.batch)},
          {"seed", std::to_string(options.seed)},
          {"epoch", std::to_string(checkpoint.epoch)},
          {"samples", std::to_string(checkpoint.done.samples)},
          {"loss_sum", internal::FormatHex(checkpoint.done.loss_sum)},
          {"correct", std::to_string(checkpoint.done.correct)},
          {"numeric_class", NameOf(checkpoint.numeric_class)},
          {"data_hash", HashText(checkpoint.data_hash)}};
}

// ---- Reading -----------------------------------------------------------------------------------------------------

template <typename Integer>
std::optional<Integer> ParseInteger(std::string_view text) {
  Integer value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole ? std::optional(value) : std::nullopt;
}

// Two levels: whether the name is known, and the class or none.
std::optional<std::optional<NumericClass>> ParseClass(std::string_view text) {
  for (const std::optional<NumericClass> known :
       {std::optional(NumericClass::kFma), std::optional(NumericClass::kMulAdd), std::optional<NumericClass>()}) {
    if (text == NameOf(known)) return known;
  }
  return std::nullopt;
}

template <typename T>
Status ReadEntries(const Source& source, Checkpoint<T>& checkpoint) {
  constexpr std::size_t kMostEntries = 100;
  const Result<std::map<std::string, std::string>> entries = internal::ReadObject(source, kCheckpoint, kMostEntries);
  if (!entries.ok()) return entries.status();
  Status status;
  std::size_t count = 0;
  const auto read = [&](const char* name, const auto& parse, auto& value, const char* rule) {
    if (!status.ok()) return;
    const auto entry = entries->find(name);
    if (entry == entries->end()) {
      status = source.BadMetadata(kCheckpoint, Format("has no {}", name));
    } else if (const auto parsed = parse(entry->second)) {
      value = *parsed;
      ++count;
    } else {
      status = source.BadMetadata(kCheckpoint, Format("{} {} is not {}", name, Quote(entry->second), rule));
    }
  };
  constexpr const char* kNumber = "a finite number as C's %a prints it, such as 0x1.8p-3";
  constexpr const char* kInteger = "an integer in its range";
  TrainerOptions& options = checkpoint.options;
  read("loss", LossFromName, options.loss, "softmax-cross-entropy, sigmoid-cross-entropy or squared-error");
  read("learning_rate", internal::ParseHex, options.learning_rate, kNumber);
  read("momentum", internal::ParseHex, options.momentum, kNumber);
  read("batch", ParseInteger<std::ptrdiff_t>, options.batch, kInteger);
  read("seed", ParseInteger<std::uint64_t>, options.seed, kInteger);
  read("epoch", ParseInteger<std::uint32_t>, checkpoint.epoch, kInteger);
  read("samples", ParseInteger<std::ptrdiff_t>, checkpoint.done.samples, kInteger);
  read("loss_sum", internal::ParseHex, checkpoint.done.loss_sum, kNumber);
  read("correct", ParseInteger<std::ptrdiff_t>, checkpoint.done.correct, kInteger);
  read("numeric_class", ParseClass, checkpoint.numeric_class, "fma, mul-add or mixed");
  read("data_hash", ParseHash, checkpoint.data_hash, "16 hexadecimal digits");
  if (status.ok() && count != entries->size()) {
    return source.BadMetadata(kCheckpoint, Format("has {} entries; {} are known", entries->size(), count));
  }
  options.input_scale = checkpoint.model.input_scale;
  internal::SetMeans(checkpoint.done);
  return status;
}

template <typename T>
Result<Checkpoint<T>> FromFile(const Source& source) {
  Result<Model<T>> model = internal::ModelFromFile<T>(source);
  if (!model.ok()) return model.status();
  for (const char* key : {kCheckpoint, kCheckpointHash, kRevision}) {
    if (source.Metadata(key) == nullptr) {
      return source.Bad(Format("metadata {} is missing; a checkpoint to go on from has it", key));
    }
  }
  if (model->numerics_revision != kNumericsRevision) {
    return source.BadMetadata(
        kRevision, Format("training began by revision {}; this library computes by revision {}, with other bits",
                          model->numerics_revision, kNumericsRevision));
  }
  std::vector<Activation> activations;
  for (const LayerShape& layer : model->network.layers()) activations.push_back(layer.activation);
  const Result<Mlp<T>> velocity = internal::NetworkFromFile<T>(source, kMomentumBuffer, activations);
  if (!velocity.ok()) return velocity.status();
  if (velocity->layers() != model->network.layers()) {
    return source.Bad(Format("the {}layers have other shapes than the layers", kMomentumBuffer));
  }
  Checkpoint<T> checkpoint{.model = *std::move(model),
                           .options = {},
                           .velocity = {velocity->parameters().begin(), velocity->parameters().end()}};
  Status status = ReadEntries(source, checkpoint);
  if (!status.ok()) return status;
  status = Check(checkpoint);
  if (!status.ok()) return source.BadMetadata(kCheckpoint, status.message());
  if (ParseHash(*source.Metadata(kCheckpointHash)) != ContentHash(source.file)) {
    return source.BadMetadata(kCheckpointHash, "is not the hash of what the file holds: it was changed or damaged");
  }
  for (const Tensor& tensor : source.file.tensors) {
    if (!std::holds_alternative<std::vector<T>>(tensor.values)) {
      return source.Bad(tensor.at,
                        Format("tensor {} is F32; this checkpoint must be loaded as float", Quote(tensor.name)));
    }
  }
  return checkpoint;
}

}  // namespace

template <typename T>
Result<Checkpoint<T>> MakeCheckpoint(const Context& context, const Trainer<T>& trainer, std::uint32_t epoch,
                                     const EpochResult& done) {
  try {
    return Checkpoint<T>{.model = {.network = trainer.network(), .input_scale = trainer.options().input_scale},
                         .options = trainer.options(),
                         .velocity = {trainer.velocity().begin(), trainer.velocity().end()},
                         .epoch = epoch,
                         .done = done,
                         .numeric_class = ClassOf<T>(context.kernels())};
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory for a checkpoint");
  }
}

template <typename T>
Result<Trainer<T>> ResumeTrainer(const Context& context, const Checkpoint<T>& checkpoint) {
  Status status = Check(checkpoint);
  if (!status.ok()) return status;
  const std::string own = NameOf(ClassOf<T>(context.kernels()));
  if (own != NameOf(checkpoint.numeric_class)) {
    return Invalid(
        Format("training began with kernels of the numeric class {}; those chosen are of the class {}, and "
               "would train another model",
               NameOf(checkpoint.numeric_class), own));
  }
  try {
    return Trainer<T>::Create(checkpoint.model.network, checkpoint.options, checkpoint.velocity);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory to go on from a checkpoint");
  }
}

template <typename T>
Status SaveCheckpoint(const std::string& path, const Checkpoint<T>& checkpoint) {
  Status status = Check(checkpoint);
  if (!status.ok()) return status;
  Result<SafetensorsFile> file = internal::ModelToFile(path, checkpoint.model);
  if (!file.ok()) return file.status();
  try {
    internal::AppendTensors(kMomentumBuffer, WithParameters(checkpoint.model.network, checkpoint.velocity),
                            file->tensors);
    file->metadata[kCheckpoint] = nlohmann::json(ToEntries(checkpoint)).dump();
    file->metadata[kCheckpointHash] = HashText(ContentHash(*file));
    return WriteSafetensors(path, *file);
  } catch (const std::bad_alloc&) {
    return NoMemory(path);
  }
}

template <typename T>
Result<Checkpoint<T>> LoadCheckpoint(const std::string& path) {
  const Result<SafetensorsFile> file = ReadSafetensors(path);
  if (!file.ok()) return file.status();
  try {
    return FromFile<T>({path, *file});
  } catch (const std::bad_alloc&) {
    return NoMemory(path);
  }
}

#define LANEWISE_INSTANTIATE(T)                                                                                        \
  template Result<Checkpoint<T>> MakeCheckpoint(const Context&, const Trainer<T>&, std::uint32_t, const EpochResult&); \
  template Result<Trainer<T>> ResumeTrainer(const Context&, const Checkpoint<T>&);                                     \
  template Status SaveCheckpoint(const std::string&, const Checkpoint<T>&);                                            \
  template Result<Checkpoint<T>> LoadCheckpoint(const std::string&);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise
