#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""serve as a program: how it starts, what it says when it can't, how it ends, what it leaves."""

import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import nodes  # noqa: E402


class Test(nodes.Case):
    def refuse(self, node, *words):
        """It can't start: status 1, nothing on stdout, one line that names all of the words."""
        done = subprocess.run([nodes.CLI, 'serve', '--config', str(node.config),
                               '--state-dir', str(node.state)], capture_output=True, text=True,
                              timeout=30, env=nodes.environment(self.folder))
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(done.stdout, '')
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(str(word), done.stderr)

    def test_malformed_configuration(self):
        node = self.node('a', start=False)
        good = {'self': {'host': '127.0.0.1', 'port': node.port}}
        for config, *words in (
                ({'peers': []}, 'self'), ([], 'object'), ({'self': []}, 'self'),
                ({'self': {'host': '127.0.0.1', 'port': 0}}, 'port', '0'),
                ({'self': {'host': '127.0.0.1', 'port': 70000}}, 'port', '70000'),
                ({'self': {'host': '127.0.0.1', 'port': 'x'}}, 'port', 'x'),
                ({'self': {'host': 7, 'port': node.port}}, 'host', '7'),
                ({'self': {'host': '127.0.0.1'}}, 'port'),
                ({**good, 'peers': {}}, 'peers'), ({**good, 'peers': [{'host': 1}]}, 'peers'),
                ({**good, 'file': {'shared_directory': 'nowhere'}}, 'shared_directory', 'nowhere'),
                ({**good, 'network': {'max_ttl': 'x'}}, 'max_ttl', 'x')):
            node.config.write_text(json.dumps(config))
            self.refuse(node, node.config, *words)
        for text in ('', '{', '{"self":\n{"port": 1,}}', '\x00', '{"self": \u201cx\u201d}'):
            node.config.write_text(text)
            self.refuse(node, node.config)
        node.config.unlink()
        self.refuse(node, node.config)
        self.assertFalse((node.state / 'control.sock').exists())

    def test_unknown_key_is_told(self):
        node = self.node('a', start=False)
        node.write_config({'self': {'host': '127.0.0.1', 'port': node.port}, 'colour': 1})
        node.start()
        self.assertIn('colour', node.read_log())

    def test_limits(self):
        node = self.node('a', start=False)
        node.write_config({'self': {'host': '127.0.0.1', 'port': node.port},
                           'limits': {'upload_bytes_per_second': 5000, 'uploads_per_peer': 3}})
        node.start()
        self.assertEqual(node.json('status')['limits'], {
            'upload_bytes_per_second': 5000, 'upload_bytes_per_second_per_peer': None,
            'download_bytes_per_second': None, 'upload_slots': 8, 'uploads_per_peer': 3})

    def test_port_taken(self):
        node = self.node('a', start=False)
        with socket.socket() as other:
            other.bind(('127.0.0.1', node.port))
            other.listen()
            self.refuse(node, node.port)
        node.start()

    def test_second_node_on_the_same_state_folder(self):
        node = self.node('a')
        other = self.node('b', start=False)
        other.state = node.state
        self.refuse(other, node.state, node.process.pid)
        node.json('status')  # the first one is as it was

    def test_state_folder_that_cannot_be(self):
        node = self.node('a', start=False)
        node.state.write_text('a file')
        self.refuse(node, node.state)

    def test_modes(self):
        """The state is private whatever the umask says; what is downloaded is as the umask says."""
        node = self.node('a', start=False).start(umask=0o022)
        self.assertEqual(stat.S_IMODE(node.state.stat().st_mode), 0o700)
        socket_mode = (node.state / 'control.sock').stat().st_mode
        self.assertTrue(stat.S_ISSOCK(socket_mode))
        self.assertEqual(stat.S_IMODE(socket_mode), 0o600)
        node.stop()
        node.start(umask=0)
        self.assertIn('p2pshare.db', os.listdir(node.state))
        for path in node.state.iterdir():
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)

    def test_ends(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            node = self.node('n%d' % number, files={'a.txt': b'x'})
            node.indexed(1)
            status, seconds = node.stop(number)
            self.assertEqual(status, 0, node.read_log())
            self.assertLess(seconds, 5)
            self.assertFalse((node.state / 'control.sock').exists())
            self.assertEqual(node.cli('status').returncode, 3)

    def test_ends_at_once_after_start(self):
        node = self.node('a')
        self.assertEqual(node.stop()[0], 0)

    def test_starts_again_after_a_kill(self):
        node = self.node('a', files={'a.txt': b'x'})
        node.indexed(1)
        first = node.json('status')
        self.assertEqual(node.stop(signal.SIGKILL)[0], -signal.SIGKILL)
        self.assertTrue((node.state / 'control.sock').exists())
        self.assertEqual(node.cli('status').returncode, 3)
        node.start()
        self.assertEqual(node.json('status')['id'], first['id'])

    def test_ipv6(self):
        node = self.node('a', host='::1')
        self.assertEqual(node.json('status')['host'], '::1')

    def test_long_state_folder(self):
        node = self.node('a', start=False)
        node.state = node.folder / ('long' * 50) / ('é' * 60)
        node.start()
        self.assertEqual(node.json('status')['port'], node.port)
        self.assertEqual(node.stop()[0], 0)
        self.assertFalse((node.state / 'control.sock').exists())

    def test_relative_names(self):
        """A state folder and a configuration that are named from where it is started."""
        node = self.node('a', start=False)
        process = subprocess.Popen([nodes.CLI, 'serve', '--config', 'node.json', '--state-dir', 'state'],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   cwd=node.folder, env=nodes.environment(self.folder))
        node.process = process
        self.assertIn(b'listening', process.stdout.readline())
        done = subprocess.run([nodes.CLI, 'status', '--state-dir', 'state'], cwd=node.folder,
                              capture_output=True, env=nodes.environment(self.folder))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(node.stop()[0], 0)

    def test_reads_its_configuration_again(self):
        node = self.node('a', files={'a.txt': b'x'})
        node.indexed(1)
        (node.folder / 'more').mkdir()
        (node.folder / 'more' / 'b.txt').write_bytes(b'y')
        node.write_config({'self': {'host': node.host, 'port': node.port},
                           'file': {'shared_directories': ['shared', 'more'],
                                    'save_directory': 'saved'}})
        node.process.send_signal(signal.SIGHUP)
        node.indexed(2)
        node.config.write_text('{')
        node.process.send_signal(signal.SIGHUP)
        nodes.wait_until(lambda: 'kept the old configuration' in node.read_log(), 'it says so')
        node.indexed(2)

    def test_a_client_that_hangs(self):
        """Whoever connects to the control socket and says nothing holds up neither others nor the end."""
        node = self.node('a')
        idle = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        for s in idle:
            s.connect(str(node.state / 'control.sock'))
        idle[1].sendall(b'GET /v1/status HTT')
        node.json('status')
        status, seconds = node.stop()
        self.assertEqual(status, 0)
        self.assertLess(seconds, 5)
        for s in idle:
            s.close()

    def test_no_display_libraries(self):
        """serve runs where there is no GTK."""
        text = subprocess.run(['ldd', nodes.CLI], capture_output=True, text=True).stdout.lower()
        self.assertIn('libglib-2.0', text)
        for name in ('gtk', 'adwaita', 'libx11', 'wayland', 'cairo', 'pango'):
            self.assertNotIn(name, text)

    def call(self, node, head, body=b''):
        """One request on the control socket: the status and what its JSON says."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(nodes.BOUND)
            s.connect(str(node.state / 'control.sock'))
            s.sendall(head.encode() + b' HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: '
                      b'application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n'
                      % len(body) + body)
            answer = b''
            while True:
                part = s.recv(65536)
                if not part:
                    break
                answer += part
        head, body = answer.split(b'\r\n\r\n', 1)
        return int(head.split()[1]), json.loads(body)

    def test_control_calls(self):
        """The API itself, for other programs than ours."""
        node = self.node('a')
        for head, body, status in (
                ('GET /v1/status', b'', 200), ('GET /v1/nothing', b'', 404), ('GET /', b'', 404),
                ('POST /v1/status', b'{}', 405), ('POST /v1/searches', b'{', 400),
                ('POST /v1/searches', b'[]', 400), ('POST /v1/searches', b'{}', 400),
                ('POST /v1/searches', b'{"text": 7}', 400), ('POST /v1/searches', b'\xff\x00', 400),
                ('POST /v1/searches', b'[' * 8000, 400), ('GET /v1/searches/x', b'', 404),
                ('POST /v1/searches/x/stop', b'', 404), ('GET /v1/searches/%ff', b'', 404),
                ('GET /v1/downloads/x', b'', 404), ('POST /v1/downloads', b'{}', 400),
                ('POST /v1/downloads', b'{"link": "x"}', 400), ('GET /v1/files/x', b'', 400),
                ('POST /v1/downloads/%s/pause' % ('a' * 64), b'', 404),
                ('POST /v1/downloads', b'{"link": "%s", "folder": "relative"}' % (b'a' * 64), 400),
                ('POST /v1/peers', b'{}', 400), ('POST /v1/peers', b'{"address": "x"}', 400),
                ('POST /v1/peers/x/remove', b'', 400), ('GET /v1/files?limit=x&offset=-1', b'', 200),
                ('GET /v1/skipped', b'', 200), ('POST /v1/rescan', b'', 200)):
            with self.subTest(head):
                got, answer = self.call(node, head, body)
                self.assertEqual(got, status, answer)
                if status != 200:
                    self.assertTrue(answer['error'])

    def test_downloads_are_fresh(self):
        """Who reads the queue finds what was put there right before, though views hear of it later."""
        node = self.node('a')
        hashes = ['%064x' % i for i in range(5)]
        ports = [nodes.free_port(), nodes.free_port()]
        for filehash in hashes:
            body = json.dumps({'link': filehash, 'filename': 'x',
                               'sources': ['127.0.0.1:%d' % port for port in ports]}).encode()
            status, download = self.call(node, 'POST /v1/downloads', body)
            self.assertEqual(status, 200)
            self.assertEqual([s['port'] for s in download['sources']], ports)
            self.assertEqual(self.call(node, 'GET /v1/downloads')[1][-1]['filehash'], filehash)
        for filehash in hashes:
            self.call(node, 'POST /v1/downloads/%s/remove' % filehash, b'{}')
        self.assertEqual(self.call(node, 'GET /v1/downloads'), (200, []))

    def test_file_size_limit(self):
        """It is a full disk: the download waits, and the node lives."""
        data = os.urandom(5_000_000)
        source = self.node('a', files={'big.bin': data})
        source.indexed(1)
        node = self.node('b', start=False, peers=[source])
        node.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000,) * 2))
        node.knows(source)
        done = node.cli('get', '--timeout', '1', source.cli('link', nodes.sha256(data)).stdout.strip())
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn('full', nodes.wait_until(lambda: node.json('downloads')[0]['reason'], 'a reason'))

    def test_starts_fast(self):
        """It takes 0.02 s; the bound is for machines that do much else."""
        began = time.monotonic()
        self.node('a')
        self.assertLess(time.monotonic() - began, 5)


if __name__ == '__main__':
    nodes.main()
