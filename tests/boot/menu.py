#!/usr/bin/env python3
"""Runs a program on a terminal and types on it, as its screens come.

menu.py SCRIPT COMMAND...; SCRIPT has a step a line:
    wait TEXT   until the screen has shown TEXT, since the last step that waited
    type TEXT   keys; <enter>, <esc>, <right> and <tab> are these keys
    leave TEXT  <esc><esc>, again and again, until TEXT has been shown; without TEXT, until the program ends
What it showed goes to standard output, without control sequences; the exit status is the program's, or 3 when a
step took too long."""
import fcntl, os, pty, re, select, struct, sys, termios, time

LIMIT = 240  # seconds a step may take
KEYS = {"<enter>": "\n", "<esc>": "\x1b", "<right>": "\x1b[C", "<tab>": "\t"}
CONTROL = re.compile(rb"\x1b(\[[0-9;?]*[a-zA-Z]|[()][A-Z0-9]|[=>78])|[\x0e\x0f\r]")


class Screen:
    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execvp(command[0], command)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.raw, self.from_ = b"", 0

    def text(self):
        return CONTROL.sub(b"", self.raw[self.from_:]).decode(errors="replace")

    def read(self, seconds):
        """Whether the program goes on after what came within the time."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.raw += data
        return bool(data)

    def settle(self):
        while select.select([self.fd], [], [], 0.3)[0] and self.read(0):
            pass

    def wait(self, text):
        end = time.monotonic() + LIMIT
        while text not in self.text():
            if not self.read(0.5) or time.monotonic() > end:
                raise TimeoutError(text)
        self.settle()
        self.from_ = len(self.raw)

    def type(self, keys):
        for name, key in KEYS.items():
            keys = keys.replace(name, key)
        os.write(self.fd, keys.encode())

    def leave(self, text):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            self.type("<esc><esc>")
            again = time.monotonic() + 1.5
            while time.monotonic() < again:
                if not self.read(0.2):
                    return
                if text and text in self.text():
                    self.settle()
                    self.from_ = len(self.raw)
                    return
        raise TimeoutError(text)

    def end(self):
        while self.read(LIMIT):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


screen, status = Screen(sys.argv[2:]), 3
try:
    for line in open(sys.argv[1]):
        step, _, text = line.rstrip("\n").partition(" ")
        getattr(screen, step)(text)
    status = screen.end()
except TimeoutError as e:
    print(f"waited in vain for: {e}")
    os.kill(screen.pid, 15)
screen.from_ = 0
print(screen.text())
sys.exit(status)
