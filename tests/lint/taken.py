#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.taken: who translates a document takes its members so that what is left of it can be told.

What a translation loses is named by what nobody took of a document (http/json_take.h).  That holds
only where a decoder looks members up by nothing else, and comes to an answer's document by
km_decode_json() alone.  So in the files of src/llm/api/ and src/llm/provider/ that decode (they have a struct km_decode, or
read requests by a struct km_reading) the plain look-ups and writers are refused, and of those of
answers every other parser, but in the functions named below.
"""
import re

from lintlib import Lint, blank_comments_and_strings, read

PLAIN = re.compile(r"\b(km_json_get|km_json_member|km_json_compact|km_json_write)\s*\(")
PARSER = re.compile(r"\b(km_answer_json|km_json_parse_answer|km_json_parse)\s*\(")
DECODES = re.compile(r"\bstruct km_decode\b")
READS = re.compile(r"\bstruct km_reading\b")
FUNCTION = re.compile(r"^[A-Za-z_][\w \t*]*?\b(\w+)\(")

# file: functions that do not translate, or look before they take
OTHERS = {
    # which seals reasoning: another's stays unread
    "src/llm/api/responses_decode.c": {"item_reasoning"},
    # the wrapping around an answer's event
    "src/llm/provider/bedrock_invoke.c": {"unwrap"},
    # refusals, which are told by their kind
    "src/llm/provider/gemini_answer.c": {"km_gemini_refusal"},
}


def check(lint, path, text):
    allowed, function = OTHERS.get(path, set()), ""
    answers = DECODES.search(text)
    for number, line in enumerate(text.splitlines(), 1):
        begun = FUNCTION.match(line)
        if begun and not line.rstrip().endswith(";"):
            function = begun[1]
        if function in allowed:
            continue
        found = PLAIN.search(line)
        if found:
            lint.report(path, number, f"{found[1]}() in {function}(): a decoder takes members by "
                        "http/json_take.h, so that what it does not take is told")
        found = answers and PARSER.search(line)
        if found:
            lint.report(path, number, f"{found[1]}() in {function}(): a decoder comes to an "
                        "answer's document by km_decode_json()")


def main():
    lint = Lint("taken")
    for path in lint.c_files("src", suffixes=(".c",)):
        if not path.startswith(("src/llm/api/", "src/llm/provider/")):
            continue
        text = blank_comments_and_strings(read(lint.path(path)))
        if DECODES.search(text) or READS.search(text):
            lint.looked_at += 1
            check(lint, path, text)
    lint.finish("decoders")


main()
