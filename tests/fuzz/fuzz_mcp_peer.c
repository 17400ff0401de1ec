/* SPDX-License-Identifier: Apache-2.0 */
/* A session with a server of our own framework: lines of a client, one after another.
 *
 *     line ──> km_mcp_peer_take ──> handshake or not, calls, questions, subscriptions, listening
 *     '!'n     the server tells of a change; the client drops a request or is gone; the loop runs
 *
 * "$" in a line stands for the requestState that the server gave last, so that what it sealed comes
 * back whole, too.  Properties: what is put is one line of valid JSON and never comes from
 * inside a call; a request has at most one answer; after the end nothing is under way.
 */
#include "fuzz.h"

#include "mcp/server/peer.h"

#define MAX_INPUT ((size_t)1 << 15)
#define LINES 64
#define STATE 4096
#define TEXT(s)                                                                                    \
    {                                                                                              \
        "" s "", sizeof(s) - 1                                                                     \
    }

/* --- a server that asks --- */

static int run_ask(struct km_mcp_call *call, struct km_err *err)
{
    static const struct km_mcp_call_question q[] = {
        { TEXT("name"), TEXT("elicitation/create"),
          TEXT("{\"message\":\"Who?\",\"requestedSchema\":{\"type\":\"object\",\"properties\":"
               "{\"name\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"}},"
               "\"required\":[\"name\"]}}") },
        { TEXT("idea"), TEXT("sampling/createMessage"),
          TEXT("{\"messages\":[],\"maxTokens\":5}") },
        { TEXT("roots"), TEXT("roots/list"), TEXT("{}") },
    };

    (void)err;
    km_mcp_call_progress(call, 1, 2);
    km_mcp_call_log(call, "debug", KM_STR("small"));
    if (km_mcp_call_ask(call, q, 2) || km_mcp_call_ask(call, q + 2, 1))
        return 0;
    km_mcp_call_text(call, KM_STR("done"), false);
    return 0;
}

static int run_read(struct km_mcp_call *call, struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(MAX_INPUT * 8);

    (void)err;
    km_buf_str(&b, KM_STR("\"contents\":[{\"text\":\"t\",\"uri\":"));
    km_buf_json(&b, call->uri);
    km_buf_str(&b, KM_STR("}]"));
    km_mcp_call_members(call, km_arena_str(call->arena, km_buf_view(&b)));
    return 0;
}

static int run_prompt(struct km_mcp_call *call, struct km_err *err)
{
    (void)err;
    km_mcp_call_members(call, KM_STR("\"messages\":[]"));
    return 0;
}

static const struct km_mcp_tool tools[] = {
    { .name = TEXT("ask"),
      .description = TEXT("Asks."),
      .input = TEXT("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}"),
      .run = run_ask },
};
static const struct km_mcp_resource resources[] = {
    { .uri = TEXT("box://one"), .name = TEXT("one"), .run = run_read },
    { .uri = TEXT("box://all/{id}"), .name = TEXT("all"), .is_template = true, .run = run_read },
};
static const struct km_mcp_argument arguments[] = { { TEXT("a"), TEXT("One."), true } };
static const struct km_mcp_prompt prompts[] = {
    { .name = TEXT("p"),
      .description = TEXT("Says."),
      .arguments = arguments,
      .narguments = 1,
      .run = run_prompt },
};
static const uint8_t key[32] = { 1 };
static struct km_mcp_server server = { .name = TEXT("box"),
                                       .version = TEXT("1"),
                                       .tools = tools,
                                       .ntools = 1,
                                       .resources = resources,
                                       .nresources = 2,
                                       .prompts = prompts,
                                       .nprompts = 1,
                                       .changes = true,
                                       .state_key = key };

/* --- the line --- */

struct line {
    struct km_mcp_peer *peer;
    struct km_loop *loop;
    bool inside; /* of a call of the peer */
    unsigned answers[LINES + 1]; /* by the number its request was taken with */
    char state[STATE];
    size_t nstate;
};

static void keep_state(struct line *l, const struct km_json *root)
{
    struct km_str state;

    if (km_json_string(km_json_get(km_json_get(root, "result"), "requestState"), &state) &&
        state.n <= STATE) {
        memcpy(l->state, state.p, state.n);
        l->nstate = state.n;
    }
}

static void on_put(void *ctx, uint64_t about, struct km_str text)
{
    struct line *l = ctx;
    const struct km_json *root;
    struct km_arena arena;

    must(!l->inside && about <= LINES && km_str_chr(text, '\n') == text.n);
    km_arena_init(&arena, (size_t)64 << 20, NULL);
    must(km_json_parse(&arena, text, &root, NULL) == 0);
    must(km_json_kind(root) == KM_JSON_OBJECT);
    if (!km_json_get(root, "method"))
        must(l->answers[about]++ == 0 || about == 0);
    keep_state(l, root);
    km_arena_done(&arena);
}

static void on_idle(void *ctx)
{
    km_loop_stop(((struct line *)ctx)->loop);
}

static void take(struct line *l, struct km_str text, uint64_t number)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(MAX_INPUT * STATE);

    while (text.n) {
        size_t at = km_str_chr(text, '$');

        km_buf_str(&b, km_str_sub(text, 0, at));
        if (at < text.n)
            km_buf_str(&b, km_str(l->state, l->nstate));
        text = km_str_skip(text, at + 1);
    }
    l->inside = true;
    km_mcp_peer_take(l->peer, &(struct km_mcp_peer_message){ .text = km_buf_view(&b),
                                                             .number = number,
                                                             .principal = KM_STR("me") });
    l->inside = false;
}

static void act(struct line *l, char what, uint64_t number)
{
    static const struct km_str updated = TEXT("{\"uri\":\"box://one\"}");

    if (what == 'd')
        km_mcp_peer_drop(l->peer, number - 1);
    else if (what == 't')
        km_mcp_peer_tell(l->peer, KM_STR("notifications/tools/list_changed"), KM_STR_NONE);
    else if (what == 'u')
        km_mcp_peer_tell(l->peer, KM_STR("notifications/resources/updated"), updated);
    else if (what == 'e')
        km_mcp_peer_end(l->peer);
    else
        km_loop_run(l->loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct km_str rest = { (const char *)data, size }, text;
    struct line l = { 0 };

    if (size > MAX_INPUT)
        return 0;
    l.loop = km_loop_new(NULL);
    must(l.loop != NULL);
    km_loop_on_idle(l.loop, on_idle, &l);
    l.peer = km_mcp_peer_new(&(struct km_mcp_peer_args){
        .loop = l.loop, .server = &server, .calls_most = 4, .put = on_put, .ctx = &l });
    must(l.peer != NULL);
    for (uint64_t number = 1; number <= LINES && km_str_split(&rest, '\n', &text); number++)
        if (text.n == 2 && text.p[0] == '!')
            act(&l, text.p[1], number);
        else
            take(&l, text, number);
    km_loop_run(l.loop);
    km_mcp_peer_end(l.peer);
    km_loop_run(l.loop);
    must(km_mcp_peer_is_idle(l.peer));
    km_mcp_peer_free(l.peer);
    km_loop_free(l.loop);
    return 0;
}
