#!/usr/bin/env python3
"""What the network tests do by hand, packet by packet, where no real client can: `wire.py WHAT ARGUMENTS`.

  swarm COUNT FILE          COUNT made-up machines take leases (DISCOVER, REQUEST); writes `MAC IP` for every ACK to FILE,
                            at once; ends when all have one or the server is silent for 3 s
  offered MAC               the address the server offers to that machine
  relayed MAC GIADDR        the same by way of a relay agent, whose address GIADDR is one of this namespace
  boot-server MAC CIADDR    asks port 4011 of the server for a boot file, as firmware with the address CIADDR does; prints
                            the port that answers and the boot file
  ask TYPE MAC [WORD...]    one message of that number (0: BOOTP), as the WORDs say, in order: CODE=HEX an option, raw=HEX
                            bytes of the options, ciaddr=, giaddr=, to=ADDRESS, port=NUMBER, htype=, hlen=, op=, flags=HEX
                            (8000), wait=SECONDS to listen (2), replies=NUMBER that is enough; prints each reply as a line
                            of JSON. MAC may be of another length, or `-`: none
  overhear SECONDS COUNT    prints the COUNT next replies that are broadcast here, in the same form
  decliner MAC COUNT        takes COUNT addresses one after the other and declines each; prints how many it got
  malformed-dhcp            a volley of broken messages to the server
  malformed-tftp SERVER     the same for TFTP
  tftp-slow SERVER NAME OUT FLAG   fetches in blocks of 512, waits after the tenth until FLAG exists, writes OUT
  tftp-many SERVER NAME N ENOUGH   N requests from one address without an ACK; waits until ENOUGH are answered, and a little
                            longer; prints how many were, and ends them
  tftp-write SERVER NAME    a write request; prints the error code and text
  tftp-window SERVER NAME OUT BLKSIZE WINDOW [ROLLOVER]   fetches with windowsize, from any port of the server;
                         prints the options granted; the number after 65535 is ROLLOVER (0)
  tftp-guess SERVER N       asks for N names that somebody guesses, one after the other; prints which error codes came how often
  tftp-port SERVER NAME   prints the port that the answer to a request comes from
  http-hostile PATH         requests to port 8069 that no client makes; prints a line for each, its name and what came back
  http-kept PATH            HEAD, GET, HEAD on one connection; prints the sizes they tell and what is odd about the heads
  http-many PATH N          N connections that all ask for PATH and read nothing before all have their first line; prints
                            how often which status came, and whether every 503 was empty with a number in Retry-After
  http-slow PATH            one connection that sends a letter a second, one that reads 100 bytes a second of PATH; prints
                            how long each of them lasted, in seconds; 999: 240 s, and would have gone on
  solicit MAC               sends a router solicitation on eth0; prints what answers within 2 s
  listen SECONDS            prints router advertisements that are heard on eth0, or on the interface that INTERFACE names,
                            whichever way they go
"""
import json
import os
import select
import socket
import struct
import sys
import time

INTERFACE = os.environ.get("INTERFACE", "eth0")
SERVER = os.environ.get("SERVER", "192.168.7.1")


# HTTP

def http_open():
    return socket.create_connection((SERVER, 8069), timeout=30)


def http_head(s):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        if not piece:
            return None, {}, data
        data += piece
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, value = line.split(":", 1)
        fields[name.lower()] = value.strip()
    return int(lines[0].split()[1]), fields, rest


def http_raw(request):
    """The statuses of all that comes back, or how the connection ended without any."""
    try:
        s = http_open()
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        data = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    except OSError as error:
        return type(error).__name__
    statuses = [line.split()[1].decode() for line in data.split(b"\r\n") if line.startswith(b"HTTP/1.")]
    return " ".join(statuses) or "closed"


def http_hostile(path):
    ends = b"\r\nHost: x\r\nConnection: close\r\n\r\n"
    get = b"GET " + path.encode() + b" HTTP/1.1"
    post = b"POST /v1/report HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    for name, request in (
            ("plain", get + ends),
            ("dots", b"GET /../../../../etc/passwd HTTP/1.1" + ends),
            ("encoded-dots", b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1" + ends),
            ("encoded-slash", b"GET /..%2f..%2fetc/passwd HTTP/1.1" + ends),
            ("backslash", b"GET /..\\..\\etc\\passwd HTTP/1.1" + ends),
            ("encoded-nul", b"GET " + path.encode() + b"%00 HTTP/1.1" + ends),
            ("overlong-utf8", b"GET /%c0%ae%c0%ae/etc/passwd HTTP/1.1" + ends),
            ("cut-escape", b"GET /%2 HTTP/1.1" + ends),
            ("nul-byte", b"GET /a\0b HTTP/1.1" + ends),
            ("long-target", b"GET /" + b"a" * 4097 + b" HTTP/1.1" + ends),
            ("long-query", get.replace(b" HTTP", b"?" + b"q" * 3000 + b" HTTP") + ends),
            ("long-header", get + b"\r\nX: " + b"a" * 65536 + ends),
            ("many-headers", get + b"\r\nX: a" * 5000 + ends),
            ("absolute-form", get.replace(b" /", b" http://192.168.7.1:8069/") + ends),
            ("options", b"OPTIONS * HTTP/1.1" + ends),
            ("post-to-file", get.replace(b"GET", b"POST") + b"\r\nContent-Length: 3" + ends + b"abc"),
            ("put", get.replace(b"GET", b"PUT") + b"\r\nContent-Length: 3" + ends + b"abc"),
            ("unknown-method", get.replace(b"GET", b"BREW") + ends),
            ("lower-case-method", get.replace(b"GET", b"get") + ends),
            ("long-method", b"A" * 5000 + b" / HTTP/1.1" + ends),
            ("no-host", get + b"\r\n\r\n"),
            ("two-hosts", get + b"\r\nHost: y" + ends),
            ("length-and-chunked", post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ("two-lengths", post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
            ("negative-length", post + b"Content-Length: -1\r\n\r\n{}"),
            ("wrong-length", post + b"Content-Length: 2x\r\n\r\n{}"),
            ("huge-length", post + b"Content-Length: 99999999999999999999999\r\n\r\n{}"),
            ("wrong-chunk", post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
            ("huge-chunk", post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}"),
            ("long-body", post + b"Content-Length: 1000000\r\n\r\n" + b" " * 1000000),
            ("bare-lf", get + b"\nHost: x\nConnection: close\n\n"),
            ("thousand-ranges", get + b"\r\nRange: bytes=0-0" + b",1-1" * 999 + ends),
            ("wrong-version", get.replace(b"1.1", b"9.9") + ends),
            ("no-version", b"GET " + path.encode() + b"\r\n\r\n"),
            ("tls-hello", bytes.fromhex("1603010200010001fc0303") + b"\0" * 500),
            ("noise", bytes(range(256)) * 4 + b"\r\n\r\n")):
        print(name, http_raw(request), flush=True)


def http_kept(path):
    s = http_open()
    for method in ("HEAD", "GET", "HEAD"):
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        status, fields, rest = http_head(s)
        size = int(fields.get("content-length", -1))
        while method == "GET" and len(rest) < size:
            piece = s.recv(1 << 20)
            if not piece:
                break
            rest += piece
        odd = [name for name, value in fields.items() if not value]
        print(method, status, size, len(rest), "close" if fields.get("connection") == "close" else "kept", *odd)
    s.settimeout(2)
    try:
        print("FIN" if s.recv(1) == b"" else "more")
    except socket.timeout:
        print("open")


def http_many(path, n):
    sockets = []
    for _ in range(int(n)):
        s = http_open()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sockets.append(s)
    counts, good = {}, True
    for s in sockets:
        try:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        except ConnectionError:
            pass
    for s in sockets:
        try:
            status, fields, _ = http_head(s)
        except ConnectionError:
            status, fields = "reset", {}
        counts[status] = counts.get(status, 0) + 1
        if status == 503:
            good = good and fields.get("content-length") == "0" and fields.get("retry-after", "").isdigit()
    print(*(f"{status}:{count}" for status, count in sorted(counts.items(), key=str)), "good" if good else "bad")


def http_slow(path):
    start = time.monotonic()
    writer, reader = http_open(), socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((SERVER, 8069))
    reader.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    writer.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
    lasted = {}
    while len(lasted) < 2 and time.monotonic() - start < 240:
        time.sleep(1)
        if "writer" not in lasted:
            try:
                writer.sendall(b"a")
            except ConnectionError:
                lasted["writer"] = time.monotonic() - start
        if "reader" not in lasted:
            poll = select.poll()
            poll.register(reader, 0)
            if poll.poll(0):  # it was cut, whatever waits to be read
                lasted["reader"] = time.monotonic() - start
            else:
                try:
                    reader.recv(100, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    pass
    print(*(int(lasted.get(who, 999)) for who in ("writer", "reader")))


# DHCP

def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def dhcp(kind, mac, xid, options=b"", ciaddr=b"\0" * 4):
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, xid, 0, 0x8000)
    return (head + ciaddr + b"\0" * 12 + mac + b"\0" * 10 + b"\0" * 192 + b"\x63\x82\x53\x63" +
            bytes([53, 1, kind]) + options + b"\xff").ljust(300, b"\0")


def dhcp_socket():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.bind(("", 68))
    return s


def options_of(message):
    found, at = {}, 240
    while at < len(message) and message[at] != 255:
        if message[at] == 0:
            at += 1
            continue
        found[message[at]] = message[at + 2:at + 2 + message[at + 1]]
        at += 2 + message[at + 1]
    return found


def swarm(count, path):
    s = dhcp_socket()
    macs = [bytes([0x52, 0x54, 1, i >> 16 & 255, i >> 8 & 255, i & 255]) for i in range(count)]
    acked, sent, turn = {}, 0, 0
    with open(path, "w", encoding="ascii") as out:
        last = time.monotonic()
        while len(acked) < count and time.monotonic() - last < 3:
            if sent < count and turn < 64:
                s.sendto(dhcp(1, macs[sent], sent + 1), ("255.255.255.255", 67))
                sent += 1
                turn += 1
            if not select.select([s], [], [], 0 if turn < 64 and sent < count else 0.05)[0]:
                turn = 0
                continue
            message = s.recv(2048)
            kind, mac = options_of(message).get(53, b"\0")[0], message[28:34]
            xid, ip = struct.unpack("!I", message[4:8])[0], message[16:20]
            last = time.monotonic()
            if kind == 2:
                options = bytes([50, 4]) + ip + bytes([54, 4]) + options_of(message)[54]
                s.sendto(dhcp(3, mac, xid, options), ("255.255.255.255", 67))
            elif kind == 5 and mac not in acked:
                acked[mac] = ip
                out.write(f"{mac.hex(':')} {socket.inet_ntoa(ip)}\n")
                out.flush()
    print(len(acked))


def offered(mac):
    s = dhcp_socket()
    for xid in range(1, 6):
        s.sendto(dhcp(1, mac_bytes(mac), xid), ("255.255.255.255", 67))
        while select.select([s], [], [], 1)[0]:
            message = s.recv(2048)
            if message[28:34] == mac_bytes(mac) and options_of(message).get(53) == b"\x02":
                print(socket.inet_ntoa(message[16:20]))
                return
    sys.exit(1)


def relayed(mac, giaddr):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((giaddr, 67))
    s.settimeout(2)
    for xid in range(1, 6):
        message = dhcp(1, mac_bytes(mac), xid)
        s.sendto(message[:24] + socket.inet_aton(giaddr) + message[28:], (SERVER, 67))
        try:
            reply = s.recv(2048)
        except TimeoutError:
            continue
        print(socket.inet_ntoa(reply[16:20]))
        return
    sys.exit(1)


def boot_server(mac, ciaddr):
    s = dhcp_socket()
    options = bytes([60, 20]) + b"PXEClient:Arch:00000" + bytes([93, 2, 0, 0, 97, 17]) + bytes(17)
    s.sendto(dhcp(3, mac_bytes(mac), 1, options, socket.inet_aton(ciaddr)), (SERVER, 4011))
    s.settimeout(5)
    message, (_, port) = s.recvfrom(2048)
    print(port, message[108:236].split(b"\0")[0].decode())


def reply_line(message, peer):
    kinds = {1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK", 7: "RELEASE", 8: "INFORM"}
    options = options_of(message)
    at = {name: socket.inet_ntoa(message[i:i + 4]) for name, i in (("ciaddr", 12), ("yiaddr", 16), ("siaddr", 20), ("giaddr", 24))}
    return json.dumps({
        "type": kinds.get(options.get(53, b"\0")[0], "BOOTP"), "from": peer[0], "port": peer[1], "xid": message[4:8].hex(), **at,
        "htype": message[1], "hlen": message[2], "chaddr": message[28:44].hex(), "flags": message[10:12].hex(), "file": message[108:236].split(b"\0")[0].decode(),
        "options": {str(code): value.hex() for code, value in sorted(options.items())}})


def ask(kind, mac, *words):
    said = {"ciaddr": "0.0.0.0", "giaddr": "0.0.0.0", "to": "255.255.255.255", "port": "67", "hlen": "", "htype": "1", "op": "1",
            "flags": "8000", "wait": "2", "replies": "1000"}
    options = b"" if kind == "0" else bytes([53, 1, int(kind)])
    for word in words:
        key, value = word.split("=", 1)
        if key.isdigit():
            data = bytes.fromhex(value)
            options += bytes([int(key), len(data)]) + data
        elif key == "raw":
            options += bytes.fromhex(value)
        else:
            said[key] = value
    xid, chaddr = os.urandom(4), b"" if mac == "-" else mac_bytes(mac)
    head = bytes([int(said["op"]), int(said["htype"]), int(said["hlen"] or len(chaddr)), 0]) + xid
    head += struct.pack("!HH", 0, int(said["flags"], 16))
    head += socket.inet_aton(said["ciaddr"]) + b"\0" * 8 + socket.inet_aton(said["giaddr"])
    message = head + chaddr.ljust(16, b"\0") + b"\0" * 192 + b"\x63\x82\x53\x63" + options + b"\xff"
    s = dhcp_socket()
    s.sendto(message.ljust(300, b"\0"), (said["to"], int(said["port"])))
    end, left = time.monotonic() + float(said["wait"]), int(said["replies"])
    while left and select.select([s], [], [], max(0, end - time.monotonic()))[0]:
        reply, peer = s.recvfrom(4096)
        if reply[4:8] == xid and len(reply) >= 240:
            print(reply_line(reply, peer), flush=True)
            left -= 1


def overhear(seconds, count):
    s, end = dhcp_socket(), time.monotonic() + float(seconds)
    for _ in range(int(count)):
        if select.select([s], [], [], max(0, end - time.monotonic()))[0]:
            print(reply_line(*s.recvfrom(4096)), flush=True)


def decliner(mac, count):
    s, got, server = dhcp_socket(), 0, socket.inet_aton(SERVER)

    def exchange(kind, xid, options=b""):
        for _ in range(5):
            s.sendto(dhcp(kind, mac_bytes(mac), xid, options), ("255.255.255.255", 67))
            while select.select([s], [], [], 1)[0]:
                message = s.recv(2048)
                if message[4:8] == struct.pack("!I", xid) and options_of(message).get(53) == bytes([5 if kind == 3 else 2]):
                    return bytes([50, 4]) + message[16:20] + bytes([54, 4]) + server
        return None

    for turn in range(int(count)):
        offer = exchange(1, 2 * turn + 1)
        if not offer or not exchange(3, 2 * turn + 2, offer):
            break
        got += 1
        s.sendto(dhcp(4, mac_bytes(mac), 2 * turn + 2, offer), ("255.255.255.255", 67))
    print(got)


def malformed_dhcp():
    mac = mac_bytes("52:54:00:00:00:01")
    good = dhcp(1, mac, 7)

    def changed(at, value):
        return good[:at] + value + good[at + len(value):]

    volley = [
        b"", good[:1], good[:235], good[:239], b"\0" * 300, b"\xff" * 300, good + b"\0" * 5000,
        changed(0, b"\3"), changed(0, b"\2"), changed(2, b"\x11"), changed(2, b"\xff"), changed(236, b"\0\0\0\0"),
        good[:240] + bytes([53, 255, 1]), good[:240] + bytes([53]), good[:240] + bytes([53, 0, 255]),
        good[:240] + bytes([53, 1, 9, 255]), good[:240] + bytes([53, 1, 1, 53, 1, 3, 255]),
        good[:240] + bytes([53, 1, 1, 52, 1, 4, 255]), good[:240] + bytes([53, 1, 1, 52, 1, 0, 255]),
        good[:240] + bytes([53, 1, 1, 52, 1, 255, 255]), good[:240] + bytes([53, 1, 1, 61, 0, 255]),
        good[:240] + bytes([53, 1, 1, 61, 255]) + b"\1" * 255 + b"\xff",
        good[:240] + bytes([53, 1, 1, 57, 2, 0, 0, 255]), good[:240] + bytes([53, 1, 1, 57, 2, 255, 255, 255]),
        good[:240] + bytes([53, 1, 1, 82, 2, 1, 200, 255]), good[:240] + bytes([53, 1, 1, 43, 3, 1, 200, 0, 255]),
        good[:240] + bytes([53, 1, 1, 93, 3, 0, 0, 0, 255]), good[:240] + bytes([53, 1, 1, 97, 3, 0, 0, 0, 255]),
        good[:240] + bytes([53, 1, 1, 12, 200]) + b"\xff" * 200 + b"\xff",
        changed(24, socket.inet_aton("10.9.8.7")),
    ]
    s = dhcp_socket()
    for message in volley:
        s.sendto(message, ("255.255.255.255", 67))
    print(len(volley))


# TFTP

def request(op, name, *options):
    words = [name, "octet", *map(str, options)]
    return struct.pack("!H", op) + b"".join(os.fsencode(w) + b"\0" for w in words)


def tftp_socket():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(60)
    return s


def tftp_error(s, peer):
    s.sendto(struct.pack("!HH", 5, 0) + b"\0", peer)


def malformed_tftp(server):
    rrq = request(1, "pxelinux.0")
    volley = [
        b"", b"\0", b"\0\1", b"\0\1\0", b"\0\1name", b"\0\1name\0octet", b"\0\1\0octet\0", b"\0\1name\0image\0", b"\0\x09",
        b"\xff" * 600, rrq + b"blksize\0", rrq + b"\0" * 400, request(1, "x" * 900), request(1, "a" * 300),
        request(1, "pxelinux.0", *["o", "1"] * 100), b"\0\3\0\1data", b"\0\4\0\1", b"\0\4", b"\0\5\0\0", b"\0\6blksize\0",
        request(1, "pxelinux.0") * 3,
    ]
    s = tftp_socket()
    for message in volley:
        s.sendto(message, (server, 69))
    print(len(volley))


def tftp_slow(server, name, out, flag):
    s, data, wanted = tftp_socket(), bytearray(), 1
    s.sendto(request(1, name), (server, 69))
    while True:
        message, peer = s.recvfrom(2048)
        op, block = struct.unpack("!HH", message[:4])
        if op != 3:
            sys.exit(f"not DATA: {message!r}")
        if block == wanted & 0xffff:
            data += message[4:]
            wanted += 1
        if wanted == 11:
            end = time.monotonic() + 50  # after 60 s the server would give up
            while not os.path.exists(flag) and time.monotonic() < end:
                time.sleep(0.05)
                s.sendto(struct.pack("!HH", 4, (wanted - 2) & 0xffff), peer)  # a duplicate ACK now and then
        s.sendto(struct.pack("!HH", 4, (wanted - 1) & 0xffff), peer)
        if len(message) < 516:
            break
    with open(out, "wb") as f:
        f.write(data)


def tftp_many(server, name, count, enough):
    sockets = [tftp_socket() for _ in range(int(count))]
    for s in sockets:
        s.sendto(request(1, name), (server, 69))
    answered, end = [], time.monotonic() + 60
    while len(answered) < int(enough) and time.monotonic() < end:
        answered = select.select(sockets, [], [], 0)[0]
        time.sleep(0.05)
    time.sleep(0.3)
    answered = select.select(sockets, [], [], 0)[0]
    for s in answered:
        tftp_error(s, s.recvfrom(2048)[1])
    print(len(answered))


def tftp_write(server, name):
    s = tftp_socket()
    s.sendto(request(2, name), (server, 69))
    message = s.recv(2048)
    print(struct.unpack("!HH", message[:4]), message[4:-1].decode())


def tftp_guess(server, count):
    s, codes = tftp_socket(), {}
    names = [".", "*", "%", "g1", "g1/", "g1/kernel", "g1/kernel/", "g1/kernel/fak", "g0/kernel/fake",
             "g-1/kernel/fake", "g4294967297/kernel/fake", "g1/kernel/FAKE", "pxelinux.cfg", "pxelinux.cfg/", "pxelinux.cfg/C0A807",
             "manifest.json", "rambox.yaml", "rambox.db", "tls/key.pem"]
    names += [f"g{n}/kernel/fake{n}" for n in range(int(count) - len(names))]
    for name in names:
        s.sendto(request(1, name), (server, 69))
        op, code = struct.unpack("!HH", s.recv(2048)[:4])
        key = f"error-{code}" if op == 5 else f"opcode-{op}-{name}"
        codes[key] = codes.get(key, 0) + 1
    print(*(f"{key}:{n}" for key, n in sorted(codes.items())))


def tftp_port(server, name):
    s = tftp_socket()
    s.sendto(request(1, name), (server, 69))
    peer = s.recvfrom(2048)[1]
    tftp_error(s, peer)
    print(peer[1])


def tftp_window(server, name, out, blksize, window, rollover="0"):
    s, data, wanted, last_block, unacked = tftp_socket(), bytearray(), 1, 0, 0
    s.sendto(request(1, name, "BlkSize", blksize, "tsize", 0, "windowsize", window, "nonsense", 1), (server, 69))
    message, peer = s.recvfrom(70000)
    if message[:2] != b"\0\6":
        sys.exit(f"not OACK: {message!r}")
    words = message[2:-1].split(b"\0")
    granted = {k.decode().lower(): int(v) for k, v in zip(words[::2], words[1::2])}
    print(" ".join(f"{k}={v}" for k, v in sorted(granted.items())))
    s.sendto(struct.pack("!HH", 4, 0), peer)
    while True:
        message, peer = s.recvfrom(70000)
        op, block = struct.unpack("!HH", message[:4])
        if op == 6:  # once more: we were slow to say that we have it
            s.sendto(struct.pack("!HH", 4, 0), peer)
            continue
        if op != 3:
            sys.exit(f"not DATA: {message!r}")
        last = block == wanted and len(message) < granted["blksize"] + 4
        if block == wanted:
            data += message[4:]
            last_block, wanted = wanted, wanted + 1 if wanted < 65535 else int(rollover)
            unacked += 1
        if last or unacked == granted["windowsize"] or block != last_block:
            s.sendto(struct.pack("!HH", 4, last_block), peer)
            unacked = 0
        if last:
            break
    with open(out, "wb") as f:
        f.write(data)


# Neighbour discovery

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def link_local(mac):
    return b"\xfe\x80" + b"\0" * 6 + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


def heard(s, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end and select.select([s], [], [], max(0, end - time.monotonic()))[0]:
        frame = s.recv(2048)
        if len(frame) >= 70 and frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 134:
            pseudo = frame[22:54] + struct.pack("!II", len(frame) - 54, 58)
            good = checksum(pseudo + frame[54:]) == 0
            lifetime = struct.unpack("!H", frame[60:62])[0]
            print(f"advertisement to={frame[:6].hex(':')} from={frame[6:12].hex(':')} hops={frame[21]} lifetime={lifetime} "
                  f"options={len(frame) - 70} checksum={'good' if good else 'bad'} "
                  f"source={'own' if frame[22:38] == link_local(frame[6:12]) else 'other'}", flush=True)
            return


def packet_socket():
    kind = 0x86dd if INTERFACE == "eth0" else 3  # ETH_P_ALL sees what is sent, too
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
    s.bind((INTERFACE, kind))
    return s


def solicit(mac):
    mac, s = mac_bytes(mac), packet_socket()
    source, routers = link_local(mac), bytes.fromhex("ff02" + "00" * 13 + "02")
    body = bytes([133, 0, 0, 0, 0, 0, 0, 0, 1, 1]) + mac
    sum_ = checksum(source + routers + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", sum_) + body[4:]
    s.send(bytes.fromhex("333300000002") + mac + b"\x86\xdd" + struct.pack("!IHBB", 0x60000000, len(body), 58, 255) + source +
           routers + body)
    heard(s, 2)


def listen(seconds):
    heard(packet_socket(), float(seconds))


COMMANDS = {
    "swarm": lambda n, path: swarm(int(n), path), "offered": offered, "relayed": relayed,
    "boot-server": boot_server, "ask": ask, "overhear": overhear, "decliner": decliner, "malformed-dhcp": malformed_dhcp,
    "malformed-tftp": malformed_tftp, "tftp-slow": tftp_slow, "tftp-many": tftp_many, "tftp-write": tftp_write,
    "tftp-port": tftp_port, "tftp-guess": tftp_guess,
    "tftp-window": tftp_window, "http-hostile": http_hostile, "http-kept": http_kept, "http-many": http_many,
    "http-slow": http_slow, "solicit": solicit, "listen": listen,
}
COMMANDS[sys.argv[1]](*sys.argv[2:])
