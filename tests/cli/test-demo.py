#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo where there is no display: it finds, fetches, verifies, and leaves nothing behind."""

import os
import pathlib
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
import nodes  # noqa: E402

DEMO = pathlib.Path(__file__).resolve().parent.parent.parent / 'build-aux' / 'demo'
BUILD = os.path.dirname(os.path.abspath(sys.argv[1]))


class Test(nodes.Case):
    def spawn(self):
        process = subprocess.Popen([str(DEMO), BUILD], stdout=subprocess.PIPE, text=True,
                                   env=nodes.environment(self.folder, TMPDIR=str(self.folder)))
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_it_works(self):
        process = self.spawn()
        text, _ = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, text)
        self.assertIn('its SHA-256 is right', text)
        self.assertEqual(os.listdir(self.folder), [])

    def test_it_leaves_nothing_when_it_is_ended(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process = self.spawn()
            self.assertIn('listening', process.stdout.readline())
            process.send_signal(number)
            process.wait(30)
            self.assertNotEqual(process.returncode, 0)
            self.assertEqual(os.listdir(self.folder), [])


if __name__ == '__main__':
    nodes.main()
