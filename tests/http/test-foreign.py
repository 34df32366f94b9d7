#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that know nothing of us fetch from our nodes: aria2c with a Metalink, curl, and plain
HTTP checked against Python's own SHA-256. A program that is missing fails its test."""

import base64
import hashlib
import http.client
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'cli'))
import nodes  # noqa: E402

METALINK = '{urn:ietf:params:xml:ns:metalink}'
DATA = os.urandom(8 * 1024 * 1024 + 321)
HASH = nodes.sha256(DATA)
NAME = 'größe & <co> "1".bin'


def ni_path(data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return '/.well-known/ni/sha-256/' + digest.decode().rstrip('=')


def repr_digest(data):
    return 'sha-256=:%s:' % base64.b64encode(hashlib.sha256(data).digest()).decode()


def url_of(node, path):
    return 'http://%s:%d%s' % (node.host, node.port, path)


def sent_by(node):
    return node.json('stats')['transfers']['bytes_sent']


class Foreign(nodes.Case):
    def run_program(self, *command):
        """Its output, as bytes. It must end well."""
        env = {k: v for k, v in nodes.environment(self.folder).items()
               if not k.lower().endswith('_proxy')}
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=env, cwd=self.folder, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors='replace'))
        return done.stdout

    def call(self, node, path, method='GET', headers={}):
        connection = http.client.HTTPConnection(node.host, node.port, timeout=nodes.BOUND)
        connection.request(method, path, headers=headers)
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        return reply.status, reply.headers, data


class Metalink(Foreign):
    def urls(self, text):
        """Those of the one file of a document that is as RFC 5854 has it."""
        root = ElementTree.fromstring(text)
        self.assertEqual(root.tag, METALINK + 'metalink')
        self.assertEqual([child.tag for child in root], [METALINK + 'file'])
        file = root[0]
        self.assertEqual(file.get('name'), NAME)
        self.assertEqual(file.findtext(METALINK + 'size'), str(len(DATA)))
        hashes = file.findall(METALINK + 'hash')
        self.assertEqual([(h.get('type'), h.text) for h in hashes], [('sha-256', HASH)])
        found = file.findall(METALINK + 'url')
        self.assertEqual([u.get('priority') for u in found],
                         [str(i + 1) for i in range(len(found))])
        return [u.text for u in found]

    def test_aria2_takes_one_file_from_two_nodes(self):
        b = self.node('b', files={'another name.bin': DATA}).indexed(1)
        a = self.node('a', files={NAME: DATA}, peers=[b]).indexed(1)
        a.knows(b)
        alone = a.cli('link', '--metalink', HASH, status=0).stdout
        self.assertEqual(self.urls(alone), [url_of(a, ni_path(DATA))])

        def both():
            text = a.cli('link', '--metalink', '--timeout', '0.5', HASH, status=0).stdout
            return text if len(self.urls(text)) == 2 else None
        text = nodes.wait_until(both, 'two sources')
        self.assertEqual(self.urls(text), [url_of(a, ni_path(DATA)), url_of(b, ni_path(DATA))])
        self.assertEqual(a.json('status')['downloads_active'], 0)
        (self.folder / 'file.meta4').write_text(text)
        # both are one server to it, by their host; held back a little, so that neither is done
        # before the other has begun
        self.run_program('aria2c', '--no-conf', '--dir=out', '--metalink-file=file.meta4',
                         '--split=2', '--min-split-size=1M', '--max-connection-per-server=2',
                         '--max-overall-download-limit=8M', '--file-allocation=none')
        names = os.listdir(self.folder / 'out')  # it has rules of its own for letters like <
        self.assertEqual(len(names), 1, names)
        self.assertEqual((self.folder / 'out' / names[0]).read_bytes(), DATA)
        for node in (a, b):
            self.assertGreater(sent_by(node), len(DATA) // 10)

    def test_aria2_refuses_other_bytes(self):
        """The hash in the document is what the program goes by."""
        a = self.node('a', files={NAME: DATA}).indexed(1)
        text = a.cli('link', '--metalink', HASH, status=0).stdout
        (self.folder / 'file.meta4').write_text(text.replace(HASH, '0' * 64))
        with self.assertRaises(AssertionError):
            self.run_program('aria2c', '--no-conf', '--dir=out', '--metalink-file=file.meta4')

    def test_sources(self):
        """A download's sources count too; a classic peer is asked by name."""
        b = self.node('b', files={'x.txt': b'content'}).indexed(1)
        a = self.node('a')
        filehash = nodes.sha256(b'content')
        for what in ((), ('--metalink',)):
            done = a.cli('link', *what, filehash, status=1)
            self.assertIn('does not know', done.stderr)
        magnet = b.cli('link', filehash, status=0).stdout.strip()
        self.assertEqual(magnet, 'magnet:?xt=urn:sha256:%s&xl=7&dn=x.txt&x.pe=%s:%d'
                         % (filehash, b.host, b.port))
        a.cli('get', magnet, status=0)
        self.assertEqual(a.cli('link', filehash, status=0).stdout.strip(), magnet)
        self.assertIn(url_of(b, ni_path(b'content')),
                      a.cli('link', '--metalink', filehash, status=0).stdout)

    def test_no_address(self):
        """0.0.0.0 means nothing to others: a magnet link does without, a Metalink can't."""
        a = self.node('a', start=False, files={NAME: b'x'}, host='0.0.0.0').start().indexed(1)
        filehash = nodes.sha256(b'x')
        self.assertNotIn('x.pe', a.cli('link', filehash, status=0).stdout)
        done = a.cli('link', '--metalink', filehash, status=1)
        self.assertEqual(done.stdout, '')
        self.assertIn('--timeout', done.stderr)
        for wrong in ('0', '-1', 'nan', 'x'):
            a.cli('link', '--timeout', wrong, filehash, status=2)


class Curl(Foreign):
    def test_resumes(self):
        node = self.node('a', files={NAME: DATA}).indexed(1)
        half = len(DATA) // 2
        (self.folder / 'half').write_bytes(DATA[:half])
        self.run_program('curl', '-q', '--fail', '--silent', '--show-error', '-C', '-', '-o', 'half',
                         url_of(node, ni_path(DATA)))
        self.assertEqual((self.folder / 'half').read_bytes(), DATA)
        nodes.wait_until(lambda: sent_by(node) == len(DATA) - half, 'only the rest was sent')

    def test_head(self):
        node = self.node('a', files={NAME: DATA}).indexed(1)
        text = self.run_program('curl', '-q', '--fail', '--silent', '--show-error', '--head',
                                url_of(node, ni_path(DATA))).decode()
        lines = text.split('\r\n')
        self.assertEqual(lines[0], 'HTTP/1.1 200 OK')
        for line in ('ETag: "%s"' % HASH, 'Repr-Digest: ' + repr_digest(DATA),
                     'Content-Length: %d' % len(DATA), 'Accept-Ranges: bytes'):
            self.assertIn(line, lines)
        self.assertEqual(lines[-2:], ['', ''])


class Content(Foreign):
    """RFC 6920 and RFC 9530 against hashlib."""

    def files(self):
        """One of each kind, and one whose hash has both letters that base64url changes."""
        files = {'empty': b'', 'byte': b'x', NAME: DATA[:70000]}
        for i in range(10000):
            data = b'%d' % i
            if {'-', '_'} <= set(ni_path(data)[len('/.well-known/ni/sha-256/'):]):
                return {**files, 'letters': data}
        raise AssertionError('no such hash')

    def test_by_content(self):
        files = self.files()
        node = self.node('a', files=files).indexed(len(files))
        for name, data in files.items():
            with self.subTest(name):
                status, headers, body = self.call(node, ni_path(data))
                self.assertEqual((status, body), (200, data))
                self.assertEqual(headers['Repr-Digest'], repr_digest(data))
                self.assertEqual(headers['ETag'], '"%s"' % nodes.sha256(data))
                status, headers, body = self.call(node, ni_path(data), 'HEAD')
                self.assertEqual((status, body), (200, b''))
                self.assertEqual(headers['Content-Length'], str(len(data)))
                self.assertEqual(headers['Repr-Digest'], repr_digest(data))

    def test_a_part_has_the_digest_of_the_whole(self):
        node = self.node('a', files={NAME: DATA}).indexed(1)
        status, headers, body = self.call(node, ni_path(DATA), headers={'Range': 'bytes=7-99'})
        self.assertEqual((status, body), (206, DATA[7:100]))
        self.assertEqual(headers['Repr-Digest'], repr_digest(DATA))
        self.assertEqual(headers['Content-Range'], 'bytes 7-99/%d' % len(DATA))

    def test_nothing_else(self):
        node = self.node('a', files={'x': b'x'}).indexed(1)
        good = ni_path(b'x')
        self.assertEqual(self.call(node, good)[0], 200)
        for path in (ni_path(b'y'), good + '=', good[:-1], good + 'A', good.replace('sha-256', 'sha-512'),
                     good.replace('sha-256', 'SHA-256'), good + '/x',
                     '/.well-known/ni/sha-256/' + nodes.sha256(b'x')):
            self.assertEqual(self.call(node, path)[0], 404, path)
        # other bytes of the same length: not served under the old hash, indexed again or not
        (node.shared / 'x').write_bytes(b'z')
        self.assertEqual(self.call(node, good)[0], 404)


if __name__ == '__main__':
    nodes.main()
