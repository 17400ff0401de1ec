/* SPDX-License-Identifier: Apache-2.0 */
/* test_cut.c - calls whose stream is ended early (kind->cut_short), in the world of fake_call.h: of
 * an upstream that speaks as the caller does, and of one that does not.
 *
 * After each event of the upstream's the call is cut, and then ends as one that is complete: its
 * client has its end, the books have what was told, units have had every event of it, and nothing
 * that comes afterwards is passed on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake_call.h"
#include "gateway/llm/kind.h"
#include "gateway/llm/translate.h"
#include "llm/api/messages.h"
#include "llm/api/openai.h"
#include "llm/api/responses.h"
#include "llm/provider/rows.h"
#include "torture.h"

#define EVENT(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define TEXT(text)                                                                                 \
    EVENT("content_block_delta",                                                                   \
          ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" text "\"}")

static const char *const events[] = {
    EVENT("message_start", ",\"message\":{\"id\":\"msg_1\",\"role\":\"assistant\",\"model\":\"m\","
                           "\"content\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}"),
    EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":"
                                 "\"\"}"),
    TEXT("alpha "),
    TEXT("bravo "),
    TEXT("delta "),
};

#define EVENTS_THERE (sizeof events / sizeof *events)

static const struct asked {
    const struct km_llm_api *api;
    const char *body;
    const char *why, *end; /* what its streams say that came to their bound, and end with */
} asked[] = {
    { &km_api_chat,
      "{\"model\":\"fast\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
      "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
      "\"finish_reason\":\"length\"", "data: [DONE]\n\n" },
    { &km_api_responses, "{\"model\":\"fast\",\"stream\":true,\"input\":\"hi\"}",
      "\"reason\":\"max_output_tokens\"", "\"metadata\":{}}}\n\n" },
    { &km_api_messages,
      "{\"model\":\"fast\",\"stream\":true,\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
      "\"content\":\"hi\"}]}",
      "\"stop_reason\":\"max_tokens\"", "data: {\"type\":\"message_stop\"}\n\n" },
};

#define APIS (sizeof asked / sizeof *asked)

static struct {
    const struct asked *asked;
    bool translated; /* by the codec, also to Messages */
    bool unit; /* there is one at `place` */
    enum km_unit_place place;
    unsigned seen; /* events that the unit had */
    bool heard_why; /* it had the one that says why it ended */
    int result; /* of the cut */
    struct km_port_ops ops;
    char said[1 << 16];
    size_t nsaid;
} u;

static int take(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    (void)link;
    (void)err;
    if (piece->what != KM_PIECE_EVENT)
        return KM_UNIT_PASS;
    u.seen++;
    if (piece->delta)
        u.heard_why = u.heard_why || (piece->delta->kind == KM_CHAT_FINISH &&
                                      piece->delta->finish == KM_FINISH_LENGTH);
    else if (piece->has_data)
        u.heard_why =
            u.heard_why || km_str_find(piece->data, km_str_c(u.asked->why)) < piece->data.n;
    return KM_UNIT_PASS;
}

static const struct km_unit unit = { .name = "unit", .take = take };

static int join(struct km_call *call, struct km_chain *chain, struct km_err *err)
{
    return km_chain_put(chain, &unit, call) ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static const struct km_call_unit row = { "unit", 0, join };
static const struct km_call_unit *const rows[] = { &row, NULL };

/* --- a call of the llm kind, whose request is nowhere --- */

void __wrap_km_count_call(const struct km_call *call);
void __wrap_km_count_call(const struct km_call *call)
{
    (void)call;
}

static int prepare(struct km_call *call, struct km_err *err)
{
    call->api = u.asked->api;
    return km_llm_request_parse(&call->req, call->api, &call->arena, km_str_c(u.asked->body),
                                KM_STR_NONE, err);
}

static enum km_next send_it(struct km_call *call)
{
    static struct km_deployment d;
    struct km_header type = { KM_STR("content-type"), KM_STR("text/event-stream") };
    struct km_response response = { .status = 200, .headers = { .v = &type, .n = 1 } };
    struct km_err err;

    d = (struct km_deployment){ .codec = km_provider_anthropic.codec };
    call->at->d = &d;
    call->at->status = 200;
    call->at->money.number = 1; /* it was sent */
    call->slices = true; /* and may be cut */
    call->first_us = 1;
    km_call_go(call, KM_STEP_relay);
    km_call_fetch_begin(call);
    if (u.translated && km_translate_begin(call, d.codec, &err) < 0)
        km_call_fail(call, &err);
    else
        km_kind_llm.on_head(call, &response);
    return KM_WAIT;
}

static bool port_write(struct km_port *port, const struct km_str *parts, size_t n)
{
    (void)port;
    for (size_t i = 0; i < n; i++) {
        assert_true(parts[i].n < sizeof u.said - u.nsaid);
        memcpy(u.said + u.nsaid, parts[i].p, parts[i].n);
        u.nsaid += parts[i].n;
    }
    return true;
}

static bool under_way(void)
{
    return !is_over() && f.call->step == KM_STEP_relay && !f.call->failed;
}

static void give(const char *bytes, size_t n)
{
    struct km_err err;

    if (!under_way())
        return;
    if (km_call_fetch_bytes(f.call, km_str(bytes, n), &err) < 0)
        km_call_fail(f.call, &err);
    else
        km_call_heed(f.call);
}

/* As who has no more money for it does. */
static void cut(void)
{
    const struct km_usage told = { .prompt_tokens = 5, .completion_tokens = 3 };
    struct km_err err = { 0 };

    if (!under_way())
        return;
    u.result = km_kind_llm.cut_short(f.call, &told, &err);
    if (u.result < 0) {
        km_call_fail(f.call, &err);
        return;
    }
    give(events[EVENTS_THERE - 1], strlen(events[EVENTS_THERE - 1])); /* it was on its way */
    if (under_way())
        km_call_resume(f.call, 0);
}

static void run_call(size_t n, size_t step)
{
    static struct km_call_kind kind;
    static struct km_call_hooks hooks;

    kind = fake_kind;
    kind.prepare = prepare;
    kind.send = send_it;
    kind.on_body = km_kind_llm.on_body;
    kind.on_event = km_kind_llm.on_event;
    kind.encode = km_kind_llm.encode;
    kind.complete = km_kind_llm.complete;
    kind.usage = km_kind_llm.usage;
    kind.cost = NULL;
    kind.last = km_kind_llm.last;
    kind.forget = km_kind_llm.forget;
    hooks = (struct km_call_hooks){ 0 };
    hooks.units[u.place] = u.unit ? rows : NULL;
    f.args.hooks = &hooks;
    f.gateway.sse_event_bytes = 1 << 16;
    f.place = PLACES;
    u.ops = *f.port.ops;
    u.ops.write = port_write;
    f.port.ops = &u.ops;
    u.nsaid = 0;
    f.call = km_call_new(&f.w, &kind, ARENA_BYTES);
    if (!f.call)
        return;
    km_call_take_port(f.call, &f.visit, &f.port);
    km_call_start(f.call);
    for (size_t i = 0; i < n; i++)
        for (size_t at = 0, all = strlen(events[i]); at < all; at += step)
            give(events[i] + at, step < all - at ? step : all - at);
    cut();
    u.said[u.nsaid] = 0;
}

static void begin(const struct asked *a, bool translated)
{
    memset(&u, 0, sizeof u);
    memset(&f, 0, sizeof f);
    u.asked = a;
    u.translated = translated;
}

static bool ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* What it says, to the end; it lasts until the next. */
static const char *said(size_t n, size_t step)
{
    assert_true(make_world());
    run_call(n, step);
    assert_true(is_over());
    check_settled();
    assert_int_equal(u.result, 0);
    assert_int_equal(f.settlements, 1);
    assert_int_equal(f.ends, 1);
    assert_int_equal(f.aborts + f.responds, 0);
    assert_int_equal(f.last.prompt_tokens, 5);
    assert_int_equal(f.last.completion_tokens, 3);
    unmake_world();
    return u.said;
}

static bool speaks(const struct asked *a, bool translated)
{
    return translated || a->api == &km_api_messages; /* as the upstream does */
}

static void a_call_that_is_cut_short_ends_well(void **state)
{
    static const size_t steps[] = { 1000, 1, 7 };

    (void)state;
    for (const struct asked *a = asked; a < asked + APIS; a++)
        for (int translated = 0; translated < 2; translated++)
            for (size_t n = 0; speaks(a, translated) && n < EVENTS_THERE; n++)
                for (size_t i = 0; i < 3; i++) {
                    const char *text;

                    begin(a, translated);
                    text = said(n, steps[i]);
                    assert_non_null(strstr(text, a->why));
                    assert_true(ends(text, a->end));
                    assert_null(strstr(text, "\"error\":{"));
                    assert_int_equal(strstr(text, "alpha ") != NULL, n > 2);
                    assert_int_equal(strstr(text, "bravo ") != NULL, n > 3);
                    assert_null(strstr(text, "delta \"")); /* it came too late */
                }
}

static void units_have_what_ends_it(void **state)
{
    (void)state;
    for (const struct asked *a = asked; a < asked + APIS; a++)
        for (int translated = 0; translated < 2; translated++)
            for (size_t n = 0; speaks(a, translated) && n < EVENTS_THERE; n++) {
                static char without[sizeof u.said];

                begin(a, translated);
                strcpy(without, said(n, 1000));
                for (enum km_unit_place p = KM_UNITS_FETCH; p <= KM_UNITS_SHOWN; p++) {
                    begin(a, translated);
                    u.unit = true;
                    u.place = p;
                    assert_string_equal(said(n, 1000), without);
                    if (p == KM_UNITS_DELIVER)
                        assert_true(u.heard_why);
                    if (p != KM_UNITS_FETCH)
                        assert_true(u.seen > 0);
                }
            }
}

/* What is no stream, or was cut already, is nobody's to cut. */
static void what_is_no_stream_is_not_cut(void **state)
{
    const struct km_usage told = { 0 };
    struct km_err err = { 0 };

    (void)state;
    begin(&asked[2], false);
    assert_true(make_world());
    run_call(2, 1000);
    assert_true(is_over());
    unmake_world();
    begin(&asked[2], false);
    assert_true(make_world());
    f.call = km_call_new(&f.w, &km_kind_llm, ARENA_BYTES);
    assert_int_equal(km_kind_llm.cut_short(f.call, &told, &err), KM_E_UNSUPPORTED);
    km_call_drop(f.call);
    f.call = NULL;
    unmake_world();
}

static void life(void)
{
    for (int translated = 0; translated < 2; translated++) {
        begin(&asked[2 - translated], translated);
        u.unit = true;
        u.place = KM_UNITS_DELIVER;
        if (make_world()) {
            run_call(4, 100);
            check_settled();
        }
        unmake_world();
    }
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    assert_true(km_torture(life) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_is_cut_short_ends_well),
        cmocka_unit_test(units_have_what_ends_it),
        cmocka_unit_test(what_is_no_stream_is_not_cut),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
