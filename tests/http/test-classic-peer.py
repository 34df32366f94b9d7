#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The classic peer of the tests against itself: what the interop tests build on has to hold."""

import http.client
import importlib.util
import os
import pathlib
import tempfile
import unittest

spec = importlib.util.spec_from_file_location(
    'classic_peer', pathlib.Path(__file__).parent.parent / 'fixtures' / 'classic-peer.py')
classic = importlib.util.module_from_spec(spec)
spec.loader.exec_module(classic)

QUICK = {'heartbeat': 0.05, 'liveness': 0.05, 'rescan': 0.05}


def get(peer, path, headers={}):
    connection = http.client.HTTPConnection('127.0.0.1', peer.port, timeout=5)
    connection.request('GET', path, headers=headers)
    reply = connection.getresponse()
    return reply.status, reply.headers, reply.read()


class Test(unittest.TestCase):
    def peer(self, peers=(), files={}, **options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, content in files.items():
            pathlib.Path(folder.name, name).write_bytes(content)
        peer = classic.ClassicPeer(peers=[('127.0.0.1', p.port) for p in peers],
                                   shared=folder.name, **{**QUICK, **options}).start()
        self.addCleanup(peer.stop)
        return peer

    def joined(self, a, b):
        a.wait(lambda: a.status_of('127.0.0.1', b.port) == 'active', 'joined')
        b.wait(lambda: b.status_of('127.0.0.1', a.port) == 'active', 'counted as a peer')

    def test_line_of_three(self):
        still = {'heartbeat': 60, 'liveness': 60}
        last = self.peer(files={'a b.txt': b'hello'}, **still)
        middle = self.peer([last], **still)
        self.joined(middle, last)
        first = self.peer([middle], **still)
        self.joined(first, middle)
        self.joined(first, last)  # told of by /get_peers; now as if they had never met
        for a, b in ((first, last), (last, first)):
            with a.lock:
                del a.peers['127.0.0.1', b.port]
        qid = first.search('a b.txt')
        first.wait(lambda: first.responses(qid), 'a hit')
        self.assertEqual(first.responses(qid)[0]['port'], last.port)
        self.assertEqual([b['ttl'] for b in middle.bodies('/query')], [5])
        self.assertEqual(last.bodies('/query')[0]['ttl'], 3)
        self.assertEqual(get(last, '/download/a%20b.txt')[2], b'hello')
        qid = first.search('nothing')
        last.wait(lambda: len(last.bodies('/query')) == 2, 'the second query')
        self.assertEqual(first.responses(qid), [])

    def test_ttl_ends(self):
        last = self.peer()
        middle = self.peer([last])
        self.joined(middle, last)
        for ttl in (1, 0):
            middle.handle_query({'filename': 'x', 'filehash': '', 'host': '127.0.0.1', 'port': 1,
                                 'ttl': ttl, 'QID': 'q'})
        middle.handle_query({'filename': 'x', 'filehash': '', 'host': '127.0.0.1', 'port': 1,
                             'QID': 'q'})
        self.assertEqual([b['ttl'] for b in last.bodies('/query')], [0])

    def test_liveness_and_rescan(self):
        other = self.peer(files={'one': b'1'})
        peer = self.peer([other], inactive_after=0.2)
        self.joined(peer, other)
        other.wait(lambda: other.bodies('/heartbeat'), 'heartbeats')
        pathlib.Path(other.shared, 'two').write_bytes(b'2')
        other.wait(lambda: other.match('two', ''), 'the new file')
        other.stop()
        peer.wait(lambda: peer.status_of('127.0.0.1', other.port) == 'inactive', 'inactive')
        self.assertEqual(peer.stats()['peers'][0]['status'], 'inactive')
        other.stop = lambda: None

    def test_download(self):
        peer = self.peer(files={'f': bytes(range(200)) * 100})
        whole = bytes(range(200)) * 100
        status, headers, body = get(peer, '/download/f')
        self.assertEqual((status, body), (200, whole))
        self.assertIn('attachment', headers['Content-Disposition'])
        status, _, body = get(peer, '/download/f', {'Range': 'bytes=100-299'})
        self.assertEqual((status, body), (206, whole[100:300]))
        status, _, body = get(peer, '/download/f', {'Range': 'bytes=-5'})
        self.assertEqual((status, body), (206, whole[-5:]))
        self.assertEqual(get(peer, '/download/f', {'Range': 'bytes=99999-'})[0], 416)
        status, _, body = get(peer, '/download/none')
        self.assertEqual((status, body), (404, b'{"error": "File not found"}'))

    def test_command(self):
        import subprocess
        import sys
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, 'shared').mkdir()
            pathlib.Path(folder, 'config.json').write_text(
                '{"self": {"host": "127.0.0.1", "port": 0},'
                ' "file": {"shared_directory": "shared"}}')
            program = subprocess.Popen([sys.executable, classic.__file__, '--config',
                                        os.path.join(folder, 'config.json'), '--rescan', '0.1'],
                                       stdout=subprocess.PIPE, text=True)
            line = program.stdout.readline()
            self.assertRegex(line, r'^classic: listening on http://127\.0\.0\.1:\d+\n$')
            connection = http.client.HTTPConnection(line.rsplit('/', 1)[1].strip(), timeout=5)
            connection.request('GET', '/ping')
            self.assertEqual(connection.getresponse().read(), b'[{"status": true}, 201]')
            program.terminate()
            self.assertEqual(program.wait(10), 0)
            program.stdout.close()


if __name__ == '__main__':
    unittest.main(argv=['test'])
