#!/usr/bin/env python3
"""The status server under bad clients: slow and half-open ones, resets, no descriptors left; and what a cached answer costs.

usage: benches/in_ns benches/abuse.py [--binary …] [--limit PROGRAM]

Four simulated PDUs are polled every 2 s all the while; no cycle may be missed, threads stay, memory grows by at most 1 MB.
PROGRAM of --limit is a plain epoll server, started as `PROGRAM PORT BODY_BYTES`: the least that a keep-alive answer can cost.
"""
import argparse
import json
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import lab

SNMP_PORT, HTTP_PORT, LIMIT_PORT = 1161, 8093, 9501
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-a: "


def connect(timeout=1.0):
    return socket.create_connection(("127.0.0.1", HTTP_PORT), timeout)


class Probe(threading.Thread):
    """Asks /health ten times a second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ok, self.failed, self.slowest, self.ends = 0, 0, 0.0, False

    def run(self):
        while not self.ends:
            began = time.monotonic()
            try:
                lab.http_get(HTTP_PORT, "/health", 2)
                self.ok += 1
            except (OSError, ValueError, IndexError):
                self.failed += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.1)

    def stop(self):
        self.ends = True
        self.join()
        return f"/health {self.ok} answered, {self.failed} failed, slowest {self.slowest * 1000:.0f} ms"


def slow_clients(seconds=20):
    """500 send a header byte a second, 500 send nothing."""
    clients = []
    for number in range(1000):
        client = connect()
        clients.append(client)
        if number % 2:
            client.send(HEAD)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for client in clients[1::2]:
            try:
                client.send(b"a")
            except OSError:
                pass
        time.sleep(1)
    for client in clients:
        client.close()


def resets():
    """4,000 requests whose sender is gone at once."""
    for _ in range(4000):
        client = connect()
        client.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()


def exhaustion(seconds=5):
    """More connections than there are descriptors, then none."""
    clients = []
    for _ in range(400):
        try:
            clients.append(connect(0.2))
        except OSError:
            pass
    time.sleep(seconds)
    for client in clients:
        client.close()
    time.sleep(2)


def keep_alive_cost(port, path, process, requests=20_000):
    """CPU seconds of the server for each request on one connection."""
    question = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        length = 0
        before = None
        for number in range(requests + 100):
            if number == 100:
                before = lab.cpu_seconds(process.pid)
            client.sendall(question)
            # The length changes with the values, so it is read from every answer.
            answer = client.recv(1 << 20)
            head, _, _ = answer.partition(b"\r\n\r\n")
            lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            length = len(head) + 4 + int(lines[b"content-length"])
            got = len(answer)
            while got < length:
                got += len(client.recv(1 << 20))
        return (lab.cpu_seconds(process.pid) - before) / requests, length


def counts():
    """What the agent counts since its start."""
    return json.loads(lab.http_get(HTTP_PORT, "/api/status")[1])["counts"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/rackwarden")
    parser.add_argument("--limit")
    options = parser.parse_args()
    lab.require_namespace()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    with tempfile.TemporaryDirectory() as folder:
        config = f"{folder}/rackwarden.toml"
        with open(config, "w") as file:
            file.write(lab.watching(folder, HTTP_PORT, [f"127.0.0.1:{SNMP_PORT + i}" for i in range(4)]))
        log = open(f"{folder}/log", "wb")
        devices = subprocess.Popen([options.binary, "simulate", "--listen", f"127.0.0.1:{SNMP_PORT}", "--count", "4"], stdout=subprocess.DEVNULL)

        def start(descriptors):
            limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
            return lab.first_answer(
                lambda: subprocess.Popen([options.binary, "run", "--config", config], stdout=log, stderr=log, preexec_fn=limit), HTTP_PORT, "/health")[0]

        good = True
        print(lab.machine())
        try:
            for name, descriptors, attack in (("1,000 slow and half-open", 4096, slow_clients), ("4,000 resets", 4096, resets), ("256 descriptors exhausted", 256, exhaustion)):
                agent = start(descriptors)
                time.sleep(6)
                memory, cycles = lab.memory_kib(agent.pid), counts()
                probe = Probe()
                probe.start()
                attack()
                health = probe.stop()
                answered = sum(lab.http_get(HTTP_PORT, "/health")[0] == 200 for _ in range(10))
                after, now = lab.memory_kib(agent.pid), counts()
                missed = {key: now[key] - cycles[key] for key in ("polls_overrun", "polls_failed")}
                growth = (after["rss"] - memory["rss"]) * 1024
                holds = answered == 10 and after["threads"] == memory["threads"] and growth <= 1e6 and not any(missed.values())
                holds &= probe.failed == 0 or attack is exhaustion
                good &= holds
                print(f"{'ok  ' if holds else 'MISS'} {name}: {health}; afterwards {answered}/10; threads {memory['threads']} -> {after['threads']}, "
                      f"resident {growth / 1000:+.0f} kB; {missed}")
                agent.terminate()
                agent.wait()
            agent = start(4096)
            time.sleep(4)
            ours, length = keep_alive_cost(HTTP_PORT, "/metrics", agent)
            print(f"cached /metrics ({length} bytes): {ours * 1e6:.1f} us CPU a request")
            if options.limit:
                plain = subprocess.Popen([options.limit, str(LIMIT_PORT), str(length)])
                time.sleep(0.5)
                least, _ = keep_alive_cost(LIMIT_PORT, "/", plain)
                plain.kill()
                good &= ours <= 3 * least
                print(f"{'ok  ' if ours <= 3 * least else 'MISS'} plain epoll server: {least * 1e6:.1f} us; {ours / least:.2f} x (at most 3 x)")
            agent.terminate()
            agent.wait()
        finally:
            devices.terminate()
            devices.wait()
            tail = open(f"{folder}/log").read()[-1500:]
            if tail.strip():
                print("log:", tail)
    sys.exit(not good)


main()
