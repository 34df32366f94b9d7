#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""1 GiB to curl on loopback, warm cache: from our node, and from nginx with sendfile.

usage: bench/upload.py BUILD-DIR [RUNS] [--probe]        needs nginx, curl; 1 GiB in BENCH_FOLDER

Both sides in turns; the ratio is that of the median rates. --probe: the bare HTTP front of the tests
instead of a whole node.
"""

import os
import statistics
import subprocess
import sys
import tempfile

from servers import Nginx, Node

SIZE = int(os.environ.get('BENCH_MIB', '1024')) << 20


def fetch(port):
    """Bytes a second, as curl says."""
    done = subprocess.run(['curl', '-s', '-o', '/dev/null', '-w', '%{size_download} %{time_total}',
                           f'http://127.0.0.1:{port}/download/big.bin'],
                          stdout=subprocess.PIPE, text=True, check=True)
    size, seconds = done.stdout.split()
    assert int(size) == SIZE, done.stdout
    return SIZE / float(seconds)


def main():
    arguments = [a for a in sys.argv[1:] if a != '--probe']
    if not arguments:
        raise SystemExit(__doc__)
    runs = int(arguments[1]) if len(arguments) > 1 else 7
    rates = {'ours': [], 'nginx': []}
    with tempfile.TemporaryDirectory(prefix='p2ps-bench-',
                                     dir=os.environ.get('BENCH_FOLDER')) as folder:
        os.chmod(folder, 0o755)
        block = os.urandom(1 << 20)
        with open(folder + '/big.bin', 'wb') as file:
            for _ in range(SIZE >> 20):
                file.write(block)
        node = Node(arguments[0], folder, '--probe' in sys.argv)
        nginx = Nginx(folder)
        try:
            node.wait_for_file('big.bin')
            for _ in range(runs + 1):  # the first one warms up
                rates['ours'].append(fetch(node.port))
                rates['nginx'].append(fetch(nginx.port))
        finally:
            nginx.stop()
            node.stop()
    medians = {name: statistics.median(values[1:]) for name, values in rates.items()}
    for name, values in rates.items():
        print(f'{name:6} median {medians[name] / 1e9:.2f} GB/s  all '
              + ' '.join(f'{v / 1e9:.2f}' for v in values[1:]))
    print(f'ratio {medians["ours"] / medians["nginx"]:.2f} (goal: at least 0.9)')


main()
