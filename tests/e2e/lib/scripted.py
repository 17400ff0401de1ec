# SPDX-License-Identifier: Apache-2.0
"""A model whose turns are written in the prompt.

The first message (or the input) is JSON, a list of turns: a text, or a list of calls
[name, arguments].  The turn taken is the one after those the conversation has already.
Speaks chat completions and Responses, whole or as a stream; keeps what it was asked.
"""

import http.server
import json
import threading


def turn_of(body):
    chat = "messages" in body
    said = body["messages"] if chat else body["input"]
    if isinstance(said, str):
        said = [{"role": "user", "content": said}]
    script = json.loads(said[0]["content"])
    if chat:
        taken = sum(m["role"] == "assistant" for m in said)
    else:
        calls = [i for i, m in enumerate(said) if m.get("type") == "function_call"]
        taken = len([i for i in calls if i - 1 not in calls])
    return script[min(taken, len(script) - 1)], taken


def chat_message(turn, taken):
    if isinstance(turn, str):
        return {"role": "assistant", "content": turn}, "stop"
    return {"role": "assistant", "content": f"step {taken} ", "tool_calls": [
        {"id": f"call_{taken}_{i}", "type": "function",
         "function": {"name": name, "arguments": json.dumps(arguments)}}
        for i, (name, arguments) in enumerate(turn)]}, "tool_calls"


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def chat(body):
    message, finish = chat_message(*turn_of(body))
    head = {"id": "chatcmpl-s", "created": 1, "model": body["model"]}
    if not body.get("stream"):
        return json.dumps({**head, "object": "chat.completion", "usage": USAGE, "choices": [
            {"index": 0, "message": message, "finish_reason": finish}]}), "application/json"
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in message["content"].split(" ") if word]
    for i, call in enumerate(message.get("tool_calls", [])):
        text = call["function"]["arguments"]
        deltas.append({"tool_calls": [{**call, "index": i, "function": {
            **call["function"], "arguments": ""}}]})
        deltas += [{"tool_calls": [{"index": i, "function": {"arguments": part}}]}
                   for part in (text[:3], text[3:])]
    chunks = [(delta, None) for delta in deltas] + [({}, finish)]
    events = [{**head, "object": "chat.completion.chunk", "choices": [
        {"index": 0, "delta": delta, "finish_reason": end}]} for delta, end in chunks]
    if (body.get("stream_options") or {}).get("include_usage"):
        events.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
    return "".join(f"data: {json.dumps(e)}\n\n" for e in events) + "data: [DONE]\n\n", \
        "text/event-stream"


def responses(body):
    turn, taken = turn_of(body)
    if isinstance(turn, str):
        output = [{"type": "message", "id": f"msg_{taken}", "status": "completed",
                   "role": "assistant", "content": [
                       {"type": "output_text", "text": turn, "annotations": []}]}]
    else:
        output = [{"type": "function_call", "id": f"fc_{taken}_{i}", "status": "completed",
                   "call_id": f"call_{taken}_{i}", "name": name,
                   "arguments": json.dumps(arguments)} for i, (name, arguments) in enumerate(turn)]
    return json.dumps({
        "id": f"resp_{taken}", "object": "response", "created_at": 1, "status": "completed",
        "model": body["model"], "output": output, "parallel_tool_calls": True, "tools": [],
        "tool_choice": "auto", "usage": {
            "input_tokens": 10, "output_tokens": 5, "total_tokens": 15,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0}}}), "application/json"


class Scripted:
    """with Scripted() as model: model.url, model.asked"""

    def __enter__(self):
        asked = self.asked = []
        gate = self.gate = threading.Event()  # cleared: requests wait for it before they are answered
        gate.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                asked.append(body)
                gate.wait()
                answer, kind = (responses if self.path.endswith("/responses") else chat)(body)
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(answer.encode())))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        return self

    def __exit__(self, *_):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
