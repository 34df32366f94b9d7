#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The window does the main job with real nodes: search, download, peers, statistics, preferences."""

import hashlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ui  # noqa: E402
from ui import act, find, get_text, keys, names, set_text, type_text, wait  # noqa: E402

PICTURE = 'Holiday in the mountains.jpg'
CONTENT = bytes(i * 7 % 251 for i in range(300000))
MORE = {PICTURE: CONTENT, 'Holiday diary.txt': b'It rained.\n' * 500,
        'Holiday songs.flac': b'\1la' * 400000, 'Zebra.pdf': b'%PDF' * 1000}


def pages(window, suffix):
    """A picture of every page."""
    for number, page in enumerate(('search', 'peers', 'downloads', 'statistics'), 1):
        keys('alt+%d' % number)
        window.screenshot('%s-%s' % (page, suffix))


class MainJob(ui.Test):
    def search(self, window, text):
        entry = window.find('entry', 'Search the network')
        set_text(entry, text)
        keys('Return')  # the entry has the focus

    def connected(self, window):
        wait(lambda: any('1 peer is connected' in n for n in names(window.app())), 'one peer')

    def main_job(self, suffix, env=None):
        node = ui.Node(self, MORE)
        window = self.new_window([node.address], env=env, shared={'Mine.txt': b'mine'})
        window.focus()
        self.connected(window)
        self.search(window, 'holiday')
        row = wait(lambda: window.row('Search results', PICTURE), 'the result')
        self.assertIn('300.0\u00a0kB', row)
        self.assertIn('1', row)
        wait(lambda: len([n for n in names(window.app()) if n.startswith('Holiday')]) >= 3, 'all')
        self.assertFalse([n for n in names(window.app()) if n == 'Zebra.pdf'])

        act(window.find('push button', 'Download ' + PICTURE))
        path = os.path.join(window.folder, 'saved', PICTURE)
        wait(lambda: os.path.exists(path), 'the file')
        with open(path, 'rb') as f:
            self.assertEqual(f.read(), CONTENT)
        wait(lambda: any(n.endswith('Done') and '300.0' in n for n in names(window.app())), 'done')
        keys('alt+4')
        wait(lambda: window.row('Queries', 'holiday'), 'the query')
        self.assertIn('This node', window.row('Queries', 'holiday'))
        wait(lambda: '3' in window.row('Queries', 'holiday'), 'its three responses')
        wait(lambda: find(window.app(), 'panel', 'Downloads: 1'), 'the total')
        row = wait(lambda: window.row('Peers', node.name), 'the peer')
        self.assertIn('Active', row)
        pages(window, suffix)
        self.assertEqual(window.end(), 0)

    def test_light(self):
        self.main_job('light')

    def test_dark(self):
        self.main_job('dark', {'ADW_DEBUG_COLOR_SCHEME': 'prefer-dark'})

    def test_keyboard(self):
        """The entry has the focus at the start: type, Enter, down to the row, Enter."""
        node = ui.Node(self, {PICTURE: CONTENT})
        window = self.new_window([node.address])
        window.focus()
        self.connected(window)
        entry = window.find('entry', 'Search the network')
        wait(lambda: any(ui.is_focused(n) for n in ui.walk(entry)), 'focus')
        type_text('mountains')
        keys('Return')
        wait(lambda: window.row('Search results', PICTURE), 'the result')
        path = os.path.join(window.folder, 'saved', PICTURE)

        keys('Down')
        table = find(window.app(), 'tree table', 'Search results')
        wait(lambda: [n for n in ui.walk(table) if ui.is_focused(n)], 'a result has the focus')
        keys('Return')
        wait(lambda: os.path.exists(path), 'the file')
        keys('ctrl+f')
        wait(lambda: any(ui.is_focused(n) for n in ui.walk(entry)), 'focus again')
        keys('ctrl+q')
        self.assertEqual(window.end(None), 0)

    def click_down(self, window, condition):
        """Presses the secondary button ever further down until something comes of it."""
        for y in range(120, 400, 16):
            subprocess.run(['xdotool', 'mousemove', '--window', window.xid, '200', str(y), 'click', '3'],
                           check=True)
            try:
                return wait(condition, 'the menu', 0.3)
            except AssertionError:
                continue
        return wait(condition, 'the menu', 1)

    def test_copy(self):
        """The link and the hash of a result, by keys, from the menu, with the mouse."""
        node = ui.Node(self, {'Linked.txt': b'linked'})
        filehash = hashlib.sha256(b'linked').hexdigest()
        link = 'magnet:?xt=urn:sha256:%s&xl=6&dn=Linked.txt&x.pe=%s' % (filehash, node.name)
        window = self.new_window([node.address])
        window.focus()
        self.connected(window)
        entry = window.find('entry', 'Search the network')

        def assert_copied(text):
            keys('ctrl+f', 'ctrl+a', 'ctrl+v')
            wait(lambda: get_text(entry) == text, text)

        def item(name):
            return wait(lambda: find(window.app(), 'menu item', name), name)
        self.search(window, 'linked')
        wait(lambda: window.row('Search results', 'Linked.txt'), 'the result')
        keys('Down')
        wait(lambda: any(filehash in n for n in names(window.app())), 'the selection')
        keys('ctrl+c')
        wait(lambda: find(window.app(), 'label', 'Link copied'), 'it is told')
        assert_copied(link)
        keys('Down', 'shift+F10')
        act(item('Copy Hash'))
        wait(lambda: find(window.app(), 'label', 'Hash copied'), 'it is told')
        assert_copied(filehash)
        wait(lambda: not find(window.app(), 'menu item'), 'the menu is closed')
        self.click_down(window, lambda: find(window.app(), 'menu item', 'Copy Link'))
        act(item('Copy Link'))
        assert_copied(link)
        self.assertEqual(window.end(), 0)

    def test_nothing_found(self):
        node = ui.Node(self, {PICTURE: CONTENT})
        window = self.new_window([node.address])
        window.focus()
        self.connected(window)
        self.search(window, 'no such thing')
        stop = window.find('push button', 'Stop searching')
        wait(lambda: find(window.app(), 'label', 'Searching…'), 'searching')
        act(stop)
        wait(lambda: ui.cli(window.state, 'queries'), 'the query')
        window.screenshot('nothing-found')


class Peers(ui.Test):
    def test_alone(self):
        """Each page says what to do next when it is empty."""
        window = self.new_window()
        window.focus()
        for title in ('No Peers Yet', 'No Peers', 'No Downloads', 'No Queries Yet'):
            window.find('label', title)
        pages(window, 'empty')

    def test_add_and_remove(self):
        node = ui.Node(self, {})
        address = node.name
        window = self.new_window()
        window.focus()
        window.find('label', 'No Peers')
        keys('ctrl+n')
        dialog = wait(lambda: next((n for n in ui.children(window.app())
                                    if find(n, 'label', 'Address and Port')), None), 'dialog')
        add = wait(lambda: next(n for n in ui.walk(dialog) if ui.role_of(n) == 'push button'
                                and 'Add' in n.get_name()), 'the button')
        entry = wait(lambda: find(dialog, 'text'), 'the entry')
        self.assertFalse(ui.is_sensitive(add))
        set_text(entry, 'nonsense')
        self.assertFalse(ui.is_sensitive(add))
        set_text(entry, address)
        wait(lambda: ui.is_sensitive(add), 'a valid address')
        act(add)
        row = wait(lambda: window.row('Peers', address), 'the peer')
        wait(lambda: 'Active' in window.row('Peers', address), 'active')
        self.assertTrue(row)
        self.assertEqual(node.end(), 0)  # one that lives would only come back
        keys('alt+2')
        remove = wait(lambda: next(n for n in ui.walk(window.app())
                                   if n.get_description() == 'Remove ' + address), 'remove')
        act(remove)
        wait(lambda: not window.row('Peers', address), 'removed')
        keys('ctrl+comma')  # and it is no longer one of the known peers
        preferences = wait(lambda: next(n for n in ui.children(window.app())
                                        if find(n, 'label', 'Known Peers')), 'preferences')
        self.assertNotIn(address, names(preferences))


class Preferences(ui.Test):
    def test_folders(self):
        """What is set is applied at once: a folder more is shared without a restart."""
        folder = self.new_folder()
        shared = self.new_folder()
        with open(os.path.join(shared, 'One.txt'), 'wb') as f:
            f.write(b'one')
        env = {'GSETTINGS_BACKEND': 'keyfile', 'XDG_CONFIG_HOME': os.path.join(folder, 'config'),
               'GSETTINGS_SCHEMA_DIR': os.path.join(os.path.dirname(ui.BIN), 'data')}

        def setting(key, value):
            subprocess.run(['gsettings', 'set', 'com.example.P2PShare', key, value], check=True,
                           env=dict(os.environ, **env))

        def limit(key):
            return ui.cli(state, 'status')['limits'][key]

        host, port = ui.new_address()
        setting('host', host)
        setting('port', str(port))
        state = os.path.join(folder, 'state')
        window = ui.Window(self, '--state-dir', state, env=env)
        window.focus()
        wait(lambda: ui.cli(state, 'status'), 'running')
        keys('ctrl+comma')
        window.find('label', 'Nothing is shared')
        setting('folders', "[b'%s']" % shared)
        wait(lambda: ui.cli(state, 'status')['files_indexed'] == 1, 'the file')
        window.find('label', os.path.basename(shared))
        setting('upload-limit', '250')
        setting('limit-uploads', 'true')
        wait(lambda: limit('upload_bytes_per_second') == 250000, 'the limit')
        setting('limit-uploads', 'false')
        wait(lambda: limit('upload_bytes_per_second') is None, 'no limit')
        setting('upload-slots', '5')
        wait(lambda: limit('upload_slots') == 5, 'the slots')
        window.focus('Preferences')
        window.screenshot('preferences')


if __name__ == '__main__':
    ui.main()
