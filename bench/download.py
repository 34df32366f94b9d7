#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""1 GiB from nginx on loopback, verified and on the disk: our engine, and curl followed by openssl.

usage: bench/download.py BUILD-DIR [RUNS]        needs nginx, curl, openssl; about 3.5 GiB in FOLDER

ours: the engine alone, from the start of its process. get: `p2pshare-cli get` against a running
`p2pshare-cli serve`, from the start of the one to its end.

Both sides in turns; the ratio is that of the medians. Ours also syncs the file before it gets its
name, which curl doesn't. FOLDER is $BENCH_FOLDER, else the system's folder for temporary files.
"""

import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SIZE = int(os.environ.get("BENCH_MIB", "1024")) << 20


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_file(path):
    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        for i in range(SIZE >> 20):
            part = i.to_bytes(8, "big") + block[8:]
            digest.update(part)
            f.write(part)
        f.flush()
        os.fsync(f.fileno())
    return digest.hexdigest()


def start_nginx(folder, port):
    config = os.path.join(folder, "nginx.conf")
    with open(config, "w") as f:
        f.write(f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
{"user root;" if os.geteuid() == 0 else ""}
events {{ worker_connections 64; }}
http {{ access_log off; sendfile on; tcp_nopush on; client_body_temp_path {folder}/t;
  proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t;
  scgi_temp_path {folder}/t;
  server {{ listen 127.0.0.1:{port}; location /download/ {{ alias {folder}/shared/; }} }} }}
""")
    process = subprocess.Popen(["nginx", "-p", folder, "-c", config])
    for _ in range(200):
        if subprocess.run(["curl", "-s", "-o", "/dev/null", f"http://127.0.0.1:{port}/"]).returncode == 0:
            return process
        time.sleep(0.02)
    raise SystemExit("nginx did not start")


def start_node(cli, folder):
    config = os.path.join(folder, "node.json")
    with open(config, "w") as f:
        f.write('{"self": {"host": "127.0.0.1", "port": %d}, "file": {"shared_directory": "%s/none",'
                ' "save_directory": "%s/save"}}' % (free_port(), folder, folder))
    os.makedirs(folder + "/none")
    os.makedirs(folder + "/save")
    process = subprocess.Popen([cli, "serve", "--config", config, "--state-dir", folder + "/state"],
                               stdout=subprocess.PIPE, text=True)
    assert "listening" in process.stdout.readline()
    return process


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    ours = os.path.join(os.path.abspath(sys.argv[1]), "bench", "download-one")
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    folder = tempfile.mkdtemp(prefix="p2ps-bench-", dir=os.environ.get("BENCH_FOLDER"))
    os.makedirs(folder + "/shared")
    digest = make_file(folder + "/shared/big.bin")
    port = free_port()
    nginx = start_nginx(folder, port)
    cli = os.path.join(os.path.abspath(sys.argv[1]), "src", "cli", "p2pshare-cli")
    node = start_node(cli, folder)
    link = f"magnet:?xt=urn:sha256:{digest}&xl={SIZE}&dn=big.bin&x.pe=127.0.0.1:{port}"
    times = {"ours": [], "get": [], "curl+openssl": []}
    late = []
    try:
        for _ in range(runs + 1):  # the first one warms up
            out = folder + "/out"
            os.makedirs(out)
            os.sync()  # what the side before left to write is not this one's
            begin = time.monotonic()
            done = subprocess.run([ours, f"127.0.0.1:{port}", "big.bin", digest, out],
                                  stdout=subprocess.PIPE, text=True, check=True)
            times["ours"].append(time.monotonic() - begin)
            late.append(done.stdout.split()[1:])
            shutil.rmtree(out)
            os.makedirs(out)
            os.sync()  # what the side before left to write is not this one's
            begin = time.monotonic()
            subprocess.run([cli, "get", "--state-dir", folder + "/state", "--output", out, link],
                           stdout=subprocess.DEVNULL, check=True)
            times["get"].append(time.monotonic() - begin)
            assert os.path.getsize(out + "/big.bin") == SIZE
            shutil.rmtree(out)
            os.makedirs(out)
            os.sync()  # what the side before left to write is not this one's
            begin = time.monotonic()
            subprocess.run(["curl", "-s", "-o", out + "/big.bin",
                            f"http://127.0.0.1:{port}/download/big.bin"], check=True)
            said = subprocess.run(["openssl", "dgst", "-sha256", "-r", out + "/big.bin"],
                                  stdout=subprocess.PIPE, text=True, check=True).stdout
            times["curl+openssl"].append(time.monotonic() - begin)
            assert said.startswith(digest)
            shutil.rmtree(out)
            os.sync()
    finally:
        for process in (nginx, node):
            process.terminate()
            process.wait()
        shutil.rmtree(folder)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:13} median {medians[name]:.3f} s  all "
              + " ".join(f"{v:.2f}" for v in values[1:]))
    print("main loop late, p99 / most (ms): " + ", ".join(f"{a} / {b}" for a, b in late[1:]))
    for name in ("ours", "get"):
        print(f"ratio of {name} {medians[name] / medians['curl+openssl']:.2f} (goal 0.9)")


main()
