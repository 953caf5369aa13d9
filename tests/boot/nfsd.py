#!/usr/bin/env python3
"""A read-only NFS version 3 server for one test: nfsd.py FOLDER PORT-FILE

MOUNT and NFS (RFC 1813) over one TCP port of 127.0.0.1, which it writes into PORT-FILE; no portmapper, so the client
must be given port= and mountport=. Everything belongs to root. It trusts its client.
"""
import os
import socketserver
import stat
import struct
import sys

NFS, MOUNT = 100003, 100005
NOENT, INVAL, NOTSUPP = 2, 22, 10004
handles = [sys.argv[1]]


def u32(*values):
    return struct.pack(">%dI" % len(values), *values)


def u64(*values):
    return struct.pack(">%dQ" % len(values), *values)


def opaque(data):
    return u32(len(data)) + data + bytes(-len(data) % 4)


class Arguments:
    def __init__(self, data):
        self.data = data

    def take(self, size):
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def u64(self):
        return struct.unpack(">Q", self.take(8))[0]

    def opaque(self):
        size = self.u32()
        return self.take(size + -size % 4)[:size]

    def path(self):
        return handles[struct.unpack(">Q", self.opaque())[0]]


def handle(path):
    if path not in handles:
        handles.append(path)
    return opaque(u64(handles.index(path)))


def attributes(path):
    st = os.lstat(path)
    kind = 2 if stat.S_ISDIR(st.st_mode) else 5 if stat.S_ISLNK(st.st_mode) else 1
    times = u32(int(st.st_mtime), 0) * 3
    return (u32(kind, stat.S_IMODE(st.st_mode), st.st_nlink, 0, 0) + u64(st.st_size, st.st_blocks * 512) + u32(0, 0) +
            u64(1, st.st_ino) + times)


def optional_attributes(path):
    return u32(1) + attributes(path)


def getattr_(a):
    return u32(0) + attributes(a.path())


def lookup(a):
    folder, name = a.path(), os.fsdecode(a.opaque())
    path = os.path.normpath(os.path.join(folder, name))
    if not path.startswith(handles[0]) or not os.path.lexists(path):
        return u32(NOENT) + optional_attributes(folder)
    return u32(0) + handle(path) + optional_attributes(path) + optional_attributes(folder)


def access(a):
    path = a.path()
    return u32(0) + optional_attributes(path) + u32(a.u32() & 0x23)  # read, look up, execute


def readlink(a):
    path = a.path()
    return u32(0) + optional_attributes(path) + opaque(os.fsencode(os.readlink(path)))


def read(a):
    path, offset, count = a.path(), a.u64(), a.u32()
    with open(path, "rb") as f:
        f.seek(offset)
        data = f.read(count)
    end = offset + len(data) >= os.stat(path).st_size
    return u32(0) + optional_attributes(path) + u32(len(data), end) + opaque(data)


def entries(a, plus):
    folder, cookie = a.path(), a.u64()
    reply = u32(0) + optional_attributes(folder) + bytes(8)
    for i, name in enumerate([".", ".."] + sorted(os.listdir(folder))):
        path = folder if i < 2 else os.path.join(folder, name)
        if i >= cookie:
            reply += u32(1) + u64(os.lstat(path).st_ino) + opaque(os.fsencode(name)) + u64(i + 1)
            if plus:
                reply += optional_attributes(path) + u32(1) + handle(path)
    return reply + u32(0, 1)


def fsinfo(a):
    sizes = u32(65536, 65536, 4096, 65536, 65536, 4096, 65536)
    return u32(0) + optional_attributes(a.path()) + sizes + u64(1 << 40) + u32(0, 1, 0x1b)


procedures = {
    (MOUNT, 0): lambda a: b"",
    (MOUNT, 1): lambda a: u32(0) + handle(handles[0]) + u32(1, 1) if a.opaque() == b"/srv/root" else u32(NOENT),
    (MOUNT, 3): lambda a: b"",
    (NFS, 0): lambda a: b"",
    (NFS, 1): getattr_,
    (NFS, 3): lookup,
    (NFS, 4): access,
    (NFS, 5): readlink,
    (NFS, 6): read,
    (NFS, 16): lambda a: entries(a, False),
    (NFS, 17): lambda a: entries(a, True),
    (NFS, 18): lambda a: u32(0) + optional_attributes(a.path()) + u64(1 << 30, 0, 0, 1000, 0, 0) + u32(0),
    (NFS, 19): fsinfo,
    (NFS, 20): lambda a: u32(0) + optional_attributes(a.path()) + u32(32, 255, 1, 1, 0, 1),
}


def answer(call):
    """One RPC message (RFC 5531) in, one out."""
    a = Arguments(call)
    xid, _, _, program, version, procedure = (a.u32() for _ in range(6))
    for _ in range(2):  # credential, verifier
        a.u32()
        a.opaque()
    head = u32(xid, 1, 0, 0, 0)
    if program not in (NFS, MOUNT):
        return head + u32(1)
    if version != 3:
        return head + u32(2, 3, 3)
    if (program, procedure) not in procedures:
        return head + u32(3)
    try:
        return head + u32(0) + procedures[program, procedure](a)
    except OSError:
        return head + u32(0, INVAL) + u32(0)


class Client(socketserver.StreamRequestHandler):
    def handle(self):
        while len(mark := self.rfile.read(4)) == 4:
            reply = answer(self.rfile.read(struct.unpack(">I", mark)[0] & 0x7fffffff))
            self.wfile.write(u32(0x80000000 | len(reply)) + reply)


server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Client)
with open(sys.argv[2] + ".new", "w") as f:
    f.write(str(server.server_address[1]))
os.rename(sys.argv[2] + ".new", sys.argv[2])
server.serve_forever()
