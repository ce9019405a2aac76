// SPDX-License-Identifier: Apache-2.0
//
// IDX files.

#include "lanewise/data/idx.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <string_view>
#include <utility>

#include "format.h"

#include "data/data_reader.h"

namespace lanewise {
namespace data {
namespace {

constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kDimensionBytes = 4;
constexpr std::uint8_t kUnsignedByte = 0x08;

std::string_view ElementType(std::uint8_t code) {
  switch (code) {
    case 0x08:
      return "unsigned byte";
    case 0x09:
      return "signed byte";
    case 0x0b:
      return "16-bit integer";
    case 0x0c:
      return "32-bit integer";
    case 0x0d:
      return "32-bit float";
    case 0x0e:
      return "64-bit float";
    default:
      return "";
  }
}

// The shape, and the number of elements.
Result<std::pair<std::vector<std::ptrdiff_t>, std::uint64_t>> ReadHeader(ByteReader& reader) {
  std::array<std::uint8_t, kMagicBytes> magic = {};
  Result<std::size_t> magic_bytes = reader.Read(magic.data(), kMagicBytes);
  if (!magic_bytes.ok()) return magic_bytes.status();
  if (*magic_bytes != kMagicBytes) {
    return BadFile(reader.name(), *magic_bytes, "the file ends here; an IDX file begins with 4 bytes of type");
  }
  const auto [zero0, zero1, type, dimensions] = magic;
  if (zero0 != 0 || zero1 != 0 || ElementType(type).empty()) {
    return BadFile(reader.name(), 0,
                   Format("an IDX file begins with 00 00 and a type from 08 to 0e, not with {:02x} {:02x} {:02x}",
                          zero0, zero1, type));
  }
  if (type != kUnsignedByte) {
    return BadFile(reader.name(), 2,
                   Format("the elements are of type {:02x} ({}); Lanewise reads type 08 (unsigned byte)", type,
                          ElementType(type)));
  }
  if (dimensions < 1 || dimensions > 3) {
    return BadFile(reader.name(), 3, Format("{} dimensions; labels have 1 and images 2 or 3", dimensions));
  }

  std::vector<std::ptrdiff_t> shape;
  std::uint64_t count = 1;
  for (std::uint8_t i = 0; i < dimensions; ++i) {
    const std::uint64_t offset = kMagicBytes + i * kDimensionBytes;
    std::array<std::uint8_t, kDimensionBytes> bytes = {};
    Result<std::size_t> got = reader.Read(bytes.data(), kDimensionBytes);
    if (!got.ok()) return got.status();
    if (*got != kDimensionBytes) {
      return BadFile(reader.name(), offset + *got, Format("the file ends here, within dimension {}", i + 1));
    }
    const std::uint32_t size = static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
                               static_cast<std::uint32_t>(bytes[2]) << 8 | static_cast<std::uint32_t>(bytes[3]);
    if (size == 0) return BadFile(reader.name(), offset, Format("dimension {} is 0", i + 1));
    if (count > static_cast<std::uint64_t>(std::numeric_limits<std::ptrdiff_t>::max()) / size) {
      return BadFile(reader.name(), offset, "the product of the dimensions is beyond 2^63");
    }
    count *= size;
    shape.push_back(static_cast<std::ptrdiff_t>(size));
  }
  return std::pair(std::move(shape), count);
}

}  // namespace

Result<IdxArray> ReadIdx(ByteReader& reader) {
  auto header = ReadHeader(reader);
  if (!header.ok()) return header.status();
  IdxArray array;
  array.shape = std::move(header->first);
  const std::uint64_t count = header->second;
  Result<std::uint64_t> got = ReadElements(reader, count, array.values);
  if (!got.ok()) return got.status();
  const std::uint64_t offset = kMagicBytes + array.shape.size() * kDimensionBytes + *got;
  if (*got != count) {
    return BadFile(reader.name(), offset,
                   Format("the file ends here, after {} elements; its dimensions ({}) promise {}", *got,
                          Join(array.shape, " x "), count));
  }
  // Also makes a decompressor check what follows the last byte.
  std::uint8_t extra = 0;
  Result<std::size_t> more = reader.Read(&extra, 1);
  if (!more.ok()) return more.status();
  if (*more != 0) {
    return BadFile(reader.name(), offset, Format("the file goes on after its {} elements", count));
  }
  return array;
}

Result<Dataset> MakeImageDataset(IdxArray images, const std::string& name) {
  if (images.shape.size() == 1) {
    return BadFile(name, 3, "1 dimension, as labels have; images have 3, or 2 (samples x features)");
  }
  Dataset dataset;
  dataset.samples = images.shape[0];
  dataset.features = static_cast<std::ptrdiff_t>(images.values.size()) / dataset.samples;
  dataset.bytes = std::move(images.values);
  if (images.shape.size() == 3) {
    dataset.image_rows = images.shape[1];
    dataset.image_cols = images.shape[2];
  }
  return dataset;
}

}  // namespace data

namespace {

// The file itself, or else its gzipped form.
Result<std::string> FindFile(const std::string& folder, std::string_view name) {
  const std::string plain = std::filesystem::path(folder) / name;
  std::error_code error;
  for (const std::string& path : {plain, plain + ".gz"}) {
    if (std::filesystem::exists(path, error)) return path;
  }
  return Status(StatusCode::kIoError, Format("{} has neither {} nor {}.gz{}{}", Quote(folder), name, name,
                                             error ? ": " : "", error ? error.message() : ""));
}

}  // namespace

Result<IdxArray> ReadIdx(const std::string& path) {
  return data::CatchOutOfMemory(path, [&]() -> Result<IdxArray> {
    Result<std::unique_ptr<ByteReader>> reader = data::OpenData(path);
    if (!reader.ok()) return reader.status();
    return data::ReadIdx(**reader);
  });
}

Result<Dataset> ReadIdxDataset(const std::string& images_path, const std::string& labels_path) {
  Result<IdxArray> images = ReadIdx(images_path);
  if (!images.ok()) return images.status();
  Result<Dataset> dataset = data::MakeImageDataset(*std::move(images), images_path);
  if (!dataset.ok() || labels_path.empty()) return dataset;

  Result<IdxArray> labels = ReadIdx(labels_path);
  if (!labels.ok()) return labels.status();
  if (labels->shape.size() != 1) {
    return BadFile(labels_path, 3, Format("{} dimensions; labels have 1", labels->shape.size()));
  }
  if (labels->shape[0] != dataset->samples) {
    return BadFile(labels_path, 4,
                   Format("{} labels, but {} has {} images", labels->shape[0], Quote(images_path), dataset->samples));
  }
  return data::CatchOutOfMemory(labels_path, [&]() -> Result<Dataset> {
    dataset->labels.assign(labels->values.begin(), labels->values.end());
    dataset->classes = *std::max_element(dataset->labels.begin(), dataset->labels.end()) + 1;
    return std::move(dataset);
  });
}

Result<Dataset> ReadIdxDirectory(const std::string& folder, Split split) {
  const std::string_view part = split == Split::kTrain ? "train" : "t10k";
  Result<std::string> images = FindFile(folder, Format("{}-images-idx3-ubyte", part));
  if (!images.ok()) return images.status();
  Result<std::string> labels = FindFile(folder, Format("{}-labels-idx1-ubyte", part));
  if (!labels.ok()) return labels.status();
  return ReadIdxDataset(*images, *labels);
}

}  // namespace lanewise
