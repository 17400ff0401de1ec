/* SPDX-License-Identifier: Apache-2.0 */
/* event_store.c - see event_store.h for the contract.
 *
 *     first ─> [number stream data] ─> [number stream data] ─> last
 *      goes first when room is needed
 *
 * One list for all streams of a session: what is dropped is what is oldest, whoever sent it.  A
 * replay walks it all, which is bounded, and happens when a connection was lost.
 */
#include "mcp/event_store.h"

#include <stdio.h>
#include <stdlib.h>

struct km_mcp_event {
    struct km_mcp_event *next;
    uint32_t stream, number;
    size_t n;
    char data[];
};

static void drop_first(struct km_mcp_event_store *s)
{
    struct km_mcp_event *e = s->first;

    s->first = e->next;
    if (!s->first)
        s->last = NULL;
    s->bytes -= e->n;
    s->n--;
    free(e);
}

uint32_t km_mcp_event_skip(struct km_mcp_event_store *s)
{
    return ++s->next;
}

uint32_t km_mcp_event_put(struct km_mcp_event_store *s, uint32_t stream, struct km_str data)
{
    uint32_t number = km_mcp_event_skip(s);
    const uint32_t most = s->most ? s->most : KM_MCP_EVENTS_MOST;
    const size_t most_bytes = s->most_bytes ? s->most_bytes : KM_MCP_EVENT_BYTES;
    struct km_mcp_event *e;

    if (data.n > most_bytes)
        return number;
    while (s->first && (s->n >= most || s->bytes + data.n > most_bytes))
        drop_first(s);
    e = malloc(sizeof *e + data.n);
    if (!e)
        return number;
    *e = (struct km_mcp_event){ .stream = stream, .number = number, .n = data.n };
    if (data.n)
        memcpy(e->data, data.p, data.n);
    if (s->last)
        s->last->next = e;
    else
        s->first = e;
    s->last = e;
    s->bytes += data.n;
    s->n++;
    return number;
}

void km_mcp_event_store_done(struct km_mcp_event_store *s)
{
    while (s->first)
        drop_first(s);
}

void km_mcp_event_id(uint32_t stream, uint32_t number, char ret[KM_MCP_EVENT_ID_LEN + 1])
{
    snprintf(ret, KM_MCP_EVENT_ID_LEN + 1, "%x-%x", (unsigned)stream, (unsigned)number);
}

/* Up to eight lower-case hexadecimal digits. */
static bool parse_hex(struct km_str s, uint32_t *ret)
{
    uint32_t v = 0;

    if (s.n < 1 || s.n > 8)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            v = v << 4 | (uint32_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret = v;
    return true;
}

bool km_mcp_event_id_parse(struct km_str id, uint32_t *ret_stream, uint32_t *ret_number)
{
    size_t at = km_str_chr(id, '-');

    return at < id.n && parse_hex(km_str_sub(id, 0, at), ret_stream) &&
           parse_hex(km_str_skip(id, at + 1), ret_number);
}

void km_mcp_event_replay(const struct km_mcp_event_store *s, uint32_t stream, uint32_t number,
                         km_mcp_event_fn *fn, void *ctx)
{
    for (const struct km_mcp_event *e = s->first; e; e = e->next)
        if (e->stream == stream && e->number > number)
            fn(ctx, e->number, km_str(e->data, e->n));
}
