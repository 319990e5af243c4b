"""Measures Pilotfish beside its peers, in turns and in the same run, and prints each figure as a ratio
with its goal. A goal that is missed, or could not be measured, is shown as such and ends the run with 1.

scripts/bench prepares what it needs and starts it.
"""

import argparse
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
IDLE_ROUNDS = 3
PRESSES = 40


class Table:
    """The rows, each printed as soon as it is known."""

    def __init__(self):
        self.missed = 0
        self.absent = 0
        print(f"{'figure':<54}{'ours':>14}{'peer':>14}{'ratio':>8}  goal", flush=True)

    def rounds(self, name, ours, peer, *rest):
        """A row from what each round gave: the median of the rounds' ratios, so that a machine that
        slows down between rounds slows both sides."""
        ratio = statistics.median(us / them for us, them in zip(ours, peer, strict=True))
        floor = statistics.median(peer)
        self.row(name, ratio * floor, floor, *rest)

    def row(self, name, ours, peer, unit, goal, least):
        """`least`: whether the ratio must be at least the goal, or at most."""
        ratio = ours / peer
        met = ratio >= goal if least else ratio <= goal
        self.missed += not met
        sign = "≥" if least else "≤"
        print(
            f"{name:<54}{ours:>10.1f} {unit:<3}{peer:>10.1f} {unit:<3}{ratio:>8.3f}  {sign} {goal:.3g}"
            f"{'' if met else '  MISSED'}",
            flush=True,
        )

    def note(self, text):
        print(f"  {text}", flush=True)

    def not_had(self, name, why):
        self.absent += 1
        print(f"{name:<54}  NOT MEASURED: {why}", flush=True)

    def verdict(self):
        """The last line, and whether every goal was met."""
        verdicts = [(self.missed, "missed"), (self.absent, "not measured")]
        return ", ".join(f"{n} {what}" for n, what in verdicts if n) or "every goal met"


def model_rows(table, tools):
    threads = measured.cores()
    for name in ("small", "default"):
        weights = pathlib.Path(tools.models) / f"{name}.gguf"
        if not weights.exists():
            table.not_had(f"{name}: decode and prompt", "its weights are not on this machine")
            continue
        ours = measured.Ours(f"{tools.examples}/measure", tools.program, tools.models, name, threads)
        peer = measured.Peer(tools.peer_python, HERE.parent / "peer.py", weights, 8192, threads)
        bench = tools.llama_bench and measured.LlamaBench(tools.llama_bench, weights, threads)
        rates, same = measured.speed(ours, peer, bench, ROUNDS)
        for kind in ("decode", "prompt"):
            us, server, bare = rates[kind]
            table.rounds(f"{name}: {kind}, against xllamacpp's server", us, server, "t/s", 1.0, True)
            if bare:
                table.rounds(f"{name}: {kind}, against llama-bench", us, bare, "t/s", 0.97, True)
            else:
                table.not_had(f"{name}: {kind}, against llama-bench", "it could not be built here")
        table.note(f"{name}: the same greedy text in {same} of {ROUNDS} rounds; {threads} threads")
        peer.close()
        if name == "small":
            turn = "turn 5 of 4,000 tokens to first token, less 5 ms"
            if bench:
                kept, cold, alone = measured.later_turn(ours, bench, max(2, ROUNDS // 2))
                table.row(turn, kept - 5, alone, "ms", 1.2, False)
                table.note(f"peer there: llama-bench on its new tokens alone. From the start: {cold:.0f} ms")
            else:
                table.not_had(turn, "llama-bench could not be built here")
        ours.close()


def start_rows(table, desk, program, models):
    blank = build_blank()
    # Without a GPU, Pilotfish has WebKit paint on the processor, which a window does not by itself.
    plainly = {"WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
    sides = ((program, {}), (blank, {}), (blank, plainly))
    starts = ([], [], [])
    for turn in range(ROUNDS + 1):
        for side, (command, more) in enumerate(sides):
            desk.bare()
            seconds, child = desk.first_frame([command], PILOTFISH_HOME=str(desk.home(models)), **more)
            desktops.end(child)
            # The first round reads the programs from the disk; it is not counted.
            if turn:
                starts[side].append(seconds * 1000)
    table.rounds("start to first frame, against a blank window", *starts[:2], "ms", 1.5, False)
    ours, _, plain = map(statistics.median, starts)
    table.note(f"against one that paints on the processor: {ours / plain:.3f} of {plain:.1f} ms")

    memory = ([], [], [])
    for _ in range(IDLE_ROUNDS):
        for side, (command, more) in enumerate(sides):
            desk.bare()
            _, child = desk.first_frame([command], PILOTFISH_HOME=str(desk.home(models)), **more)
            time.sleep(IDLE_SECONDS)
            memory[side].append(desktops.pss(child.pid))
            desktops.end(child)
    ours, floor, plain = map(statistics.median, memory)
    table.row("idle memory (PSS), against a blank window", ours, floor, "MB", 1.3, False)
    table.note(f"against one that paints on the processor: {ours / plain:.3f} of {plain:.1f} MB")


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


def markdown_rows(table, examples):
    for cost in json.loads(subprocess.check_output([f"{examples}/streaming"])):
        ours, anew, parser = (cost[f"{what}_ns"] / 1000 for what in ("incremental", "anew", "parser"))
        name = f"markdown, a token at 100 KB of {cost['name']}"
        table.row(name, ours, anew, "µs", 1 / 30, False)
        table.note(f"peer there: all rendered anew. Parsed anew and not rendered: {parser:.0f} µs")


def engine_rows(table, examples):
    # The engine brings the in-house model's libraries, which the build puts beside the program.
    beside = {**os.environ, "LD_LIBRARY_PATH": examples}
    cost = json.loads(subprocess.check_output([f"{examples}/overhead"], env=beside))
    ours, bare = cost["chunk_ns"] / 1000, cost["bare_chunk_ns"] / 1000
    table.row("engine, a streamed chunk, against bare reqwest", ours, bare, "µs", 2.0, False)
    table.note("wall time of a whole stream, as fast as one server thread writes it, by its chunks")
    added, commit = cost["first_us"] - cost["bare_first_us"], cost["commit_us"]
    table.row("engine, added to the first token, less the commit", added - commit, 1000, "µs", 1.0, False)
    table.note(
        f"peer there: the goal of 1 ms. The question is on the disk before it is sent, which alone took"
        f" {commit} µs here: with that {added} µs were added to bare reqwest's {cost['bare_first_us']} µs"
    )


def build_blank():
    binary = pathlib.Path(tempfile.mkdtemp(prefix="pilotfish-blank-")) / "blank"
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", "webkit2gtk-4.1", "gtk+-3.0"], text=True)
    subprocess.check_call(["cc", "-O2", "-o", binary, HERE / "blank.c", *flags.split()])
    return str(binary)


def main():
    parser = argparse.ArgumentParser(description="Pilotfish beside its peers")
    for tool in ("program", "examples", "models", "peer-python"):
        parser.add_argument(f"--{tool}", required=True)
    parser.add_argument("--llama-bench", default="", help="empty where it could not be built")
    tools = parser.parse_args()
    table = Table()
    markdown_rows(table, tools.examples)
    engine_rows(table, tools.examples)
    model_rows(table, tools)
    with desktops.Desktop() as desk:
        start_rows(table, desk, tools.program, tools.models)
        summon_rows(table, desk, tools.program, tools.models)
    print(table.verdict())
    sys.exit(bool(table.missed or table.absent))


main()
