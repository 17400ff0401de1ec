/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - kanmon with units that mask a word on its way to whoever is asked, put it back for the
 * client, wait, and refuse; and with a hook that answers tools by heart.
 *
 *     "swordfish"    is "[[1]]" behind the gateway, and itself again in front of it
 *     "slowly"       in a request: it waits for a moment
 *     "patience"     in an answer: the same
 *     "forbidden"    in an answer: it is refused
 *     "doubted"      in an answer: it waits for a moment, and is refused then
 *     "unjoinable"   in a request: the unit of its answer does not join
 *     "hold the end" in an answer: its end is never let go, as no unit may
 *     "garbled"      in an answer of no model: it is no JSON any more
 *     "by heart"     in a request of no model: it is answered here
 */
#include <string.h>

#include "app/cli.h"
#include "app/main.h"
#include "call/call.h"
#include "call/hooks.h"
#include "gateway/llm/kind.h"
#include "gateway/mcp/chat.h"
#include "kept/answers.h"
#include "kept/file_refs.h"
#include "kept/made.h"
#include "kept/other_models.h"
#include "llm/answer.h"
#include "sys/shim.h"

#define MOMENT_MS 5

static const struct km_str word = { "swordfish", 9 }, mark = { "[[1]]", 5 };

static bool has(struct km_str s, const char *what)
{
    return s.n && memmem(s.p, s.n, what, strlen(what));
}

/* In the arena; s itself where it has none.  Empty: no memory. */
static struct km_str replace(struct km_arena *arena, struct km_str s, struct km_str what,
                             struct km_str by)
{
    const char *at;

    while (s.n && (at = memmem(s.p, s.n, what.p, what.n)) != NULL) {
        size_t before = (size_t)(at - s.p);

        s = km_arena_cat(
            arena,
            (struct km_str[]){ km_str_sub(s, 0, before), by, km_str_skip(s, before + what.n) }, 3);
    }
    return s;
}

/* --- a moment's wait --- */

struct moment {
    struct km_timer timer;
    struct km_link *link;
    bool waited, holds_end, doubts;
};

static void on_over(void *ctx)
{
    struct moment *m = ctx;
    struct km_err err;

    if (m->doubts)
        km_fail(&err, KM_E_FORBIDDEN, "The guard does not let this pass.");
    km_link_go_on(m->link, KM_UNIT_PASS, m->doubts ? &err : NULL);
}

static int wait(struct km_link *link, struct km_piece *piece, const char *for_what)
{
    struct moment *m = link->state;

    if (m->waited || !has(piece->delta ? piece->delta->text : piece->bytes, for_what))
        return KM_UNIT_PASS;
    m->waited = true;
    km_timer_start(&m->timer, MOMENT_MS);
    return KM_UNIT_WAIT;
}

static void stop(struct km_link *link)
{
    struct moment *m = link->state;

    if (m->link)
        km_timer_stop(&m->timer);
}

static int put(struct km_call *call, struct km_chain *chain, const struct km_unit *unit,
               struct km_err *err)
{
    struct km_link *link = km_chain_put(chain, unit, NULL);
    struct moment *m = link ? link->state : NULL;

    if (!m)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    m->link = link;
    km_timer_init(&m->timer, call->w->loop, on_over, m);
    return 0;
}

/* --- what is asked --- */

static int take_asked(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    (void)err;
    if (has(piece->bytes, word.p)) {
        piece->bytes = replace(link->chain->arena, piece->bytes, word, mark);
        piece->lasts = true; /* in the arena; what came may be gone when this returns */
    }
    return wait(link, piece, "slowly");
}

static const struct km_unit asked = { "asked", sizeof(struct moment), take_asked, stop };

static int join_asked(struct km_call *call, struct km_chain *chain, struct km_err *err)
{
    return call->kind->needs_body || !call->api ? put(call, chain, &asked, err) : 0;
}

/* --- what is said --- */

static int take_said(struct km_link *link, struct km_piece *piece, struct km_err *err)
{
    struct km_str text = piece->delta ? piece->delta->text : piece->bytes;
    struct moment *m = link->state;

    if (piece->what == KM_PIECE_HEAD) {
        piece->length = UINT64_MAX;
        return KM_UNIT_PASS;
    }
    if (piece->what == KM_PIECE_END && m->holds_end)
        return KM_UNIT_HOLD;
    m->holds_end = m->holds_end || has(text, "hold the end");
    if (has(text, "garbled") && has(text, "structuredContent"))
        piece->bytes = KM_STR("{\"content\":[");
    if (has(text, "forbidden"))
        return km_fail(err, KM_E_FORBIDDEN, "The guard does not let this pass.");
    if (has(text, mark.p) && piece->delta) {
        struct km_chat_event *own = km_arena_alloc(link->chain->arena, sizeof *own);

        if (!own)
            return km_fail(err, KM_E_NOMEM, "out of memory");
        *own = *piece->delta;
        own->text = replace(link->chain->arena, text, mark, word);
        piece->delta = own;
    } else if (has(text, mark.p)) {
        piece->bytes = replace(link->chain->arena, text, mark, word);
    }
    m->doubts = has(text, "doubted");
    return wait(link, piece, m->doubts ? "doubted" : "patience");
}

static const struct km_unit said = { "said", sizeof(struct moment), take_said, stop };

static int join_said(struct km_call *call, struct km_chain *chain, struct km_err *err)
{
    if (has(km_call_given(call), "unjoinable"))
        return km_fail(err, KM_E_FORBIDDEN, "The guard cannot stand here.");
    return put(call, chain, &said, err);
}

/* --- by heart --- */

static int answer(struct km_call *call, struct km_err *err)
{
    if (call->api || !has(km_call_given(call), "by heart"))
        return KM_HOOK_PASS;
    call->parts = km_arena_alloc(&call->arena, sizeof *call->parts);
    if (!call->parts)
        return km_fail(err, KM_E_NOMEM, "out of memory");
    call->parts[0] = KM_STR("{\"content\":[{\"type\":\"text\",\"text\":\"[[1]], by heart\"}],"
                            "\"structuredContent\":{\"result\":\"[[1]], by heart\"}}");
    call->nparts = 1;
    return KM_HOOK_ANSWERED;
}

/* --- the program --- */

static const struct km_call_unit asked_row = { "asked", 0, join_asked };
static const struct km_call_unit said_row = { "said", 0, join_said };
static const struct km_call_hook heart_row = { .name = "by_heart", .run = answer };
static const struct km_call_unit *const request[] = { &asked_row, NULL };
static const struct km_call_unit *const deliver[] = { &said_row, NULL };
static const struct km_call_hook *const guarded[] = { &heart_row, NULL };

/* In place of the program's own (app/hooks.c), with all that stand there. */
static const struct km_call_hook *const prepared[] = { &km_mcp_chat_hook, &km_answers_hook,
                                                       &km_file_refs_hook, &km_other_models_hook,
                                                       NULL };
static const struct km_call_unit *const fetched[] = { &km_made_unit, NULL };
static const struct km_call_unit *const shown[] = { &km_answers_unit, NULL };

const struct km_call_hooks km_app_hooks = { .at = { [KM_HOOK_PREPARED] = prepared,
                                                    [KM_HOOK_GUARDED] = guarded },
                                            .units = { [KM_UNITS_REQUEST] = request,
                                                       [KM_UNITS_FETCH] = fetched,
                                                       [KM_UNITS_DELIVER] = deliver,
                                                       [KM_UNITS_SHOWN] = shown },
                                            .of_models = &km_kind_llm };

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--shim") == 0)
        return km_shim_main(argc, argv);
    return km_cli_main(km_app_commands, argc, argv);
}
