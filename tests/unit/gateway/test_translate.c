/* SPDX-License-Identifier: Apache-2.0 */
/* test_translate.c - a stream whose upstream speaks Anthropic's protocol, and a unit that has what
 * it says, in the world of fake_call.h.
 *
 * However the stream is cut and wherever the unit stands, a client has each word once; and what it
 * is told at the end was what it was told before.
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

static const char stream[] =
    EVENT("message_start", ",\"message\":{\"id\":\"msg_1\",\"role\":\"assistant\",\"model\":\"m\","
                           "\"content\":[],\"usage\":{\"input_tokens\":5,\"output_tokens\":1}}")
        EVENT("content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":"
                                     "\"\"}") TEXT("alpha ") TEXT("bravo ") TEXT("delta ")
            EVENT("content_block_stop", ",\"index\":0")
                EVENT("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
                                       "\"output_tokens\":4}") EVENT("message_stop", "");

/* The same where the upstream gives a whole answer, whatever was asked for. */
static const char whole[] =
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[{"
    "\"type\":\"text\",\"text\":\"alpha bravo delta \"}],\"stop_reason\":\"end_turn\",\"usage\":{"
    "\"input_tokens\":5,\"output_tokens\":4}}";

static const struct asked {
    const struct km_llm_api *api;
    const char *body;
    const char *end; /* what its streams end with */
} asked[] = {
    { &km_api_chat,
      "{\"model\":\"fast\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
      "data: [DONE]" },
    { &km_api_responses, "{\"model\":\"fast\",\"stream\":true,\"input\":\"hi\"}",
      "response.completed" },
    { &km_api_messages,
      "{\"model\":\"fast\",\"stream\":true,\"max_tokens\":9,\"messages\":[{\"role\":\"user\","
      "\"content\":\"hi\"}]}",
      "message_stop" },
};

#define APIS (sizeof asked / sizeof *asked)

enum doing { PASSES, HIDES, TAKES_OUT, ENDS_IT, WAITS_FOR_IT, SAYS_MORE };

static struct {
    const struct asked *asked;
    enum km_unit_place where;
    enum doing doing; /* with each text; TAKES_OUT, WAITS_FOR_IT: the second; ENDS_IT: from there */
    bool none; /* there is no unit */
    size_t only; /* so many bytes come; 0: all, and their end */
    bool at_once; /* the upstream gives a whole answer */
    bool as_it_comes; /* nothing is translated */
    struct km_link *waits;
    unsigned texts;
    struct km_chat_event own;
    struct km_port_ops ops;
    char said[1 << 16];
    size_t nsaid;
} u;

static const struct km_chat_event more = { .kind = KM_CHAT_TEXT, .text = { "more ", 5 } };

static int on_text(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    u.texts++;
    switch (u.doing) {
    case TAKES_OUT:
        return u.texts == 2 ? KM_UNIT_HOLD : KM_UNIT_PASS;
    case SAYS_MORE:
        return km_link_emit(link, &(struct km_piece){ .what = KM_PIECE_EVENT, .delta = &more },
                            err);
    case HIDES:
        u.own = *piece->delta;
        u.own.text = KM_STR("****** ");
        piece->delta = &u.own;
        return KM_UNIT_PASS;
    case ENDS_IT:
        return u.texts > 1 ? KM_UNIT_END : KM_UNIT_PASS;
    case WAITS_FOR_IT:
        if (u.texts != 2)
            return KM_UNIT_PASS;
        u.waits = link;
        return KM_UNIT_WAIT;
    default:
        return KM_UNIT_PASS;
    }
}

static int take(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    bool text = u.as_it_comes ? piece->what == KM_PIECE_BYTES
                              : piece->delta && piece->delta->kind == KM_CHAT_TEXT;

    return text ? on_text(link, piece, err) : KM_UNIT_PASS;
}

static void done(struct km_link *link)
{
    if (u.waits == link)
        u.waits = NULL;
}

static const struct km_unit unit = { .name = "unit", .take = take, .done = done };

static int join(struct km_call *call, struct km_chain *chain, struct km_err *err)
{
    return km_chain_put(chain, &unit, call) ? 0 : km_fail(err, KM_E_NOMEM, "out of memory");
}

static const struct km_call_unit row = { "unit", 0, join };
static const struct km_call_unit *const rows[] = { &row, NULL };

/* --- a call that translates --- */

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

static void begin_answer(struct km_call *call, const struct km_response *response)
{
    struct km_err err;

    if (u.as_it_comes)
        km_call_stream_start(call);
    else if (km_translate_begin(call, call->at->d->codec, &err) < 0)
        km_call_fail(call, &err);
    else
        km_translate_head(call, response);
}

static enum km_next send_it(struct km_call *call)
{
    static struct km_deployment d;
    struct km_header type = { KM_STR("content-type"), KM_STR("text/event-stream") };
    struct km_response response = { .status = 200, .headers = { .v = &type, .n = !u.at_once } };

    d = (struct km_deployment){ .codec = km_provider_anthropic.codec };
    call->at->d = &d;
    call->at->status = 200;
    call->at->money.number = 1; /* it was sent */
    call->first_us = 1;
    km_call_go(call, KM_STEP_relay);
    km_call_fetch_begin(call);
    begin_answer(call, &response);
    return KM_WAIT;
}

static int complete(struct km_call *call, struct km_err *err)
{
    return u.as_it_comes ? 0 : km_translate_complete(call, err);
}

static void usage(struct km_call *call, struct km_usage *ret)
{
    if (call->at->convert)
        (void)km_translate_usage(call, ret);
}

static void forget(struct km_call *call)
{
    call->at->convert = km_translation_free(call->at->convert);
}

static bool last(struct km_call *call, struct km_buf *out)
{
    if (u.as_it_comes)
        return km_call_last(call, out);
    if (call->cut)
        km_translate_cut(call, out);
    else
        km_translate_end(call, out);
    return true;
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

static void give(const char *bytes, size_t n)
{
    struct km_err err;
    struct km_call *call = f.call;
    struct km_link *link;

    if (is_over() || call->step != KM_STEP_relay || call->failed)
        return;
    if (u.as_it_comes)
        km_call_write_one(call, km_str(bytes, n));
    else if (km_call_fetch_bytes(call, km_str(bytes, n), &err) < 0) {
        km_call_abandon(call);
        km_call_fail(call, &err);
    } else {
        km_call_heed(call);
    }
    link = u.waits;
    u.waits = NULL;
    if (link)
        km_link_go_on(link, KM_UNIT_PASS, NULL);
}

/* In reads of so many bytes. */
static void run_call(size_t step)
{
    static struct km_call_kind kind;
    static struct km_call_hooks hooks;
    const char *bytes = u.at_once ? whole : stream;
    const size_t n = u.only ? u.only : strlen(bytes);

    kind = fake_kind;
    kind.prepare = prepare;
    kind.send = send_it;
    kind.on_body = km_translate_feed;
    kind.on_event = km_translate_event;
    kind.encode = km_translate_say;
    kind.complete = complete;
    kind.usage = usage;
    kind.cost = NULL;
    kind.last = last;
    kind.forget = forget;
    hooks = (struct km_call_hooks){ 0 };
    hooks.units[u.where] = u.none ? NULL : rows;
    f.args.hooks = &hooks;
    f.gateway.sse_event_bytes = 1 << 16;
    f.place = PLACES;
    u.ops = *f.port.ops;
    u.ops.write = port_write;
    f.port.ops = &u.ops;
    u.nsaid = 0;
    u.texts = 0;
    f.call = km_call_new(&f.w, &kind, ARENA_BYTES);
    if (!f.call)
        return;
    km_call_take_port(f.call, &f.visit, &f.port);
    km_call_start(f.call);
    for (size_t at = 0; at < n; at += step)
        give(bytes + at, step < n - at ? step : n - at);
    if (!u.only && !is_over() && f.call->step == KM_STEP_relay)
        km_call_resume(f.call, 0);
    u.said[u.nsaid] = 0;
}

static void begin(const struct asked *a, enum km_unit_place where, enum doing doing)
{
    memset(&u, 0, sizeof u);
    u.asked = a;
    u.where = where;
    u.doing = doing;
}

/* The client's bytes; they last until the next. */
static const char *said(size_t step)
{
    u.texts = 0;
    memset(&f, 0, sizeof f);
    assert_true(make_world());
    run_call(step);
    assert_true(is_over());
    check_settled();
    assert_int_equal(f.settlements, 1);
    assert_int_equal(f.ends + f.aborts + f.responds, 1);
    unmake_world();
    return u.said;
}

static const size_t steps[] = { sizeof stream, 1, 7, 100, 300 };

#define STEPS (sizeof steps / sizeof *steps)

/* --- what must hold --- */

static void says_as_without(enum km_unit_place where, enum doing doing, const char *without)
{
    u.where = where;
    u.doing = doing;
    for (size_t i = 0; i < STEPS; i++)
        assert_string_equal(said(steps[i]), without);
}

/* With a unit that lets all pass the client has what it has without. */
static void each_word_is_said_once(void **state)
{
    static char without[sizeof u.said];

    (void)state;
    for (const struct asked *a = asked; a < asked + APIS; a++)
        for (int at_once = 0; at_once < 2; at_once++) {
            begin(a, KM_UNITS_FETCH, PASSES);
            u.at_once = at_once;
            u.none = true;
            strcpy(without, said(sizeof stream));
            assert_non_null(strstr(without, "bravo "));
            assert_non_null(strstr(without, a->end));
            u.none = false;
            for (enum km_unit_place p = KM_UNITS_FETCH; p <= KM_UNITS_SHOWN; p++)
                says_as_without(p, PASSES, without);
            says_as_without(KM_UNITS_DELIVER, WAITS_FOR_IT, without);
        }
}

/* What a unit put other words for is nowhere said, in no event of the end either, and the stream
 * ends as every other.  The upstream's words are what counts. */
static void no_word_comes_by_another_way(void **state)
{
    (void)state;
    for (const struct asked *a = asked; a < asked + APIS; a++)
        for (int at_once = 0; at_once < 2; at_once++)
            for (size_t i = 0; i < STEPS; i++) {
                const char *text;

                begin(a, KM_UNITS_DELIVER, HIDES);
                u.at_once = at_once;
                text = said(steps[i]);
                assert_non_null(strstr(text, "****** "));
                assert_null(strstr(text, "alpha"));
                assert_null(strstr(text, "bravo"));
                assert_null(strstr(text, "delta \""));
                assert_non_null(strstr(text, a->end));
                assert_int_equal(f.last.completion_tokens, 4);
            }
}

static void what_is_taken_out_is_in_no_end(void **state)
{
    (void)state;
    for (const struct asked *a = asked; a < asked + APIS; a++)
        for (size_t i = 0; i < STEPS; i++) {
            const char *text;

            begin(a, KM_UNITS_DELIVER, TAKES_OUT);
            text = said(steps[i]);
            assert_non_null(strstr(text, "alpha "));
            assert_null(strstr(text, "bravo"));
            assert_non_null(strstr(text, "delta "));
            assert_non_null(strstr(text, a->end));
        }
}

static void nothing_is_said_behind_an_end(void **state)
{
    (void)state;
    for (const struct asked *a = asked; a < asked + APIS; a++)
        for (size_t i = 0; i < STEPS; i++) {
            const char *text;

            begin(a, KM_UNITS_DELIVER, ENDS_IT);
            text = said(steps[i]);
            assert_non_null(strstr(text, "alpha "));
            assert_null(strstr(text, "bravo"));
            assert_null(strstr(text, "delta \""));
        }
}

static void a_unit_says_more(void **state)
{
    (void)state;
    for (const struct asked *a = asked; a < asked + APIS; a++)
        for (size_t i = 0; i < STEPS; i++) {
            const char *text;

            begin(a, KM_UNITS_DELIVER, SAYS_MORE);
            text = said(steps[i]);
            assert_non_null(strstr(text, "more "));
            assert_true(strstr(text, "more ") < strstr(text, "alpha "));
            assert_non_null(strstr(text, a->end));
        }
}

/* Where there is none, nobody can put one there. */
static void a_delta_where_there_is_none_is_refused(void **state)
{
    (void)state;
    begin(&asked[0], KM_UNITS_DELIVER, SAYS_MORE);
    u.as_it_comes = true;
    assert_string_equal(said(sizeof stream), "");
    assert_int_equal(f.responds, 1);
}

/* Nothing was said yet: another upstream can still serve, or the client has its error. */
static void what_only_began_is_not_begun_for_the_client(void **state)
{
    (void)state;
    for (const struct asked *a = asked; a < asked + APIS; a++) {
        const struct km_err err = { .code = KM_E_UPSTREAM_CONNECT, .text = "It is gone." };

        memset(&f, 0, sizeof f);
        begin(a, KM_UNITS_DELIVER, PASSES);
        u.only = strlen(stream) - strlen(strstr(stream, "event: content_block_start"));
        assert_true(make_world());
        run_call(sizeof stream);
        assert_false(is_over());
        assert_false(f.call->streaming);
        km_call_fail(f.call, &err);
        assert_true(is_over());
        assert_int_equal(f.responds, 1);
        assert_int_equal(f.starts, 0);
        unmake_world();
    }
}

static void life(void)
{
    memset(&f, 0, sizeof f);
    begin(&asked[1], KM_UNITS_DELIVER, WAITS_FOR_IT);
    if (make_world()) {
        run_call(100);
        check_settled();
    }
    unmake_world();
}

static void every_allocation_fails_once(void **state)
{
    (void)state;
    assert_true(km_torture(life) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_word_is_said_once),
        cmocka_unit_test(no_word_comes_by_another_way),
        cmocka_unit_test(what_is_taken_out_is_in_no_end),
        cmocka_unit_test(nothing_is_said_behind_an_end),
        cmocka_unit_test(a_unit_says_more),
        cmocka_unit_test(a_delta_where_there_is_none_is_refused),
        cmocka_unit_test(what_only_began_is_not_begun_for_the_client),
        cmocka_unit_test(every_allocation_fails_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
