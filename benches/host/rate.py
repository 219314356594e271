#!/usr/bin/env python3
"""How late looks at the host come, beside a mount behind which nobody answers (in a mount namespace of its own; needs root).

usage: benches/host/rate.py [--binary target/release/rackwarden] [--looks 100] [--without-mount]
"""
import argparse
import json
import os
import subprocess
import tempfile
import time
import urllib.request

INTERVAL = 2.0
URL = "http://127.0.0.1:8093/api/host"
CONFIG = """
state_dir = "{folder}/state"
plugins = ["monitor"]
[http]
listen = "127.0.0.1:8093"
[monitor]
interval = "2s"
"""
SCRIPT = """
exec 3<>/dev/fuse
mount -i -t fuse.hung -o fd=3,rootmode=40000,user_id=0,group_id=0 hung "$1" || exit 1
shift
exec "$@"
"""


def look():
    with urllib.request.urlopen(URL, timeout=5) as answer:
        return json.load(answer)


def wait_for_answers():
    for _ in range(200):
        try:
            if look()["age_s"] is not None:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("rate.py: the agent does not answer")


def measure(looks):
    """When each look was taken, by its age; known to a hundredth of a second."""
    taken, hung = [], None
    while len(taken) < looks:
        host = look()
        at = time.monotonic() - host["age_s"]
        if not taken or at - taken[-1] > INTERVAL / 2:
            taken.append(at)
        for disk in host["disks"]:
            if disk["type"] == "fuse.hung":
                hung = disk
        time.sleep(0.2)
    return taken, hung


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/rackwarden")
    parser.add_argument("--looks", type=int, default=100)
    parser.add_argument("--without-mount", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = f"{folder}/rackwarden.toml"
        with open(config, "w") as file:
            file.write(CONFIG.format(folder=folder))
        command = [os.path.abspath(options.binary), "run", "--config", config]
        if not options.without_mount:
            os.mkdir(f"{folder}/hung")
            inside = ["sh", "-c", SCRIPT, "sh", f"{folder}/hung", *command]
            command = ["unshare", "-m", "--propagation", "private", *inside]
        with open(f"{folder}/log", "wb") as log:
            agent = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "XDG_RUNTIME_DIR": folder})
        try:
            wait_for_answers()
            taken, hung = measure(options.looks)
        finally:
            agent.terminate()
            agent.wait(20)
    if not options.without_mount:
        print("the mount:", json.dumps(hung))
    on_time = min(at - INTERVAL * number for number, at in enumerate(taken))
    late = sorted(1000 * (at - INTERVAL * number - on_time) for number, at in enumerate(taken))
    print(f"{len(late)} looks: late by {late[len(late) // 2]:.0f} ms (median), {late[len(late) * 99 // 100]:.0f} ms (99 %), {late[-1]:.0f} ms (longest)")


if __name__ == "__main__":
    main()
