"""Measures Pilotfish beside its peers, in turns and in the same run, and prints each figure as a ratio
with its goal. A goal that is missed is shown as such and ends the run with 1.

    python3 scripts/lib/bench PROGRAM EXAMPLES MODELS PEER_PYTHON
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import desktop as desktops
import models as measured

HERE = pathlib.Path(__file__).parent
ROUNDS = int(os.environ.get("PILOTFISH_BENCH_ROUNDS", "5"))
IDLE_SECONDS = 20
PRESSES = 40


class Table:
    """The rows, each printed as soon as it is known."""

    def __init__(self):
        self.missed = 0
        print(f"{'figure':<46}{'ours':>14}{'peer':>14}{'ratio':>8}  goal", flush=True)

    def row(self, name, ours, peer, unit, goal, least):
        """`least`: whether the ratio must be at least the goal, or at most."""
        ratio = ours / peer
        met = ratio >= goal if least else ratio <= goal
        self.missed += not met
        sign = "≥" if least else "≤"
        print(
            f"{name:<46}{ours:>10.1f} {unit:<3}{peer:>10.1f} {unit:<3}{ratio:>8.2f}  {sign} {goal:g}"
            f"{'' if met else '  MISSED'}",
            flush=True,
        )

    def note(self, text):
        print(f"  {text}", flush=True)


def threads():
    """As many as the in-house model takes by itself: one a core."""
    return os.cpu_count() or 2


def model_rows(table, program, examples, models, python):
    for name in ("small", "default"):
        weights = pathlib.Path(models) / f"{name}.gguf"
        if not weights.exists():
            table.note(f"{name}: not on this machine, not measured")
            continue
        ours = measured.Ours(f"{examples}/measure", program, models, name, threads())
        peer = measured.Peer(python, HERE.parent / "peer.py", weights, 8192, threads())
        rates, same = measured.speed(ours, peer, ROUNDS)
        for kind in ("decode", "prompt"):
            table.row(f"{name}: {kind}, against xllamacpp's server", *rates[kind], "t/s", 1.0, True)
        table.note(f"{name}: the same greedy text in {same} of {ROUNDS} rounds; {threads()} threads")
        peer.close()
        if name == "small":
            kept, cold, alone = measured.later_turn(ours, max(2, ROUNDS // 2))
            table.row("turn 5 of 4,000 tokens to first token, less 5 ms", kept - 5, alone, "ms", 1.2, False)
            table.note(f"peer there: the new tokens alone. Cold, the same turn takes {cold:.0f} ms")
        ours.close()


def start_rows(table, desk, program, models):
    blank = build_blank()
    starts = ([], [])
    for turn in range(ROUNDS + 1):
        for side, command in enumerate(([program], [blank])):
            desk.bare()
            seconds, child = desk.first_frame(command, PILOTFISH_HOME=str(desk.home(models)))
            desktops.end(child)
            # The first round reads the programs from the disk; it is not counted.
            if turn:
                starts[side].append(seconds * 1000)
    ours, floor = map(statistics.median, starts)
    table.row("start to first frame, against a blank window", ours, floor, "ms", 1.5, False)

    memory = []
    for command in ([program], [blank]):
        desk.bare()
        _, child = desk.first_frame(command, PILOTFISH_HOME=str(desk.home(models)))
        time.sleep(IDLE_SECONDS)
        memory.append(desktops.pss(child.pid))
        desktops.end(child)
    table.row("idle memory (PSS), against a blank window", *memory, "MB", 1.3, False)


def summon_rows(table, desk, program, models):
    desk.bare()
    desk.manage()
    _, child = desk.first_frame([program], PILOTFISH_HOME=str(desk.home(models)))
    keys = desktops.Keys(desk.display)
    summon = ("Control_L", "Shift_L", "space")
    # The key is grabbed a moment after the first frame.
    for _ in range(40):
        keys.forget()
        keys.press(*summon)
        if keys.mapped():
            break
    else:
        raise RuntimeError("the hotkey summoned nothing")
    times = []
    for _ in range(PRESSES):
        keys.press(*summon)
        time.sleep(0.4)
        keys.forget()
        start = time.perf_counter()
        keys.press(*summon)
        if not keys.mapped():
            raise RuntimeError("a press of the hotkey summoned nothing")
        times.append((time.perf_counter() - start) * 1000)
        time.sleep(0.3)
    desktops.end(child)
    times.sort()
    table.row("hotkey to quick window mapped, median", statistics.median(times), 25, "ms", 1.0, False)
    table.row("hotkey to quick window mapped, 95th of 100", times[int(len(times) * 0.95)], 50, "ms", 1.0, False)
    table.note("peer there: the goals of 25 ms and 50 ms")


def markdown_row(table, examples):
    cost = json.loads(subprocess.check_output([f"{examples}/streaming"]))
    table.row(
        "markdown at 100 KB, rendering all anew, a token",
        cost["anew_ns"] / 1000, cost["incremental_ns"] / 1000, "µs", 30, True,
    )
    table.note("ours there: rendering all anew; peer: the incremental renderer")


def build_blank():
    binary = pathlib.Path(tempfile.mkdtemp(prefix="pilotfish-blank-")) / "blank"
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", "webkit2gtk-4.1", "gtk+-3.0"], text=True)
    subprocess.check_call(["cc", "-O2", "-o", binary, HERE / "blank.c", *flags.split()])
    return str(binary)


def main():
    program, examples, models, python = sys.argv[1:5]
    table = Table()
    markdown_row(table, examples)
    model_rows(table, program, examples, models, python)
    with desktops.Desktop() as desk:
        start_rows(table, desk, program, models)
        summon_rows(table, desk, program, models)
    print(f"{table.missed} goals missed" if table.missed else "every goal met")
    sys.exit(bool(table.missed))


main()
