# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sides of the HTTP benchmarks on loopback: a node of ours and nginx."""

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit('timeout: ' + what)
        time.sleep(0.02)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False


class Node:
    """p2pshare-cli serve of build, sharing a folder; or, with probe, the bare HTTP front of the
    tests."""

    def __init__(self, build, folder, probe=False):
        self.state = tempfile.TemporaryDirectory(prefix='p2ps-bench-')
        if probe:
            command = [os.path.join(build, 'tests', 'http-probe'), '--folder', folder]
        else:
            config = os.path.join(self.state.name, 'config.json')
            with open(config, 'w', encoding='utf-8') as file:
                json.dump({'self': {'host': '127.0.0.1', 'port': free_port()}, 'peers': [],
                           'file': {'shared_directory': folder,
                                    'save_directory': self.state.name}}, file)
            command = [os.path.join(build, 'src', 'cli', 'p2pshare-cli'), 'serve', '--config',
                       config, '--state-dir', os.path.join(self.state.name, 'state')]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit('the node did not start: ' + ' '.join(command))
        self.port = int(line.split()[0] if probe else line.rsplit(':', 1)[1].rstrip('/\n'))

    def wait_for_file(self, name):
        wait_for(lambda: answers(f'http://127.0.0.1:{self.port}/download/{name}'), name)

    def cpu_seconds(self):
        return cpu_seconds(self.process.pid)

    def stop(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.state.cleanup()


class Nginx:
    """One worker with sendfile: /download/ from folder, and a constant for /query."""

    def __init__(self, folder):
        self.state = tempfile.TemporaryDirectory(prefix='p2ps-bench-')
        self.port = free_port()
        t = self.state.name
        user = 'user root;' if os.geteuid() == 0 else ''
        temp = ' '.join(f'{kind}_temp_path {t}/t;'
                        for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        with open(t + '/nginx.conf', 'w', encoding='utf-8') as file:
            file.write(f'''daemon off; worker_processes 1; pid {t}/pid; error_log stderr crit; {user}
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_timeout 0; {temp}
  server {{ listen 127.0.0.1:{self.port};
    location /download/ {{ alias {folder}/; }}
    location = /query {{ default_type application/json; return 200 '[{{"status": true}}, 200]'; }}
  }} }}
''')
        self.process = subprocess.Popen(['nginx', '-p', t, '-c', t + '/nginx.conf'])
        wait_for(lambda: answers(f'http://127.0.0.1:{self.port}/query'), 'nginx')

    def cpu_seconds(self):
        with open(f'/proc/{self.process.pid}/task/{self.process.pid}/children',
                  encoding='ascii') as children:
            return sum(cpu_seconds(pid) for pid in children.read().split())

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.state.cleanup()


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='ascii') as stat:
        fields = stat.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
