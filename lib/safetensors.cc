// SPDX-License-Identifier: Apache-2.0

#include "safetensors.h"

#include <bit>
#include <cstdint>
#include <new>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "format.h"
#include "lanewise/write_file.h"
#include "safetensors_header.h"

namespace lanewise {
namespace {

using internal::ElementCount;
using internal::kLengthBytes;
using internal::kLongestHeader;
using internal::kMetadataKey;
using internal::kMostNames;
using internal::TensorEntry;
using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "elements are read and written as they lie in memory");

template <typename T>
Result<Tensor> ReadTensor(ByteReader& reader, const TensorEntry& entry, std::uint64_t data_begin) {
  const std::uint64_t count = (entry.offsets[1] - entry.offsets[0]) / sizeof(T);
  std::vector<T> values;
  Result<std::uint64_t> bytes = ReadElements(reader, count, values);
  if (!bytes.ok()) return bytes.status();
  if (*bytes != count * sizeof(T)) {
    return BadFile(
        reader.name(), data_begin + entry.offsets[0] + *bytes,
        Format("the file ends here; tensor {} has {} elements of {} bytes", Quote(entry.name), count, sizeof(T)));
  }
  return Tensor{.name = entry.name,
                .shape = {entry.shape.begin(), entry.shape.end()},
                .values = std::move(values),
                .at = entry.at,
                .elements_at = data_begin + entry.offsets[0]};
}

Result<SafetensorsFile> Read(ByteReader& reader) {
  std::uint64_t header_size = 0;
  Result<std::size_t> length_bytes = reader.Read(&header_size, kLengthBytes);
  if (!length_bytes.ok()) return length_bytes.status();
  if (*length_bytes != kLengthBytes) {
    return BadFile(reader.name(), *length_bytes, "the file ends here; the length of the header takes 8 bytes");
  }
  if (header_size > kLongestHeader) {
    return BadFile(reader.name(), 0,
                   Format("the header is said to have {} bytes; at most {} are allowed (is this a safetensors "
                          "file?)",
                          header_size, kLongestHeader));
  }
  std::string header;
  Result<std::uint64_t> header_bytes = ReadElements(reader, header_size, header);
  if (!header_bytes.ok()) return header_bytes.status();
  if (*header_bytes != header_size) {
    return BadFile(reader.name(), kLengthBytes + *header_bytes,
                   Format("the file ends here; the header is said to have {} bytes", header_size));
  }

  Result<internal::SafetensorsHeader> parsed = internal::ParseHeader(reader.name(), header);
  if (!parsed.ok()) return parsed.status();

  SafetensorsFile file;
  file.metadata = std::move(parsed->metadata);
  file.metadata_at = std::move(parsed->metadata_at);
  const std::uint64_t data_begin = kLengthBytes + header_size;
  std::uint64_t end = data_begin;
  for (const TensorEntry& entry : parsed->entries) {
    Result<Tensor> tensor = entry.dtype == "F32" ? ReadTensor<float>(reader, entry, data_begin)
                                                 : ReadTensor<double>(reader, entry, data_begin);
    if (!tensor.ok()) return tensor.status();
    file.tensors.push_back(*std::move(tensor));
    end = data_begin + entry.offsets[1];
  }
  char extra = 0;
  Result<std::size_t> more = reader.Read(&extra, 1);
  if (!more.ok()) return more.status();
  if (*more != 0) return BadFile(reader.name(), end, "the file goes on after the last tensor");
  return file;
}

Status Invalid(std::string_view path, std::string_view rule) {
  return {StatusCode::kInvalidArgument, Format("cannot write {}: {}", Quote(path), rule)};
}

bool IsF64(const Tensor& tensor) { return std::holds_alternative<std::vector<double>>(tensor.values); }

std::string_view BytesOf(const Tensor& tensor) {
  return std::visit(
      [](const auto& values) {
        return std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(values[0]));
      },
      tensor.values);
}

// Calls take(parts), the file's bytes in order, which live as long as the call.
template <typename Take>
Status Serialise(const std::string& path, const SafetensorsFile& file, const Take& take) {
  std::vector<const Tensor*> ordered;
  for (const bool f64 : {true, false}) {
    for (const Tensor& tensor : file.tensors) {
      if (IsF64(tensor) == f64) ordered.push_back(&tensor);
    }
  }

  if (file.tensors.size() + file.metadata.size() > kMostNames) {
    return Invalid(path, Format("there are more than {} names of tensors and metadata", kMostNames));
  }
  std::vector<std::string> members;
  if (!file.metadata.empty()) members.push_back(Format("\"{}\":{}", kMetadataKey, Json(file.metadata).dump()));
  std::vector<std::string_view> parts = {{}, {}};  // the length and the header come last
  std::set<std::string_view> names = {kMetadataKey};
  std::uint64_t end = 0;
  for (const Tensor* tensor : ordered) {
    if (!names.insert(tensor->name).second) {
      return Invalid(path, Format("the name {} is taken", Quote(tensor->name)));
    }
    const bool is_f64 = IsF64(*tensor);
    const std::size_t bytes_per_element = is_f64 ? sizeof(double) : sizeof(float);
    const std::string_view bytes = BytesOf(*tensor);
    const std::optional<std::uint64_t> count = ElementCount(tensor->shape, bytes_per_element);
    if (!count || *count != bytes.size() / bytes_per_element) {
      return Invalid(path, Format("tensor {} has {} values, which is not what its shape says", Quote(tensor->name),
                                  bytes.size() / bytes_per_element));
    }
    members.push_back(Format(R"({}:{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", Json(tensor->name).dump(),
                             is_f64 ? "F64" : "F32", Json(tensor->shape).dump(), end, end + bytes.size()));
    parts.push_back(bytes);
    end += bytes.size();
  }

  std::string header = Format("{{{}}}", Join(members, ","));
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::uint64_t header_size = header.size();
  if (header_size > kLongestHeader) return Invalid(path, "the header would be longer than the format allows");
  parts[0] = std::string_view(reinterpret_cast<const char*>(&header_size), kLengthBytes);
  parts[1] = header;
  return take(parts);
}

// `take` as above, and no exception.
template <typename Take>
Status SerialiseChecked(const std::string& path, const SafetensorsFile& file, const Take& take) {
  try {
    return Serialise(path, file, take);
  } catch (const std::bad_alloc&) {
    return {StatusCode::kOutOfMemory, Format("no memory to write {}", Quote(path))};
  } catch (const Json::exception&) {
    return Invalid(path, "a name or a metadata string is not UTF-8");
  }
}

}  // namespace

Result<SafetensorsFile> ReadSafetensors(ByteReader& reader) {
  try {
    return Read(reader);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, Format("no memory to read {}", reader.name()));
  }
}

Result<SafetensorsFile> ReadSafetensors(const std::string& path) {
  try {
    Result<std::unique_ptr<ByteReader>> reader = OpenFile(path);
    if (!reader.ok()) return reader.status();
    return ReadSafetensors(**reader);
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, Format("no memory to open {}", path));
  }
}

Status WriteSafetensors(const std::string& path, const SafetensorsFile& file) {
  return SerialiseChecked(path, file, [&](std::span<const std::string_view> parts) { return WriteFile(path, parts); });
}

Result<std::string> SafetensorsBytes(const std::string& path, const SafetensorsFile& file) {
  std::string bytes;
  Status status = SerialiseChecked(path, file, [&](std::span<const std::string_view> parts) {
    for (const std::string_view part : parts) bytes += part;
    return Status();
  });
  if (!status.ok()) return status;
  return bytes;
}

}  // namespace lanewise
