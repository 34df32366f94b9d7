#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upload slots: who gets one, who waits where, and that a slot is given back whatever happens."""

import json
import os
import socket
import sys
import tempfile
import unittest

from probe import FrontTest, read_all, wait_until


HOST = 'Host: 127.0.0.1\r\n'
MB = 1 << 20
RST = b'\1\0\0\0\0\0\0\0'  # struct linger: closing sends a reset


class QueueTest(FrontTest):
    def start_with_files(self, total, source='9'):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        for name, size in (('file', 16 * MB), ('small', 256 << 10), ('medium', (256 << 10) + 1)):
            with open(os.path.join(folder, name), 'wb') as file:
                file.write(os.urandom(size))
        probe, _, _ = self.start('--folder', folder)
        self.assertEqual(probe.get(f'/slots?total={total}&source={source}').status, 200)
        return probe

    def hold(self, probe, headers='', **where):
        """A client that has the head of a file's reply and reads no more."""
        client = probe.connect(receive_buffer=65536, **where)
        client.sendall(f'GET /download/file HTTP/1.1\r\n{HOST}{headers}\r\n'.encode())
        self.assertIn(client.recv(12), (b'HTTP/1.1 200', b'HTTP/1.1 206'))
        return client

    def ask(self, probe, name='file', **where):
        """(place, of), or None when it was served."""
        reply = probe.get('/download/' + name, **where)
        if reply.status == 200:
            return None
        self.assertEqual(reply.status, 503)
        self.assertEqual(reply.headers['content-type'], 'application/json')
        body = json.loads(reply.body)
        self.assertEqual(body['error'], 'All upload slots are taken.')
        self.assertGreaterEqual(body['estimate_seconds'], 1)
        self.assertGreaterEqual(int(reply.headers['retry-after']), 2)
        return body['place'], body['of']

    def wait_idle(self, probe, active):
        wait_until(lambda: probe.state()['active'] == active, f'{active} uploads')

    def test_places(self):
        probe = self.start_with_files(2)
        one, two = (self.hold(probe, source=f'127.0.0.{i}') for i in (2, 3))
        self.assertEqual(self.ask(probe, source='127.0.0.4'), (1, 1))
        self.assertEqual(self.ask(probe, source='127.0.0.5'), (2, 2))
        self.assertEqual(self.ask(probe, source='127.0.0.4'), (1, 2))
        one.close()
        self.wait_idle(probe, 1)
        self.assertEqual(self.ask(probe, source='127.0.0.6'), (3, 3))
        self.assertEqual(self.ask(probe, source='127.0.0.5'), (2, 3))
        self.assertIsNone(self.ask(probe, source='127.0.0.4'))
        self.assertIsNone(self.ask(probe, source='127.0.0.5'))
        two.close()

    def test_without_slot(self):
        """Small files, heads and what has not changed need none; a byte more does."""
        probe = self.start_with_files(1)
        client = self.hold(probe)
        self.assertIsNone(self.ask(probe, 'small'))
        self.assertEqual(self.ask(probe, 'medium'), (1, 1))
        self.assertEqual(probe.ask(f'HEAD /download/file HTTP/1.1\r\n{HOST}\r\n').status, 200)
        self.assertEqual(probe.get('/download/file', 'If-None-Match: *\r\n').status, 304)
        self.assertEqual(probe.get('/download/file', 'Range: bytes=99999999-\r\n').status, 416)
        client.close()

    def test_given_back(self):
        """Read to the end, closed, reset, stopped: there is always one again."""
        probe = self.start_with_files(1)
        for kind in ('end', 'close', 'reset', 'stop'):
            client = self.hold(probe)
            self.assertIsNotNone(self.ask(probe, source='127.0.0.9'))
            if kind == 'reset':
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            if kind == 'end':
                read_all(client)
            if kind == 'stop':
                probe.get('/stop')
                read_all(client)
            client.close()
            self.wait_idle(probe, 0)
            self.assertIsNone(self.ask(probe, source='127.0.0.9'), kind)

    def test_parts(self):
        """Who asks for one part after the other keeps the slot, and loses it with the last."""
        probe = self.start_with_files(1)
        for first in range(0, 16 * MB, 4 * MB):
            reply = probe.get('/download/file', f'Range: bytes={first}-{first + 4 * MB - 1}\r\n')
            self.assertEqual((reply.status, len(reply.body)), (206, 4 * MB))
            if first < 12 * MB:
                self.assertEqual(self.ask(probe, source='127.0.0.9'), (1, 1))
        self.wait_idle(probe, 0)
        self.assertIsNone(self.ask(probe, source='127.0.0.9'))

    def test_loopback_has_no_limit_of_its_own(self):
        probe = self.start_with_files(8, 1)
        clients = [self.hold(probe) for _ in range(8)]
        self.assertEqual(self.ask(probe), (1, 1))
        for client in clients:
            client.close()


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
