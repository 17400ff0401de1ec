# SPDX-License-Identifier: Apache-2.0
"""Accounts elsewhere: an MCP server behind oidc-provider, and a person who logs in there."""

import html
import http.client
import json
import os
import pathlib
import re
import subprocess
import urllib.parse

from gateway import slow_factor

HERE = pathlib.Path(__file__).resolve().parent


class Protected:
    """protected.mjs, to the end of the block."""

    def __init__(self, **options):
        self.process = subprocess.Popen(
            [os.environ["KM_NODE"], str(HERE / "protected.mjs"), json.dumps(options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def __enter__(self):
        said = json.loads(self.process.stdout.readline())
        self.mcp, self.issuer = said["mcp"], said["issuer"]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(20 * slow_factor())
        self.process.stdout.close()

    def seen(self):
        """What came to the MCP server so far: {method, token, client, scope}."""
        nothing = {"token": None, "client": None, "scope": None}  # a request without a token
        return [{**nothing, **one}
                for one in json.loads(fetch("GET", self.mcp.replace("/mcp", "/seen"))[2])]

    def say(self, path):
        return json.loads(fetch("GET", self.mcp.replace("/mcp", path))[2])

    def forget(self, account):
        """Every token and log-in of an account is over, at the provider alone."""
        assert fetch("POST", self.mcp.replace("/mcp", "/forget"), {"account": account})[0] == 200


def fetch(method, url, fields=None, cookies=None):
    """(status, headers, body), with a jar of cookies and no redirects."""
    parts = urllib.parse.urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30 * slow_factor())
    head = {}
    if cookies:
        head["cookie"] = "; ".join(f"{k}={v}" for k, v in cookies.items())
    body = None
    if fields is not None:
        body = urllib.parse.urlencode(fields)
        head["content-type"] = "application/x-www-form-urlencoded"
    try:
        link.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, head)
        answer = link.getresponse()
        if cookies is not None:
            for line in answer.headers.get_all("set-cookie") or []:
                name, value = line.split(";")[0].split("=", 1)
                cookies[name] = value
        return answer.status, answer.headers, answer.read().decode()
    finally:
        link.close()


def inputs(body):
    """The hidden fields of a page's form."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', body))


def agree(url, key=None, cookies=None):
    """On kanmon's own page: goes on with the key.  (status, where it leads on to, or the page)."""
    cookies = {} if cookies is None else cookies
    status, _, body = fetch("GET", url, cookies=cookies)
    assert status == 200, body
    form = {**inputs(body), "decision": "allow", **({"key": key} if key else {})}
    target = urllib.parse.urljoin(url, re.search(r'action="([^"]+)"', body)[1])
    status, _, body = fetch("POST", target, form, cookies)
    onward = re.search(r'id="onward" href="([^"]+)"', body)
    return status, html.unescape(onward[1]) if onward else body


def person(url, name="ada", key=None, cookies=None):
    """Opens kanmon's address, logs in and agrees at the provider as `name`.

    Returns the address of kanmon's callback; `cookies` are the browser's, for whoever opens it."""
    status, url = agree(url, key, cookies)
    assert status == 200, url
    return at_provider(url, name, "/oauth/mcp/callback")


def at_provider(url, name, until):
    """Logs in and agrees at the provider as `name`; the address it leads back to, with `until` in it."""
    there, fields, method = {}, None, "GET"
    for _ in range(20):
        status, headers, body = fetch(method, url, fields, there)
        if status in (302, 303):
            url, fields, method = urllib.parse.urljoin(url, headers["location"]), None, "GET"
            if until in url:
                return url
            continue
        assert status == 200, (status, body)
        url = urllib.parse.urljoin(url, html.unescape(re.search(r'action="([^"]+)"', body)[1]))
        fields = inputs(body)
        if 'name="login"' in body:
            fields |= {"login": name, "password": "any"}
        method = "POST"
    raise AssertionError("the provider goes round in circles")


def log_in(url, name="ada", key=None):
    """All of it, in one browser: the page at the end."""
    cookies = {}
    status, _, page = fetch("GET", person(url, name, key, cookies), cookies=cookies)
    assert status == 200 and "logged in" in page, page
    return page
