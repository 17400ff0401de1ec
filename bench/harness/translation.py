# SPDX-License-Identifier: Apache-2.0
"""What translation costs: the same request, passed on and put into other words.

One kanmon serves three models of one mock: OpenAI's words, which are passed on, Anthropic's and
Bedrock's, which are translated both ways. The rounds take turns between them, so a ratio is of
two measurements side by side. Streams are sent at full speed here, many events a read: what is
left is the work on an event itself. Paced, one event under way, its syscalls are most of it.

Large bodies: one request after another with an image of 10 MB, by nginx and by kanmon.
"""
import base64
import json
import os
import socket
import statistics
import time

from harness import procs
from harness.servers import Kanmon, Nginx, PRICE_IN, PRICE_OUT, write

UPSTREAMS = {"passed": "passed on", "anthropic": "to Anthropic", "bedrock": "to Bedrock, signed"}
BOUNDS = {"request": 1.5, "event_us": 3.0, "image": 1.3}
IMAGE_BYTES = 10_000_000
BEGIN, END = "<!-- translation: begin -->", "<!-- translation: end -->"


class Translating(Kanmon):
    name = "translating"
    settings = {}           # settings a run adds

    def command(self):
        mock = f"http://127.0.0.1:{self.bench.mock}"
        params = {
            "passed": {"model": "openai/gpt-4o", "api_base": f"{mock}/v1", "api_key": "sk-up"},
            "anthropic": {"model": "anthropic/claude-haiku-4-5", "api_base": mock,
                          "api_key": "sk-up"},
            "bedrock": {"model": "bedrock/converse/us.anthropic.claude-haiku-4-5-20251001-v1:0",
                        "aws_access_key_id": "AKIABENCH", "aws_secret_access_key": "secret",
                        "aws_region_name": "us-east-1", "aws_bedrock_runtime_endpoint": mock},
        }
        config = write(f"{self.dir}/config.yaml", json.dumps({
            "model_list": [{"model_name": name, "litellm_params": {
                **p, "input_cost_per_token": float(PRICE_IN),
                "output_cost_per_token": float(PRICE_OUT)}} for name, p in params.items()],
            "general_settings": {"master_key": self.bearer},
            "kanmon_settings": {"state_dir": f"{self.dir}/state", "workers": 1, **self.settings,
                                "limits": {"connections": 20000},
                                "upstream": {"max_per_origin": 20000, "max_idle": 256}}}))
        return [self.binary, "serve", "--config", config, "--host", "127.0.0.1",
                "--port", str(self.port)]


class Plan:
    """Many short rounds: a machine that others use too changes its pace within seconds."""
    def __init__(self, smoke):
        self.rounds, self.seconds, self.events, self.images = (1, 0.3, 200, 3) if smoke else \
            (21, 0.6, 2000, 8)


def cpu_us(pids):
    """Of all threads of these processes, in microseconds."""
    total = 0
    for pid in pids:
        folder = f"/proc/{pid}/task"
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
    return total / 1000


def loaded(measure, server, model, plan, **options):
    """One window; CPU in microseconds a request."""
    server.model = model
    options = {"connections": 64, "seconds": plan.seconds, "warmup": 0.3, **options}
    result = measure.load("closed", server, **options)
    if "failed" in result or result["wrong"] or result["broken"]:
        raise RuntimeError(f"{model}: {json.dumps(result)[:400]}")
    return result["watch"]["server_cpu_us"] / result["completed"]


def image_request(model, bearer):
    image = base64.b64encode(b"\x89PNG" + os.urandom(3000) * (IMAGE_BYTES * 3 // 4 // 3000))
    body = json.dumps({"model": model, "max_tokens": 256, "messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {
            "url": "data:image/png;base64," + image.decode()}}]}]}).encode()
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {bearer}"
            f"\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode() + body


def images(server, model, count):
    """CPU in microseconds of one request with an image, sent one after another."""
    request = image_request(model, server.bearer)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as s:
        for number in range(count + 2):
            if number == 2: # its buffers and its connection upstream are there
                before = cpu_us(server.pids())
            s.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer or len(answer) < length(answer):
                piece = s.recv(65536)
                if not piece:
                    raise RuntimeError(f"{server.title}, {model}: broke off: {answer[:300]}")
                answer += piece
            if not answer.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{server.title}, {model}: {answer[:400]}")
    procs.until(lambda: False, 0.05, 0.01)
    return (cpu_us(server.pids()) - before) / count


def length(answer):
    """Of the whole message; its head is there."""
    head, _, _ = answer.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(head) + 4 + int(value)
    raise RuntimeError(f"no length: {head[:200]}")


def one_round(measure, server, nginx, plan, number):
    """Each begins a round in turn: whoever comes first meets what the one before left behind."""
    out, names = {}, list(UPSTREAMS)
    for model in names[number % len(names):] + names[:number % len(names)]:
        row = out[model] = {"request_us": loaded(measure, server, model, plan)}
        none = loaded(measure, server, model, plan, stream=1, script="events=1", min_answer=50)
        many = loaded(measure, server, model, plan, stream=1, script=f"events={plan.events}",
                      connections=16)
        row["stream_us"] = none
        row["event_us"] = (many - none) / (plan.events - 1)
        row["image_us"] = images(server, model, plan.images)
    out["nginx"] = {"image_us": images(nginx, "any", plan.images)}
    return out


def run(place, measure, smoke, say):
    """{"rounds": [...]} of everything."""
    plan = Plan(smoke)
    server, nginx = Translating(place), Nginx(place)
    rounds = []
    try:
        for one in (server, nginx):
            one.prepare()
            one.start()
        for number in range(plan.rounds):
            say(f"translation: round {number + 1} of {plan.rounds}")
            rounds.append(one_round(measure, server, nginx, plan, number))
    finally:
        server.stop()
        nginx.stop()
    return {"rounds": rounds, "date": time.strftime("%Y-%m-%d", time.gmtime())}


# --- the page ---

def middle(rounds, model, name):
    return statistics.median(r[model][name] for r in rounds)


def ratio(rounds, model, name, base, base_model="passed"):
    return statistics.median(r[model][name] / r[base_model][base] for r in rounds)


def verdicts(rounds):
    """[what, measured, bound]"""
    out = []
    for model, title in UPSTREAMS.items():
        if model != "passed":
            out.append((f"CPU a request translated {title}, times a passed-on one",
                        ratio(rounds, model, "request_us", "request_us"), BOUNDS["request"]))
            out.append((f"CPU an event translated {title}, µs", middle(rounds, model, "event_us"),
                        BOUNDS["event_us"]))
    out.append(("CPU a request with an image of 10 MB, passed on, times nginx's",
                ratio(rounds, "passed", "image_us", "image_us", "nginx"), BOUNDS["image"]))
    return out


def markdown(result, facts):
    rounds = result["rounds"]
    lines = [BEGIN, "## What translation costs", "",
             f"Made by `bench/run --translation` on {result['date']} at commit "
             f"{facts['commit']}; {len(rounds)} interleaved rounds, medians; the number in "
             "brackets is the ratio to passing on in the same rounds. A caller of OpenAI's API; "
             "streams are sent at full speed, so that an event's own work shows and not its "
             "system calls.", "",
             "| | " + " | ".join(UPSTREAMS.values()) + " | nginx |", "|---|---:|---:|---:|---:|"]
    for name, title in (("request_us", "CPU a request of 1 KB, µs"),
                        ("stream_us", "CPU a stream of one event, µs"),
                        ("event_us", "CPU a streamed event more, µs"),
                        ("image_us", "CPU a request with an image of 10 MB, µs")):
        cells = []
        for model in UPSTREAMS:
            text = f"{middle(rounds, model, name):,.2f}"
            cells.append(text if model == "passed" else
                         f"{text} ({ratio(rounds, model, name, name):.2f}×)")
        cells.append(f"{middle(rounds, 'nginx', name):,.2f}" if name == "image_us" else "–")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines += ["", "| | measured | | |", "|---|---:|---|---|"]
    for what, value, bound in verdicts(rounds):
        lines.append(f"| {what} | {value:.2f} | at most {bound} | "
                     + ("reached |" if value <= bound else "**not reached** |"))
    return "\n".join([*lines, "", END, ""])


def section_of(page, begin, end):
    """What stands between two marks, and they; or nothing."""
    at, to = page.find(begin), page.find(end)
    return page[at:to + len(end)] + "\n" if 0 <= at < to else ""


def kept(page):
    """The section as it stands on a page, or nothing."""
    return section_of(page, BEGIN, END)


def put(page, section):
    """The page with this section in place of the one that it had."""
    old = kept(page)
    return page.replace(old, section) if old else page.rstrip("\n") + "\n\n" + section


def main(place, measure, smoke, path, facts, say):
    """As `bench/run --translation`; 1 when a bound does not hold (in a smoke: never)."""
    result = run(place, measure, smoke, say)
    section = markdown(result, facts)
    if path:
        with open(path, encoding="utf-8") as f:
            page = put(f.read(), section)
        with open(path, "w", encoding="utf-8") as f:
            f.write(page)
        say(f"wrote {path}")
    else:
        print(section)
    missed = [what for what, value, bound in verdicts(result["rounds"]) if value > bound]
    for what in missed:
        say(f"not reached: {what}")
    return 1 if missed and not smoke else 0
