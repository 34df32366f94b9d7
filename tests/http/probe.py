# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts http-probe (a node's front with nothing behind it) and talks to it in raw bytes."""

import json
import os
import resource
import socket
import subprocess
import sys
import time
import unittest

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(sys.argv[1])), 'tests', 'http-probe')


class Probe:
    """One server process. nofile: its descriptor limit."""

    def __init__(self, *arguments, nofile=None):
        def limit():
            if nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

        self.process = subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        preexec_fn=limit)
        line = self.process.stdout.readline().split()
        if not line:
            raise RuntimeError(self.process.communicate()[1].decode())
        self.port, self.connections, self.per_host, self.headers_ms, self.idle_ms = map(int, line)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """Ends it; a crash, a leak report or a warning (fatal in tests) fails the test."""
        self.process.stdin.close()
        errors = self.process.stderr.read().decode()
        status = self.process.wait(timeout=20)
        self.process.stdout.close()
        self.process.stderr.close()
        if kind is None and (status != 0 or errors):
            raise AssertionError(f'the server ended with {status}: {errors}')

    def connect(self, host='127.0.0.1', source=None, receive_buffer=None):
        client = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
        client.settimeout(10)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            client.bind((source, 0))
        try:
            client.connect((host, self.port))
        except OSError:
            client.close()
            raise
        return client

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def memory(self, field='VmRSS'):
        """In KiB; VmHWM: the most it ever was."""
        with open(f'/proc/{self.process.pid}/status', encoding='ascii') as status:
            for line in status:
                if line.startswith(field + ':'):
                    return int(line.split()[1])
        raise KeyError(field)

    def is_sanitized(self):
        """AddressSanitizer keeps what is freed for a while: memory says nothing then."""
        with open(f'/proc/{self.process.pid}/maps', encoding='utf-8') as maps:
            return 'libasan' in maps.read()

    def cpu_seconds(self):
        with open(f'/proc/{self.process.pid}/stat', encoding='ascii') as stat:
            fields = stat.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def ask(self, request, **where):
        with self.connect(**where) as client:
            return ask(client, request)

    def get(self, path, headers='', **where):
        return self.ask(f'GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n', **where)

    def post(self, path, body, headers='Content-Type: application/json\r\n'):
        return self.ask(f'POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}'
                        f'\r\n{headers}\r\n{body}')

    def state(self):
        return json.loads(self.get('/state').body)


class Reply:
    """What came back: status 0 when nothing did."""

    def __init__(self, data):
        head, _, self.body = data.partition(b'\r\n\r\n')
        lines = head.decode('latin-1').split('\r\n')
        self.data = data
        self.status = int(lines[0].split()[1]) if data else 0
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(': ')
            if name.lower() in self.headers:
                raise AssertionError(f'two {name} headers')
            self.headers[name.lower()] = value

    def error(self):
        return json.loads(self.body)['error']


def read_all(client):
    """Until the server closes. A reset after the answer counts as its end."""
    parts = []
    while True:
        try:
            part = client.recv(1 << 20)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b''.join(parts)


def ask(client, request):
    client.sendall(request.encode('latin-1') if isinstance(request, str) else request)
    return Reply(read_all(client))


def wait_until(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError('timeout: ' + what)
        time.sleep(0.005)


class FrontTest(unittest.TestCase):
    """A test that knows what its server held before it was attacked."""

    def report(self, probe, before):
        """Printed with meson test -v; the note of the project quotes it."""
        print(f'# {self.id().split(".")[-1]}: VmHWM {probe.memory("VmHWM")} kB '
              f'(before {before} kB), descriptors {probe.descriptors()}', flush=True)

    def check_unharmed(self, probe, descriptors, before, more_kib=4096):
        """Everything is given back, nothing big was ever held, and others are served."""
        wait_until(lambda: probe.descriptors() == descriptors, 'the descriptors to be closed')
        if not probe.is_sanitized():
            self.assertLess(probe.memory('VmHWM') - before, more_kib)
        self.assertEqual(probe.get('/ping').status, 200)
        wait_until(lambda: probe.descriptors() == descriptors, 'the descriptors to be closed')
        self.report(probe, before)

    def start(self, *arguments, **options):
        """A server that has served once: what it allocates for good is allocated."""
        probe = self.enterContext(Probe(*arguments, **options))
        self.assertEqual(probe.get('/ping').status, 200)
        self.assertEqual(probe.post('/echo', '{}').status, 200)
        return probe, self.settle(probe), probe.memory('VmHWM')

    @staticmethod
    def settle(probe):
        """How many descriptors it has with no connection open."""
        wait_until(lambda: probe.state()['connections'] == 1, 'a quiet server')
        with_one = []

        def is_steady():
            with_one.append(probe.descriptors())
            return len(with_one) > 5 and len(set(with_one[-5:])) == 1

        wait_until(is_steady, 'the last connection to be closed')
        return with_one[-1]

    def enterContext(self, manager):  # new in Python 3.11's unittest; older ones run this
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value
