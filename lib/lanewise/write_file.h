// SPDX-License-Identifier: Apache-2.0
//
// Writing a file wholly or not at all. Knows no format.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lanewise/status.h"

namespace lanewise {

// Writes the parts, one after the other, to a new file in path's folder, syncs it, renames it to `path` and syncs the
// folder. On failure (kIoError) the new file is gone and what `path` held is untouched; where only the last sync fails
// ("cannot sync the folder of") the new file stands, and a power cut may bring the old one back. A symbolic link is
// followed, to a file that need not exist; a path that exists and is no regular file is refused, and so is one that
// names an open file (/dev/stdout): others write to it too, and a new one in its place would lose what they write. An
// existing file's permissions are kept.
Status WriteFile(const std::string& path, std::span<const std::string_view> parts);

// Whether WriteFile could begin now, with its errors: to ask before a long computation whose result goes to `path`.
// Changes nothing.
Status CheckWritable(const std::string& path);

}  // namespace lanewise
