# SPDX-License-Identifier: Apache-2.0
"""The vendor's Realtime API, and a client of it: one answer a session, behaving as the plan says that
the model's name names."""

import asyncio
import itertools
import json
import urllib.parse

import websockets.asyncio.client
import websockets.asyncio.server
from websockets.exceptions import ConnectionClosed, InvalidStatus

from client import Answer
from dialects import Dialect, Report, text_of
from gateway import patient
from vendor import ID, Entry, Gone

REALTIME = Dialect("realtime", "$^", None, "input_tokens", "output_tokens")


class RealtimeVendor:
    def __init__(self, vendor):
        self.vendor, self.ids = vendor, itertools.count(1)
        self.port = vendor.loop.run(self._listen())
        self.url = f"http://127.0.0.1:{self.port}"

    async def _listen(self):
        self.server = await websockets.asyncio.server.serve(
            self._session, "127.0.0.1", 0, compression=None, ping_interval=None)
        return self.server.sockets[0].getsockname()[1]

    async def _session(self, link):
        query = urllib.parse.parse_qs(link.request.path.partition("?")[2])
        plan = self.vendor.plans[ID.search(query["model"][0].encode())[0].decode()]
        await self._say(link, {"type": "session.created", "session": {
            "type": "realtime", "id": "sess_1", "object": "realtime.session", "model": "m",
            "output_modalities": ["text"]}})
        try:
            async for text in link:
                if json.loads(text)["type"] == "response.create":
                    await self._answer(plan, link, text)
        except (Gone, ConnectionClosed):
            pass
        for entry in plan.entries:
            if entry.outcome == "open":
                entry.outcome = "gone"
        plan.reached.set()

    async def _say(self, link, event):
        text = event if isinstance(event, str) else json.dumps(event)
        await link.send('{"event_id":"event_%d",%s' % (next(self.ids), text[1:]))

    async def _answer(self, plan, link, asked):
        entry = Entry(plan.id, REALTIME, "/v1/realtime", {}, asked.encode())
        entry.stream, entry.status, entry.prompt = True, 200, plan.prompt
        plan.entries.append(entry)
        events = self._events(plan)
        entry.size = len(events)
        entry.stop = self.vendor._place(plan, entry)
        entry.said_at = len(events) - 1
        for n, (event, tokens) in enumerate(events):
            if entry.stop <= n:
                await self._stop(plan, link)
                entry.stop = len(events) + 1
            await self._say(link, event)
            entry.written = tokens
        entry.outcome = "whole"

    async def _stop(self, plan, link):
        if plan.ends != "hang":
            plan.entries[-1].outcome = "broken"
            link.transport.abort() if plan.ends == "reset" else await link.close(1011, "broken")
            raise Gone
        plan.reached.set()
        gone = asyncio.ensure_future(link.wait_closed())
        others = asyncio.ensure_future(plan.proceed.wait())
        await asyncio.wait([gone, others], return_when=asyncio.FIRST_COMPLETED)
        others.cancel()
        if gone.done():
            raise Gone
        gone.cancel()

    @staticmethod
    def _events(plan):
        report = Report(plan, "input_tokens", "output_tokens")
        head = '{"id":"resp_1","object":"realtime.response","status":"%s","output":[]%s}'
        more = () if isinstance(plan.reports, tuple) else (
            f'"total_tokens":{plan.prompt + plan.words}',
            f'"input_token_details":{{"text_tokens":{plan.prompt},"audio_tokens":0,"cached_tokens":0}}',
            f'"output_token_details":{{"text_tokens":{plan.words},"audio_tokens":0}}')
        item = '"response_id":"resp_1","item_id":"i","output_index":0,"content_index":0'
        events = [('{"type":"response.created","response":%s}' % (head % ("in_progress", "")), 0)]
        events += [('{"type":"response.output_text.delta",%s,"delta":"%s"}' % (item, word), i + 1)
                   for i, word in enumerate(text_of(plan.words))]
        usage = report.member("usage", *more)
        return [*events, ('{"type":"response.done","response":%s}' % (head % ("completed", usage)),
                          plan.words)]


class Session:
    """A client's session in which one answer is asked for: as client.Link."""

    def __init__(self, ws):
        self.ws, self.answer = ws, Answer(101)

    async def read(self):
        try:
            async for text in self.ws:
                self.answer.body += text.encode() + b"\n"
                if json.loads(text)["type"] == "response.done":
                    self.answer.whole = True
                    await self.ws.close()
        except ConnectionClosed:
            pass
        return self.answer

    def leave(self):
        self.ws.transport.abort()


class Refused:
    def __init__(self, answer):
        self.answer = answer

    async def read(self):
        return self.answer

    def leave(self):
        pass


async def send(case):
    """Opens a session and asks for an answer."""
    try:
        ws = await websockets.asyncio.client.connect(
            f"ws://127.0.0.1:{case.world.port}{case.path}", compression=None, max_size=None,
            additional_headers={"authorization": f"Bearer {case.key}"}, open_timeout=patient(60))
    except InvalidStatus as error:
        return Refused(Answer(error.response.status_code, {}, error.response.body))
    await ws.send(case.body.decode())
    return Session(ws)
