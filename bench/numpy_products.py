#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# W3's products by NumPy, to hold beside lanewise-bench's workload/W3_*: 1000 products of 100x100 for each type, on one
# thread, CPU time, the best and the median of five. Needs Python with NumPy and nothing else:
#
#   python3 -m venv build/numpy && build/numpy/bin/pip install numpy && build/numpy/bin/python bench/numpy_products.py

import os
import statistics
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before NumPy loads its BLAS

import numpy as np

SIZE, TIMES, REPETITIONS = 100, 1000, 5


def operand(generator, dtype):
    if np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        return generator.integers(info.min, info.max, (SIZE, SIZE), dtype=dtype)
    return generator.uniform(-1, 1, (SIZE, SIZE)).astype(dtype)


def milliseconds(dtype):
    generator = np.random.default_rng(1)
    a, b = operand(generator, dtype), operand(generator, dtype)
    c = np.empty((SIZE, SIZE), dtype)
    times = []
    for _ in range(REPETITIONS):
        begin = time.process_time()
        for _ in range(TIMES):
            np.matmul(a, b, out=c)
        times.append(1e3 * (time.process_time() - begin))
    return times


print(f"NumPy {np.__version__}: {TIMES} products of {SIZE}x{SIZE}, ms of CPU time")
for name in ("float32", "float64", "int32", "int64"):
    times = milliseconds(np.dtype(name))
    print(f"{name:8} {min(times):8.1f} best {statistics.median(times):8.1f} median")
