/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_stdio.c - the echo server on standard input and output:   bench_mcp_stdio [TOOLS]
 *
 * Reads as much as there is, answers every whole line in it, and writes all answers at once: that
 * is the least a server over stdio can cost, so what is measured is the gateway's.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mcp_echo.h"

enum { IN_MAX = 1 << 20, OUT_MAX = 4 * MCP_ECHO_MAX };

static char in[IN_MAX], out[OUT_MAX];

static int write_all(size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t w = write(STDOUT_FILENO, out + at, n - at);

        if (w <= 0)
            return -1;
        at += (size_t)w;
    }
    return 0;
}

/* Answers the whole lines of in[0..n); how many bytes they were, or -1. */
static ssize_t answer_lines(struct mcp_echo *echo, size_t n)
{
    size_t at = 0, have = 0;
    char *end;

    while ((end = memchr(in + at, '\n', n - at))) {
        size_t len;

        if (OUT_MAX - have < MCP_ECHO_MAX) {
            if (write_all(have) < 0)
                return -1;
            have = 0;
        }
        len = mcp_echo(echo, in + at, (size_t)(end - in) - at, out + have, MCP_ECHO_MAX - 1);
        have += len;
        if (len)
            out[have++] = '\n';
        at = (size_t)(end - in) + 1;
    }
    return write_all(have) < 0 ? -1 : (ssize_t)at;
}

int main(int argc, char **argv)
{
    struct mcp_echo echo = { .tools = argc > 1 ? atoi(argv[1]) : 10 };
    size_t have = 0;
    ssize_t n;

    while (have < IN_MAX && (n = read(STDIN_FILENO, in + have, IN_MAX - have)) > 0) {
        have += (size_t)n;
        n = answer_lines(&echo, have);
        if (n < 0)
            return 1;
        have -= (size_t)n;
        memmove(in, in + n, have);
    }
    return 0;
}
