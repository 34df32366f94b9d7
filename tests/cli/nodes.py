# SPDX-License-Identifier: GPL-3.0-or-later
"""Real nodes for the tests: p2pshare-cli serve on loopback, in a temporary folder each.

The first argument of a test script is the built programs' folder. Nothing here sleeps for a time that
has to be right: wait_until looks at a condition until a bound that only a hung program reaches.
"""

import hashlib
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

CLI = os.path.join(os.path.abspath(sys.argv[1]), 'cli', 'p2pshare-cli')
SANITIZED = 30 if b'__asan_init' in pathlib.Path(CLI).read_bytes() else 10
BOUND = SANITIZED  # seconds that only a hung program needs


def wait_until(condition, what, bound=BOUND):
    """The first true value of condition(), or a failure that says what didn't come."""
    end = time.monotonic() + bound
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError('timeout: %s (last: %r)' % (what, value))
        time.sleep(0.02)


def free_port(host='127.0.0.1'):
    """Below the range that the kernel takes ports of outgoing connections from."""
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket(family) as probe:
            try:
                probe.bind((host, port))
                return port
            except OSError:
                continue


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def environment(home, **more):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith('XDG_') and k not in ('DISPLAY', 'WAYLAND_DISPLAY')}
    env.update(HOME=str(home), LC_ALL='C.UTF-8', **more)
    return env


class Node:
    """One node in its own folder. files: {name: bytes}. peers: other nodes or (host, port)."""

    def __init__(self, folder, files={}, peers=(), host='127.0.0.1', port=None, config=None):
        self.folder = pathlib.Path(folder)
        self.host, self.port = host, port or free_port(host)
        self.shared, self.saved = self.folder / 'shared', self.folder / 'saved'
        self.state = self.folder / 'state'
        for path in (self.shared, self.saved):
            path.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (self.shared / name).write_bytes(data)
        self.config = self.folder / 'node.json'
        self.peers = peers
        self.write_config(config)
        self.process = None
        self.log = self.folder / 'log'

    def write_config(self, config=None):
        peers = [p if isinstance(p, tuple) else (p.host, p.port) for p in self.peers]
        self.config.write_text(json.dumps(config or {
            'self': {'host': self.host, 'port': self.port},
            'peers': [{'host': h, 'port': p} for h, p in peers],
            'file': {'shared_directory': 'shared', 'save_directory': 'saved'}}))

    def spawn(self, **options):
        """Starts it without waiting; stdout is a pipe, stderr goes to the log."""
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(
                [CLI, 'serve', '--config', str(self.config), '--state-dir', str(self.state)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=environment(self.folder), **options)
        return self

    def start(self, **options):
        """Starts it and waits for the line that says that it listens."""
        self.spawn(**options)
        ready, _, _ = select.select([self.process.stdout], [], [], BOUND)
        line = self.process.stdout.readline().decode() if ready else ''
        host = '[%s]' % self.host if ':' in self.host else self.host
        expected = 'p2pshare: listening on http://%s:%d\n' % (host, self.port)
        assert line == expected, 'said %r, not %r; log:\n%s' % (line, expected, self.read_log())
        return self

    def read_log(self):
        return self.log.read_text(errors='replace') if self.log.exists() else ''

    def stop(self, number=signal.SIGTERM, bound=BOUND):
        """Ends it; the exit status and the seconds that it took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(bound)
        self.process.stdout.close()
        return status, time.monotonic() - began

    def end(self):
        """For clean-up: whatever state it is in."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process and not self.process.stdout.closed:
            self.process.stdout.close()

    def cli(self, verb, *arguments, status=None, bound=60):
        """Runs a verb against this node: the completed process, text output."""
        done = subprocess.run([CLI, verb, '--state-dir', str(self.state), *map(str, arguments)],
                              capture_output=True, text=True, timeout=bound,
                              stdin=subprocess.DEVNULL, cwd=self.folder,
                              env=environment(self.folder))
        assert status is None or done.returncode == status, \
            '%s %s: status %d, not %d: %s\nlog:\n%s' % (verb, arguments, done.returncode, status,
                                                        done.stderr, self.read_log())
        return done

    def json(self, verb, *arguments, status=0, bound=60):
        return json.loads(self.cli(verb, '--json', *arguments, status=status, bound=bound).stdout)

    def indexed(self, count):
        """Waits until so many files are shared."""
        wait_until(lambda: self.json('status')['files_indexed'] == count,
                   '%d files indexed' % count)
        return self

    def knows(self, *others):
        """Waits until all of them are active peers."""
        wanted = {(n.host, n.port) for n in others}
        wait_until(lambda: wanted <= {(p['host'], p['port']) for p in self.json('peers')
                                      if p['status'] == 'active'}, 'active peers %s' % wanted, 40)
        return self


class Relay:
    """A port that passes everything on to a node, and holds its answers back after `hold` bytes until
    release(): a transfer that is under way for as long as a test wants. passed: bytes so far."""

    def __init__(self, node, hold):
        self.node, self.hold, self.passed = node, hold, 0
        self.released = threading.Event()
        self.server = socket.create_server(('127.0.0.1', free_port()))
        self.host, self.port = self.server.getsockname()
        self.open = []
        self.spawn(self.accept)

    def spawn(self, function, *arguments):
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((self.node.host, self.node.port))
            except OSError:
                near.close()
                continue
            self.open += [near, far]
            self.spawn(self.carry, near, far, False)
            self.spawn(self.carry, far, near, True)

    def carry(self, source, target, answers):
        try:
            while data := source.recv(65536):
                if answers and self.passed >= self.hold:
                    self.released.wait()
                target.sendall(data)
                if answers:
                    self.passed += len(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def release(self):
        self.released.set()

    def close(self):
        self.release()
        for s in [self.server, *self.open]:
            s.close()


class Case(unittest.TestCase):
    """A test with a folder of its own; nodes made by self.node() end with it, and none of them may
    have logged a warning: that would be a bug of ours."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='p2ps-'))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.nodes = []

    def node(self, name, start=True, **options):
        (self.folder / name).mkdir()
        node = Node(self.folder / name, **options)
        self.nodes.append(node)
        self.addCleanup(node.end)
        return node.start() if start else node

    def tearDown(self):
        for node in self.nodes:
            # so that a sanitizer looks at all that it held
            if node.process and node.process.poll() is None:
                self.assertEqual(node.stop()[0], 0, node.read_log())
            for word in (' warning: ', ' critical: ', ' error: ', 'AddressSanitizer', 'runtime error'):
                self.assertNotIn(word, node.read_log())


class _Tap(unittest.TestResult):
    """One line a test, as Meson and people read it."""

    def report(self, good, test, reason=''):
        print('%s %d %s' % ('ok' if good else 'not ok', self.testsRun, test.id()), flush=True)
        for line in reason.splitlines():
            print('# ' + line, flush=True)

    def addSuccess(self, test):
        self.report(True, test)

    def addError(self, test, error):
        super().addError(test, error)
        self.report(False, test, self._exc_info_to_string(error, test))

    addFailure = addError

    def addSubTest(self, test, subtest, error):
        if error:
            self.addError(subtest, error)


def main():
    """Runs the test cases of the calling script; further arguments pick some by name."""
    suite = unittest.defaultTestLoader.loadTestsFromName('__main__')
    tests = [t for group in suite for t in group
             if len(sys.argv) < 3 or any(a in t.id() for a in sys.argv[2:])]
    print('1..%d' % len(tests), flush=True)
    result = _Tap()
    unittest.TestSuite(tests).run(result)
    sys.exit(0 if not result.errors and tests else 1)
