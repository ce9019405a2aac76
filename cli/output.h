// SPDX-License-Identifier: Apache-2.0
//
// How every command talks: results on stdout, errors and notes on stderr, one table format, one JSON format, exit
// codes.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lanewise/status.h"
#include "nlohmann/json.hpp"

namespace lanewise::cli {

enum ExitCode : int {
  kOk = 0,
  kCheckFailed = 1,
  kUsage = 2,         // also an unknown ISA name
  kCannotTell = 3,    // noise, nothing to check, not enough memory
  kBadFile = 4,       // the message names file, offset and rule; also what cannot be read or written
  kNotAvailable = 5,  // ISA not compiled, or not supported by CPU or OS
  kDiverged = 6,
  kInterrupted = 130,
};

// Object members stay in the order in which they are added.
using Json = nlohmann::ordered_json;

// Writes a result. Errors are kept for FinishOutput.
void Print(std::string_view text);

// A JSON document as a file has it. Bytes that are not UTF-8 become U+FFFD.
std::string JsonText(const Json& document);
inline void PrintJson(const Json& document) { Print(JsonText(document)); }

// Whether JSON can hold the text as it is.
bool IsUtf8(const std::string& text);

// "note: ..." and "warning: ..." on stderr.
void Note(std::string_view text);
void Warn(std::string_view text);

// From now on errors are told in JSON too: where nothing was printed before, Fail prints {"error": {"code": the exit
// code, "message": ...}} on stdout, so that who asked for one document gets one.
void TellErrorsInJson();

// Prints "error: WHERE: message" on stderr (`where` may be empty: a flag, a variable, a file that the message does not
// name) and returns the exit code for the status.
ExitCode Fail(const Status& status, std::string_view where = {});

// The same for what is no Status: a check that failed, an interruption.
ExitCode Fail(ExitCode code, std::string_view message);

// A line on stderr as it is: what a command does while it runs. (Who cannot read it loses nothing else.)
void Log(std::string_view text);

// Flushes stdout. The exit code of the program is `code`, or kBadFile if a result could not be written; a reader that
// has closed the pipe has read what it wanted.
int FinishOutput(ExitCode code);

// Rows of cells in columns, the first row being the header if there is one. The last column is wrapped at spaces, so
// that lines have at most 80 characters.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

// "48 KiB", "1 MiB", "35.8 MiB", "17 B"
std::string FormatBytes(std::size_t bytes);

}  // namespace lanewise::cli
