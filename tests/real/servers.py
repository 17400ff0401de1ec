# SPDX-License-Identifier: Apache-2.0
"""The servers, as rows: how each is started, and what its clients ask of it.

What a row asks has the same answer whoever asked before, so that direct and through kanmon can be
compared: nothing is made that was not there, no clock is read.  Lists, resources and prompts need no
row: every client reads what is listed.
"""

import json
import os
import pathlib
import subprocess
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
NODE = os.environ.get("KM_NODE", "node")
REFERENCE = HERE.parent / "everything" / "node_modules" / "@modelcontextprotocol"
MODULES = HERE / "node_modules"


@dataclass
class Server:
    name: str
    words: list  # a command on stdio, or what serves `at` PORT
    calls: list = field(default_factory=list)  # [tool, arguments]
    errors: list = field(default_factory=list)  # the same, of which a failure is the answer
    questions: list = field(default_factory=list)  # the same, of clients that can be asked
    completions: list = field(default_factory=list)  # [ref, argument, value]
    prompts: dict = field(default_factory=dict)  # arguments of one that takes no others
    over: str = "stdio"  # or http, sse
    env: dict = field(default_factory=dict)
    short: bool = False  # also in the short form
    behind: str = ""  # the server over HTTP that it stands before


def npm(path):
    return [NODE, str(MODULES / path)]


def reference(name):
    folder = REFERENCE if (REFERENCE / f"server-{name}").exists() else MODULES / "@modelcontextprotocol"
    return [NODE, str(folder / f"server-{name}" / "dist" / "index.js")]


def python(line, module):
    """A module, or a file of ours, on one line of the SDK."""
    venv = os.environ[f"KM_PYTHON_{line}"]
    return [venv, str(HERE / module)] if module.endswith(".py") else [venv, "-m", module]


def script(line, name):
    return [str(pathlib.Path(os.environ[f"KM_PYTHON_{line}"]).parent / name)]


def lay(folder):
    """The files that the servers work on."""
    files = folder / "files"
    files.mkdir()
    (files / "a.txt").write_text("one\ntwo\nthrée\n")
    (files / "same.txt").write_text("the same\n")
    (files / "sub").mkdir()
    (files / "sub" / "b.json").write_text('{"b": [1, 2]}\n')
    (folder / "memory.jsonl").write_text(
        '{"type":"entity","name":"Ann","entityType":"person","observations":["likes tea"]}\n'
        '{"type":"entity","name":"Bob","entityType":"person","observations":[]}\n'
        '{"type":"relation","from":"Ann","to":"Bob","relationType":"knows"}\n')
    repo = folder / "repo"
    repo.mkdir()
    (repo / "file.txt").write_text("first\n")
    when = {**os.environ, "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z", "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z"}
    for words in (["init", "-q", "-b", "main"], ["add", "file.txt"],
                  ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "commit", "-q", "-m", "First"]):
        subprocess.run(["git", *words], cwd=repo, env=when, check=True)
    (repo / "file.txt").write_text("first\nsecond\n")
    import sqlite3
    with sqlite3.connect(folder / "people.db") as db:
        db.execute("CREATE TABLE people (name TEXT, age INTEGER)")
        db.execute("INSERT INTO people VALUES ('Ann', 41), ('Bob', NULL)")
    (folder / "lint.js").write_text("var a = 1;\nif (a == 2) {}\n")
    (folder / "eslint.config.js").write_text("export default [{ rules: { eqeqeq: 'error', 'no-empty': 'error' } }];\n")
    (folder / "package.json").write_text('{"type": "module"}\n')


EVERYTHING = dict(
    calls=[["echo", {"message": 'héllo \U0001f600 "quoted"'}], ["get-sum", {"a": 2, "b": 3.5}], ["get-tiny-image", {}],
           ["get-structured-content", {"location": "Chicago"}], ["get-resource-links", {"count": 3}],
           ["get-annotated-message", {"messageType": "error", "includeImage": True}]],
    errors=[["get-sum", {"a": "x"}]], prompts={"resource-prompt": {"resourceType": "Text", "resourceId": "5"}},
    completions=[[{"type": "ref/prompt", "name": "completable-prompt"}, "department", "S"],
                 [{"type": "ref/resource", "uri": "demo://resource/dynamic/text/{resourceId}"}, "resourceId", "12"]])
MEMORY = dict(calls=[["read_graph", {}], ["search_nodes", {"query": "tea"}], ["open_nodes", {"names": ["Bob"]}]],
              errors=[["open_nodes", {"names": 5}]])
FAST = dict(calls=[["add", {"a": 2}], ["person", {"name": "Ann"}], ["picture", {}], ["long_text", {"count": 100000}],
                   ["steps", {"count": 3}]],
            questions=[["asks", {}]],
            errors=[["broken", {}], ["add", {"a": "x"}]])
TIME = dict(calls=[["convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}]],
            errors=[["get_current_time", {"timezone": "Nowhere/None"}]])


def npm_servers(folder):
    files, lint = folder / "files", folder / "lint.js"
    memory = {"MEMORY_FILE_PATH": str(folder / "memory.jsonl")}
    yield Server("everything", [*reference("everything"), "stdio"], **EVERYTHING)
    yield Server("everything-http", [*reference("everything"), "streamableHttp"], over="http", short=True, **EVERYTHING)
    yield Server("everything-sse", [*reference("everything"), "sse"], over="sse", **EVERYTHING)
    yield Server("files", [*reference("filesystem"), str(files)], [
        ["read_text_file", {"path": str(files / "a.txt"), "head": 2}], ["list_allowed_directories", {}],
        ["read_multiple_files", {"paths": [str(files / "a.txt"), str(files / "none")]}],
        ["directory_tree", {"path": str(files)}], ["search_files", {"path": str(files), "pattern": "**/*.json"}],
        ["write_file", {"path": str(files / "same.txt"), "content": "the same\n"}]],
        [["read_text_file", {"path": "/etc/hostname"}], ["read_text_file", {}]], short=True)
    yield Server("memory", reference("memory"), env=memory, short=True, **MEMORY)
    yield Server("thinking", reference("sequential-thinking"), errors=[["sequentialthinking", {"thought": 5}]])
    yield Server("context7", npm("@upstash/context7-mcp/dist/index.js"), errors=[["resolve-library-id", {}]])
    yield Server("playwright", [*npm("@playwright/mcp/cli.js"), "--headless"])
    yield Server("chrome", [*npm("chrome-devtools-mcp/build/src/bin/chrome-devtools-mcp.js"), "--no-usage-statistics"],
                 errors=[["navigate_page", {"type": 7}]])
    yield Server("chart", npm("@antv/mcp-server-chart/build/index.js"), errors=[["generate_bar_chart", {"data": 1}]])
    yield Server("notion", npm("@notionhq/notion-mcp-server/bin/cli.mjs"), env={"NOTION_TOKEN": "ntn_none"})
    yield Server("calc", npm("@coo-quack/calc-mcp/dist/index.js"), [
        ["math", {"expression": "2^10 + sqrt(16)"}], ["base64", {"action": "encode", "input": "héllo"}],
        ["hash", {"input": "x", "algorithm": "sha256"}]], [["math", {"expression": "2 +"}]], short=True)
    yield Server("eslint", npm("@eslint/mcp/src/mcp-cli.js"), [["lint-files", {"filePaths": [str(lint)]}]],
                 [["lint-files", {"filePaths": 3}]])
    for name in ("budget-allocator", "cohort-heatmap"):
        yield Server(name.split("-", maxsplit=1)[0], [*reference(name), "--stdio"],
                     [["get-budget-data", {}]] if name == "budget-allocator" else [])
    yield Server("gateway-sse", [*npm("supergateway/dist/index.js"), "--stdio", " ".join(reference("memory")), "--port", "{port}",
                                 "--logLevel", "none"], over="sse", env=memory, **MEMORY)
    yield Server("gateway-http", [*npm("supergateway/dist/index.js"), "--stdio", " ".join(reference("memory")), "--port", "{port}",
                                  "--outputTransport", "streamableHttp", "--stateful", "--logLevel", "none"],
                 over="http", env=memory, **MEMORY)
    yield Server("remote", [*npm("mcp-remote/dist/proxy.js"), "{behind}", "--allow-http"], behind="fast4-http",
                 env={"MCP_REMOTE_CONFIG_DIR": str(folder / "remote")}, **FAST)


def python_servers(folder):
    repo, database = folder / "repo", folder / "people.db"
    git = str(repo)
    yield Server("git", python("V2", "mcp_server_git"), [
        ["git_status", {"repo_path": git}], ["git_log", {"repo_path": git}], ["git_diff_unstaged", {"repo_path": git}],
        ["git_show", {"repo_path": git, "revision": "HEAD"}]], [["git_show", {"repo_path": git, "revision": "none"}]], short=True)
    yield Server("fetch", python("V2", "mcp_server_fetch"), errors=[["fetch", {"url": "no address"}]])
    yield Server("time", [*python("V2", "mcp_server_time"), "--local-timezone", "UTC"], short=True, **TIME)
    yield Server("awsdocs", script("V2", "awslabs.aws-documentation-mcp-server"), env={"FASTMCP_LOG_LEVEL": "ERROR"},
                 errors=[["read_documentation", {}]])
    yield Server("fast4", python("V2", "fast_server.py"), **FAST)
    yield Server("fast4-http", [*python("V2", "fast_server.py"), "{port}"], over="http", short=True, **FAST)
    yield Server("fast2", python("V1", "fast_server.py"), **FAST)
    yield Server("fast2-http", [*python("V1", "fast_server.py"), "{port}"], over="http", **FAST)
    yield Server("sqlite", [*script("V1", "mcp-server-sqlite"), "--db-path", str(database)], [
        ["list_tables", {}], ["describe_table", {"table_name": "people"}],
        ["read_query", {"query": "SELECT name, age FROM people ORDER BY name"}]],
        [["read_query", {"query": "SELECT nothing FROM nowhere"}]], short=True)
    yield Server("calculator", script("V1", "mcp-server-calculator"), [["calculate", {"expression": "2 * (3 + 4)"}]],
                 [["calculate", {"expression": "2 *"}]])
    yield Server("excel", [*script("V1", "excel-mcp-server"), "stdio"], errors=[["get_workbook_metadata", {"filepath": "/none.xlsx"}]])
    yield Server("shell", script("V1", "mcp-shell-server"), [], [["shell_execute", {"command": ["rm", "-r"]}]],
                 env={"ALLOW_COMMANDS": "echo"})
    yield Server("duck", script("V1", "duckduckgo-mcp-server"), errors=[["search", {}]])
    yield Server("proxy-http", [*script("V1", "mcp-proxy"), "--port", "{port}", "--", *python("V2", "mcp_server_time"),
                                "--local-timezone", "UTC"], over="http", **TIME)


def servers(folder):
    return [*npm_servers(folder), *python_servers(folder)]


class Listening:
    """One that is reached by HTTP or SSE: its process and its address."""

    def __init__(self, server, port, log):
        words = [word.replace("{port}", str(port)) for word in server.words]
        self.name, self.port = server.name, port
        self.url = f"http://127.0.0.1:{port}/{'sse' if server.over == 'sse' else 'mcp'}"
        self.process = subprocess.Popen(words, env={**os.environ, "PORT": str(port), **server.env}, cwd=HERE,
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def entry(server, urls, env):
    """Its entry in mcp_servers."""
    if server.over != "stdio":
        return {"transport": server.over, "url": urls[server.name]}
    words = [word.replace("{behind}", urls.get(server.behind, "")) for word in server.words]
    return {"transport": "stdio", "command": words[0], "args": words[1:], "env": {**env, **server.env}}


def target(server, urls, env):
    """The same for a client that reaches it directly."""
    return json.loads(json.dumps({**entry(server, urls, env), "name": server.name}))
