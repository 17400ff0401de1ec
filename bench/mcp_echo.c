/* SPDX-License-Identifier: Apache-2.0 */
/* mcp_echo.c - see mcp_echo.h.
 *
 * Members are found by walking the text once a member, keeping the depth and skipping strings;
 * their values are spans of it, never decoded: an id goes back as it came, and so does the
 * message.  What is no JSON is no business of a benchmark: it gets no answer, and then the load
 * generator says so.
 */
#include "mcp_echo.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

static size_t string_end(const char *p, size_t i, size_t n)
{
    for (i++; i < n && p[i] != '"'; i++)
        if (p[i] == '\\')
            i++;
    return i < n ? i + 1 : n;
}

/* Where the value that begins at i ends. */
static size_t value_end(const char *p, size_t i, size_t n)
{
    int depth = 0;

    while (i < n) {
        if (p[i] == '"') {
            i = string_end(p, i, n);
            if (!depth)
                return i;
            continue;
        }
        if (p[i] == '{' || p[i] == '[')
            depth++;
        if (p[i] == '}' || p[i] == ']')
            if (--depth <= 0)
                return depth < 0 ? i : i + 1;
        if (!depth && p[i] == ',')
            return i;
        i++;
    }
    return n;
}

/* The value of a member of an object. */
static struct span member(struct span object, const char *name)
{
    const char *p = object.p;
    size_t n = object.n, i = 0, len = strlen(name);

    while (i < n && p[i] != '{')
        i++;
    for (i++; i < n;) {
        size_t key = i, end, from;

        if (p[i] != '"') {
            i++;
            continue;
        }
        end = string_end(p, key, n);
        for (from = end; from < n && (p[from] == ':' || p[from] == ' '); from++)
            ;
        i = value_end(p, from, n);
        if (end - key == len + 2 && !memcmp(p + key + 1, name, len))
            return (struct span){ p + from, i - from };
    }
    return (struct span){ "", 0 };
}

static bool is(struct span s, const char *text)
{
    size_t n = strlen(text);

    return s.n == n + 2 && !memcmp(s.p + 1, text, n);
}

static size_t put_tools(const struct mcp_echo *echo, char *out, size_t cap)
{
    size_t n = (size_t)snprintf(out, cap, "{\"tools\":[");

    for (int i = 0; i < echo->tools && n < cap; i++)
        n += (size_t)snprintf(
            out + n, cap - n,
            "%s{\"name\":\"echo%d\",\"title\":\"Echo %d\",\"description\":\"Says the message "
            "again, as it came; the benchmark's tool number %d, read-only and idempotent.\","
            "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"message\":{\"type\":"
            "\"string\",\"description\":\"What to say\"}},\"required\":[\"message\"]},"
            "\"annotations\":{\"readOnlyHint\":true,\"idempotentHint\":true}}",
            i ? "," : "", i, i, i);
    return n < cap ? n + (size_t)snprintf(out + n, cap - n, "]}") : cap;
}

static size_t put_result(struct mcp_echo *echo, struct span method, struct span params, char *out,
                         size_t cap)
{
    struct span text = member(member(params, "arguments"), "message");
    struct span version = member(params, "protocolVersion");

    if (is(method, "tools/call")) {
        echo->calls++;
        return (size_t)snprintf(out, cap, "{\"content\":[{\"type\":\"text\",\"text\":%.*s}]}",
                                text.n ? (int)text.n : 2, text.n ? text.p : "\"\"");
    }
    if (is(method, "tools/list"))
        return put_tools(echo, out, cap);
    if (is(method, "initialize"))
        return (size_t)snprintf(out, cap,
                                "{\"protocolVersion\":%.*s,\"capabilities\":{\"tools\":{}},"
                                "\"serverInfo\":{\"name\":\"echo\",\"version\":\"1\"}}",
                                (int)version.n, version.p);
    return is(method, "ping") ? (size_t)snprintf(out, cap, "{}") : 0;
}

size_t mcp_echo(struct mcp_echo *echo, const char *message, size_t len, char *out, size_t cap)
{
    struct span all = { message, len }, id = member(all, "id"), method = member(all, "method");
    size_t head, n;

    if (!id.n || !method.n)
        return 0;
    head =
        (size_t)snprintf(out, cap, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":", (int)id.n, id.p);
    n = put_result(echo, method, member(all, "params"), out + head, cap - head);
    if (n == 0)
        return (size_t)snprintf(out, cap,
                                "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"error\":{\"code\":-32601,"
                                "\"message\":\"Method not found\"}}",
                                (int)id.n, id.p);
    return head + n + (size_t)snprintf(out + head + n, cap - head - n, "}");
}
