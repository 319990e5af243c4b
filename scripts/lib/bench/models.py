"""The in-house model against another program's server and against llama.cpp's own measuring program:
same weights, same threads, the same greedy text, in turns."""

import http.client
import json
import os
import pathlib
import statistics
import subprocess
import time
import urllib.parse

SYSTEM = "You are a helpful assistant."
STORY = (
    "The harbour was quiet that morning and the boats lay in a row along the wall while the gulls "
    "walked between the ropes and the nets that had been laid out to dry in the first sun. "
)


def cores():
    """As many threads as the in-house model takes by itself: one for each core that computes at full
    speed, however many processors the system counts on it."""
    allowed = len(os.sched_getaffinity(0))
    siblings = pathlib.Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/thread_siblings_list")
    return min(len({path.read_text() for path in siblings}) or allowed, allowed)


class Ours:
    """Pilotfish's worker, through the provider that the application uses."""

    def __init__(self, measure, program, models, model, threads):
        self.model = model
        command = [measure, program, models, model, str(threads)]
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, messages, max_tokens, key):
        request = {"messages": messages, "max_tokens": max_tokens, "cache_key": key}
        self.child.stdin.write(json.dumps(request) + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError("the in-house model did not answer")
        answer = json.loads(line)
        if answer["model"] != self.model:
            raise RuntimeError(f"{answer['model']} answered for {self.model}: is enough memory free?")
        return answer

    def close(self):
        self.child.stdin.close()
        self.child.wait(30)


class Peer:
    """The peer's server, through its streaming Chat Completions."""

    def __init__(self, python, script, model, context, threads):
        self.child = subprocess.Popen(
            [python, script, model, str(context), str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        self.host = urllib.parse.urlparse(self.child.stdout.readline().strip()).netloc
        if not self.host:
            raise RuntimeError("the peer's server did not start: run scripts/lib/peer.py by hand")

    def ask(self, messages, max_tokens, _key):
        roles = ("user", "assistant")
        body = {
            "messages": [{"role": "system", "content": SYSTEM}]
            + [{"role": roles[i % 2], "content": text} for i, text in enumerate(messages)],
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        connection = http.client.HTTPConnection(self.host, timeout=600)
        start = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        first, text, usage = None, "", {}
        for line in connection.getresponse():
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            usage = event.get("usage") or usage
            for choice in event.get("choices", []):
                piece = choice.get("delta", {}).get("content")
                if piece:
                    first = first or time.perf_counter()
                    text += piece
        end = time.perf_counter()
        connection.close()
        return {
            "first_ms": (first - start) * 1000,
            "total_ms": (end - start) * 1000,
            "input": usage.get("prompt_tokens"),
            "cached": usage.get("prompt_tokens_details", {}).get("cached_tokens"),
            "output": usage.get("completion_tokens"),
            "text": text,
        }

    def close(self):
        self.child.stdin.close()
        self.child.wait(30)


class LlamaBench:
    """llama.cpp's llama-bench, one repetition a call, for a prompt and an answer of given lengths."""

    def __init__(self, program, model, threads):
        self.command = [program, "-m", str(model), "-t", str(threads), "-r", "1", "-o", "json"]

    def _run(self, *lengths):
        command = [*self.command, *map(str, lengths)]
        return json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL))

    def rates(self, prompt, output, after):
        """Tokens per second of prompt, and of decode behind some tokens that have been read: a token
        costs more the further back it has to look."""
        [read] = self._run("-p", prompt, "-n", 0)
        [write] = self._run("-p", 0, "-n", output, "-d", after)
        return read["avg_ts"], write["avg_ts"]

    def reading_ms(self, tokens, after):
        """Milliseconds to read some tokens behind others that have been read."""
        [run] = self._run("-p", tokens, "-n", 0, "-d", after)
        return tokens / run["avg_ts"] * 1000


def decode_rate(answer):
    return (answer["output"] - 1) / (answer["total_ms"] - answer["first_ms"]) * 1000


def prompt_rate(answer):
    fresh = answer["input"] - (answer["cached"] or 0)
    return fresh / answer["first_ms"] * 1000


def speed(ours, peer, bench, rounds):
    """Decode and prompt rates of each round: ours, the server's, and llama-bench's where there is one;
    and in how many rounds the two texts were the same. The sides take turns at being first, for a
    machine changes its speed from one minute to the next. Each side has two chats and goes on in them:
    every further one that is kept in the cache costs a small model a few of a hundred."""
    rates = {"decode": ([], [], []), "prompt": ([], [], [])}
    same = 0
    for turn in range(rounds + 1):
        answers = []
        sides = list(enumerate((ours, peer)))
        for side, model in sides if turn % 2 else reversed(sides):
            writing = model.ask([f"Round {turn}. Tell me a long story about the sea."], 96, "writing")
            reading = model.ask([f"Round {turn}. " + STORY * 12 + "Say yes."], 2, "reading")
            answers.append(writing["text"])
            # The first round loads and warms; it is not counted.
            if turn:
                rates["decode"][side].append(decode_rate(writing))
                rates["prompt"][side].append(prompt_rate(reading))
        if bench and turn:
            prompt, decode = bench.rates(reading["input"], writing["output"] - 1, writing["input"])
            rates["prompt"][2].append(prompt)
            rates["decode"][2].append(decode)
        same += bool(turn) and answers[0] == answers[1]
    return rates, same


def later_turn(ours, bench, rounds):
    """Milliseconds to the first token of turn 5 of a long conversation: with what was kept, cold, and
    what its new tokens alone cost llama-bench at that place."""
    kept, cold, alone = [], [], []
    for turn in range(rounds):
        messages = []
        for part in range(4):
            messages += [f"Part {part}, {turn}. " + STORY * 25 + "Say yes.", "Yes."]
            # Each turn is asked as a person would, so that the model keeps what it has read.
            ours.ask(messages[:-1], 2, f"long{turn}")
        question = [*messages, "What lay in a row along the wall?"]
        warm = ours.ask(question, 2, f"long{turn}")
        fresh = warm["input"] - warm["cached"]
        # The same turn to a model that has read none of it.
        first = ours.ask([f"Other {turn}. " + question[0], *question[1:]], 2, f"other{turn}")
        kept.append(warm["first_ms"])
        cold.append(first["first_ms"])
        alone.append(bench.reading_ms(fresh, warm["cached"]))
    return statistics.median(kept), statistics.median(cold), statistics.median(alone)
