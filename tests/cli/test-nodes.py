#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real nodes on loopback, driven by the command line: found, searched, fetched, verified."""

import os
import signal
import sys
import threading

sys.dont_write_bytecode = True
import nodes  # noqa: E402

RESULT_KEYS = {'filename', 'filehash', 'size', 'sources'}


class Test(nodes.Case):
    def line(self, files):
        """A - B - C: each is told of its neighbour only; C has the files."""
        c = self.node('c', files=files)
        b = self.node('b', peers=[c])
        a = self.node('a', peers=[b])
        c.indexed(len(files))
        a.knows(b)
        b.knows(a, c)
        return a, b, c

    def test_line_of_three(self):
        data = os.urandom(3_000_000)
        a, b, c = self.line({'Holiday Vidéo.bin': data})
        results = a.json('search', '--min-hits', '1', '--timeout', '20', 'video', 'holi')
        self.assertEqual(len(results), 1)
        self.assertLessEqual(RESULT_KEYS, set(results[0]))
        self.assertEqual(results[0]['filename'], 'Holiday Vidéo.bin')
        self.assertEqual(results[0]['filehash'], nodes.sha256(data))
        self.assertEqual(results[0]['size'], len(data))
        self.assertEqual(results[0]['sources'], [{'host': c.host, 'port': c.port}])

        got = a.json('get', nodes.sha256(data))
        self.assertLessEqual({'path', 'filehash', 'size', 'bytes_per_second', 'sources'}, set(got))
        self.assertEqual((got['filehash'], got['size']), (nodes.sha256(data), len(data)))
        self.assertEqual([(s['host'], s['port']) for s in got['sources']], [(c.host, c.port)])
        with open(got['path'], 'rb') as file:
            self.assertEqual(file.read(), data)
        self.assertEqual(os.path.dirname(got['path']), str(a.saved))
        self.assertEqual(os.listdir(a.saved), [os.path.basename(got['path'])])
        # the bytes came from C, not through B
        self.assertEqual(c.json('stats')['transfers']['bytes_sent'], len(data))
        self.assertEqual(b.json('stats')['transfers']['bytes_sent'], 0)
        nodes.wait_until(lambda: a.json('stats')['transfers']['downloads'] == 1, 'counted')

    def test_search_by_hash_and_nothing(self):
        a, _, c = self.line({'x.txt': b'x'})
        results = a.json('search', '--min-hits', '1', '--timeout', '20', nodes.sha256(b'x'))
        self.assertEqual([r['filehash'] for r in results], [nodes.sha256(b'x')])
        done = a.cli('search', '--timeout', '0.5', 'nobody has this', status=1)
        self.assertEqual(done.stdout, '')
        self.assertEqual(a.json('search', '--timeout', '0.5', 'nobody', status=1), [])
        # an own file is not a hit
        self.assertEqual(c.json('search', '--timeout', '0.5', 'x', status=1), [])

    def test_two_sources_are_one_file(self):
        c = self.node('c', files={'same.txt': b'same'})
        d = self.node('d', files={'same too.txt': b'same'})
        a = self.node('a', peers=[c, d])
        c.indexed(1), d.indexed(1), a.knows(c, d)
        results = a.json('search', '--min-hits', '2', '--timeout', '20', 'same')
        self.assertEqual(len(results), 1)
        self.assertEqual({s['port'] for s in results[0]['sources']}, {c.port, d.port})

    def test_get_by_hash_alone(self):
        a, _, c = self.line({'only by hash.txt': b'content'})
        out = self.folder / 'out'
        out.mkdir()
        done = a.cli('get', '--output', out, nodes.sha256(b'content'), status=0)
        self.assertEqual(done.stdout, str(out / 'only by hash.txt') + '\n')
        self.assertEqual((out / 'only by hash.txt').read_bytes(), b'content')
        umask = os.umask(0)
        os.umask(umask)
        self.assertEqual((out / 'only by hash.txt').stat().st_mode & 0o777, 0o666 & ~umask)
        # again: it is there, nothing is fetched
        sent = c.json('stats')['transfers']['bytes_sent']
        self.assertEqual(a.cli('get', '--output', out, nodes.sha256(b'content'), status=0).stdout,
                         done.stdout)
        self.assertEqual(c.json('stats')['transfers']['bytes_sent'], sent)

    def test_never_over_an_existing_file(self):
        a, _, _ = self.line({'note.txt': b'theirs'})
        (a.saved / 'note.txt').write_bytes(b'mine')
        got = a.json('get', nodes.sha256(b'theirs'))
        self.assertEqual((a.saved / 'note.txt').read_bytes(), b'mine')
        self.assertNotEqual(got['path'], str(a.saved / 'note.txt'))
        with open(got['path'], 'rb') as file:
            self.assertEqual(file.read(), b'theirs')

    def test_get_by_link(self):
        """A node that knows nobody gets all it needs from the link."""
        c = self.node('c', files={'a & b.txt': b'linked'})
        a = self.node('a')
        c.indexed(1)
        link = c.cli('link', nodes.sha256(b'linked'), status=0).stdout.strip()
        self.assertIn('x.pe=127.0.0.1:%d' % c.port, link)
        got = a.json('get', link)
        self.assertEqual(os.path.basename(got['path']), 'a & b.txt')
        a.knows(c)

    def test_nobody_has_it(self):
        a = self.node('a')
        done = a.cli('get', '--timeout', '0.5', 'a' * 64, status=1)
        self.assertIn('not finished', done.stderr)
        self.assertEqual([d['state'] for d in a.json('downloads')], ['searching'])
        a.cli('cancel', 'a' * 64, status=0)
        self.assertEqual([d['state'] for d in a.json('downloads')], ['cancelled'])
        a.cli('clear', status=0)
        self.assertEqual(a.json('downloads'), [])

    def test_shapes(self):
        a, b, c = self.line({'shape.txt': b'shape'})
        a.json('search', '--min-hits', '1', '--timeout', '20', 'shape')
        a.json('get', nodes.sha256(b'shape'))
        status = c.json('status')
        for key, kind in {'host': str, 'port': int, 'id': str, 'version': str, 'uptime_seconds': int,
                          'files_indexed': int, 'bytes_indexed': int, 'scanning': bool, 'scans': int,
                          'last_scan_seconds': (int, float), 'peers_active': int, 'peers_known': int,
                          'downloads_active': int}.items():
            self.assertIsInstance(status[key], kind, key)
        self.assertEqual((status['host'], status['port']), (c.host, c.port))
        self.assertEqual((status['files_indexed'], status['bytes_indexed']), (1, 5))
        self.assertGreaterEqual(status['peers_active'], 1)
        self.assertTrue(status['id'])

        stats = a.json('stats')
        self.assertLessEqual({'originated', 'received', 'duplicates', 'forwarded', 'answered',
                              'hits_received'}, set(stats['queries']))
        self.assertLessEqual({'bytes_sent', 'bytes_received', 'uploads', 'downloads', 'failed'},
                             set(stats['transfers']))
        self.assertIsInstance(stats['refused'], dict)
        self.assertGreaterEqual(stats['queries']['originated'], 1)
        self.assertGreaterEqual(stats['queries']['hits_received'], 1)
        self.assertEqual(stats['transfers']['bytes_received'], 5)
        counted = c.json('stats')
        self.assertGreaterEqual(counted['queries']['answered'], 1)
        self.assertEqual(counted['transfers']['bytes_sent'], 5)

        for peer in b.json('peers'):
            self.assertLessEqual({'host', 'port', 'status', 'last_seen', 'last_update'}, set(peer))
            self.assertIn(peer['status'], ('active', 'inactive', 'new'))

        files = c.json('files')
        self.assertEqual(len(files), 1)
        self.assertEqual(files[0]['filename'], 'shape.txt')
        self.assertEqual(files[0]['filehash'], nodes.sha256(b'shape'))
        self.assertEqual(files[0]['size'], 5)
        self.assertEqual(files[0]['paths'], [str(c.shared / 'shape.txt')])

        downloads = a.json('downloads')
        self.assertEqual(len(downloads), 1)
        self.assertEqual(downloads[0]['state'], 'done')
        self.assertEqual((downloads[0]['received'], downloads[0]['size']), (5, 5))
        self.assertEqual(downloads[0]['path'], str(a.saved / 'shape.txt'))

        queries = c.json('queries')
        self.assertTrue(any(q['filename'] == 'shape' for q in queries), queries)
        own = [q for q in a.json('queries') if q['own'] and q['filename'] == 'shape']
        self.assertEqual(len(own), 1)
        self.assertTrue(own[0]['responses'])
        for verb in ('peers', 'files', 'downloads', 'queries', 'stats', 'status', 'skipped'):
            a.cli(verb, status=0)

    def test_add_and_remove_peer(self):
        b = self.node('b')
        a = self.node('a')
        a.cli('add-peer', '127.0.0.1:%d' % b.port, status=0)
        a.knows(b)
        a.cli('remove-peer', '127.0.0.1:%d' % b.port, status=0)
        a.cli('add-peer', 'nonsense', status=1)
        a.cli('add-peer', 'localhost:%d' % b.port, status=0)
        a.knows(b)

    def test_a_new_file_is_found(self):
        a, _, c = self.line({'first.txt': b'1'})
        (c.shared / 'second.txt').write_bytes(b'22')
        c.cli('rescan', status=0)
        c.indexed(2)
        self.assertTrue(a.json('search', '--min-hits', '1', '--timeout', '20', 'second'))

    def half_way(self):
        """A gets a file of C through a relay that stops in the middle of it."""
        data = os.urandom(1 << 20) * 16
        c = self.node('c', files={'big.bin': data}).indexed(1)
        a = self.node('a')
        relay = nodes.Relay(c, 6 << 20)
        self.addCleanup(relay.close)
        link = 'magnet:?xt=urn:sha256:%s&dn=big.bin&x.pe=127.0.0.1:%d' % (nodes.sha256(data), relay.port)
        getter = threading.Thread(target=lambda: setattr(self, 'got', a.cli('get', link)))
        getter.start()
        self.addCleanup(getter.join)
        nodes.wait_until(lambda: [d for d in a.json('downloads') if d['received'] >= 4 << 20],
                         'a part of it')
        self.assertEqual(a.json('status')['downloads_active'], 1)
        return a, c, relay, data

    def test_ends_during_a_transfer(self):
        a, c, relay, data = self.half_way()
        for node in (c, a):  # the one that sends, then the one that receives
            status, seconds = node.stop()
            self.assertEqual(status, 0, node.read_log())
            self.assertLess(seconds, 5)
        nodes.wait_until(lambda: hasattr(self, 'got'), 'get ends')
        self.assertEqual(self.got.returncode, 3)
        self.assertNotIn('big.bin', os.listdir(a.saved))

    def goes_on(self, number):
        """The queue is kept, the download goes on where it was, and nothing else is left behind."""
        a, c, relay, data = self.half_way()
        a.stop(number)
        self.assertNotIn('big.bin', os.listdir(a.saved))
        first = relay.passed
        relay.release()
        a.start()
        nodes.wait_until(lambda: [d for d in a.json('downloads') if d['state'] == 'done'],
                         'done after the restart', 40)
        self.assertEqual((a.saved / 'big.bin').read_bytes(), data)
        self.assertEqual(os.listdir(a.saved), ['big.bin'])
        self.assertLess(relay.passed - first, 14 << 20, 'it began anew')

    def test_goes_on_after_a_kill(self):
        self.goes_on(signal.SIGKILL)

    def test_goes_on_after_an_end(self):
        self.goes_on(signal.SIGTERM)

    def test_pause_resume_cancel(self):
        a, c, relay, data = self.half_way()
        filehash = nodes.sha256(data)

        def state():
            return a.json('downloads')[0]['state']
        a.cli('pause', filehash, status=0)
        self.assertEqual(state(), 'paused')
        relay.release()
        a.cli('resume', filehash, status=0)
        nodes.wait_until(lambda: state() == 'done', 'done')
        self.assertEqual((a.saved / 'big.bin').read_bytes(), data)

    def test_cancel(self):
        a, c, relay, data = self.half_way()
        a.cli('cancel', nodes.sha256(data), status=0)
        nodes.wait_until(lambda: os.listdir(a.saved) == [], 'the part is gone')
        nodes.wait_until(lambda: hasattr(self, 'got'), 'get ends')
        self.assertEqual(self.got.returncode, 1)
        self.assertIn('cancelled', self.got.stderr)


if __name__ == '__main__':
    nodes.main()
