#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.environment: .env.example documents every environment variable the code names.

A string of src/ that is all capitals with an underscore is taken for a variable, unless
it is listed below as something else.
"""
import os
import re

from lintlib import Lint, read

LITERAL = re.compile(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"')
# What looks like a variable and is none: names of codes; what a parent process sets for us.
NOT_VARIABLES = re.compile(r"^(KM_E_\w+|GUARD_\w+|LISTEN_(FDS|PID|FDNAMES)|NOTIFY_SOCKET|KANMON_SUPERVISOR|CAP_\w+|WATCHDOG_USEC)$")
# Variables of other programs, handed on to the servers we start and not looked at.
HANDED_ON = {"LC_ALL", "LC_CTYPE", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME",
             "XDG_RUNTIME_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS"}
# Words of vendors' APIs: Google's errors and enumerations, Amazon's embeddings.
VENDORS_WORDS = {"INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED", "NOT_FOUND",
                 "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "OUT_OF_RANGE", "ALREADY_EXISTS",
                 "MODE_UNSPECIFIED", "THINKING_LEVEL_UNSPECIFIED", "SINGLE_EMBEDDING",
                 "GENERIC_INDEX"}
# Settings of LiteLLM's whose names are in capitals.
SETTINGS = {"AZURE_DEFAULT_API_VERSION", "WATSONX_DEFAULT_API_VERSION",
            "COHERE_DEFAULT_EMBEDDING_INPUT_TYPE"}


def main():
    lint = Lint("environment")
    documented = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", read(lint.path(".env.example")),
                                re.MULTILINE))
    errors = lint.path("src/base/err.h")
    codes = set(re.findall(r"\bXX\((\w+),", read(errors))) if os.path.exists(errors) else set()
    for name in lint.c_files("src"):
        lint.looked_at += 1
        for number, line in enumerate(read(lint.path(name)).splitlines(), 1):
            for variable in LITERAL.findall(line):
                if variable not in documented and variable not in codes | VENDORS_WORDS | HANDED_ON | SETTINGS and \
                        not NOT_VARIABLES.match(variable):
                    lint.report(name, number, f"{variable} is not in .env.example")
    lint.finish()


main()
