# SPDX-License-Identifier: Apache-2.0
"""A browser as far as a log-in needs one: cookies, one form, no script, redirects by hand."""

import html.parser
import http.client
import http.cookies
import urllib.parse

from gateway import slow_factor


class Form(html.parser.HTMLParser):
    """The fields of the page's form, and its texts."""

    def __init__(self, text):
        super().__init__()
        self.fields, self.action, self.texts = {}, None, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        assert tag not in ("script", "iframe", "img", "link", "object"), tag
        assert not any(name.startswith("on") for name in attrs), attrs
        if tag == "form":
            self.action = attrs["action"]
        if tag == "input" and attrs.get("type") == "hidden":
            self.fields[attrs["name"]] = attrs["value"]

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(self.texts)


class Page:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.form = Form(body) if body else None

    @property
    def location(self):
        return self.headers.get("location")

    @property
    def query(self):
        """What the client is told in the redirect."""
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.location).query))


class Browser:
    def __init__(self, gateway):
        self.gateway, self.cookies = gateway, {}

    def request(self, method, url, fields=None, headers=None):
        parts = urllib.parse.urlsplit(url)
        link = http.client.HTTPConnection("127.0.0.1", self.gateway.port,
                                          timeout=30 * slow_factor())
        send = dict(headers or {})
        if self.cookies:
            send["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        body = None
        if fields is not None:
            body = urllib.parse.urlencode(fields)
            send.setdefault("content-type", "application/x-www-form-urlencoded")
        try:
            link.request(method, parts.path + ("?" + parts.query if parts.query else ""), body, send)
            answer = link.getresponse()
            page = Page(answer.status, {k.lower(): v for k, v in answer.getheaders()},
                        answer.read().decode())
        finally:
            link.close()
        for name, morsel in http.cookies.SimpleCookie(page.headers.get("set-cookie", "")).items():
            self.cookies[name] = morsel.value
        return page

    def get(self, url, **kwargs):
        return self.request("GET", url, **kwargs)

    def submit(self, page, key, decision="allow", **kwargs):
        headers = {"origin": self.gateway.url, **kwargs.pop("headers", {})}
        return self.request("POST", page.form.action,
                            {**page.form.fields, "key": key, "decision": decision},
                            headers=headers, **kwargs)

    def log_in(self, url, key):
        """From the client's address to the redirect it gets."""
        page = self.get(url)
        assert page.status == 200, page.body
        return self.submit(page, key)
