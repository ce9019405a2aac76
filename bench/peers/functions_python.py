# SPDX-License-Identifier: Apache-2.0
#
# Runs NumPy's and numexpr's functions for lanewise-function-peers, on one thread. First prints a line with the names of
# those that are installed. Then, for each request line "LIBRARY FUNCTION N TIMES" followed by N floats: runs the function
# TIMES times and answers with the seconds that took, as a double, or for TIMES 0 with the N results.

import os
import sys
import time

for variable in ("OMP_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before libraries read them

libraries = {}

try:
    import numpy as np

    one = np.float32(1)

    # Each operation into the same array, which is how NumPy is fastest.
    def sigmoid(x, out):
        np.negative(x, out=out)
        np.exp(out, out=out)
        np.add(out, one, out=out)
        np.divide(one, out, out=out)

    libraries["NumPy"] = {"exp": np.exp, "log": np.log, "log1p": np.log1p, "tanh": np.tanh, "sigmoid": sigmoid}
    np.seterr(all="ignore")

    import numexpr

    numexpr.set_num_threads(1)

    def evaluator(expression):
        return lambda x, out: numexpr.evaluate(expression, local_dict={"x": x, "one": one}, out=out)

    expressions = {name: f"{name}(x)" for name in ("exp", "log", "log1p", "tanh")}
    expressions["sigmoid"] = "one / (one + exp(-x))"
    libraries["numexpr"] = {name: evaluator(text) for name, text in expressions.items()}
except ImportError as error:
    print(f"functions_python.py: {error}", file=sys.stderr)

answers = sys.stdout.buffer
answers.write((" ".join(libraries) + "\n").encode())
answers.flush()
while line := sys.stdin.buffer.readline():
    library, function, count, times = line.decode().split()
    x = np.frombuffer(sys.stdin.buffer.read(4 * int(count)), dtype=np.float32)
    y = np.empty_like(x)
    run = libraries[library][function]
    if int(times) == 0:
        run(x, out=y)
        answers.write(y.tobytes())
    else:
        begin = time.perf_counter()
        for _ in range(int(times)):
            run(x, out=y)
        answers.write(np.float64(time.perf_counter() - begin).tobytes())
    answers.flush()
