#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our node and classic peers: every row of the peer API in both directions, on real sockets.

The node is p2pshare-cli serve, the classic peers are those of tests/fixtures, in this process.
"""

import hashlib
import http.client
import importlib.util
import json
import os
import pathlib
import re
import sys
import urllib.parse
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'cli'))
import nodes  # noqa: E402
from nodes import sha256, wait_until  # noqa: E402

spec = importlib.util.spec_from_file_location('classic_peer',
                                              HERE.parent / 'fixtures' / 'classic-peer.py')
classic_peer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(classic_peer)

UUID = re.compile(r'^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')
TIME = re.compile(r'^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$')
DATA = bytes(range(256)) * 2000
HASH = sha256(DATA)
NAME = 'größe & co #1 (é).bin'


def call(peer, method, path, body=None, headers={}):
    """(status, headers, bytes) of one request to a node or a classic peer."""
    host = '127.0.0.1' if peer.host == '0.0.0.0' else peer.host
    connection = http.client.HTTPConnection(host, peer.port, timeout=nodes.BOUND)
    headers = dict(headers)
    if body is not None:
        headers['Content-Type'] = 'application/json'
        body = json.dumps(body)
    connection.request(method, path, body, headers)
    reply = connection.getresponse()
    data = reply.read()
    connection.close()
    return reply.status, reply.headers, data


def ask(peer, method, path, body=None):
    """The JSON of an answer that must have status 200."""
    status, headers, data = call(peer, method, path, body)
    assert status == 200, (status, data)
    assert headers.get_content_type() == 'application/json', headers
    return json.loads(data)


def refused(peer, path, body):
    """The status of an answer that must be an error in the one shape."""
    status, _, data = call(peer, 'POST', path, body)
    assert list(json.loads(data)) == ['error'], data
    return status


def path_of(name):
    return '/download/' + urllib.parse.quote(name, safe='')


def block_tree(data):
    """Root and chunk layer (32 bytes for each MiB) of data, as BEP 52 builds them."""
    layer = [hashlib.sha256(data[i:i + 16384]).digest() for i in range(0, len(data), 16384)]
    count = 1
    while count < len(layer):
        count *= 2
    layer += [bytes(32)] * (count - len(layer))
    chunks, covered = [], 16384
    while len(layer) > 1:
        layer = [hashlib.sha256(a + b).digest() for a, b in zip(layer[::2], layer[1::2])]
        covered *= 2
        if covered == 1 << 20:
            chunks = layer
    return layer[0].hex(), b''.join(chunks[:-(-len(data) // (1 << 20))])


class Case(nodes.Case):
    def classic(self, files={}, peers=(), **options):
        folder = self.folder / ('classic%d' % len(os.listdir(self.folder)))
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        peer = classic_peer.ClassicPeer(peers=[(p.host, p.port) for p in peers],
                                        shared=str(folder), timeout=nodes.BOUND, **options).start()
        self.addCleanup(lambda: peer.stop())
        return peer

    def results(self, node, qid, count=1):
        """The results of a search of the node's own, once there are so many."""
        def look():
            reply = ask(node, 'GET', '/query_results/' + qid)
            assert reply[1] == 200, reply
            return reply[0]['results'] if len(reply[0]['results']) >= count else None
        return wait_until(look, 'results')

    def search(self, node, filename='', filehash=''):
        reply = ask(node, 'POST', '/init_query', {'filename': filename, 'filehash': filehash})
        assert reply[0]['status'] is True and reply[1] == 201, reply
        return reply[0]['QID']

    def query(self, **more):
        return {'filename': 'none', 'filehash': '', 'host': '127.0.0.1', 'port': 9, 'ttl': 5,
                'QID': str(uuid.uuid4()), **more}


class Server(Case):
    """Our node as the server: each call's exact reply."""

    def test_ping(self):
        node = self.node('a')
        reply = ask(node, 'GET', '/ping?n=abc-1')
        self.assertEqual((len(reply), reply[1], reply[0]['status']), (2, 201, True))
        self.assertEqual(reply[0]['nonce'], 'abc-1')
        self.assertTrue(reply[0]['agent'].startswith('p2pshare/'))
        self.assertNotIn('nonce', ask(node, 'GET', '/ping')[0])

    def test_block_trees(self):
        """Roots in hits, which a classic peer doesn't mind, and the layer below by its root."""
        large = bytes(i * i >> 3 & 255 for i in range(3 << 20)) + b'and a bit'
        files = {'large': large, 'leaf': large[:16384], 'more': large[:16385], 'empty': b''}
        node = self.node('a', files=files).indexed(len(files))
        asker = self.classic()
        for name, data in files.items():
            query = self.query(filename=name, **asker.me())
            ask(node, 'POST', '/query', query)
            hit = asker.wait(lambda: [b for b in asker.bodies('/query_hit')
                                      if b['QID'] == query['QID']], 'a hit', nodes.BOUND)[0]
            self.assertEqual(hit.get('root'), block_tree(data)[0] if data else None)
        root, layer = block_tree(large)
        self.assertEqual(len(layer), 4 * 32)
        status, headers, data = call(node, 'GET', '/hashes/' + root)
        self.assertEqual((status, headers['Content-Type'], data),
                         (200, 'application/octet-stream', layer))
        for unknown in (root.upper(), '0' * 64, sha256(large), block_tree(files['more'])[0]):
            self.assertEqual(call(node, 'GET', '/hashes/' + unknown)[0], 404)

    def test_membership(self):
        node = self.node('a')
        peer, other = self.classic(), self.classic()
        for body in ({}, {'host': '127.0.0.1'}, {'port': peer.port}):
            self.assertEqual(ask(node, 'POST', '/join', body), {'status': False})
        self.assertEqual(ask(node, 'POST', '/get_peers', peer.me()),
                         {'status': False, 'Msg': 'Unauthorized request.'})
        self.assertEqual(ask(node, 'POST', '/heartbeat', other.me()), [{'status': True}, 200])
        self.assertEqual(ask(node, 'POST', '/join', {'host': peer.host, 'port': str(peer.port)}),
                         {'status': True})
        node.knows(peer)
        node.knows(other)
        self.assertEqual(ask(node, 'POST', '/heartbeat', peer.me()), [{'status': True}, 200])
        self.assertEqual(ask(node, 'POST', '/get_peers', peer.me()),
                         {'status': True, 'peers': [other.me()]})

    def test_query(self):
        node = self.node('a', files={NAME: DATA}).indexed(1)
        asker = self.classic()
        for query in (self.query(filename=NAME, **asker.me()),
                      self.query(filename='other', filehash=HASH, **asker.me()),
                      self.query(filename='', filehash=HASH.upper(), **asker.me()),
                      self.query(filename=NAME, filehash=None, **asker.me())):
            self.assertEqual(ask(node, 'POST', '/query', query), [{'status': True}, 200])
            again = ask(node, 'POST', '/query', query)
            self.assertEqual(again, [{'status': True, 'dup': True}, 200])
            hit = asker.wait(lambda: [b for b in asker.bodies('/query_hit')
                                      if b['QID'] == query['QID']], 'a hit', nodes.BOUND)[0]
            self.assertEqual({k: hit[k] for k in ('filename', 'filehash', 'host', 'port')},
                             {'filename': NAME, 'filehash': HASH, 'host': '127.0.0.1',
                              'port': node.port})
        self.assertEqual(len(asker.bodies('/query_hit')), 4)
        nothing = self.query(filename=NAME.upper(), **asker.me())
        self.assertEqual(ask(node, 'POST', '/query', nothing), [{'status': True}, 200])
        self.assertEqual(node.json('stats')['queries']['answered'], 4)

    def test_query_refused(self):
        node = self.node('a')
        for more in ({'QID': 'x'}, {'port': 0}, {'port': 70000}, {'host': 'example.com'},
                     {'filename': 'n' * 256}, {'filename': 5}, {'filename': ''},
                     {'host': '10.0.0.1'}, {'port': 80}):
            self.assertEqual(refused(node, '/query', self.query(**more)), 400, more)
        self.assertEqual(refused(node, '/query', self.query(x='y' * 4096)), 413)
        self.assertEqual(refused(node, '/query_hit', {
            'filename': 'a', 'filehash': HASH, 'host': '127.0.0.1', 'port': 9999,
            'QID': str(uuid.uuid4())}), 404)

    def test_own_search(self):
        node = self.node('a')
        qid = self.search(node, 'wanted')
        self.assertRegex(qid, UUID)
        reply = ask(node, 'GET', '/query_results/' + qid)
        self.assertEqual((reply[0]['status'], reply[0]['QID'], reply[0]['results'], reply[1]),
                         (False, qid, [], 200))
        hit = {'filename': 'wanted', 'filehash': HASH, 'host': '127.0.0.1', 'port': 9999,
               'QID': qid}
        self.assertEqual(ask(node, 'POST', '/query_hit', hit), {'status': 'success'})
        found = self.results(node, qid)
        self.assertRegex(found[0].pop('timestamp'), TIME)
        self.assertEqual(found, [hit])
        self.assertEqual(ask(node, 'GET', '/query_results/' + str(uuid.uuid4())),
                         [{'status': False, 'QID': None, 'msg': 'No query found.'}, 404])

        second = self.search(node, '', HASH)
        peer = self.classic(peers=[node])
        node.knows(peer)
        stats = ask(node, 'GET', '/stats_all')
        self.assertEqual((len(stats), stats[1], stats[0]['status']), (2, 200, True))
        self.assertEqual([q['id'] for q in stats[0]['queries']], [second, qid])
        self.assertEqual(set(stats[0]['queries'][1]),
                         {'id', 'timestamp', 'filename', 'hash', 'responses'})
        self.assertEqual(stats[0]['queries'][1]['responses'][0]['filehash'], HASH)
        entry = stats[0]['peers'][0]
        self.assertRegex(entry.pop('last_seen'), TIME)
        self.assertIsInstance(entry.pop('last_update'), int)
        self.assertEqual(entry, {**peer.me(), 'status': 'active'})

    def test_download(self):
        node = self.node('a', files={NAME: DATA, 'empty': b''}).indexed(2)
        status, headers, data = call(node, 'GET', path_of(NAME))
        self.assertEqual((status, data), (200, DATA))
        self.assertTrue(headers['Content-Disposition'].startswith('attachment'))
        self.assertEqual(headers['ETag'], '"%s"' % HASH)
        self.assertEqual(call(node, 'HEAD', path_of(NAME))[1]['Content-Length'], str(len(DATA)))
        status, headers, data = call(node, 'GET', path_of(NAME), headers={'Range': 'bytes=5-9'})
        self.assertEqual((status, data), (206, DATA[5:10]))
        self.assertEqual(headers['Content-Range'], 'bytes 5-9/%d' % len(DATA))
        self.assertEqual(call(node, 'GET', path_of('empty'))[::2], (200, b''))
        for path in ('/download/none', '/download/', '/download/..%2Fnode.json',
                     '/download/../node.json', '/download/%00', '/download/x/y'):
            status, _, data = call(node, 'GET', path)
            self.assertEqual((status, json.loads(data)), (404, {'error': 'File not found'}), path)


class Classic(Case):
    """Our node among classic peers."""

    def test_join_and_get_peers(self):
        far = self.classic()
        near = self.classic(peers=[far])
        near.wait(lambda: near.status_of(far.host, far.port) == 'active', 'the classic two')
        node = self.node('a', peers=[near])
        me = {'host': '127.0.0.1', 'port': node.port}
        near.wait(lambda: near.bodies('/join') == [me], 'our /join', nodes.BOUND)
        near.wait(lambda: near.bodies('/get_peers')[:1] == [me], 'our /get_peers', nodes.BOUND)
        far.wait(lambda: me in far.bodies('/join'), 'our /join at the far one', nodes.BOUND)
        node.knows(near, far)
        self.assertEqual(near.status_of('127.0.0.1', node.port), 'active')
        self.assertTrue(all(p['classic'] for p in node.json('peers')))

    def test_classic_joins_us(self):
        node = self.node('a')
        first = self.classic(peers=[node])
        node.knows(first)
        second = self.classic(peers=[node], heartbeat=0.05)
        node.knows(second)
        self.assertEqual(second.status_of('127.0.0.1', node.port), 'active')
        second.wait(lambda: second.status_of(first.host, first.port) == 'active',
                    'that ours told of the first', nodes.BOUND)

    def test_unset_hosts(self):
        """0.0.0.0 in our configuration is not what we announce, and theirs is their source."""
        peer = self.classic()
        node = self.node('a', host='0.0.0.0', peers=[peer])
        peer.wait(lambda: peer.bodies('/join') == [{'host': '127.0.0.1', 'port': node.port}],
                  'our /join', nodes.BOUND)
        ours = self.node('b', files={'f': DATA}).indexed(1)
        vague = self.classic(host='0.0.0.0', peers=[ours])
        wait_until(lambda: [p['port'] for p in ours.json('peers') if p['status'] == 'active'
                            and p['host'] == '127.0.0.1'] == [vague.port], 'the vague one')
        qid = vague.search('f')
        vague.wait(lambda: vague.responses(qid), 'a hit for the vague one', nodes.BOUND)

    def test_ipv6(self):
        theirs = self.classic(host='::1', files={'theirs.bin': DATA})
        ours = self.node('a', host='::1', files={NAME: b'x'}, peers=[theirs])
        ours.indexed(1).knows(theirs)
        theirs.wait(lambda: theirs.status_of('::1', ours.port) == 'active', 'ours by IPv6')
        found = self.results(ours, self.search(ours, 'theirs.bin'))
        self.assertEqual((found[0]['host'], found[0]['port']), ('::1', theirs.port))
        self.assertEqual(pathlib.Path(ours.json('get', HASH)['path']).read_bytes(), DATA)
        qid = theirs.search(NAME)
        hit = theirs.wait(lambda: theirs.responses(qid), 'our hit', nodes.BOUND)[0]
        self.assertEqual((hit['host'], hit['port']), ('::1', ours.port))

    def test_searches_and_files(self):
        """A query from ours is answered by theirs, one from theirs by ours; files both ways."""
        theirs = self.classic(files={'theirs.bin': DATA})
        ours = self.node('a', files={NAME: DATA[::-1]}, peers=[theirs]).indexed(1).knows(theirs)
        found = self.results(ours, self.search(ours, 'theirs.bin'))
        self.assertEqual((found[0]['filehash'], found[0]['port']), (HASH, theirs.port))
        found = self.results(ours, self.search(ours, '', HASH))
        self.assertEqual(found[0]['filename'], 'theirs.bin')
        found = ours.json('search', '--timeout', '10', '--min-hits', '1', HASH)
        self.assertEqual(found[0]['sources'], [theirs.me()])
        got = ours.json('get', HASH)
        self.assertEqual(pathlib.Path(got['path']).read_bytes(), DATA)

        qid = theirs.search(NAME)
        hit = theirs.wait(lambda: theirs.responses(qid), 'our hit', nodes.BOUND)[0]
        self.assertEqual((hit['filehash'], hit['port']), (sha256(DATA[::-1]), ours.port))
        self.assertEqual(call(ours, 'GET', path_of(hit['filename']))[2], DATA[::-1])

    def test_words_find_classic_names(self):
        """What people type is a keyword search; a classic peer still answers an exact name."""
        theirs = self.classic(files={'holiday.txt': DATA})
        ours = self.node('a', peers=[theirs]).knows(theirs)
        found = ours.json('search', '--timeout', '10', '--min-hits', '1', 'holiday.txt')
        self.assertEqual(found[0]['filehash'], HASH)

    def test_classic_ours_classic(self):
        """The query crosses ours, the hit goes to the asker, the file comes directly."""
        holder = self.classic(files={'f.bin': DATA}, asks=False)
        ours = self.node('a', peers=[holder]).knows(holder)
        asker = self.classic(peers=[ours], asks=False)
        ours.knows(asker)
        qid = asker.search('f.bin')
        hit = asker.wait(lambda: asker.responses(qid), 'a hit', nodes.BOUND)[0]
        self.assertEqual((hit['host'], hit['port']), (holder.host, holder.port))
        query = holder.bodies('/query')[0]
        self.assertEqual((query['host'], query['port'], query['QID']),
                         (asker.host, asker.port, qid))
        self.assertEqual(query['ttl'], 2)  # 5 less 2, and no more than 2 to classic peers
        self.assertEqual(ours.json('stats')['queries']['forwarded'], 1)
        self.assertEqual(call(holder, 'GET', '/download/f.bin')[2], DATA)

    def test_ours_classic_ours(self):
        middle = self.classic(asks=False, tells=False)
        holder = self.node('holder', files={'f.bin': DATA}, peers=[middle]).indexed(1)
        asker = self.node('asker', peers=[middle]).knows(middle)
        holder.knows(middle)
        found = self.results(asker, self.search(asker, 'f.bin'))
        self.assertEqual((found[0]['filehash'], found[0]['port']), (HASH, holder.port))
        self.assertEqual(pathlib.Path(asker.json('get', HASH)['path']).read_bytes(), DATA)
        self.assertFalse([p for p, _, _ in middle.received if p.startswith('/download')])
        self.assertEqual([p['port'] for p in asker.json('peers')], [middle.port])

    def test_two_ways_one_answer(self):
        """Classic peers send every copy on; ours answers one query once."""
        middles = [self.classic(asks=False, tells=False) for _ in range(2)]
        holder = self.node('holder', files={'f.bin': DATA}, peers=middles).indexed(1)
        asker = self.node('asker', peers=middles).knows(*middles)
        holder.knows(*middles)
        qid = self.search(asker, 'f.bin')
        self.results(asker, qid)
        wait_until(lambda: holder.json('stats')['queries']['duplicates'] == 1, 'the second copy')
        self.assertEqual(holder.json('stats')['queries']['answered'], 1)
        self.assertEqual(len(self.results(asker, qid)), 1)

    def test_stopped_classic_peer(self):
        """A classic peer that ended is noticed, and again when it is back."""
        peer = self.classic()
        node = self.node('a', peers=[peer]).knows(peer)
        port, shared = peer.port, peer.shared
        peer.stop()
        peer.stop = lambda: None
        for _ in range(3):
            self.search(node, 'x')
        wait_until(lambda: node.json('peers')[0]['status'] == 'inactive', 'inactive')
        self.assertEqual(ask(node, 'GET', '/stats_all')[0]['peers'][0]['status'], 'inactive')
        back = classic_peer.ClassicPeer(port=port, shared=shared,
                                        peers=[(node.host, node.port)]).start()
        self.addCleanup(back.stop)
        node.knows(back)


if __name__ == '__main__':
    nodes.main()
