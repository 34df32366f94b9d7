# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window's tests need: real nodes, the real program, and hands and eyes for it through the
accessibility tree. Nothing sleeps for a time: everything waits for a condition, with a bound."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ''
BOUND = 30  # seconds; only a failure takes that long


def main():
    """Runs the tests of the calling script in an X session of their own."""
    if os.environ.get('P2PS_IN_XSESSION') != '1':
        os.environ['P2PS_IN_XSESSION'] = '1'
        # For the program, not for the bus and the Python that watches it.
        os.environ['P2PS_G_DEBUG'] = os.environ.pop('G_DEBUG', '')
        wrapper = os.path.join(SOURCE, 'build-aux', 'xsession')
        os.execv(wrapper, [wrapper, sys.executable, '-W', 'ignore', os.path.abspath(sys.argv[0])]
                 + sys.argv[1:])
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)


if os.environ.get('P2PS_IN_XSESSION') == '1':
    import gi
    gi.require_version('Atspi', '2.0')
    from gi.repository import Atspi, GLib
    Atspi.init()


def wait(condition, what, bound=BOUND):
    """The value of condition() as soon as it is true. The tree changes while it is walked: what is
    missing is not there yet."""
    end = time.monotonic() + bound
    while True:
        try:
            value = condition()
        except (GLib.Error, LookupError):
            value = None
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError('timeout: ' + what)
        time.sleep(0.02)


def children(node):
    for i in range(node.get_child_count()):
        child = node.get_child_at_index(i)
        if child is not None:
            yield child


def walk(node):
    yield node
    for child in children(node):
        yield from walk(child)


# What GTK 4.8 and newer versions call the same things.
ROLES = {'button': 'push button', 'table': 'tree table', 'tree': 'tree table', 'image': 'icon'}


def role_of(node):
    role = node.get_role_name()
    return ROLES.get(role, role)


def find(root, role, name=None):
    for node in walk(root):
        if role_of(node) == role and (name is None or node.get_name() == name):
            return node
    return None


def names(root, role='label'):
    return [node.get_name() for node in walk(root) if role_of(node) == role]


def act(node, action='click'):
    iface = node.get_action_iface()
    for i in range(Atspi.Action.get_n_actions(iface)):
        if Atspi.Action.get_action_name(iface, i) == action:
            assert Atspi.Action.do_action(iface, i), action
            return
    raise AssertionError('no action %s' % action)


def set_text(node, text):
    iface = node.get_editable_text_iface()
    if iface is None:  # the entry of a row is a text inside it
        iface = find(node, 'text').get_editable_text_iface()
    assert Atspi.EditableText.set_text_contents(iface, text)


def get_text(node):
    iface = node.get_text_iface()
    return Atspi.Text.get_text(iface, 0, Atspi.Text.get_character_count(iface))


def is_sensitive(node):
    return node.get_state_set().contains(Atspi.StateType.SENSITIVE)


def is_focused(node):
    return node.get_state_set().contains(Atspi.StateType.FOCUSED)


def keys(*names):
    subprocess.run(['xdotool', 'key', *names], check=True)


def type_text(text):
    subprocess.run(['xdotool', 'type', text], check=True)


def new_address():
    """-> (host, port) that nobody listens on. The whole of 127/8 is this machine: tests side by side
    don't meet."""
    host = '127.%d.%d.%d' % tuple(random.SystemRandom().randint(2, 250) for _ in range(3))
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()


def write_config(folder, peers=(), address=None):
    """A configuration file with its shared and save folders beside it -> its path."""
    host, port = address or new_address()
    config = {'self': {'host': host, 'port': port},
              'peers': [{'host': h, 'port': p} for h, p in peers],
              'file': {'shared_directory': 'shared', 'save_directory': 'saved'}}
    for name in ('shared', 'saved'):
        os.makedirs(os.path.join(folder, name), exist_ok=True)
    path = os.path.join(folder, 'config.json')
    with open(path, 'w') as f:
        json.dump(config, f)
    return path


def cli(state_dir, *args):
    """The JSON that a verb of p2pshare-cli prints, or None when it failed."""
    command = [os.path.join(BIN, 'cli', 'p2pshare-cli'), args[0], '--state-dir', state_dir, '--json']
    run = subprocess.run(command + list(args[1:]), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         check=False)
    return json.loads(run.stdout) if run.returncode == 0 else None


class Program:
    """A process that ends when the test does, and has to end well."""

    def __init__(self, test, command, env=None, stdout=None):
        self.process = subprocess.Popen(command, env=env, stdout=stdout, stderr=None, text=True)
        self.pid = self.process.pid
        test.addCleanup(self.cleanup)

    def end(self, how=signal.SIGTERM):
        """-> the exit status; the promise is 5 s."""
        if how is not None and self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=BOUND)

    def cleanup(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=BOUND)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Node(Program):
    """p2pshare-cli serve with some files."""

    def __init__(self, test, files, peers=()):
        self.folder = test.new_folder()
        self.state = os.path.join(self.folder, 'state')
        config = write_config(self.folder, peers)
        for name, content in files.items():
            with open(os.path.join(self.folder, 'shared', name), 'wb') as f:
                f.write(content)
        super().__init__(test, [os.path.join(BIN, 'cli', 'p2pshare-cli'), 'serve', '--config', config,
                                '--state-dir', self.state], stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        host, port = line.strip().split('//')[1].rsplit(':', 1)
        self.address = (host, int(port))
        self.name = '%s:%s' % (host, port)
        wait(lambda: (cli(self.state, 'status') or {}).get('files_indexed') == len(files), 'indexed')


class Window(Program):
    """p2pshare, as a person has it."""

    def __init__(self, test, *args, env=None):
        self.test = test
        full = dict(os.environ, G_DEBUG=os.environ['P2PS_G_DEBUG'],
                    GSETTINGS_SCHEMA_DIR=os.path.join(os.path.dirname(BIN), 'data'))
        full.update(env or {})
        super().__init__(test, [os.path.join(BIN, 'gui', 'p2pshare'), *args], env=full)

    def app(self):
        for node in children(Atspi.get_desktop(0)):
            if node.get_process_id() == self.pid:
                return node
        raise LookupError

    def frame(self):
        return wait(lambda: find(self.app(), 'frame', 'P2PShare'), 'window')

    def find(self, role, name=None, bound=BOUND):
        return wait(lambda: find(self.app(), role, name), '%s %s' % (role, name), bound)

    def focus(self, name='P2PShare'):
        """Key presses go to this window: there is no window manager to see to it."""
        self.frame()
        found = subprocess.run(['xdotool', 'search', '--sync', '--onlyvisible', '--all', '--pid',
                                str(self.pid), '--name', name], stdout=subprocess.PIPE, check=True, text=True)
        self.xid = found.stdout.split()[0]
        subprocess.run(['xdotool', 'windowfocus', '--sync', self.xid], check=True)

    def row(self, table, text):
        """The names in the row of a table in which a label has that text."""
        for row in walk(find(self.app(), 'tree table', table)):
            if role_of(row) in ('table row', 'list item'):
                found = names(row) + names(row, 'push button')
                if text in found:
                    return found
        return None

    def screenshot(self, name):
        """Into the folder of the test's artefacts, once two pictures in a row are the same."""
        folder = os.environ.get('P2PS_SCREENSHOTS') or os.path.join(os.path.dirname(BIN), 'artifacts')
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name + '.png')
        last = None
        for _ in range(4):
            subprocess.run(['import', '-window', self.xid, path], check=True)
            with open(path, 'rb') as f:
                picture = f.read()
            if picture == last:
                return
            last = picture


class Test(unittest.TestCase):
    def new_folder(self):
        folder = tempfile.mkdtemp(prefix='p2ps-display-')
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def new_window(self, peers=(), address=None, env=None, shared=None):
        """A window with a node of its own -> Window, with .folder and .state."""
        folder = self.new_folder()
        config = write_config(folder, peers, address)
        for name, content in (shared or {}).items():
            with open(os.path.join(folder, 'shared', name), 'wb') as f:
                f.write(content)
        state = os.path.join(folder, 'state')
        window = Window(self, '--config', config, '--state-dir', state, env=env)
        window.folder = folder
        window.state = state
        return window
