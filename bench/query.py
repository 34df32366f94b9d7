#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""POST /query, each on a connection of its own: our node, and nginx returning a constant.

usage: bench/query.py BUILD-DIR [RUNS] [--probe]        needs nginx and bench/one-shot of BUILD-DIR

Both sides in turns, eight connections at a time; the ratio is that of the median rates. A node reads
and checks every query, answers what it takes from one neighbour (5 a second, 20 at once) with 200
and the rest with 429; both are answers. --probe: the bare HTTP front of the tests, which answers 200
without looking at the query.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

from servers import Nginx, Node

QUERY = json.dumps({'filename': 'a name.txt', 'filehash': '', 'host': '127.0.0.1', 'port': 18999,
                    'ttl': 2, 'QID': '0b9a2f3e-6a4f-4f6c-9f0a-0123456789ab'})
SECONDS = 2


def measure(load, server):
    """Answers a second, their latencies, and the server's CPU time for each."""
    before = server.cpu_seconds()
    done = subprocess.run([load, '127.0.0.1', str(server.port), '8', str(SECONDS), 'POST', '/query',
                           QUERY], stdout=subprocess.PIPE, text=True, check=True)
    rate, p50, p99, limited, failed = map(float, done.stdout.split())
    cpu = (server.cpu_seconds() - before) / max(rate * SECONDS, 1) * 1e6
    return rate, p50, p99, limited, failed, cpu


def main():
    arguments = [a for a in sys.argv[1:] if a != '--probe']
    if not arguments:
        raise SystemExit(__doc__)
    load = os.path.join(arguments[0], 'bench', 'one-shot')
    runs = int(arguments[1]) if len(arguments) > 1 else 5
    results = {'ours': [], 'nginx': []}
    with tempfile.TemporaryDirectory(prefix='p2ps-bench-') as folder:
        node = Node(arguments[0], folder, '--probe' in sys.argv)
        nginx = Nginx(folder)
        try:
            for _ in range(runs + 1):  # the first one warms up
                results['ours'].append(measure(load, node))
                results['nginx'].append(measure(load, nginx))
        finally:
            nginx.stop()
            node.stop()
    medians = {name: statistics.median(r[0] for r in rounds[1:])
               for name, rounds in results.items()}
    for name, rounds in results.items():
        middle = [statistics.median(r[i] for r in rounds[1:]) for i in range(6)]
        print(f'{name:6} median {middle[0]:.0f}/s, p50 {middle[1]:.0f} us, p99 {middle[2]:.0f} us, '
              f'{middle[5]:.0f} us of CPU each, '
              f'limited {sum(r[3] for r in rounds):.0f}, failed {sum(r[4] for r in rounds):.0f}  all '
              + ' '.join(f'{r[0]:.0f}' for r in rounds[1:]))
    print(f'ratio {medians["ours"] / medians["nginx"]:.2f} (goal: at least 0.5)')


main()
