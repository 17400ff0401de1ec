#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the suite starts for a scenario, with the address of its server: it hands the scenario to
# client.mjs, which plays it in the process that runs the suites, and ends as that ended.  A Node
# of its own for each of seventy scenarios would take longer than what they prove.
#
#     suite ──starts──> client.sh URL ──socket KM_CLIENT──> client.mjs ──> kanmon ──> URL
printf %s "$MCP_CONFORMANCE_CONTEXT" |
    curl -sS --fail-with-body --noproxy '*' --unix-socket "$KM_CLIENT" --data-binary @- \
        -H "scenario: $MCP_CONFORMANCE_SCENARIO" -H "url: $1" \
        -H "protocol-version: $MCP_CONFORMANCE_PROTOCOL_VERSION" http://client/
