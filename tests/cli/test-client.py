#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs against a node that is a script: the command line, exit status, what is printed, and
nodes that answer nonsense."""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import nodes  # noqa: E402

HASH = 'a' * 64
DOWNLOAD = {'filehash': HASH, 'filename': 'a.txt', 'size': 10, 'received': 0, 'state': 'searching',
            'reason': None, 'over': False, 'path': None, 'uri': None, 'bytes_per_second': 0,
            'average_bytes_per_second': 0, 'seconds_left': None, 'sources': []}
RESULT = {'filename': 'a\u202etxt\x1b[2J', 'filehash': HASH, 'size': None, 'have': False,
          'sources': [{'host': '127.0.0.1', 'port': 8081}]}


class FakeNode:
    """answers: {'METHOD /path': value or function(body) -> value}. bytes go out as they are."""

    def __init__(self, state, answers={}):
        self.state, self.answers, self.asked = state, answers, []
        os.makedirs(state, exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX)
        fd = os.open(state, os.O_PATH)
        self.socket.bind('/proc/self/fd/%d/control.sock' % fd)
        os.close(fd)
        self.socket.listen(16)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.sendall(self.answer(connection))
                except OSError:
                    pass

    def answer(self, connection):
        data = b''
        while b'\r\n\r\n' not in data:
            data += connection.recv(65536)
        head, body = data.split(b'\r\n\r\n', 1)
        length = int(re.search(rb'Content-Length: (\d+)', head).group(1))
        while len(body) < length:
            body += connection.recv(65536)
        method, path = head.split(b' ')[:2]
        key = '%s %s' % (method.decode(), path.decode().split('?')[0])
        self.asked.append((key, path.decode(), json.loads(body) if body else None))
        value = self.answers.get(key, ({'error': 'no such call'}, 404))
        if callable(value):
            value = value(self.asked[-1][2])
        if isinstance(value, bytes):
            return value
        value, status = value if isinstance(value, tuple) else (value, 200)
        text = json.dumps(value).encode()
        return b'HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s' % (status, len(text), text)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Test(nodes.Case):
    def fake(self, answers={}, name='state'):
        node = FakeNode(str(self.folder / name), answers)
        self.addCleanup(node.close)
        return node

    def run_cli(self, *arguments, **options):
        return subprocess.run([nodes.CLI, *arguments], capture_output=True, text=True, timeout=60,
                              env=nodes.environment(self.folder, **options), cwd=self.folder)

    def ask(self, verb, *arguments, **options):
        return self.run_cli(verb, '--state-dir', str(self.folder / 'state'), *arguments, **options)

    def assert_status(self, done, status):
        self.assertEqual(done.returncode, status, done.stderr)

    # -- the command line

    def test_usage(self):
        for arguments in ([], ['nonsense'], ['search'], ['search', '--nonsense', 'x'], ['search', ''],
                          ['search', '--timeout', 'x', 'y'], ['search', '--timeout', '0', 'y'],
                          ['search', '--timeout', '-1', 'y'], ['search', '--timeout', 'nan', 'y'],
                          ['search', '--min-hits', '0', 'y'], ['search', '--min-hits', 'x', 'y'],
                          ['get'], ['get', 'nonsense'], ['get', HASH, HASH], ['get', HASH[1:]],
                          ['get', 'magnet:?xt=urn:sha256:12'], ['get', '--timeout', '0', HASH],
                          ['peers', 'x'], ['status', '--nonsense'], ['serve'], ['serve', 'x'],
                          ['serve', '--config'], ['pause'], ['pause', 'x'], ['add-peer'],
                          ['clear', 'x']):
            done = self.run_cli(*arguments)
            with self.subTest(arguments):
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn('usage: p2pshare-cli', done.stderr)
                self.assertEqual(done.stdout, '')

    def test_help_and_version(self):
        verbs = re.findall(r'^  ([a-z-]+) ', self.run_cli('--help').stdout, re.M)
        self.assertIn('search', verbs)
        for verb in verbs:
            done = self.run_cli(verb, '--help')
            self.assert_status(done, 0)
            self.assertIn('--state-dir', done.stdout)
            done = self.run_cli(verb, '--version')
            self.assert_status(done, 0)
            self.assertRegex(done.stdout, r'^p2pshare-cli \d+\.\d+\.\d+\n$')
        self.assert_status(self.run_cli('--version'), 0)

    def test_no_node(self):
        (self.folder / 'state').mkdir()
        dead = socket.socket(socket.AF_UNIX)
        for _ in range(2):  # no socket at all, then one that a killed node left
            for arguments in (['status'], ['search', 'x'], ['get', HASH], ['files'], ['rescan']):
                done = self.ask(*arguments)
                self.assert_status(done, 3)
                self.assertEqual(done.stdout, '')
                self.assertEqual(len(done.stderr.splitlines()), 1)
                self.assertIn(str(self.folder / 'state'), done.stderr)
            if not (self.folder / 'state' / 'control.sock').exists():
                dead.bind(str(self.folder / 'state' / 'control.sock'))
        dead.close()
        self.assert_status(self.run_cli('status', '--state-dir', str(self.folder / 'none')), 3)

    def test_default_state_folder(self):
        self.fake({'GET /v1/status': {'port': 1}}, 'data/p2pshare')
        done = self.run_cli('status', '--json', XDG_DATA_HOME=str(self.folder / 'data'))
        self.assert_status(done, 0)
        self.fake({'GET /v1/status': {'port': 2}}, '.local/share/p2pshare')
        done = self.run_cli('status', '--json')
        self.assertEqual(json.loads(done.stdout), {'port': 2})

    def test_long_state_folder(self):
        name = 'long' * 40 + '/' + 'é' * 60
        self.fake({'GET /v1/status': {'port': 1}}, name)
        self.assert_status(self.run_cli('status', '--state-dir', str(self.folder / name)), 0)

    # -- lists

    def test_pages(self):
        rows = [{'filename': 'f%d' % i, 'filehash': HASH, 'size': i, 'paths': ['/x']}
                for i in range(1234)]

        def page(_):
            path = node.asked[-1][1]
            offset, limit = map(int, re.findall(r'=(\d+)', path))
            return rows[offset:offset + limit]
        node = self.fake({'GET /v1/files': page})
        self.assertEqual(json.loads(self.ask('files', '--json').stdout), rows)
        self.assertEqual(len(self.ask('files').stdout.splitlines()), 1235)

    def test_nothing(self):
        self.fake({'GET /v1/' + v: [] for v in ('peers', 'files', 'downloads', 'queries')})
        for verb in ('peers', 'files', 'downloads', 'queries'):
            done = self.ask(verb, '--json')
            self.assert_status(done, 0)
            self.assertEqual(json.loads(done.stdout), [])
            done = self.ask(verb)
            self.assert_status(done, 0)
            self.assertEqual(done.stdout, '')

    def test_actions(self):
        node = self.fake({'POST /v1/peers': {'done': True}, 'POST /v1/rescan': {'done': True},
                          'POST /v1/downloads/%s/cancel' % HASH: {'done': True}})
        self.assert_status(self.ask('add-peer', '10.0.0.5:8081'), 0)
        self.assertEqual(node.asked[-1][2], {'address': '10.0.0.5:8081'})
        self.assert_status(self.ask('cancel', HASH.upper()), 0)
        self.assert_status(self.ask('rescan'), 0)
        done = self.ask('pause', HASH)
        self.assert_status(done, 1)
        self.assertIn('no such call', done.stderr)

    # -- nodes that answer nonsense

    def test_nonsense(self):
        good = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'
        for answer in (b'', b'hello', b'HTTP/1.1 200 OK\r\n', good, good + b'{', good + b'{}{}',
                       good + b'\x00\x01', b'HTTP/1.1 200 OK\r\n\r\n', b'\x00' * 1000,
                       b'HTTP/1.1 999999 X\r\n\r\n{}', b'HTTP/1.1 500 X\r\n\r\n[]'):
            for verb in ('status', 'peers', 'search', 'get'):
                node = FakeNode(str(self.folder / 'state'), {})
                node.answer = lambda connection: (connection.recv(65536), answer)[1]
                done = self.ask(verb, *{'search': ['x'], 'get': [HASH]}.get(verb, []))
                self.assertIn(done.returncode, (1, 3), (answer, done))
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                node.close()
                os.unlink(str(self.folder / 'state' / 'control.sock'))

    def test_wrong_shapes(self):
        for value in ([], {}, 1, None, 'x', [1, None, 'x', []], {'id': 1}, {'results': 1},
                      [{'filename': 1, 'size': 'x', 'paths': {}}]):
            node = FakeNode(str(self.folder / 'state'), {})
            text = json.dumps(value).encode()
            node.answer = lambda connection: (connection.recv(65536), b'HTTP/1.1 200 OK\r\n\r\n' + text)[1]
            for arguments in (['status'], ['files'], ['peers'], ['queries'], ['downloads'],
                              ['status', '--json'], ['files', '--json'], ['search', 'x'], ['link', HASH]):
                done = self.ask(*arguments)
                self.assertIn(done.returncode, (0, 1), (value, arguments, done))
            node.close()
            os.unlink(str(self.folder / 'state' / 'control.sock'))

    # -- search

    def search_node(self, hits=1, active=True, results=(RESULT,)):
        return self.fake({
            'POST /v1/searches': {'id': 'Q', 'hits': 0, 'active': True},
            'GET /v1/searches/Q': lambda _: {'id': 'Q', 'hits': hits, 'active': active,
                                             'results': list(results)},
            'POST /v1/searches/Q/remove': {'done': True}})

    def test_search_json(self):
        node = self.search_node()
        done = self.ask('search', '--json', '--min-hits', '1', 'two', 'words')
        self.assert_status(done, 0)
        self.assertEqual(json.loads(done.stdout), [RESULT])
        self.assertEqual(node.asked[0][2], {'text': 'two words'})
        self.assertEqual(node.asked[-1][0], 'POST /v1/searches/Q/remove')

    def test_search_table(self):
        self.search_node()
        done = self.ask('search', '--min-hits', '1', 'x')
        self.assert_status(done, 0)
        self.assertIn(HASH, done.stdout)
        self.assertNotIn('\x1b', done.stdout)
        self.assertNotIn('\u202e', done.stdout)

    def test_search_nothing(self):
        self.search_node(0, False, [])
        done = self.ask('search', 'x', '--json')
        self.assert_status(done, 1)
        self.assertEqual(json.loads(done.stdout), [])
        began = time.monotonic()
        self.ask('search', 'x', '--timeout', '0.2')
        self.assertLess(time.monotonic() - began, 4)

    def test_search_ends_when_hits_stop_coming(self):
        self.search_node()
        began = time.monotonic()
        self.assert_status(self.ask('search', 'x'), 0)
        self.assertGreater(time.monotonic() - began, 2)
        self.assertLess(time.monotonic() - began, 4.9)

    def test_search_interrupted(self):
        node = self.search_node()
        process = subprocess.Popen([nodes.CLI, 'search', '--state-dir', str(self.folder / 'state'),
                                    '--timeout', '600', '--min-hits', '9', '--json', 'x'],
                                   stdout=subprocess.PIPE, env=nodes.environment(self.folder))
        nodes.wait_until(lambda: len(node.asked) > 3, 'it asks')
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=nodes.BOUND)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(json.loads(text), [RESULT])
        self.assertEqual(node.asked[-1][0], 'POST /v1/searches/Q/remove')

    # -- get

    def download_node(self, *states):
        states = [{**DOWNLOAD, **s} for s in states]
        return self.fake({
            'POST /v1/downloads': states[0],
            'GET /v1/downloads/' + HASH: lambda _: states.pop(0) if len(states) > 1 else states[0]})

    def done_state(self, name='a.txt'):
        path = self.folder / name
        path.write_bytes(b'0123456789')
        return {'state': 'done', 'over': True, 'path': str(path), 'uri': path.as_uri(),
                'received': 10, 'average_bytes_per_second': 7,
                'sources': [{'host': '127.0.0.1', 'port': 8081, 'state': 'done', 'bytes': 10}]}

    def test_get(self):
        states = [{}, {'state': 'downloading', 'received': 5}, self.done_state('é\n.txt')]
        node = self.download_node(*states)
        done = self.ask('get', HASH)
        self.assert_status(done, 0)
        self.assertEqual(done.stdout, str(self.folder / 'é\n.txt') + '\n')
        self.assertEqual(done.stderr, '')
        self.assertEqual(node.asked[0][2], {'link': HASH, 'again': False})

    def test_get_json(self):
        self.download_node({}, self.done_state())
        done = self.ask('get', '--json', 'magnet:?xt=urn:sha256:' + HASH)
        self.assert_status(done, 0)
        answer = json.loads(done.stdout)
        self.assertEqual(answer['path'], str(self.folder / 'a.txt'))
        self.assertEqual(answer['filehash'], HASH)
        self.assertEqual((answer['size'], answer['bytes_per_second']), (10, 7))
        self.assertEqual(answer['sources'][0]['port'], 8081)

    def test_get_output(self):
        node = self.download_node({}, self.done_state())
        (self.folder / 'öut').mkdir()
        self.assert_status(self.ask('get', '--output', 'öut', HASH), 0)
        self.assertEqual(node.asked[0][2]['folder'], (self.folder / 'öut').as_uri())
        self.assert_status(self.ask('get', '--output', 'nowhere', HASH), 1)
        self.assert_status(self.ask('get', '--output', 'a.txt', HASH), 1)

    def test_get_again(self):
        """A download that was done before is the answer only while its file is there."""
        state = self.done_state()
        node = self.download_node(state)
        self.assert_status(self.ask('get', HASH), 0)
        self.assertEqual([a[2]['again'] for a in node.asked if a[0].startswith('POST')], [False])
        (self.folder / 'a.txt').unlink()
        self.ask('get', HASH)
        self.assertEqual([a[2]['again'] for a in node.asked if a[0].startswith('POST')],
                         [False, False, True])

    def test_get_failed(self):
        node = self.download_node({}, {'state': 'failed', 'over': True, 'reason': 'the peer lied'})
        done = self.ask('get', HASH)
        self.assert_status(done, 1)
        self.assertIn('the peer lied', done.stderr)
        self.assertEqual(done.stdout, '')
        node.answers['POST /v1/downloads'] = ({'error': 'no such folder'}, 400)
        done = self.ask('get', HASH)
        self.assert_status(done, 1)
        self.assertIn('no such folder', done.stderr)

    def test_get_gives_up_waiting(self):
        self.download_node({})
        done = self.ask('get', '--timeout', '0.3', HASH)
        self.assert_status(done, 1)
        self.assertIn('p2pshare-cli cancel ' + HASH, done.stderr)

    def test_get_interrupted(self):
        node = self.download_node({}, {'state': 'downloading', 'received': 1})
        process = subprocess.Popen([nodes.CLI, 'get', '--state-dir', str(self.folder / 'state'), HASH],
                                   stderr=subprocess.PIPE, text=True,
                                   env=nodes.environment(self.folder))
        nodes.wait_until(lambda: len(node.asked) > 3, 'it asks')
        process.send_signal(signal.SIGINT)
        _, text = process.communicate(timeout=nodes.BOUND)
        self.assertEqual(process.returncode, 1)
        self.assertIn('goes on', text)

    def test_get_node_goes(self):
        node = self.download_node({}, {'state': 'downloading', 'received': 1})
        process = subprocess.Popen([nodes.CLI, 'get', '--state-dir', str(self.folder / 'state'), HASH],
                                   stderr=subprocess.PIPE, env=nodes.environment(self.folder))
        nodes.wait_until(lambda: len(node.asked) > 3, 'it asks')
        node.socket.shutdown(socket.SHUT_RDWR)
        self.addCleanup(setattr, node, 'close', lambda: None)
        process.communicate(timeout=nodes.BOUND)
        self.assertEqual(process.returncode, 3)

    def test_terminal_gets_progress(self):
        """On a terminal a bar is drawn; through a pipe (every other test here) it is not."""
        self.download_node({}, *[{'state': 'downloading', 'received': i} for i in range(10)],
                           self.done_state())
        leader, follower = pty.openpty()
        process = subprocess.Popen([nodes.CLI, 'get', '--state-dir', str(self.folder / 'state'), HASH],
                                   stdin=follower, stdout=follower, stderr=follower,
                                   env=nodes.environment(self.folder))
        os.close(follower)
        seen = b''
        while select.select([leader], [], [], nodes.BOUND)[0]:
            try:
                part = os.read(leader, 65536)
            except OSError:
                break
            if not part:
                break
            seen += part
        os.close(leader)
        self.assertEqual(process.wait(nodes.BOUND), 0)
        self.assertIn(b'%', seen)
        self.assertIn(b'[#', seen)
        self.assertTrue(seen.rstrip().endswith(b'a.txt'), seen)

    def test_full_disk(self):
        self.fake({'GET /v1/status': {'port': 1}})
        with open('/dev/full', 'w') as full:
            done = subprocess.run([nodes.CLI, 'status', '--state-dir', str(self.folder / 'state')],
                                  stdout=full, stderr=subprocess.PIPE,
                                  env=nodes.environment(self.folder))
        self.assertEqual(done.returncode, 1)


if __name__ == '__main__':
    nodes.main()
