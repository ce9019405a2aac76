# SPDX-License-Identifier: Apache-2.0
"""Looks at the hot loop of each GEMM micro-kernel in the archive's machine code: it has as many multiply-adds as its
tile has accumulators, or a multiple where the compiler unrolled it, and keeps them in registers: no vector is loaded
from the stack or stored to it, and tiles of several rows and vectors load each element of A and vector of B once. A
compiler that spills, or multiplies by the same memory once for each row, halves the speed and breaks no other test.

The tile is read from the function's own name, ColumnTile<type, rows, vectors, panels, chains, narrow>,
ColumnBlocks<type, rows, vectors, chains, narrow>, LongTile<type, rows, vectors, streams, chains>, InterleavedTile<type,
rows, units of columns, panels, streams>, HeldRows<type, steps of K> or ColumnsOfRows<type, columns, full>, of which the
last, partial vector of rows is left alone; no size stands here. Arguments: archive, objdump.
"""

import re
import subprocess
import sys

TILE = re.compile(r"<void lanewise::(N_\w+)::(Column|Long|Interleaved)Tile<(\w+), (\d+), (\d+), (\d+), (\d+)(?:, (?:true|false))?>")
COLUMN_BLOCKS = re.compile(r"<void lanewise::(N_\w+)::(ColumnBlocks)<(\w+), (\d+), (\d+), (\d+), (?:true|false)>")
COLUMNS_OF_ROWS = re.compile(r"<void lanewise::(N_\w+)::(ColumnsOfRows)<(\w+), (\d+), true>")
HELD_ROWS = re.compile(r"<void lanewise::(N_\w+)::(HeldRows)<(\w+), (\d+)>")
MULTIPLY = {
    "FMA": re.compile(r"vfn?madd\w+p[sd]|fmla"),
    "mul-add": re.compile(r"mulp[sd]"),
    "integer": re.compile(r"v?pmull[dq]|m(la|ul)\s+v"),
}
JUMP = re.compile(r"(?:j\w+|b(?:\.\w+)?|cbn?z\s+\w+,|tbn?z\s+[^,]+,[^,]+,)\s+([0-9a-f]+)\b")
VECTOR = re.compile(r"%[xyz]mm\d|\b[qv]\d")
# x86: what has memory and a vector, but for stores.
LOAD = re.compile(r"(?!vmov\S+\s+%[xyz]mm\d+,)(?=.*%[xyz]mm\d).*\(")


def functions(archive, objdump):
    """Yields (first line, [(address, instruction)]) of each function."""
    listing = subprocess.run(
        [objdump, "--disassemble", "--demangle", "--no-show-raw-insn", archive],
        check=True, capture_output=True, text=True).stdout
    for text in re.split(r"\n(?=[0-9a-f]+ <)", listing):
        head, *lines = text.split("\n")
        found = (re.match(r"\s*([0-9a-f]+):\s+(.*)", line) for line in lines)
        yield head, [(int(m[1], 16), m[2]) for m in found if m]


def loops(instructions):
    """Loops of one basic block: from the target of a backward jump to it, with no other jump inside."""
    begin_of_block = 0
    for i, (address, text) in enumerate(instructions):
        jump = JUMP.match(text)
        if not jump:
            continue
        if instructions[begin_of_block][0] <= int(jump[1], 16) <= address:
            yield [text for at, text in instructions[begin_of_block:i + 1] if at >= int(jump[1], 16)]
        begin_of_block = i + 1


def multiply_adds(target, kind, scalar, rows, width=1, side_by_side=1, last=1):
    """Multiply-adds of a step of a tile's hot loop."""
    if kind == "Interleaved":  # 4 steps of k; a column takes several vectors where these are shorter than 4 lanes
        lanes = {"N_AVX3": 64, "N_AVX2": 32}.get(target, 16) // (8 if scalar == "double" else 4)
        return rows * width * max(4 // lanes, 1) * side_by_side * last
    if kind == "HeldRows":
        return rows  # steps of K, all of a row
    if kind == "ColumnsOfRows":
        return 4 * rows  # chains, of as many columns as a tile has rows
    # The chains of columns take a step each, two at a time in tiles of many rows; those of a LongTile are a loop, which
    # may or may not be unrolled.
    chains = {"Column": last, "ColumnBlocks": side_by_side}.get(kind, 1)
    panels = 1 if kind == "ColumnBlocks" else side_by_side
    return rows * width * panels * min(chains, 2)


def loads(kind, multiplied, rows, width=1, side_by_side=1, *_):
    """Loads of A and B for so many multiply-adds; None: not known, or the compiler may load some twice."""
    if rows == 1 or width == 1 or kind not in ("Column", "ColumnBlocks", "Long"):
        return None
    panels = side_by_side if kind == "Column" else 1
    return multiplied // (rows * width * panels) * (rows + width * panels)


def problem(target, kind, scalar, sizes, instructions):
    """What is wrong with the hot loop of a tile, or None."""
    integer = scalar not in ("float", "double")
    multiply = MULTIPLY["integer" if integer else "mul-add" if "SSE" in target else "FMA"]
    count = lambda loop: sum(bool(multiply.match(text)) for text in loop)
    expected = multiply_adds(target, kind, scalar, *sizes)
    hottest = max(map(count, loops(instructions)), default=0)
    from_c = kind == "HeldRows" and hottest == expected + 1  # the start of the row, beta * C + bias
    if hottest == 0 or (hottest % expected != 0 and not from_c):
        return f"{hottest} multiply-adds in the hot loop, not {expected} or a multiple"
    # %rbp and x29 are registers like others where they do not hold the frame.
    frame = any(re.match(r"mov\s+(%rsp,%rbp|x29, sp)", text) for _, text in instructions)
    stack = re.compile(r"\(%r(sp|bp)\)|\[(sp|x29)\b" if frame else r"\(%rsp\)|\[sp\b")
    # Some have a loop for each way in which A may lie, or C starts.
    hot = [text for loop in loops(instructions) if count(loop) >= hottest - from_c for text in loop]
    spilled = [text for text in hot if VECTOR.search(text) and stack.search(text)]
    if spilled:
        return f"{len(spilled)} vectors on the stack in the hot loop: {spilled[0]}"
    once = loads(kind, hottest, *sizes)
    if target in ("N_AVX2", "N_AVX3") and once:
        most = max(sum(bool(LOAD.match(text)) for text in loop) for loop in loops(instructions) if count(loop) == hottest)
        if most > once:
            return f"{most} loads in the hot loop for {hottest} multiply-adds, not {once}"
    return None


def main(archive, objdump):
    checked, failed = 0, 0
    for head, instructions in functions(archive, objdump):
        tile = TILE.search(head) or COLUMN_BLOCKS.search(head) or HELD_ROWS.search(head) or COLUMNS_OF_ROWS.search(head)
        if not tile or tile[1] == "N_SCALAR":  # a compiler may make vectors of its scalars
            continue
        target, kind, scalar, *sizes = tile.groups()
        wrong = problem(target, kind, scalar, list(map(int, sizes)), instructions)
        checked += 1
        if wrong:
            failed += 1
            print(f"FAILED: {tile[0][len('<void lanewise::'):]}: {wrong}")
    if checked == 0:
        failed += 1
        print(f"FAILED: no micro-kernel found in {archive}")
    print(f"{checked} micro-kernels, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
