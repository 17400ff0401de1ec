/* SPDX-License-Identifier: Apache-2.0 */
/* result.c - what a client is given of a server's answer: its bytes, with the edits that its
 * revision needs and no others.
 *
 *     client stateless, server older     + resultType, and ttlMs and cacheScope of what is read
 *     client older, server stateless     structuredContent that is no object is cut
 *     resource not found                 -32602 <-> -32002
 *                                        resultType, ttlMs, cacheScope, serverInfo of _meta are cut
 *     over 4 MiB                         oversize.c
 */
#include <stdlib.h>

#include "gateway/mcp/call.h"
#include "call/veil.h"

#include "base/encode.h"
#include "mcp/memory.h"
#include "policy/execution.h"

const char km_mcp_work_name[] = "mcp"; /* here, because it needs none of the others */

/* {..., "isError":true}: its content says why. */
static bool says_failed(struct km_str json)
{
    static const struct km_str name = { "isError", 7 };
    struct km_json_span span;

    return km_str_find(json, KM_STR("\"isError\"")) < json.n &&
           (km_json_spans(json, &name, 1, &span, NULL, NULL) < 0 || span.type == KM_JSON_TRUE);
}

/* What a server says of a failure passes the veil; what went well is never touched. */
static void take(struct km_mcp_work *w, enum km_mcp_outcome outcome, struct km_str json)
{
    if (outcome == KM_MCP_OUT_ERROR || says_failed(json))
        json = km_veil_str(w->hub->w->gw->veil, &w->call->arena, json);
    w->outcome = outcome;
    w->json = json;
    if (!w->http)
        w->http = 200;
    if (!w->word)
        w->word = outcome == KM_MCP_OUT_RESULT ? "ok" : "error";
    if (!json.n) { /* no memory for it */
        w->outcome = KM_MCP_OUT_ERROR;
        w->json = KM_STR("{\"code\":-32603,\"message\":\"out of memory\"}");
    }
}

/* --- edits --- */

enum { TYPE, STRUCTURED, TTL, SCOPE, IS_ERROR, META, MEMBERS };

/* What a server of the stateless era says of itself with each result; alone there, with _meta. */
static void cut_server(struct km_json_edits *edits, struct km_arena *arena, struct km_str json,
                       const struct km_json_span *meta)
{
    static const struct km_str name = { KM_MCP_META_SERVER, sizeof KM_MCP_META_SERVER - 1 };
    struct km_str text = km_json_value(json, meta);
    struct km_json_object object;
    struct km_json_edits inner;
    struct km_json_span server;
    struct km_str *parts;
    size_t n;

    if (meta->type != KM_JSON_OBJECT || km_json_spans(text, &name, 1, &server, &object, NULL) < 0 ||
        server.type == KM_JSON_ABSENT)
        return;
    if (object.members == 1) {
        km_json_cut(edits, meta);
        return;
    }
    km_json_edits_init(&inner, text, &object);
    km_json_cut(&inner, &server);
    if (km_json_parts(&inner, arena, &parts, &n, NULL) == 0)
        km_json_replace(edits, meta, km_arena_cat(arena, parts, n));
}

/* A client of the handshake era is given nothing of the other's. */
static void cut_newer(struct km_json_edits *edits, struct km_arena *arena, struct km_str json,
                      const struct km_json_span s[MEMBERS])
{
    static const int newer[] = { TYPE, TTL, SCOPE };

    for (size_t i = 0; i < sizeof newer / sizeof newer[0]; i++)
        if (s[newer[i]].type != KM_JSON_ABSENT)
            km_json_cut(edits, &s[newer[i]]);
    cut_server(edits, arena, json, &s[META]);
}

static struct km_str edited(struct km_mcp_work *w, struct km_str json)
{
    static const struct km_str names[MEMBERS] = {
        [TYPE] = { "resultType", 10 }, [STRUCTURED] = { "structuredContent", 17 },
        [TTL] = { "ttlMs", 5 },        [SCOPE] = { "cacheScope", 10 },
        [IS_ERROR] = { "isError", 7 }, [META] = { "_meta", 5 },
    };
    struct km_arena *arena = &w->call->arena;
    bool less = w->revision->era == KM_MCP_STATELESS;
    bool newer = !less && w->answered && w->answered->era == KM_MCP_STATELESS;
    bool read = km_str_eq(w->method, KM_STR("resources/read"));
    struct km_json_span s[MEMBERS];
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_str *parts;
    bool odd;
    size_t n;

    if (km_json_spans(json, names, MEMBERS, s, &object, NULL) < 0)
        return km_arena_str(arena, json);
    odd = !less && s[STRUCTURED].type != KM_JSON_ABSENT && s[STRUCTURED].type != KM_JSON_OBJECT;
    if (!w->word && s[IS_ERROR].type == KM_JSON_TRUE)
        w->word = "tool_error";
    if (!less && !newer && !odd)
        return km_arena_str(arena, json); /* nothing to be edited, as mostly */
    km_json_edits_init(&edits, json, &object);
    if (less && s[TYPE].type == KM_JSON_ABSENT)
        km_json_add(&edits, arena, names[TYPE], KM_STR("\"complete\""));
    if (less && read && s[TTL].type == KM_JSON_ABSENT)
        km_json_add(&edits, arena, names[TTL], KM_STR("0"));
    if (less && read && s[SCOPE].type == KM_JSON_ABSENT)
        km_json_add(&edits, arena, names[SCOPE], KM_STR("\"private\""));
    if (newer)
        cut_newer(&edits, arena, json, s);
    if (odd)
        km_json_cut(&edits, &s[STRUCTURED]);
    if (km_json_parts(&edits, arena, &parts, &n, NULL) < 0)
        return KM_STR_NONE;
    return km_arena_cat(arena, parts, n);
}

void km_mcp_work_result(struct km_mcp_work *w, struct km_str json)
{
    if (w->member && w->member->upstream)
        km_mcp_memory_learn(w->hub->shared->memory, w->principal, w->member->name, json);
    if (km_execution_differs(w->call->execution) && !w->call->dry)
        json = km_mcp_tell_execution(w, json);
    take(w, KM_MCP_OUT_RESULT,
         w->tool && km_mcp_result_over(json) ? km_mcp_result_cut(w, json) : edited(w, json));
}

void km_mcp_work_raw(struct km_mcp_work *w, struct km_str json)
{
    take(w, KM_MCP_OUT_RESULT, km_arena_str(&w->call->arena, json));
}

void km_mcp_work_text(struct km_mcp_work *w, const char *word, const char *text)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    if (!w->tool) {
        km_mcp_work_fault(w, KM_RPC_INTERNAL, text);
        return;
    }
    km_buf_byte(&b, '{');
    if (w->revision->era == KM_MCP_STATELESS)
        km_buf_str(&b, KM_STR("\"resultType\":\"complete\","));
    km_buf_str(&b, KM_STR("\"content\":[{\"type\":\"text\",\"text\":"));
    km_buf_json(&b, km_str_c(text));
    km_buf_str(&b, KM_STR("}],\"isError\":true}"));
    w->word = word;
    take(w, KM_MCP_OUT_RESULT, km_arena_str(&w->call->arena, km_buf_view(&b)));
}

void km_mcp_work_fault(struct km_mcp_work *w, enum km_rpc_fault fault, const char *text)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64 * 1024);

    km_buf_printf(&b, "{\"code\":%d,\"message\":", km_rpc_code(fault, w->revision->era));
    km_buf_json(&b, km_str_c(text));
    km_buf_byte(&b, '}');
    w->http = km_rpc_http(fault, w->revision->era);
    take(w, KM_MCP_OUT_ERROR, km_arena_str(&w->call->arena, km_buf_view(&b)));
}

/* Codes that mean the same in another era under another number. */
static struct km_str other_code(struct km_mcp_work *w, struct km_str code)
{
    bool read = km_str_eq(w->method, KM_STR("resources/read"));

    if (w->revision->era == KM_MCP_STATELESS)
        return km_str_eq(code, KM_STR("-32002")) ? KM_STR("-32602") : KM_STR_NONE;
    return read && km_str_eq(code, KM_STR("-32602")) && w->answered &&
                   w->answered->era == KM_MCP_STATELESS
               ? KM_STR("-32002")
               : KM_STR_NONE;
}

/* In the stateless era some errors have a status of their own. */
static int status_of(const struct km_mcp_work *w, struct km_str code)
{
    if (w->revision->era != KM_MCP_STATELESS)
        return 200;
    if (km_str_eq(code, KM_STR("-32601")))
        return 404;
    return km_str_eq(code, KM_STR("-32021")) || km_str_eq(code, KM_STR("-32020")) ? 400 : 200;
}

void km_mcp_work_error(struct km_mcp_work *w, struct km_str json)
{
    static const struct km_str names[] = { { "code", 4 } };
    struct km_arena *arena = &w->call->arena;
    struct km_json_span code;
    struct km_json_object object;
    struct km_json_edits edits;
    struct km_str *parts, other;
    size_t n;

    if (km_json_spans(json, names, 1, &code, &object, NULL) < 0) {
        take(w, KM_MCP_OUT_ERROR, km_arena_str(arena, json));
        return;
    }
    other = other_code(w, km_json_value(json, &code));
    w->http = status_of(w, other.n ? other : km_json_value(json, &code));
    km_json_edits_init(&edits, json, &object);
    if (other.n)
        km_json_replace(&edits, &code, other);
    if (km_json_parts(&edits, arena, &parts, &n, NULL) < 0)
        take(w, KM_MCP_OUT_ERROR, KM_STR_NONE);
    else
        take(w, KM_MCP_OUT_ERROR, km_arena_cat(arena, parts, n));
}
