#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.judged: what decides about a request reads a text in which each member is there once.

A look-up by name (km_json_get, km_json_member) takes the first of two members, and other readers of
the same bytes take the last.  In a tree of km_json_parse(), and in spans of km_json_judged_spans()
and km_json_spans(), there is one at most, so no look-up in them is "the first".  The only ways to
a tree or to spans with more are km_json_parse_answer() and km_json_sure_spans(), for what upstreams
answer: a broken answer of theirs is to be understood as far as it goes.

So the rule is about those two.  In the layers that decide they are refused, but in the functions
named below, which read an answer; a function is the one whose first line, at the margin, was the
last before the call.  llm/provider and the rest of llm/ are outside: they read answers, and what
they read of a request came as a tree from llm/api.  servers/, ops/, admin/ and app/ may not call
them either, but where they are named.

And a check of a right returns enum km_right, whose zero denies, and its answer must be used: each
declaration says KM_MUST_USE, and what is named km_..._grants_... returns nothing else.
"""
import re

from lintlib import Lint, blank_comments_and_strings, read

DECIDES = ("src/gateway/", "src/mcp/", "src/policy/", "src/llm/api", "src/llm/bounds",
           "src/servers/", "src/ops/", "src/admin/", "src/app/", "src/host/", "src/door/",
           "src/call/", "src/kept/")
TOLERANT = re.compile(r"\b(km_json_parse_answer|km_json_sure_spans|yyjson_obj_getn?)\s*\(")
FUNCTION = re.compile(r"^[A-Za-z_][\w \t*]*?\b(\w+)\(")

# file: functions that read what somebody else answered
ANSWERS = {
    # a provider's answer, passed on, billed or kept
    "src/gateway/llm/call.c": {"type_of"},
    "src/gateway/objects/batch.c": {"count_line"},
    "src/gateway/objects/charge.c": {"km_object_end", "read_report"},
    "src/kept/made.c": {"keep_whole", "keep_event"},
    "src/llm/api.c": {"km_llm_error_status", "km_llm_error_text", "km_llm_parse_body",
                      "km_llm_whole_text"},  # which judges the tree itself
    "src/llm/api/cut.c": {"km_cut_choices_note"},
    "src/llm/api/gemini_relay.c": {"note_searches", "read_usage"},
    "src/llm/api/media_count.c": {"km_media_answer"},
    "src/llm/api/messages_answer.c": {"read_usage"},
    "src/llm/api/openai_answer.c": {"read_usage"},
    "src/llm/api/realtime.c": {"ask_parser", "read_top", "read_usage"},
    "src/llm/api/responses_pass.c": {"count_items", "note_item", "read_usage"},
    # what a model wrote into an answer, or into one the caller sends back: arguments of its calls
    "src/llm/api/gemini_write.c": {"args_of"},
    "src/llm/api/messages_encode.c": {"is_object"},
    "src/llm/api/read.c": {"km_read_object_text"},
    "src/llm/api/responses_out.c": {"custom_input"},
    "src/llm/api/told_native.c": {"read"},
    # a model's turns in a chat that runs tools, and what the tools said; each call of a tool is
    # written anew and judged like any client's
    "src/gateway/mcp/chat_round.c": {"on_round_done"},
    "src/gateway/mcp/chat_stream.c": {"km_mcp_chat_event", "km_mcp_chat_replay"},
    "src/gateway/mcp/chat_tools.c": {"km_mcp_chat_text"},
    # messages of MCP servers; jsonrpc.c judges parameters itself, for they alone decide
    "src/gateway/mcp/inputs.c": {"put_all"},
    "src/gateway/mcp/park.c": {"key_of"},
    "src/gateway/mcp/rest_call.c": {"on_call_done"},
    "src/mcp/refresh.c": {"refused"},
    "src/mcp/catalogue/catalogue.c": {"km_catalogue_hello", "km_catalogue_read"},
    "src/mcp/jsonrpc.c": {"km_rpc_parse"},
    "src/mcp/listen.c": {"km_listening_acknowledged"},
    "src/mcp/memory.c": {"km_mcp_memory_learn"},
    "src/mcp/remote/in.c": {"read_message"},
    "src/mcp/remote/open.c": {"refused_ours"},
    "src/mcp/remote/remote.c": {"answer_of"},
    "src/mcp/view/lists.c": {"capability"},
    # what REST interfaces answer
    "src/mcp/openapi/answer.c": {"structured"},
    # plans of PostgreSQL, which has written a key twice before
    "src/servers/postgres/cost.c": {"km_pg_cost_take"},
    "src/servers/postgres/tools_advise.c": {"on_plan"},
    "src/servers/postgres/tools_explain.c": {"answer_plan"},
}

RIGHT = re.compile(r"^(?!struct|typedef|enum km_right \{)[\w ]*\benum km_right\s+\**(\w+)\([^;{]*?[;{]",
                   re.MULTILINE | re.DOTALL)
GRANTS = re.compile(r"^(?P<type>[\w *]+?)\b(?P<name>km_\w*_grants_\w+)\(", re.MULTILINE)


def check_readers(lint, name, text, used):
    function = None
    for number, line in enumerate(text.splitlines(), 1):
        begins = FUNCTION.match(line)
        if begins:
            function = begins.group(1)
        for match in TOLERANT.finditer(line):
            if function in ANSWERS.get(name, ()):
                used.add((name, function))
            else:
                lint.report(name, number, f"{match.group(1)}() finds the first of two members: "
                            "judge by km_json_parse() or km_json_judged_spans(), or, if an "
                            "upstream's answer is read here, name the function in "
                            "tests/lint/judged.py")


def check_rights(lint, name, text):
    def line_of(at):
        return text.count("\n", 0, at) + 1

    for match in RIGHT.finditer(text):
        words = match.group()
        if not (name.endswith(".h") or "static" in words) or "static inline" in words:
            continue  # the definition of what a header declares, or right.h's own
        if "KM_MUST_USE" not in words:
            lint.report(name, line_of(match.start()), f"{match.group(1)}() answers whether "
                        "something may be done: declare it KM_MUST_USE")
    for match in GRANTS.finditer(text):
        if not match.group("type").strip().endswith("enum km_right") \
                and not match.group("type").startswith(" "):
            lint.report(name, line_of(match.start()), f"{match.group('name')}() is a check of a "
                        "right: it returns enum km_right (base/right.h)")


def main():
    lint = Lint("judged")
    used = set()
    for name in lint.c_files("src"):
        text = blank_comments_and_strings(read(lint.path(name)))
        lint.looked_at += 1
        if "km_right" in text or "_grants_" in text:
            check_rights(lint, name, text)
        if name.startswith(DECIDES):
            check_readers(lint, name, text, used)
    for name, functions in ANSWERS.items():
        for function in functions:
            if (name, function) not in used and lint.looked_at > 100:
                lint.report("tests/lint/judged.py", 1, f"{name} has no such call in {function}() "
                            "any more: take it off the list")
    lint.finish()


main()
