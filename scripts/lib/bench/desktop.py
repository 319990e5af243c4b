"""A desktop without a screen for measuring windows: its picture lies in memory, so that the first
frame is seen without asking the program, and keys are pressed through the X server itself."""

import ctypes
import ctypes.util
import mmap
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import time

WIDTH, HEIGHT = 1440, 900
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>"""


class Desktop:
    """An X server and a private bus. Use it in a `with`. No window manager runs at first: the frames
    that it draws would be taken for what a program shows."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pilotfish-bench-"))
        self.children = []
        server = self._start(
            ["Xvfb", "-displayfd", "1", "-screen", "0", f"{WIDTH}x{HEIGHT}x24",
             "-noreset", "-nolisten", "tcp", "-fbdir", str(self.folder)],
            stdout=subprocess.PIPE,
        )
        self.display = ":" + server.stdout.readline().decode().strip()
        (self.folder / "bus.conf").write_text(BUS)
        bus = self._start(
            ["dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile",
             "--print-address=1"],
            stdout=subprocess.PIPE,
        )
        run = self.folder / "run"
        run.mkdir(mode=0o700)
        self.environment = {
            **os.environ,
            "DISPLAY": self.display,
            "DBUS_SESSION_BUS_ADDRESS": bus.stdout.readline().decode().strip(),
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(run),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "GDK_BACKEND": "x11",
            "NO_AT_BRIDGE": "1",
        }
        self.environment.pop("WAYLAND_DISPLAY", None)
        screen = open(self.folder / "Xvfb_screen0", "rb")
        self.memory = mmap.mmap(screen.fileno(), 0, access=mmap.ACCESS_READ)
        head = struct.unpack(">I", self.memory[:4])[0]
        colours = struct.unpack(">I", self.memory[76:80])[0]
        self.pixels = head + colours * 12
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.kill()
            child.wait()
        self.memory.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, command, stdout=subprocess.DEVNULL, env=None):
        child = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL, env=env)
        self.children.append(child)
        return child

    def manage(self):
        """Starts a window manager: windows that are to take the keys need one."""
        self._start(["openbox"], env=self.environment)
        check = ["xprop", "-root", "_NET_SUPPORTING_WM_CHECK"]
        while b"window id" not in subprocess.check_output(check, env=self.environment):
            time.sleep(0.05)

    def home(self, models):
        """A fresh PILOTFISH_HOME, with the small model when its folder is given."""
        home = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        if models:
            (home / "models").mkdir()
            os.symlink(pathlib.Path(models) / "small.gguf", home / "models" / "small.gguf")
        return home

    def program(self, command, **environment):
        return subprocess.Popen(
            command,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def colours(self):
        """How many colours the screen shows, by every fourth line: two of a bare desktop or an empty
        window, dozens as soon as text stands in it."""
        row = WIDTH * 4
        seen = set()
        for line in range(0, HEIGHT, 4):
            at = self.pixels + line * row
            seen.update(memoryview(self.memory[at:at + row]).cast("I"))
        return len(seen)

    def first_frame(self, command, most=120.0, **environment):
        """Seconds from the start of a program to its first frame with text, and the program."""
        bare = self.colours()
        start = time.perf_counter()
        child = self.program(command, **environment)
        while self.colours() < bare + 12:
            if time.perf_counter() - start > most or child.poll() is not None:
                end(child)
                raise RuntimeError(f"{command[0]} showed nothing in {most:.0f} s")
            time.sleep(0.002)
        return time.perf_counter() - start, child

    def bare(self, most=30.0):
        """Waits until nothing but the desktop is on the screen."""
        start = time.perf_counter()
        while self.colours() > 8 and time.perf_counter() - start < most:
            time.sleep(0.05)


def end(child):
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def tree(pid):
    """A process and all its descendants."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rsplit(")", 1)[1].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def pss(pid):
    """Proportional memory of a process tree in MiB."""
    kilobytes = 0
    for member in tree(pid):
        try:
            text = pathlib.Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return kilobytes / 1024


class Keys:
    """Presses keys and sees windows being mapped, as an X client of its own."""

    MAP_NOTIFY, SUBSTRUCTURE = 19, 1 << 19

    def __init__(self, display):
        self.x = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
        self.test = ctypes.CDLL(ctypes.util.find_library("Xtst") or "libXtst.so.6")
        pointer, long = ctypes.c_void_p, ctypes.c_ulong
        self.x.XOpenDisplay.restype = pointer
        self.x.XOpenDisplay.argtypes = [ctypes.c_char_p]
        self.x.XDefaultRootWindow.restype = long
        self.x.XDefaultRootWindow.argtypes = [pointer]
        self.x.XSelectInput.argtypes = [pointer, long, ctypes.c_long]
        self.x.XStringToKeysym.restype = long
        self.x.XStringToKeysym.argtypes = [ctypes.c_char_p]
        self.x.XKeysymToKeycode.argtypes = [pointer, long]
        self.x.XFlush.argtypes = self.x.XPending.argtypes = [pointer]
        self.x.XNextEvent.argtypes = [pointer, pointer]
        self.test.XTestFakeKeyEvent.argtypes = [pointer, ctypes.c_uint, ctypes.c_int, long]
        self.connection = self.x.XOpenDisplay(display.encode())
        root = self.x.XDefaultRootWindow(self.connection)
        self.x.XSelectInput(self.connection, root, self.SUBSTRUCTURE)

    def press(self, *names):
        codes = [
            self.x.XKeysymToKeycode(self.connection, self.x.XStringToKeysym(name.encode()))
            for name in names
        ]
        for down, order in ((1, codes), (0, reversed(codes))):
            for code in order:
                self.test.XTestFakeKeyEvent(self.connection, code, down, 0)
        self.x.XFlush(self.connection)

    def forget(self):
        event = ctypes.create_string_buffer(256)
        while self.x.XPending(self.connection):
            self.x.XNextEvent(self.connection, event)

    def mapped(self, most=2.0):
        """Waits until a window is mapped; whether one was."""
        event = ctypes.create_string_buffer(256)
        deadline = time.perf_counter() + most
        while time.perf_counter() < deadline:
            while self.x.XPending(self.connection):
                self.x.XNextEvent(self.connection, event)
                if ctypes.c_int.from_buffer(event).value == self.MAP_NOTIFY:
                    return True
            time.sleep(0.0002)
        return False
