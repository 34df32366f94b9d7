#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of uploads: how fast, how even, changed while files are on their way."""

import os
import sys
import tempfile
import threading
import time
import unittest

from probe import FrontTest, read_all


HOST = 'Host: 127.0.0.1\r\n'
MB = 1 << 20


class RatesTest(FrontTest):
    def start_with_file(self, size, rates, *arguments):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with open(os.path.join(folder, 'file'), 'wb') as file:
            file.write(os.urandom(size))
        probe, _, _ = self.start('--folder', folder, *arguments)
        self.limit(probe, *rates)
        return probe

    def limit(self, probe, total, source=None):
        """Bytes per second; None: no limit."""
        named = [f'{key}={value}' for key, value in (('total', total), ('source', source))
                 if value is not None]
        self.assertEqual(probe.get('/rates?' + '&'.join(named)).status, 200)

    def begin(self, probe, **where):
        client = probe.connect(receive_buffer=65536, **where)
        client.sendall(f'GET /download/file HTTP/1.1\r\n{HOST}\r\n'.encode())
        return client

    def read_for(self, client, seconds):
        """Bytes that come in that time."""
        received = 0
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            client.settimeout(left)
            try:
                part = client.recv(MB)
            except TimeoutError:
                break
            if not part:
                break
            received += len(part)
        client.settimeout(10)
        return received

    def test_total(self):
        probe = self.start_with_file(2 * MB, (MB,))
        cpu = probe.cpu_seconds()
        began = time.monotonic()
        reply = probe.get('/download/file')
        took = time.monotonic() - began
        self.assertEqual(len(reply.body), 2 * MB)
        # A second of it may be made up for, if the limit is as old.
        self.assertGreater(took, 0.8)
        self.assertLess(took, 6)
        if not probe.is_sanitized():
            self.assertLess(probe.cpu_seconds() - cpu, 0.3)

    def test_shared_by_two(self):
        """One rate, two readers: the sum is held, and each has its half."""
        probe = self.start_with_file(8 * MB, (MB,))
        received = [0, 0]
        clients = [self.begin(probe) for _ in received]

        def read(i):
            received[i] = self.read_for(clients[i], 2)
        threads = [threading.Thread(target=read, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
        self.assertLess(sum(received), 3.5 * MB)
        self.assertGreater(sum(received), MB)
        self.assertGreater(min(received), 0.35 * sum(received))

    def test_each_source(self):
        probe = self.start_with_file(4 * MB, (None, MB))
        received = [0, 0, 0]
        clients = [self.begin(probe, source=source)
                   for source in ('127.0.0.2', '127.0.0.2', '127.0.0.3')]

        def read(i):
            received[i] = self.read_for(clients[i], 2)
        threads = [threading.Thread(target=read, args=(i,)) for i in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
        for together in (received[0] + received[1], received[2]):
            self.assertLess(together, 3.5 * MB)
            self.assertGreater(together, MB)

    def test_changes(self):
        """Paused for longer than a stalled reader is waited for, then as fast as can be."""
        probe = self.start_with_file(8 * MB, (MB,), '--idle-ms', '300')
        client = self.begin(probe)
        received = self.read_for(client, 0.3)
        self.assertGreater(received, 0)
        self.limit(probe, 0)
        received += self.read_for(client, 0.3)
        self.assertEqual(self.read_for(client, 0.9), 0)
        self.assertEqual(probe.state()['active'], 1)
        self.limit(probe, 200000)
        some = self.read_for(client, 0.8)
        self.assertGreater(some, 0)
        self.assertLess(some, MB)
        self.limit(probe, None)
        began = time.monotonic()
        rest = len(read_all(client))
        self.assertLess(time.monotonic() - began, 3)
        self.assertGreater(received + some + rest, 8 * MB)
        client.close()

    def test_reader_leaves_while_held(self):
        probe = self.start_with_file(8 * MB, (1,))
        descriptors = probe.descriptors()
        for _ in range(5):
            client = self.begin(probe)
            self.assertTrue(client.recv(1))
            client.close()
        self.limit(probe, None)
        self.assertEqual(len(probe.get('/download/file').body), 8 * MB)
        self.settle(probe)
        self.assertLessEqual(probe.descriptors(), descriptors + 2)

    def test_paused(self):
        probe = self.start_with_file(MB, (0,))
        reply = probe.get('/download/file')
        self.assertEqual((reply.status, reply.headers['retry-after']), (503, '30'))
        self.assertEqual(reply.error(), 'Uploads are paused.')
        self.assertEqual(probe.ask(f'HEAD /download/file HTTP/1.1\r\n{HOST}\r\n').status, 200)

    def test_stop_while_held(self):
        probe = self.start_with_file(MB, (1,))
        client = self.begin(probe)
        self.assertTrue(client.recv(1))
        self.assertEqual(probe.get('/stop').body, b'stopping')
        self.assertLess(len(read_all(client)), 2000)
        client.close()


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
