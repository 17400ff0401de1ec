/* SPDX-License-Identifier: Apache-2.0 */
/* chat_tools.c - from tools of type mcp to functions, and from results to text; see
 * chat.h.
 *
 *     server_url   litellm_proxy              all servers the key may use
 *                  litellm_proxy/mcp/a,b      these; also litellm_proxy/a
 *     headers      x-mcp-servers and x-mcp-access-groups choose; the others go along with calls,
 *                  but for credentials: whoever asks is whoever asked
 *
 * Functions have the names of the endpoint of several servers, with the alias in front, which
 * every model's API takes.  A function of the caller's with that name wins.
 */
#include "gateway/mcp/chat.h"

#include "gateway/mcp/access.h"
#include "http/fields.h"
#include "mcp/ask.h"

#define PREFIX "litellm_proxy"
#define SCHEMA_NONE "{\"type\":\"object\",\"properties\":{}}"

/* --- reading --- */

static bool ours(const struct km_json *tool, struct km_str *ret_url)
{
    struct km_str type;

    return km_json_string(km_json_get(tool, "type"), &type) && km_str_eq(type, KM_STR("mcp")) &&
           km_json_string(km_json_get(tool, "server_url"), ret_url) &&
           km_str_starts(*ret_url, KM_STR(PREFIX)) &&
           (ret_url->n == sizeof PREFIX - 1 || ret_url->p[sizeof PREFIX - 1] == '/');
}

/* The part of the address that names servers. */
static struct km_str servers_of(struct km_str url)
{
    struct km_str rest = km_str_skip(url, sizeof PREFIX - 1);

    if (km_str_starts(rest, KM_STR("/mcp")) && (rest.n == 4 || rest.p[4] == '/'))
        rest = km_str_skip(rest, 4);
    if (rest.n && rest.p[0] == '/')
        rest = km_str_skip(rest, 1);
    if (rest.n && rest.p[rest.n - 1] == '/')
        rest.n--;
    return rest;
}

static void read_headers(struct km_mcp_chat *c, const struct km_json *headers,
                         struct km_mcp_chat_spec *s)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(16 * 1024);
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, text;

    for (km_json_iter(headers, &it); km_json_next(&it, &key, &v);) {
        if (!km_json_string(v, &text) || km_field_proves(key) || km_field_of_hop(key))
            continue;
        if (km_str_ieq(key, KM_STR("x-mcp-servers")))
            s->reach.servers = s->reach.servers.n ? s->reach.servers : text;
        else if (km_str_ieq(key, KM_STR("x-mcp-access-groups")))
            s->reach.groups = text;
        else
            (void)(km_header_put(&b, key, text, NULL) == 0);
    }
    s->head = km_arena_str(&c->arena, km_buf_view(&b));
}

static void read_spec(struct km_mcp_chat *c, const struct km_json *tool, struct km_str url)
{
    struct km_mcp_chat_spec *s = &c->specs[c->nspecs++];
    const struct km_json *approval = km_json_get(tool, "require_approval");
    struct km_str word;

    s->reach.servers = servers_of(url);
    (void)km_json_string(km_json_get(tool, "server_label"), &s->label);
    read_headers(c, km_json_get(tool, "headers"), s);
    s->allowed = km_json_get(tool, "allowed_tools");
    if (km_json_kind(s->allowed) == KM_JSON_OBJECT)
        s->allowed = km_json_get(s->allowed, "tool_names");
    s->auto_run = km_json_string(approval, &word) && km_str_eq(word, KM_STR("never"));
    s->never = km_json_get(km_json_get(approval, "never"), "tool_names");
}

bool km_mcp_chat_read(struct km_mcp_chat *c)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, url;
    bool stream;

    if (km_llm_parse_body(&c->arena, c->body, &c->root, NULL) < 0)
        return false; /* the call says what is wrong with it */
    for (km_json_iter(km_json_get(c->root, "tools"), &it); km_json_next(&it, &key, &v);)
        if (ours(v, &url) && c->nspecs < KM_MCP_CHAT_SPECS)
            read_spec(c, v, url);
    c->stream = km_json_bool(km_json_get(c->root, "stream"), &stream) && stream;
    return c->nspecs > 0;
}

/* --- functions --- */

const struct km_mcp_chat_fn *km_mcp_chat_find(const struct km_mcp_chat *c, struct km_str name)
{
    for (size_t i = 0; i < c->nfns; i++)
        if (km_str_eq(c->fns[i].name, name))
            return &c->fns[i];
    return NULL;
}

static bool in_names(const struct km_json *list, const struct km_mcp_entry_of *e)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, s;

    for (km_json_iter(list, &it); km_json_next(&it, &key, &v);)
        if (km_json_string(v, &s) && (km_str_eq(s, e->wire) || km_str_eq(s, e->item->name)))
            return true;
    return false;
}

static bool callers_own(const struct km_mcp_chat *c, struct km_str name)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, own;

    for (km_json_iter(km_json_get(c->root, "tools"), &it); km_json_next(&it, &key, &v);) {
        const struct km_json *f = km_json_get(v, "function");

        if (km_json_string(km_json_get(f ? f : v, "name"), &own) && km_str_eq(own, name))
            return true;
    }
    return false;
}

/* {"type":"function",...} in the words of the API, and {"name","description","input_schema"}. */
static void put_function(struct km_mcp_chat *c, struct km_mcp_chat_fn *fn,
                         const struct km_mcp_entry_of *e)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(KM_RPC_BYTES);
    struct km_buf inside KM_CLEANUP(km_buf_done) = KM_BUF(KM_RPC_BYTES);
    struct km_str json = e->json.n ? e->json : e->item->json, text, schema = KM_STR(SCHEMA_NONE);
    const struct km_json *tool = NULL, *v;

    if (km_json_parse(&c->arena, json, &tool, NULL) < 0)
        return;
    v = km_json_get(tool, "inputSchema");
    if (km_json_kind(v) == KM_JSON_OBJECT)
        schema = km_json_compact(v, &c->arena);
    km_buf_str(&inside, KM_STR("\"name\":"));
    km_buf_json(&inside, e->wire);
    if (km_json_string(km_json_get(tool, "description"), &text)) {
        km_buf_str(&inside, KM_STR(",\"description\":"));
        km_buf_json(&inside, text);
    }
    km_buf_str(&b, c->responses ? KM_STR("{\"type\":\"function\",")
                                : KM_STR("{\"type\":\"function\",\"function\":{"));
    km_buf_str(&b, km_buf_view(&inside));
    km_buf_str(&b, KM_STR(",\"parameters\":"));
    km_buf_str(&b, schema);
    km_buf_str(&b, c->responses ? KM_STR(",\"strict\":false}") : KM_STR("}}"));
    fn->json = km_arena_str(&c->arena, km_buf_view(&b));
    fn->title = km_arena_cat(&c->arena,
                             (struct km_str[]){ KM_STR("{"), km_buf_view(&inside),
                                                KM_STR(",\"input_schema\":"), schema, KM_STR("}") },
                             5);
}

static void add_functions(struct km_mcp_chat *c, const struct km_mcp_chat_spec *s,
                          const struct km_mcp_view *view)
{
    const struct km_mcp_entry_of *e;
    size_t n = km_mcp_view_entries(view, KM_MCP_TOOLS, &e);

    for (size_t i = 0; i < n && c->nfns < KM_MCP_CHAT_TOOLS; i++) {
        struct km_mcp_chat_fn *fn = &c->fns[c->nfns];

        if ((s->allowed && !in_names(s->allowed, &e[i])) || callers_own(c, e[i].wire) ||
            km_mcp_chat_find(c, e[i].wire))
            continue;
        put_function(c, fn, &e[i]);
        if (!fn->json.n)
            continue;
        fn->name = km_arena_str(&c->arena, e[i].wire);
        fn->spec = s;
        fn->auto_run = s->auto_run || in_names(s->never, &e[i]);
        c->nfns++;
    }
}

/* The caller's other tools, then ours. */
static void put_tools(struct km_mcp_chat *c)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF((size_t)64 << 20);
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, url;

    km_buf_byte(&b, '[');
    for (km_json_iter(km_json_get(c->root, "tools"), &it); km_json_next(&it, &key, &v);) {
        if (ours(v, &url))
            continue;
        if (b.n > 1)
            km_buf_byte(&b, ',');
        km_json_write(v, &b);
    }
    for (size_t i = 0; i < c->nfns; i++) {
        if (b.n > 1)
            km_buf_byte(&b, ',');
        km_buf_str(&b, c->fns[i].json);
    }
    km_buf_byte(&b, ']');
    c->tools = km_arena_str(&c->arena, km_buf_view(&b));
}

/* --- listing --- */

static void on_heard(void *ctx)
{
    struct km_mcp_chat *c = ctx;

    c->wait = NULL;
    c->waited = true;
    km_mcp_chat_listed(c);
}

/* Some of the view's servers nobody has heard yet: once for all. */
static bool waits(struct km_mcp_chat *c, const struct km_mcp_view *view)
{
    struct km_mcp_asker asker = km_mcp_arrival_asker(&c->in, KM_STR("{}"));

    if (!c->waited)
        c->wait = km_mcp_cold_wait(c->in.hub, view, &asker, on_heard, c);
    return c->wait != NULL;
}

int km_mcp_chat_list(struct km_mcp_chat *c, struct km_err *err)
{
    c->nfns = 0;
    c->fns = km_arena_zalloc(&c->arena, KM_MCP_CHAT_TOOLS * sizeof *c->fns);
    if (!c->fns)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    for (size_t i = 0; i < c->nspecs; i++) {
        struct km_mcp_view *view = NULL;
        int r;

        c->in.reach = c->specs[i].reach;
        r = km_mcp_view_for(&c->in, KM_STR("{}"), &view, err);
        if (r < 0)
            return r;
        if (waits(c, view)) {
            km_mcp_view_unref(view);
            return KM_E_AGAIN;
        }
        add_functions(c, &c->specs[i], view);
        km_mcp_view_unref(view);
    }
    put_tools(c);
    return c->tools.n ? 0 : km_fail(err, KM_E_NOMEM, "the tools are too large");
}

/* --- results --- */

static void put_content(const struct km_json *content, struct km_buf *out)
{
    struct km_json_iter it;
    const struct km_json *v;
    struct km_str key, text;

    for (km_json_iter(content, &it); km_json_next(&it, &key, &v);) {
        if (out->n)
            km_buf_byte(out, '\n');
        if (km_json_string(km_json_get(v, "text"), &text))
            km_buf_str(out, text);
        else
            km_json_write(v, out);
    }
}

bool km_mcp_chat_text(struct km_arena *arena, struct km_str answer, struct km_buf *out)
{
    const struct km_json *root = NULL, *result, *structured;
    struct km_str text = KM_STR("it has no result");
    bool failed = false;

    if (km_json_parse_answer(arena, answer, &root, NULL) < 0)
        root = NULL;
    result = km_json_get(root, "result");
    if (!result) {
        (void)km_json_string(km_json_get(km_json_get(root, "error"), "message"), &text);
        km_buf_str(out, KM_STR("Error executing tool: "));
        km_buf_str(out, text);
        return false;
    }
    put_content(km_json_get(result, "content"), out);
    structured = km_json_get(result, "structuredContent");
    if (!out->n && structured)
        km_json_write(structured, out);
    return !(km_json_bool(km_json_get(result, "isError"), &failed) && failed);
}
