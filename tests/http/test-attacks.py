#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attacks of docs/protocol.md on the guarded front: what a node holds (descriptors, memory)
while it is attacked, what it answers, and that it serves others again."""

import os
import socket
import sys
import tempfile
import threading
import time
import unittest

from probe import FrontTest, Probe, Reply, read_all, wait_until


HOST = 'Host: 127.0.0.1\r\n'
RST = b'\1\0\0\0\0\0\0\0'  # struct linger: closing sends a reset
JSON = 'Content-Type: application/json\r\n'
PING = f'GET /ping HTTP/1.1\r\n{HOST}\r\n'.encode()
POST = f'POST /echo HTTP/1.1\r\n{HOST}{JSON}'


def send_while_taken(client, piece, total):
    """How many bytes the server took before it hung up."""
    sent = 0
    try:
        while sent < total:
            sent += client.send(piece)
    except (ConnectionResetError, BrokenPipeError):
        pass
    return sent


class AttackTest(FrontTest):
    def test_constants(self):
        """What the other tests turn down, as a node has it."""
        with Probe() as probe:
            self.assertEqual((probe.connections, probe.per_host), (256, 16))
            self.assertEqual((probe.headers_ms, probe.idle_ms), (5000, 10000))
        # Strangers get at most half of the descriptors.
        with Probe(nofile=64) as probe:
            self.assertEqual(probe.connections, 32)

    def test_keep_alive_and_leave(self):
        probe, descriptors, before = self.start(nofile=64)
        request = f'GET /ping HTTP/1.1\r\n{HOST}Connection: keep-alive\r\n\r\n'.encode()
        for i in range(2000):
            client = probe.connect()
            client.sendall(request)
            if i % 4 == 0:
                self.assertEqual(Reply(read_all(client)).headers['connection'], 'close')
            elif i % 4 == 1:
                client.recv(1)
            elif i % 4 == 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            client.close()
        self.check_unharmed(probe, descriptors, before)

    def test_connect_and_leave(self):
        probe, descriptors, before = self.start(nofile=64)
        for i in range(2000):
            client = probe.connect()
            if i % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            if i % 3:
                client.sendall(b'GET /pi')
            client.close()
        self.check_unharmed(probe, descriptors, before)

    def test_descriptors_run_out(self):
        """The cap is above what the process may open: accept() itself fails."""
        probe, descriptors, before = self.start('--connections', '1000', '--per-host', '1000',
                                                '--headers-ms', '600', nofile=64)
        clients = [probe.connect() for _ in range(200)]
        wait_until(lambda: probe.descriptors() >= 64, 'the descriptors to run out')
        used = probe.cpu_seconds()
        time.sleep(0.3)
        self.assertLess(probe.cpu_seconds() - used, 0.1, 'busy while nothing can be accepted')
        # All 200 are told in time, in turns; nobody is forgotten in the queue.
        for client in clients:
            self.assertEqual(Reply(read_all(client)).status, 408)
            client.close()
        self.check_unharmed(probe, descriptors, before)

    def test_cap_of_connections(self):
        probe, descriptors, before = self.start('--connections', '20', '--per-host', '1000')
        silent = [probe.connect() for _ in range(20)]
        wait_until(lambda: probe.descriptors() == descriptors + 20, 'the cap')
        late = probe.connect()
        late.sendall(PING)
        late.settimeout(0.2)
        with self.assertRaises(socket.timeout):
            late.recv(1)
        self.assertEqual(probe.descriptors(), descriptors + 20)
        # It waited in the kernel, and is served as soon as another one has gone.
        silent.pop().close()
        late.settimeout(10)
        self.assertEqual(Reply(read_all(late)).status, 200)
        late.close()
        for client in silent:
            client.close()
        self.check_unharmed(probe, descriptors, before)

    def test_cap_for_one_host(self):
        probe, descriptors, before = self.start()
        silent = [probe.connect(source='127.0.0.2') for _ in range(16)]
        reply = probe.ask(PING, source='127.0.0.2')
        self.assertEqual(reply.status, 503)
        self.assertIn('too many connections', reply.error())
        # Others are not punished for it.
        self.assertEqual(probe.get('/ping', source='127.0.0.3').status, 200)
        self.assertEqual(probe.state()['refused'], {'too-many-connections': 1})
        silent.pop().close()
        wait_until(lambda: probe.ask(PING, source='127.0.0.2').status == 200, 'room again')
        for client in silent:
            client.close()
        self.check_unharmed(probe, descriptors, before)

    def test_silent_clients(self):
        probe, descriptors, before = self.start('--headers-ms', '400', '--per-host', '100',
                                                nofile=64)
        began = time.monotonic()
        clients = [probe.connect() for _ in range(30)]
        for i, client in enumerate(clients):
            client.sendall(b'GET /ping HTTP/1.1\r\nHost: 1'[:i])
        for client in clients:
            reply = Reply(read_all(client))
            self.assertEqual((reply.status, reply.headers['connection']), (408, 'close'))
            self.assertIn('in time', reply.error())
            client.close()
        self.assertGreater(time.monotonic() - began, 0.39)
        self.assertLess(time.monotonic() - began, 3)
        self.assertEqual(probe.state()['refused'], {'too-slow': 30})
        self.check_unharmed(probe, descriptors, before)

    def drip(self, probe, head, piece):
        """Sends head, then piece by piece; how long that was taken, and the answer."""
        began = time.monotonic()
        with probe.connect() as client:
            client.sendall(head.encode())
            client.settimeout(0.05)
            while time.monotonic() - began < 8:
                try:
                    client.sendall(piece)
                    data = client.recv(65536)
                    return time.monotonic() - began, Reply(data)
                except socket.timeout:
                    pass
        return time.monotonic() - began, Reply(b'')

    def test_drip_of_headers(self):
        probe, descriptors, before = self.start('--headers-ms', '500')
        took, reply = self.drip(probe, f'GET /ping HTTP/1.1\r\n{HOST}A: ', b'x')
        self.assertEqual(reply.status, 408)
        self.assertLess(took, 3)
        self.check_unharmed(probe, descriptors, before)

    def test_drip_of_body(self):
        """Progress does not buy time: a body of 16 KiB has ten seconds (here: 0.5) in all."""
        probe, descriptors, before = self.start('--idle-ms', '500')
        for framing, piece in (('Content-Length: 10000', b'x'),
                               ('Transfer-Encoding: chunked', b'1\r\nx\r\n')):
            took, reply = self.drip(probe, f'{POST}{framing}\r\n\r\n', piece)
            self.assertEqual(reply.status, 408)
            self.assertLess(took, 3)
        self.check_unharmed(probe, descriptors, before)

    def test_overlapping_ranges(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with open(os.path.join(folder, 'file'), 'wb') as file:
            file.truncate(4 << 20)
        probe, descriptors, before = self.start('--folder', folder)
        ranges = ','.join(['0-'] * 3400)
        self.assertGreater(len(ranges), 10000)
        for path in ('/download/file', '/big?n=1000000'):
            reply = probe.get(path, f'Range: bytes={ranges}\r\n')
            self.assertEqual(reply.status, 416 if 'file' in path else 200)
            self.assertLess(len(reply.data), 1001000)
        self.assertEqual(probe.state()['refused'], {'range': 1})
        self.check_unharmed(probe, descriptors, before)

    def test_large_body(self):
        """512 MiB: announced, and in chunks. It is cut off long before."""
        probe, descriptors, before = self.start()
        for framing, piece in ((f'Content-Length: {512 << 20}', b'x' * 65536),
                               ('Transfer-Encoding: chunked',
                                b'10000\r\n' + b'x' * 65536 + b'\r\n')):
            with probe.connect() as client:
                client.sendall(f'{POST}{framing}\r\n\r\n'.encode())
                sent = send_while_taken(client, piece, 512 << 20)
                # The rest is what the kernel's buffers took.
                self.assertLess(sent, 16 << 20, framing)
            # The answer is there for whoever reads it.
            with probe.connect() as client:
                client.sendall(f'{POST}{framing}\r\n\r\n'.encode() + piece)
                reply = Reply(read_all(client))
                self.assertEqual(reply.status, 413)
                self.assertIn('too large', reply.error())
        self.assertEqual(probe.state()['refused'], {'body-too-large': 4})
        self.check_unharmed(probe, descriptors, before)

    def test_negative_length(self):
        """Unguarded, libsoup makes a GObject warning of it, which is fatal here."""
        probe, descriptors, before = self.start()
        for value in ('-1', '-9223372036854775808'):
            self.assertEqual(probe.ask(f'{POST}Content-Length: {value}\r\n\r\n').status, 400)
        self.check_unharmed(probe, descriptors, before)

    def test_refused_client_that_goes_on(self):
        """Who is refused may read why, but not hold the connection."""
        probe, descriptors, before = self.start()
        began = time.monotonic()
        with probe.connect() as client:
            client.sendall(b'nonsense\r\n\r\n')
            self.assertEqual(Reply(client.recv(65536)).status, 400)
            wait_until(lambda: probe.descriptors() == descriptors, 'the connection to be closed')
        self.assertLess(time.monotonic() - began, 4)
        self.check_unharmed(probe, descriptors, before)

    def test_everything_at_once(self):
        """Under 64 descriptors, from several threads, while an honest client asks."""
        probe, descriptors, before = self.start('--headers-ms', '300', nofile=64)
        stop = threading.Event()
        attacks = (b'', b'GET /ping HTTP/1.1\r\n', PING + PING,
                   f'{POST}Content-Length: {1 << 29}\r\n\r\n'.encode() + b'x' * 100000,
                   f'{POST}Transfer-Encoding: chunked\r\n\r\n'.encode() + b'8000\r\n' + b'x' * 99999,
                   f'{POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab'.encode(),
                   b'GET /' + b'x' * 100000, b'\0' * 50000)

        def attack(number):
            source = f'127.0.1.{number + 1}'
            while not stop.is_set():
                clients = []
                try:
                    for data in attacks:
                        clients.append(probe.connect(source=source))
                        clients[-1].sendall(data)
                    time.sleep(0.05)
                except OSError:
                    pass
                for client in clients:
                    client.close()

        threads = [threading.Thread(target=attack, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(30):
                self.assertEqual(probe.get('/ping', source='127.0.0.9').status, 200)
                self.assertLessEqual(probe.descriptors(), 64)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.check_unharmed(probe, descriptors, before)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
