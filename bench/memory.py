#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""usage: bench/memory.py BUILD-DIR [FILES]

Resident memory and time to start of serve: with an empty share, after indexing FILES (100 000) small
files, and started again with them known. Goals: 20 MiB, 60 MiB, 0.5 s.
"""

import os
import pathlib
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / 'tests' / 'cli'))
sys.argv[1] = os.path.join(sys.argv[1], 'src')
import nodes  # noqa: E402

FILES = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000


def memory(node):
    """(resident, of it our own and not shared with other programs) in MiB."""
    figures = {}
    for line in open('/proc/%d/smaps_rollup' % node.process.pid):
        words = line.split()
        if words[-1] == 'kB':
            figures[words[0]] = int(words[1]) / 1024
    own = figures['Private_Clean:'] + figures['Private_Dirty:']
    return 'RSS %5.1f MiB, private %5.1f MiB' % (figures['Rss:'], own)


def settled(node, what, seconds=3):
    """After the start's own work: the figures of a node that is left alone."""
    node.json('status')
    time.sleep(seconds)
    print('%-34s %s' % (what, memory(node)), flush=True)


def started(node):
    began = time.monotonic()
    node.start()
    return time.monotonic() - began


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix='p2ps-bench-'))
    try:
        node = nodes.Node(folder / 'node')
        print('%-34s %.3f s' % ('start, empty share', started(node)))
        settled(node, 'empty share (goal 20 MiB)')
        node.stop()
        for number in range(FILES):
            path = node.shared / ('d%03d' % (number % 200))
            if number < 200:
                path.mkdir()
            (path / ('some file name %06d.txt' % number)).write_bytes(b'%d' % number)
        began = time.monotonic()
        node.start()
        while node.json('status')['files_indexed'] < FILES:
            time.sleep(0.2)
        print('%-34s %.1f s' % ('indexing %d files' % FILES, time.monotonic() - began))
        settled(node, 'after indexing them')
        node.stop()
        print('%-34s %.3f s' % ('start, %d known (goal 0.5 s)' % FILES, started(node)))
        settled(node, 'they are known (goal 60 MiB)', 5)
        node.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
