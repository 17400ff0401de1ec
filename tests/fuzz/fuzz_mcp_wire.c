/* SPDX-License-Identifier: Apache-2.0 */
/* What MCP clients send beside a message: ids of sessions and events, headers that repeat the
 * message, requestState, URIs; and lines of servers that are no messages.
 *
 * Properties: an id that is read is one that we would write; a state is never opened; a header
 * check that passes means equal texts, or a value in base64; an id that is salvaged stands there.
 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "mcp/event_store.h"
#include "mcp/header_check.h"
#include "mcp/salvage.h"
#include "mcp/view/names.h"
#include "mcp/request_state.h"
#include "mcp/session/id.h"

static void ids(struct km_str s)
{
    char again[KM_MCP_EVENT_ID_LEN + 1];
    uint32_t stream, number;
    size_t worker;

    if (km_mcp_session_id_owner(s, 0x61616161, &worker) && s.n != KM_MCP_SESSION_ID_LEN)
        abort();
    if (!km_mcp_event_id_parse(s, &stream, &number))
        return;
    km_mcp_event_id(stream, number, again);
    if (strlen(again) > s.n)
        abort();
}

static void state(struct km_str s)
{
    static const uint8_t key[32] = { 1 }, digest[32] = { 2 };
    struct km_mcp_state_place place = { key, 1, KM_STR("p"), KM_STR("tools/call"), digest };
    struct km_mcp_sealed sealed;
    struct km_arena arena;

    km_arena_init(&arena, 1 << 20, NULL);
    if (km_mcp_state_open(&place, s, 0, &arena, &sealed, NULL) == 0)
        abort();
    km_arena_done(&arena);
}

static void headers(struct km_str method, struct km_str name, struct km_str body)
{
    struct km_header v[] = { { KM_STR("mcp-method"), method }, { KM_STR("mcp-name"), name } };
    struct km_headers h = { .v = v, .n = 2 };
    enum km_rpc_fault fault;
    struct km_rpc_message msg;
    struct km_arena arena;

    km_arena_init(&arena, 4 << 20, NULL);
    if (km_rpc_parse(&arena, body, &msg, &fault, NULL) == 0) {
        if (!km_mcp_header_mismatch(&h, &msg) && !km_str_eq(method, msg.method))
            abort();
        (void)km_mcp_param_mismatch(&arena, &h, msg.params, msg.params);
    }
    (void)km_http_accepts(&h, method);
    km_arena_done(&arena);
}

static void salvage(struct km_str line)
{
    uint64_t id = km_mcp_salvage_id(line);
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)id);
    if (id && km_str_find(line, km_str_c(text)) == line.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_str rest = { (const char *)data, size }, first, second;

    if (!km_str_split(&rest, '\n', &first) || !km_str_split(&rest, '\n', &second))
        return 0;
    ids(first);
    state(first);
    (void)km_mcp_template_matches(first, second);
    headers(first, second, rest);
    salvage(second);
    salvage(rest);
    return 0;
}
