/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_http.c - the echo server over Streamable HTTP: mock.c's sockets, mcp_echo.c's answers.
 *
 *     bench_mcp_http [--host 127.0.0.1] [--port 0]      prints "port N" when it listens
 *
 *     POST /mcp/N      an MCP server with N tools
 *     GET  /__stats    {"requests": calls of tools}
 *
 * It begins a session, as most servers do, and asks for none.  There is no GET stream (405).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mcp_echo.h"
#include "mock.h"

#define HEAD_MAX 256

/* An answer as it leaves, in one write: with a head that went before it, whoever reads would pay
 * for two packets.  The body is made first, for the head tells its length. */
static char answer[HEAD_MAX + MCP_ECHO_MAX];
static char *const body = answer + HEAD_MAX;

static int send_answer(struct conn *c, const char *status, const char *headers, size_t len)
{
    char head[HEAD_MAX];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status,
                     headers, len);

    memcpy(body - n, head, (size_t)n);
    return conn_send(c, body - n, (size_t)n + len);
}

int mock_on_request(struct conn *c)
{
    static const char json[] = "Content-Type: application/json\r\n";
    struct mcp_echo echo = { .tools = 10 };
    bool begins;
    size_t n;

    if (!strcmp(c->wire.target, "/__stats")) {
        n = (size_t)snprintf(body, MCP_ECHO_MAX, "{\"requests\":%llu}",
                             (unsigned long long)mock.requests);
        return send_answer(c, "200 OK", json, n);
    }
    if (!strcmp(c->wire.method, "DELETE"))
        return send_answer(c, "200 OK", "", 0);
    if (strcmp(c->wire.method, "POST") != 0)
        return send_answer(c, "405 Method Not Allowed", "Allow: POST\r\n", 0);
    if (!strncmp(c->wire.target, "/mcp/", 5))
        echo.tools = atoi(c->wire.target + 5);
    n = mcp_echo(&echo, c->body, c->body_len, body, MCP_ECHO_MAX);
    mock.requests += echo.calls;
    if (!n)
        return send_answer(c, "202 Accepted", "", 0);
    begins = memmem(body, n < 200 ? n : 200, "\"protocolVersion\"", 17) != NULL;
    return send_answer(
        c, "200 OK", begins ? "Content-Type: application/json\r\nMcp-Session-Id: bench\r\n" : json,
        n);
}

int mock_answer(struct conn *c)
{
    (void)c;
    return 0;
}

int mock_on_ack(struct conn *c)
{
    (void)c;
    return 0;
}
