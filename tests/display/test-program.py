#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program around the window: how it starts, what it says when it can't, how it ends."""

import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ui  # noqa: E402
from ui import act, find, keys, names, wait  # noqa: E402


class Start(ui.Test):
    def test_port_taken(self):
        """It says what is wrong, and goes on when that is put right."""
        with socket.socket() as other:
            other.bind(ui.new_address())
            other.listen()
            port = other.getsockname()[1]
            window = self.new_window(address=other.getsockname())
            window.focus()
            window.find('label', 'Not Connected')
            wait(lambda: any(str(port) in n for n in names(window.app())), 'the port is named')
            window.screenshot('port-taken')
            self.assertIsNone(ui.cli(window.state, 'status'))
        act(window.find('push button', 'Try Again'))
        status = wait(lambda: ui.cli(window.state, 'status'), 'running')
        self.assertEqual(status['port'], port)
        self.assertEqual(window.end(), 0)

    def test_bad_configuration(self):
        folder = self.new_folder()
        path = os.path.join(folder, 'config.json')
        with open(path, 'w') as f:
            f.write('{"self": {"host": "127.0.0.1", "port": 70000}}')
        run = subprocess.run([os.path.join(ui.BIN, 'gui', 'p2pshare'), '--config', path, '--state-dir',
                              folder], stderr=subprocess.PIPE, text=True, check=False, timeout=30,
                             env=dict(os.environ, GSETTINGS_SCHEMA_DIR=os.path.join(
                                 os.path.dirname(ui.BIN), 'data')))
        self.assertEqual(run.returncode, 1)
        self.assertIn(path, run.stderr)
        self.assertIn('70000', run.stderr)

    def test_background(self):
        """Started in the background it shares without a window; a second start shows it."""
        folder = self.new_folder()
        env = {'GSETTINGS_BACKEND': 'keyfile', 'XDG_CONFIG_HOME': os.path.join(folder, 'config'),
               'XDG_DATA_HOME': os.path.join(folder, 'data'),
               'GSETTINGS_SCHEMA_DIR': os.path.join(os.path.dirname(ui.BIN), 'data')}
        host, port = ui.new_address()
        for key, value in (('host', host), ('port', str(port))):
            subprocess.run(['gsettings', 'set', 'com.example.P2PShare', key, value], check=True,
                           env=dict(os.environ, **env))
        state = os.path.join(folder, 'data', 'p2pshare')
        first = ui.Window(self, '--background', env=env)
        wait(lambda: ui.cli(state, 'status'), 'running')
        self.assertIsNone(find(first.app(), 'frame') if self.has_tree(first) else None)
        self.assertEqual(ui.Window(self, '--background', env=env).end(None), 0)
        self.assertEqual(ui.Window(self, env=env).end(None), 0)
        first.focus()
        keys('ctrl+w')
        wait(lambda: find(first.app(), 'frame') is None, 'closed')
        self.assertTrue(ui.cli(state, 'status'))
        self.assertEqual(first.end(), 0)

    def has_tree(self, window):
        try:
            return window.app() is not None
        except LookupError:
            return False

    def test_close_ends_it(self):
        window = self.new_window()
        window.focus()
        wait(lambda: ui.cli(window.state, 'status'), 'running')
        # a limit on the size of files must not end it
        with open('/proc/%d/status' % window.pid) as f:
            ignored = int(next(line.split()[1] for line in f if line.startswith('SigIgn')), 16)
        self.assertTrue(ignored >> (signal.SIGXFSZ - 1) & 1)
        began = time.monotonic()
        keys('ctrl+w')
        self.assertEqual(window.end(None), 0)
        self.assertLess(time.monotonic() - began, 5)

    def test_interrupt(self):
        window = self.new_window()
        window.focus()
        self.assertEqual(window.end(signal.SIGINT), 0)

    def test_link(self):
        """A link on the command line becomes a download."""
        content = b'by link' * 1000
        node = ui.Node(self, {'Linked.txt': content})
        filehash = ui.cli(node.state, 'files')[0]['filehash']
        folder = self.new_folder()
        config = ui.write_config(folder, [node.address])
        window = ui.Window(self, '--config', config, '--state-dir', os.path.join(folder, 'state'),
                           'magnet:?xt=urn:sha256:%s&dn=Linked.txt' % filehash)
        window.focus()
        path = os.path.join(folder, 'saved', 'Linked.txt')
        wait(lambda: os.path.exists(path), 'the file')
        with open(path, 'rb') as f:
            self.assertEqual(f.read(), content)

    def test_link_is_enough(self):
        """A node that knows nobody gets the file and gets to know the peer that the link names."""
        node = ui.Node(self, {'Linked.txt': b'linked'})
        filehash = ui.cli(node.state, 'files')[0]['filehash']
        folder = self.new_folder()
        state = os.path.join(folder, 'state')
        # without a name nobody can be asked for it at once: it takes a search
        window = ui.Window(self, '--config', ui.write_config(folder), '--state-dir', state,
                           'magnet:?xt=urn:sha256:%s&x.pe=%s' % (filehash, node.name))
        path = os.path.join(folder, 'saved', 'Linked.txt')
        wait(lambda: os.path.exists(path), 'the file')
        self.assertEqual([(p['host'], p['port']) for p in ui.cli(state, 'peers')], [node.address])
        self.assertEqual(window.end(), 0)

    def test_desktop_file(self):
        """It opens links: the desktop finds it by their scheme."""
        with open(os.path.join(os.path.dirname(ui.BIN), 'data', 'com.example.P2PShare.desktop')) as f:
            lines = f.read().splitlines()
        self.assertIn('Exec=p2pshare %u', lines)
        self.assertIn('MimeType=x-scheme-handler/magnet;x-scheme-handler/ni;', lines)


if __name__ == '__main__':
    ui.main()
