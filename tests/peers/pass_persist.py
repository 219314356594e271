#!/usr/bin/env python3
"""A rack PDU behind net-snmp's snmpd (`pass_persist`): a recorded walk whose device power is steered from outside.

usage: pass_persist.py RECORDING POWER_FILE

POWER_FILE holds the power in hundredths of a kilowatt. The device peak follows it; SET of the peak reset (2) brings the
peak back to the present power, as an rPDU2 does. Everything else is as recorded and cannot be written.
"""
import bisect
import sys
import time

UPTIME = "1.3.6.1.2.1.1.3.0"
DEVICE = "1.3.6.1.4.1.318.1.1.26.4."
POWER, PEAK, RESET = DEVICE + "3.1.5.1", DEVICE + "3.1.6.1", DEVICE + "1.1.10.1"
TYPES = {"2": "integer", "4": "string", "6": "objectid", "64": "ipaddress", "65": "counter", "66": "gauge", "67": "timeticks", "70": "counter64"}


def oid(text):
    return tuple(int(part) for part in text.strip().strip(".").split("."))


def recorded(path):
    objects = {}
    with open(path, "rb") as walk:
        for line in walk.read().split(b"\n"):
            fields = line.decode("latin1").split("|", 2)
            if len(fields) == 3 and fields[1] in TYPES and fields[2]:
                objects[oid(fields[0])] = (TYPES[fields[1]], fields[2])
    return objects


class Pdu:
    def __init__(self, recording, power_file):
        self.objects = recorded(recording)
        self.power_file = power_file
        self.started = time.monotonic()
        self.peak = 0
        self.look()
        self.objects[oid(RESET)] = ("integer", "1")
        self.order = sorted(self.objects)

    def look(self):
        with open(self.power_file) as steering:
            text = steering.read().strip()
        # A file that is being written is empty for a moment: keep the last value then.
        if text:
            self.power = int(text)
        self.peak = max(self.peak, self.power)
        self.objects[oid(UPTIME)] = ("timeticks", str(int((time.monotonic() - self.started) * 100)))
        self.objects[oid(POWER)] = ("integer", str(self.power))
        self.objects[oid(PEAK)] = ("integer", str(self.peak))

    def answer(self, name):
        if name not in self.objects:
            return ["NONE"]
        kind, value = self.objects[name]
        return ["." + ".".join(map(str, name)), kind, value]

    def get(self, name):
        self.look()
        return self.answer(name)

    def getnext(self, name):
        self.look()
        index = bisect.bisect_right(self.order, name)
        return self.answer(self.order[index]) if index < len(self.order) else ["NONE"]

    def set(self, name, value):
        if name != oid(RESET):
            return ["not-writable"]
        if value.split() == ["integer", "2"]:
            self.peak = 0
            self.look()
        return ["DONE"]


def main():
    pdu = Pdu(*sys.argv[1:3])
    line = sys.stdin.readline
    for command in iter(line, ""):
        command = command.strip().lower()
        if command == "ping":
            reply = ["PONG"]
        elif command == "get":
            reply = pdu.get(oid(line()))
        elif command == "getnext":
            reply = pdu.getnext(oid(line()))
        elif command == "set":
            name = oid(line())
            reply = pdu.set(name, line().strip())
        else:
            continue
        print("\n".join(reply), flush=True)


main()
