#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guarded front answers, in raw bytes: framing, browsers, hosts, ranges, addresses."""

import base64
import hashlib
import os
import socket
import sys
import tempfile
import unittest

from probe import FrontTest, Probe, Reply, ask, read_all, wait_until

HOST = 'Host: 127.0.0.1\r\n'
JSON = 'Content-Type: application/json\r\n'
CONTENT = bytes(range(256)) * 400


class GuardTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        for name in ('file.bin', 'naïve "file" %.bin', 'empty'):
            with open(os.path.join(cls.folder.name, name), 'wb') as file:
                file.write(b'' if name == 'empty' else CONTENT)
        cls.probe = Probe('--folder', cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.probe.__exit__(None)
        cls.folder.cleanup()

    def refused(self):
        return self.probe.state()['refused']

    def check_refused(self, request, status, reason):
        """The status, the JSON text, and the counter."""
        before = self.refused().get(reason, 0)
        reply = self.probe.ask(request)
        self.assertEqual(reply.status, status, request[:200])
        self.assertGreater(len(reply.error()), 10)
        self.assertEqual(reply.headers['content-type'], 'application/json')
        self.assertEqual(reply.headers['connection'], 'close')
        self.assertEqual(int(reply.headers['content-length']), len(reply.body))
        self.assertEqual(self.refused().get(reason, 0), before + 1, request[:200])

    def test_answers(self):
        reply = self.probe.get('/ping')
        self.assertEqual((reply.status, reply.body), (200, b'[{"status": true}, 201]'))
        self.assertEqual(reply.headers['connection'], 'close')
        self.assertEqual(reply.headers['x-content-type-options'], 'nosniff')
        self.assertIn('GMT', reply.headers['date'])
        reply = self.probe.post('/echo', '{"a": 1}')
        self.assertEqual((reply.status, reply.body), (200, b'{"a": 1}'))
        reply = self.probe.get('/no\\such')
        self.assertEqual((reply.status, reply.error()), (404, 'There is no such "call".'))
        # The longest body that is allowed.
        self.assertEqual(len(self.probe.post('/echo', 'x' * 16384).body), 16384)

    def test_body_in_pieces(self):
        with self.probe.connect() as client:
            for piece in ('POST /ec', f'ho HTTP/1.1\r\n{HOST}{JSON}Content-Length: 4\r', '\n\r',
                          '\n', 'ab', 'c', 'd'):
                client.sendall(piece.encode())
            self.assertEqual(Reply(read_all(client)).body, b'abcd')

    def test_chunked(self):
        head = f'POST /echo HTTP/1.1\r\n{HOST}{JSON}Transfer-Encoding: chunked\r\n\r\n'
        reply = self.probe.ask(head + '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n')
        self.assertEqual(reply.body, b'abcde')

    def test_continue(self):
        head = f'POST /echo HTTP/1.1\r\n{HOST}{JSON}Expect: 100-continue\r\nContent-Length: '
        with self.probe.connect() as client:
            client.sendall(f'{head}4\r\n\r\n'.encode())
            self.assertEqual(client.recv(4096)[:21], b'HTTP/1.1 100 Continue')
            client.sendall(b'abcd')
            self.assertEqual(Reply(read_all(client)).body, b'abcd')
        # No invitation for a body that is too large.
        self.check_refused(f'{head}99999\r\n\r\n', 413, 'body-too-large')

    def test_malformed(self):
        for request in (
                'GET\r\n\r\n', 'GET /ping\r\n\r\n', 'GET /ping HTTP/2.0\r\n' + HOST + '\r\n',
                'GET  /ping HTTP/1.1\r\n' + HOST + '\r\n',
                'GET /ping HTTP/1.1 \r\n' + HOST + '\r\n',
                'GET /ping HTTP/1.10\r\n' + HOST + '\r\n',
                'GET http://127.0.0.1/ping HTTP/1.1\r\n' + HOST + '\r\n',
                'OPTIONS * HTTP/1.1\r\n' + HOST + '\r\n',
                'CONNECT a:1 HTTP/1.1\r\n' + HOST + '\r\n',
                'G(T /ping HTTP/1.1\r\n' + HOST + '\r\n',
                '\r\nGET /ping HTTP/1.1\r\n' + HOST + '\r\n',
                'GET /pi\x00ng HTTP/1.1\r\n' + HOST + '\r\n',
                'GET /p#q HTTP/1.1\r\n' + HOST + '\r\n',
                'GET /%zz HTTP/1.1\r\n' + HOST + '\r\n', 'GET /% HTTP/1.1\r\n' + HOST + '\r\n',
                'GET /\xe4 HTTP/1.1\r\n' + HOST + '\r\n',
                'GET /ping HTTP/1.1\n' + HOST + '\n', 'GET /ping HTTP/1.1\r\nHost: 127.0.0.1\n\n',
                'GET /ping HTTP/1.1\r\n' + HOST + 'no colon\r\n\r\n',
                'GET /ping HTTP/1.1\r\n' + HOST + ': no name\r\n\r\n',
                'GET /ping HTTP/1.1\r\n' + HOST + 'A: b\r\n folded\r\n\r\n',
                'GET /ping HTTP/1.1\r\n' + HOST + 'A: b\rc\r\n\r\n',
                'GET /ping HTTP/1.1\r\n' + HOST + 'A: b\x01\r\n\r\n',
                'GET /ping HTTP/1.1\r\n' + HOST + 'A: \xff\r\n\r\n',
                '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS?\r\n\r\n',
                'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'):
            self.check_refused(request, 400, 'malformed')

    def test_headers_too_large(self):
        head = f'GET /ping HTTP/1.1\r\n{HOST}A: '
        room = 16384 - len(head) - 4
        self.assertEqual(self.probe.ask(f'{head}{"x" * room}\r\n\r\n').status, 200)
        for request in (f'{head}{"x" * (room + 1)}\r\n\r\n', f'{head}{"x" * 200000}',
                        f'GET /{"x" * 20000} HTTP/1.1\r\n{HOST}\r\n',
                        f'GET /ping HTTP/1.1\r\n{HOST}' + 'A: b\r\n' * 65 + '\r\n'):
            self.check_refused(request, 400, 'headers-too-large')

    def test_framing(self):
        """Each of these reads as two different requests to two different parsers."""
        post = f'POST /echo HTTP/1.1\r\n{HOST}{JSON}'
        chunks = '0\r\n\r\n'
        for request in (
                f'{post}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc',
                f'{post}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd',
                f'{post}Content-Length: 3, 3\r\n\r\nabc', f'{post}Content-Length: -1\r\n\r\n',
                f'{post}Content-Length: +3\r\n\r\nabc', f'{post}Content-Length: 0x3\r\n\r\nabc',
                f'{post}Content-Length: 3 3\r\n\r\nabc', f'{post}Content-Length: \r\n\r\nabc',
                f'{post}Content-Length: 99999999999999999999\r\n\r\n',
                f'{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}',
                f'{post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{chunks}',
                f'{post}transfer-encoding: chunked\r\nTRANSFER-ENCODING: chunked\r\n\r\n{chunks}',
                f'{post}Transfer-Encoding: identity\r\n\r\nabc',
                f'{post}Transfer-Encoding: gzip, chunked\r\n\r\n{chunks}',
                f'{post}Transfer-Encoding: xchunked\r\n\r\n{chunks}',
                f'{post}Transfer-Encoding: chunked, identity\r\n\r\n{chunks}',
                f'POST /echo HTTP/1.0\r\n{HOST}{JSON}Transfer-Encoding: chunked\r\n\r\n{chunks}'):
            self.check_refused(request, 400, 'framing')
        for request in (f'{post}Content-Length : 3\r\n\r\nabc',
                        f'{post}Transfer-Encoding : chunked\r\n\r\n{chunks}',
                        f'{post} Content-Length: 3\r\n\r\nabc',
                        f'{post}Content-Length:\r\n 3\r\n\r\nabc',
                        f'{post}Transfer-Encoding:\x0bchunked\r\n\r\n{chunks}'):
            self.check_refused(request, 400, 'malformed')

    def test_broken_chunks(self):
        """libsoup gives up on these; whatever it makes of them, the handler gets no body."""
        head = f'POST /echo HTTP/1.1\r\n{HOST}{JSON}Transfer-Encoding: chunked\r\n\r\n'
        for body in ('zz\r\nabc\r\n0\r\n\r\n', '-1\r\nabc\r\n0\r\n\r\n',
                     'ffffffffffffffff\r\nabc\r\n0\r\n\r\n'):
            with self.probe.connect() as client:
                client.sendall((head + body).encode())
                client.shutdown(socket.SHUT_WR)
                self.assertNotIn(b'abc', read_all(client), body)
        self.assertEqual(self.probe.get('/ping').status, 200)

    def test_one_request_each(self):
        """What follows a request is never read as another one, and doesn't harm the answer."""
        second = f'GET /target?q=smuggled HTTP/1.1\r\n{HOST}\r\n'
        first = f'POST /echo HTTP/1.1\r\n{HOST}{JSON}'
        for request in (f'GET /ping HTTP/1.1\r\n{HOST}\r\n{second}',
                        f'GET /ping HTTP/1.1\r\n{HOST}Content-Length: 5\r\n\r\nabcde{second}',
                        f'{first}Content-Length: 2\r\n\r\n{{}}{second * 40}',
                        f'{first}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{second}',
                        f'{first}Content-Length: 0\r\nConnection: keep-alive\r\n\r\n{second}'):
            reply = self.probe.ask(request)
            self.assertEqual(reply.status, 200)
            self.assertEqual(reply.data.count(b'HTTP/1.1 '), 1)
            self.assertNotIn(b'smuggled', reply.data)

    def test_http_1_0(self):
        for host in ('', HOST):
            reply = self.probe.ask(f'GET /target?q=1 HTTP/1.0\r\n{host}\r\n')
            self.assertEqual((reply.status, reply.body), (200, b'/target\n1\n127.0.0.1'))

    def test_host(self):
        name = socket.gethostname()
        for host in ('127.0.0.1', '127.0.0.1:8081', '10.1.2.3:1', '[::1]', '[fe80::1]:99',
                     'localhost', 'LOCALHOST:80', name, f'{name}.local:8081'):
            reply = self.probe.ask(f'GET /ping HTTP/1.1\r\nHost: {host}\r\n\r\n')
            self.assertEqual(reply.status, 200, host)
        for hosts in ('', f'{HOST}{HOST}', f'{HOST}host: attacker.example\r\n',
                      'Host: attacker.example\r\n', 'Host: attacker.example:8081\r\n',
                      'Host: \r\n', 'Host: 127.0.0.1.attacker.example\r\n',
                      'Host: 127.0.0.1:80x\r\n', 'Host: [127.0.0.1]\r\n', 'Host: [::1\r\n',
                      'Host: 127.0.0.1@attacker.example\r\n', 'Host: 127.0.0.1, a\r\n'):
            self.check_refused(f'GET /ping HTTP/1.1\r\n{hosts}\r\n', 400, 'host')

    def test_browsers(self):
        for header in ('Origin: http://attacker.example', 'Origin: null',
                       'Origin: http://127.0.0.1', 'Sec-Fetch-Site: cross-site',
                       'sec-fetch-site: same-site'):
            for line in ('GET /ping', 'POST /echo'):
                self.check_refused(f'{line} HTTP/1.1\r\n{HOST}{JSON}{header}\r\n\r\n', 403,
                                   'browser')
        self.assertEqual(self.probe.get('/ping', 'Sec-Fetch-Site: none\r\n').status, 200)
        for kind in ('', 'Content-Type: text/plain\r\n', 'Content-Type: application/jsonx\r\n',
                     'Content-Type: text/plain;application/json\r\n',
                     'Content-Type: application/x-www-form-urlencoded\r\n'):
            self.check_refused(f'POST /echo HTTP/1.1\r\n{HOST}{kind}Content-Length: 2\r\n\r\n{{}}',
                               415, 'content-type')
        for kind in ('application/json; charset=utf-8', 'Application/JSON', 'application/json;'):
            reply = self.probe.post('/echo', '{}', f'Content-Type: {kind}\r\n')
            self.assertEqual(reply.status, 200)

    def test_methods(self):
        for method in ('PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'get', 'PROPFIND', 'X'):
            self.check_refused(f'{method} /ping HTTP/1.1\r\n{HOST}\r\n', 405, 'method')
        reply = self.probe.ask(f'PUT /ping HTTP/1.1\r\n{HOST}\r\n')
        self.assertEqual(reply.headers['allow'], 'GET, HEAD, POST')
        reply = self.probe.ask(f'HEAD /ping HTTP/1.1\r\n{HOST}\r\n')
        self.assertEqual((reply.status, reply.body), (200, b''))
        self.assertEqual(reply.headers['content-length'], '23')

    def test_target_stays_encoded(self):
        for path in ('/target/a%2Fb', '/target/%00', '/target/..%2f..%2Fetc', '/target/%2e%2e/x',
                     '/target/../../etc/passwd', '/target//x', '/target/%C3%A4%20'):
            body = self.probe.get(path + '?q=%2F%20%2B+&q=2&n').body
            self.assertEqual(body, f'{path}\n/ + \n127.0.0.1'.encode())
        # A query that decodes to something that C can't hold, or to no text, is not there.
        for query in ('q=%00', 'q=%ff', 'r=1', ''):
            self.assertIn(b'\n(null)\n', self.probe.get('/target?' + query).body)
        self.assertIn(b'\n\n', self.probe.get('/target?q').body)
        self.assertIn(b'\na=b\n', self.probe.get('/target?q=a=b').body)

    def test_files_by_index_only(self):
        for name in ('..%2f..%2fetc%2fpasswd', '../etc/passwd', '%00file.bin', 'file.bin%00', '',
                     '.', '..', '/etc/passwd', 'file.bin/'):
            reply = self.probe.get('/download/' + name)
            self.assertEqual((reply.status, reply.error()), (404, 'File not found'), name)

    def test_download(self):
        digest = hashlib.sha256(b'file.bin').digest()
        reply = self.probe.get('/download/file.bin')
        self.assertEqual((reply.status, reply.body), (200, CONTENT))
        self.assertEqual(reply.headers['content-length'], str(len(CONTENT)))
        self.assertEqual(reply.headers['etag'], f'"{digest.hex()}"')
        self.assertEqual(reply.headers['repr-digest'],
                         f'sha-256=:{base64.b64encode(digest).decode()}:')
        self.assertEqual(reply.headers['accept-ranges'], 'bytes')
        self.assertEqual(reply.headers['content-type'], 'application/octet-stream')
        self.assertEqual(reply.headers['content-disposition'],
                         'attachment; filename="file.bin"; filename*=UTF-8\'\'file.bin')
        self.assertEqual(reply.headers['connection'], 'close')
        reply = self.probe.get('/download/na%C3%AFve%20%22file%22%20%25.bin')
        self.assertEqual(reply.headers['content-disposition'],
                         'attachment; filename="na__ve _file_ _.bin"; '
                         'filename*=UTF-8\'\'na%C3%AFve%20%22file%22%20%25.bin')
        self.assertEqual(reply.body, CONTENT)
        head = self.probe.ask(f'HEAD /download/file.bin HTTP/1.1\r\n{HOST}\r\n')
        self.assertEqual((head.status, head.body), (200, b''))
        self.assertEqual(head.headers['content-length'], str(len(CONTENT)))
        reply = self.probe.get('/download/empty')
        self.assertEqual((reply.status, reply.body, reply.headers['content-length']),
                         (200, b'', '0'))

    def test_phrases(self):
        """As every client shows them."""
        self.assertTrue(self.probe.get('/limited').data.startswith(b'HTTP/1.1 429 Too Many Req'))

    def test_not_modified(self):
        etag = f'"{hashlib.sha256(b"file.bin").hexdigest()}"'
        for tags in (etag, 'W/' + etag, f'"x", {etag}', '*'):
            reply = self.probe.get('/download/file.bin', f'If-None-Match: {tags}\r\n')
            self.assertEqual((reply.status, reply.body), (304, b''), tags)
            self.assertEqual(reply.headers['etag'], etag)
            self.assertNotIn('content-length', reply.headers)
        for tags in ('"x"', etag[:-1], 'x'):
            reply = self.probe.get('/download/file.bin', f'If-None-Match: {tags}\r\n')
            self.assertEqual(reply.status, 200, tags)

    def test_ranges(self):
        size = len(CONTENT)
        for value, first, last in (
                ('0-0', 0, 0), ('0-', 0, size - 1), ('5-9', 5, 9), ('-1', size - 1, size - 1),
                (f'-{size + 5}', 0, size - 1), ('100-999999999', 100, size - 1),
                (f'{size - 1}-', size - 1, size - 1), ('00005-9', 5, 9),
                ('7-99999999999999999999999', 7, size - 1)):
            reply = self.probe.get('/download/file.bin', f'Range: bytes={value}\r\n')
            self.assertEqual(reply.status, 206, value)
            self.assertEqual(reply.body, CONTENT[first:last + 1], value)
            self.assertEqual(reply.headers['content-range'], f'bytes {first}-{last}/{size}')
            self.assertEqual(reply.headers['content-length'], str(last - first + 1))
        for value in (f'{size}-', '99999999999999999999999-', '5-4', '-0', '', '-', 'a-b', '1',
                      '0-1,2-3', '0-,0-', '0-1,', '1-2-3', '+1-2', '-1-', ' 1-2', '0x1-2',
                      '1-2 '[:-1] + ';'):
            reply = self.probe.get('/download/file.bin', f'Range: bytes={value}\r\n')
            self.assertEqual(reply.status, 416, value)
            self.assertEqual(reply.headers['content-range'], f'bytes */{size}')
            self.assertGreater(len(reply.error()), 10)
        for header in ('Range: 1-2', 'Range: bytes 1-2',
                       'Range: bytes=0-1\r\nRange: bytes=2-3'):
            reply = self.probe.get('/download/file.bin', header + '\r\n')
            self.assertEqual(reply.status, 416, header)
        self.assertEqual(self.probe.get('/download/empty', 'Range: bytes=0-\r\n').status, 416)
        self.assertEqual(self.probe.get('/download/empty', 'Range: bytes=-1\r\n').status, 416)
        # A unit that we don't know is no range at all.
        reply = self.probe.get('/download/file.bin', 'Range: lines=1-2\r\n')
        self.assertEqual((reply.status, reply.body), (200, CONTENT))
        head = self.probe.ask(f'HEAD /download/file.bin HTTP/1.1\r\n{HOST}Range: bytes=1-2\r\n\r\n')
        self.assertEqual((head.status, head.body), (206, b''))
        # No other answer is cut by a range either.
        self.assertEqual(self.probe.get('/ping', 'Range: bytes=1-2\r\n').status, 200)

    def test_if_range(self):
        etag = f'"{hashlib.sha256(b"file.bin").hexdigest()}"'
        for value, status in ((etag, 206), ('W/' + etag, 200), ('"x"', 200), ('*', 200),
                              ('Sun, 06 Nov 1994 08:49:37 GMT', 200), (etag + ', "x"', 200)):
            reply = self.probe.get('/download/file.bin',
                                   f'Range: bytes=1-2\r\nIf-Range: {value}\r\n')
            self.assertEqual(reply.status, status, value)
            self.assertEqual(reply.body, CONTENT[1:3] if status == 206 else CONTENT)

    def test_answered_later_and_never(self):
        with self.probe.connect() as waiting:
            waiting.sendall(f'GET /held HTTP/1.1\r\n{HOST}\r\n'.encode())
            wait_until(lambda: self.probe.state()['held'], 'the request to be held')
            self.assertEqual(self.probe.get('/held').body, b'released')
            self.assertEqual(Reply(read_all(waiting)).status, 200)
        reply = self.probe.get('/forgotten')
        self.assertEqual((reply.status, reply.error()), (500, 'The node did not answer.'))

    def test_client_gone_before_the_answer(self):
        idle = FrontTest.settle(self.probe)
        for reset in (False, True):
            client = self.probe.connect()
            client.sendall(f'GET /held HTTP/1.1\r\n{HOST}\r\n'.encode())
            wait_until(lambda: self.probe.state()['held'], 'the request to be held')
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
            client.close()
            if reset:
                wait_until(lambda: self.probe.state()['connections'] == 1, 'the reset to be seen')
            self.assertEqual(self.probe.get('/held').body, b'released')
            wait_until(lambda: self.probe.descriptors() == idle, 'its descriptor to be closed')

    def test_half_closed_client_gets_its_answer(self):
        with self.probe.connect() as client:
            client.sendall(f'GET /held HTTP/1.1\r\n{HOST}\r\n'.encode())
            client.shutdown(socket.SHUT_WR)
            wait_until(lambda: self.probe.state()['held'], 'the request to be held')
            self.assertEqual(self.probe.get('/held').body, b'released')
            self.assertEqual(Reply(read_all(client)).status, 200)

    def test_answer_reaches_who_still_sends(self):
        """Closing at once would answer the rest with a reset, which destroys the answer on its way
        to many a client."""
        post = f'POST /echo HTTP/1.1\r\n{HOST}{JSON}'
        for request, status in ((f'{post}Content-Length: 50000\r\n\r\n', 413),
                                (f'GET /ping HTTP/1.1\r\n{HOST}\r\nGET /pi', 200)):
            with self.probe.connect() as client:
                client.sendall(request.encode() + b'x' * 50000)
                data = b''
                while part := client.recv(65536):  # a reset is an error here
                    data += part
                self.assertEqual(Reply(data).status, status)

    def test_large_answer_from_memory(self):
        self.assertEqual(len(self.probe.get('/big?n=20000000').body), 20000000)


class ListenTest(unittest.TestCase):
    def test_port_taken(self):
        with socket.create_server(('0.0.0.0', 0)) as other:
            port = other.getsockname()[1]
            with self.assertRaises(RuntimeError) as caught:
                Probe('--host', '0.0.0.0', '--port', str(port)).__exit__(None)
        self.assertEqual(str(caught.exception),
                         f'port {port} on 0.0.0.0 is taken by another program: '
                         'choose another port or end it\n')

    def test_not_an_address(self):
        with self.assertRaises(RuntimeError) as caught:
            Probe('--host', 'example.org').__exit__(None)
        self.assertEqual(str(caught.exception), 'example.org is not an IPv4 or IPv6 address\n')
        with self.assertRaises(RuntimeError) as caught:
            Probe('--host', '192.0.2.1').__exit__(None)
        self.assertIn("can't listen on 192.0.2.1", str(caught.exception))

    def test_families(self):
        """Which clients reach which listener, and as whom they are seen."""
        for host, clients in (('127.0.0.1', ['127.0.0.1']), ('0.0.0.0', ['127.0.0.1', '127.9.9.9']),
                              ('::1', ['::1']), ('::', ['::1', '127.0.0.1'])):
            with Probe('--host', host) as probe:
                for client in clients:
                    reply = probe.ask('GET /target HTTP/1.1\r\nHost: localhost\r\n\r\n', host=client)
                    source = '127.0.0.1' if '.' in client else '::1'
                    self.assertEqual(reply.body.decode().split('\n')[2], source)
        with Probe('--host', '::1') as probe:
            with self.assertRaises(ConnectionRefusedError):
                probe.connect('127.0.0.1')

    def test_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'control.sock')

            def ask_unix(request):
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(path)
                    return ask(client, request)

            with Probe('--unix', path, '--max-body', '100000') as probe:
                self.assertEqual(probe.port, 0)
                self.assertEqual(os.stat(path).st_mode & 0o7777, 0o600)
                # No browser can come here: any host, origin, type; more methods; a larger body.
                reply = ask_unix('POST /echo HTTP/1.1\r\nHost: p2pshare\r\nOrigin: x\r\n'
                                 'Content-Length: 50000\r\n\r\n' + 'x' * 50000)
                self.assertEqual((reply.status, len(reply.body)), (200, 50000))
                reply = ask_unix('DELETE /target HTTP/1.1\r\nHost: p2pshare\r\n\r\n')
                self.assertEqual(reply.body, b'/target\n(null)\n')
                reply = ask_unix('POST /echo HTTP/1.1\r\nHost: p2pshare\r\n'
                                 'Content-Length: 100001\r\n\r\n')
                self.assertEqual(reply.status, 413)
                with self.assertRaises(RuntimeError) as caught:
                    Probe('--unix', path).__exit__(None)
                self.assertIn(f'another program answers on {path}', str(caught.exception))
                self.assertEqual(ask_unix('GET /ping HTTP/1.0\r\n\r\n').status, 200)
            self.assertFalse(os.path.exists(path))

            # Left by a killed program: replaced. Something else: never touched.
            stale = socket.socket(socket.AF_UNIX)
            stale.bind(path)
            stale.close()
            with Probe('--unix', path):
                self.assertEqual(ask_unix('GET /ping HTTP/1.0\r\n\r\n').status, 200)
            with open(path, 'w', encoding='ascii') as file:
                file.write('mine')
            with self.assertRaises(RuntimeError) as caught:
                Probe('--unix', path).__exit__(None)
            self.assertIn('is no socket', str(caught.exception))
            self.assertTrue(os.path.exists(path))
            with self.assertRaises(RuntimeError) as caught:
                Probe('--unix', folder + '/' + 'x' * 120).__exit__(None)
            self.assertIn('too long', str(caught.exception))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
