// SPDX-License-Identifier: Apache-2.0
//
// One call for data of any kind that Lanewise reads.

#pragma once

#include <string>

#include "lanewise/data/csv.h"
#include "lanewise/dataset.h"
#include "lanewise/status.h"

namespace lanewise {

// A folder is read by ReadIdxDirectory(path, split). A file, or standard input ("-"), gzipped or not, is IDX images
// without labels if it begins with a zero byte, as no text does, and CSV otherwise. Errors as in idx.h and csv.h.
Result<Dataset> ReadData(const std::string& path, Split split, const CsvOptions& csv = {});

}  // namespace lanewise
