#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the library is, beside find, sha256sum and openssl on the same files in the same run.

usage: bench/index.py BUILD-DIR [--files 100000] [--large 8] [--names 1000000] [ROW...]
ROW: small, large, names (default: all of them). Needs configure -Dbench=true, and up to 3 GB in the temporary folder.
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time


def timed(command):
    start = time.monotonic()
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def ours(program, *arguments):
    return json.loads(subprocess.run([program, *map(str, arguments)], check=True,
                                     stdout=subprocess.PIPE).stdout)


def row(what, our, their, goal, unit="s"):
    print(f"{what}: {our:.3f} {unit} / {their:.3f} {unit} = {our / their:.2f} (goal {goal})")


def make_small(folder, count):
    for i in range(count):
        if i % 100 == 0:
            sub = os.path.join(folder, f"d{i // 10000}", f"d{i // 100}")
            os.makedirs(sub)
        path = os.path.join(sub, f"f{i}.txt")
        with open(path, "w") as file:
            file.write(f"{i} " + "x" * (i % 2000))
        os.utime(path, (1700000000 + i, 1700000000 + i))


def bench_small(program, temp, count):
    share, state = os.path.join(temp, "small"), os.path.join(temp, "state")
    make_small(share, count)
    sha = f"find {share} -type f -print0 | xargs -0 -P2 -n1000 sha256sum"
    find = f"find {share} -type f -printf '%s %T@ %i\\n'"
    timed(sha)
    their, our = [], []
    for _ in range(3):
        their.append(timed(sha))
        shutil.rmtree(state, ignore_errors=True)
        first = ours(program, "index", share, state)
        assert first["files"] == count, first
        our.append(first["seconds"])
    row(f"first index of {count} small files / sha256sum -P2", min(our), min(their), "<= 2")
    print(f"  memory after it: {first['rss_kib'] / 1024:.1f} MiB, "
          f"peak {first['peak_kib'] / 1024:.1f} MiB")
    their = min(timed(find) for _ in range(5))
    known = ours(program, "known", share, state)
    assert known["hashed"] == 0 and known["files"] == count, known
    row(f"unchanged sweep of {count} files / find -printf", known["sweep"], their, "<= 2")
    print(f"  bytes written meanwhile: {known['written']} (goal 0)")
    print(f"ready to answer with {count} files known: {known['ready']:.3f} s (goal <= 0.5)")
    print(f"  memory after the sweeps: {known['rss_kib'] / 1024:.1f} MiB")


def bench_large(program, temp, count):
    share = os.path.join(temp, "large")
    os.makedirs(share)
    for i in range(count):
        path = os.path.join(share, f"large-{i}.bin")
        with open(path, "wb") as file:
            for _ in range(256):
                file.write(os.urandom(1 << 20))
        os.utime(path, (1700000000, 1700000000))
    openssl = f"find {share} -type f -print0 | xargs -0 -P2 -n1 openssl dgst -sha256"
    timed(openssl)
    their, our = [], []
    for i in range(3):
        their.append(timed(openssl))
        our.append(ours(program, "index", share, os.path.join(temp, f"large-{i}"))["seconds"])
    row(f"first index of {count} x 256 MiB / openssl -P2", min(our), min(their), "<= 1.2")


def bench_names(program, temp, count):
    result = ours(program, "names", count, os.path.join(temp, "names"))
    print(f"search by words among {count} names: p50 {result['p50_ms']:.2f} ms, "
          f"p99 {result['p99_ms']:.2f} ms, {result['p99_cpu_ms']:.2f} ms of processor "
          f"(goal <= 5), slowest {result['max_ms']:.2f} ms")
    print(f"  filled in {result['fill']:.1f} s; memory {result['rss_kib'] / 1024:.1f} MiB; "
          "the most common words:")
    for word in result["worst"]:
        print(f"    {word['text']!r}: {word['ms']:.2f} ms, {word['found']} found")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("rows", nargs="*", default=[])
    parser.add_argument("--files", type=int, default=100000)
    parser.add_argument("--large", type=int, default=8)
    parser.add_argument("--names", type=int, default=1000000)
    options = parser.parse_args()
    rows = options.rows or ["small", "large", "names"]
    program = os.path.join(options.build, "bench", "bench-library")
    temp = tempfile.mkdtemp(prefix="p2ps-bench-")
    try:
        if "small" in rows:
            bench_small(program, temp, options.files)
        if "large" in rows:
            bench_large(program, temp, options.large)
        if "names" in rows:
            bench_names(program, temp, options.names)
    finally:
        shutil.rmtree(temp)


if __name__ == "__main__":
    main()
