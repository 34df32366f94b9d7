#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on their way: readers that stall or leave, files that change, a server that stops."""

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from probe import FrontTest, Reply, read_all, wait_until


HOST = 'Host: 127.0.0.1\r\n'
RST = b'\1\0\0\0\0\0\0\0'  # struct linger: closing sends a reset


class UploadTest(FrontTest):
    def start_with_file(self, size, *arguments, **options):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(folder, 'file')
        with open(self.path, 'wb') as file:
            block = os.urandom(1 << 20)
            for _ in range(size >> 20):
                file.write(block)
        probe, _, before = self.start('--folder', folder, *arguments, **options)
        self.start_threads(probe)
        return probe, self.settle(probe), probe.memory('VmHWM')

    def start_threads(self, probe):
        """The threads and their wake-ups are made with the first uploads."""
        for client in [self.begin(probe) for _ in range(2)]:
            client.close()

    def begin(self, probe, **where):
        """A client that has read the head and one byte of the file."""
        client = probe.connect(receive_buffer=65536, **where)
        client.sendall(f'GET /download/file HTTP/1.1\r\n{HOST}\r\n'.encode())
        data = b''
        while b'\r\n\r\n' not in data:
            data += client.recv(1)
        client.recv(1)
        return client

    def test_content(self):
        probe, descriptors, before = self.start_with_file(32 << 20)
        with open(self.path, 'rb') as file:
            content = file.read()
        state = probe.state()
        self.assertEqual(probe.get('/download/file').body, content)
        reply = probe.get('/download/file', 'Range: bytes=1000003-30000001\r\n')
        self.assertEqual(reply.body, content[1000003:30000002])
        after = probe.state()
        self.assertEqual(after['bytes_sent'] - state['bytes_sent'], len(content) + 28999999)
        self.assertEqual((after['uploads'] - state['uploads'], after['active']), (2, 0))
        self.check_unharmed(probe, descriptors, before)

    def read_slowly(self, client, seconds):
        """A little at a time. Returns how much, and how long it paused at most: on a busy machine
        that may be longer than the server waits, and then a cut says nothing."""
        received = 0
        longest = 0
        began = last = time.monotonic()
        while last - began < seconds:
            part = client.recv(64 << 10)
            longest = max(longest, time.monotonic() - last)
            last = time.monotonic()
            if not part:
                break
            received += len(part)
            time.sleep(0.05)
        return received, longest

    def test_stalled_reader_of_memory(self):
        """An answer that is no file: dropped when nothing moves, not when little does."""
        probe, descriptors, before = self.start('--idle-ms', '700')
        for _ in range(10):
            client = probe.connect(receive_buffer=65536)
            client.sendall(f'GET /big?n={8 << 20} HTTP/1.1\r\n{HOST}\r\n'.encode())
            received, longest = self.read_slowly(client, 1.5)
            connections = probe.state()['connections']
            if longest < 0.3:
                break
            client.close()
            wait_until(lambda: probe.state()['connections'] == 1, 'a quiet server')
        self.assertEqual(connections, 2, longest)
        self.assertLess(received, 8 << 20)
        wait_until(lambda: probe.state()['connections'] == 1, 'it to be dropped')
        client.close()
        self.check_unharmed(probe, descriptors, before, 50000)

    def test_stalled_reader(self):
        probe, descriptors, before = self.start_with_file(16 << 20, '--idle-ms', '500')
        client = self.begin(probe)
        self.assertEqual(probe.state()['active'], 1)
        wait_until(lambda: probe.descriptors() == descriptors, 'it to be dropped')
        self.assertEqual(probe.state()['active'], 0)
        client.close()
        self.check_unharmed(probe, descriptors, before)

    def test_slow_reader_is_served(self):
        """Slower than the time-out, but never still: it gets all of the file."""
        probe, descriptors, before = self.start_with_file(9 << 20, '--idle-ms', '700')
        for _ in range(10):
            client = self.begin(probe)
            received, longest = self.read_slowly(client, 1.5)
            rest = len(read_all(client))
            client.close()
            if longest < 0.3:
                break
        self.assertLess(received, 8 << 20)
        self.assertEqual(1 + received + rest, 9 << 20, longest)
        self.check_unharmed(probe, descriptors, before)

    def test_reader_leaves(self):
        probe, descriptors, before = self.start_with_file(16 << 20)
        for i in range(30):
            client = self.begin(probe)
            if i % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            client.close()
        self.check_unharmed(probe, descriptors, before)

    def test_slow_readers_block_nobody(self):
        """Sixteen readers that take nothing, on two threads, and one that does."""
        probe, descriptors, before = self.start_with_file(16 << 20)
        stalled = [self.begin(probe, source='127.0.0.2') for _ in range(16)]
        self.assertEqual(probe.state()['active'], 16)
        began = time.monotonic()
        self.assertEqual(len(probe.get('/download/file').body), 16 << 20)
        self.assertLess(time.monotonic() - began, 5)
        for client in stalled:
            client.close()
        self.check_unharmed(probe, descriptors, before)

    def check_cut(self, change):
        probe, descriptors, before = self.start_with_file(16 << 20)
        client = self.begin(probe)
        change()
        received = 1 + len(read_all(client))
        client.close()
        self.assertLess(received, 16 << 20)
        self.check_unharmed(probe, descriptors, before)

    def test_file_is_rewritten(self):
        def rewrite():
            with open(self.path, 'r+b') as file:
                file.seek(-1, os.SEEK_END)
                file.write(b'!')
        self.check_cut(rewrite)

    def test_file_is_truncated(self):
        self.check_cut(lambda: os.truncate(self.path, 1 << 20))

    def test_file_is_extended(self):
        self.check_cut(lambda: os.truncate(self.path, 17 << 20))

    def test_file_is_replaced(self):
        """Not a change: who began with the old file gets the old file, and all of it."""
        probe, descriptors, before = self.start_with_file(16 << 20)
        with open(self.path, 'rb') as file:
            expected = hashlib.sha256(file.read()).digest()
        client = probe.connect()
        client.sendall(f'GET /download/file HTTP/1.1\r\n{HOST}\r\n'.encode())
        head = client.recv(1, socket.MSG_PEEK)
        self.assertEqual(head, b'H')
        with open(self.path + '.new', 'wb') as file:
            file.write(b'new')
        os.rename(self.path + '.new', self.path)
        self.assertEqual(hashlib.sha256(Reply(read_all(client)).body).digest(), expected)
        self.assertEqual(probe.get('/download/file').body, b'new')
        client.close()
        self.check_unharmed(probe, descriptors, before)

    def test_stop_while_uploading(self):
        """Stopping cuts every kind of connection, ends the threads, and it can listen again."""
        probe, descriptors, before = self.start_with_file(16 << 20)
        threads = len(os.listdir(f'/proc/{probe.process.pid}/task'))
        clients = [self.begin(probe, source='127.0.0.2') for _ in range(5)]
        clients.append(probe.connect())
        clients[-1].sendall(b'GET /pi')
        clients.append(probe.connect())
        clients[-1].sendall(f'GET /held HTTP/1.1\r\n{HOST}\r\n'.encode())
        wait_until(lambda: probe.state()['held'], 'the request to be held')
        self.assertEqual(probe.get('/stop').body, b'stopping')
        for client in clients:
            self.assertLess(len(read_all(client)), 16 << 20)
            client.close()
        self.assertEqual(len(os.listdir(f'/proc/{probe.process.pid}/task')), threads - 2)
        self.assertEqual(probe.get('/held').body, b'released')
        self.assertEqual(len(probe.get('/download/file').body), 16 << 20)
        self.start_threads(probe)
        self.check_unharmed(probe, descriptors, before)

    def test_main_loop_stays_free(self):
        """Four uploads flat out: no turn of the main loop is long."""
        probe, descriptors, before = self.start_with_file(256 << 20)
        probe.state()
        readers = [subprocess.Popen(['curl', '-s', '-o', '/dev/null', '-w', '%{size_download}',
                                     f'http://127.0.0.1:{probe.port}/download/file'],
                                    stdout=subprocess.PIPE) for _ in range(4)]
        while any(reader.poll() is None for reader in readers):
            self.assertEqual(probe.get('/ping', source='127.0.0.2').status, 200)
        for reader in readers:
            self.assertEqual(reader.communicate()[0], str(256 << 20).encode())
        state = probe.state()
        print(f'# turns {state["turns"]}, p99 {state["p99_us"]} us, longest {state["longest_us"]}')
        self.assertLess(state['p99_us'], 8000)
        self.check_unharmed(probe, descriptors, before)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
