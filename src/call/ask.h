/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h - the one way in for whatever asks something in somebody's name.
 *
 *     outer call ── asker ──┬── question ──> a call of its own, its port the question's
 *                           └── question ──> ...              at most kanmon_settings.inner_calls
 *
 * What is made of several calls is not trusted more than each of them: a question goes through all
 * that a request passes, in the name of whoever asked: rights, limits, approval, books, audit log
 * and log.  Its key is looked up anew, for it may have been changed or deleted since.  It inherits
 * how long its asker still has, whose id stands in its log lines, and how deep it is.  Where the
 * outer call holds the key's place among calls that run at once, what it asks takes none.
 *
 * Thread: the asker's worker, all of it.  No event comes from within a function of this file.
 */
#ifndef KM_CALL_ASK_H
#define KM_CALL_ASK_H

#include "call/call.h"

#define KM_ASK_DEPTH 8 /* a question of a question of ... */

/* Who asks.  Lives as long as its questions, in whatever asks. */
struct km_asker {
    struct km_visit *visit; /* in whose name; it outlives the asker */
    struct km_headers headers; /* what it came with: it goes along */
    uint64_t deadline_ms; /* km_loop_now_ms(); 0: questions have their own time only */
    bool has_place; /* the outer call holds the place (km_call_kind.outer) */
    unsigned open; /* questions that are not over */
};

struct km_question;

/* The answer as it comes; a NULL row is not told. */
struct km_answer_events {
    void (*on_head)(void *ctx, int status, struct km_str lines); /* as km_header_next() reads */
    void (*on_bytes)(void *ctx, struct km_str bytes);
    /* It is over, and the question is gone; err: it broke off, or never began. */
    void (*on_done)(void *ctx, const struct km_err *err);
};

struct km_question_args {
    struct km_str path; /* what it would be called over HTTP; POST */
    struct km_str query;
    struct km_str head; /* more header lines; a field of the asker's that is in it is left out */
    struct km_str body; /* JSON */
    bool mcp; /* the asker's own choice of MCP servers goes along (x-mcp-...) */
};

/* Asks what `api` has for it, as a call of that kind.  All of args is copied.  KM_E_LIMIT: too many
 * at once, or too deep; KM_E_UNAUTHENTICATED: the key is gone, or may not be used any more. */
int km_ask_call(struct km_asker *a, const struct km_call_kind *kind, const struct km_llm_api *api,
                const struct km_question_args *args, const struct km_answer_events *events,
                void *ctx, struct km_question **ret, struct km_err *err) KM_MUST_USE;

/* The asker takes no more for now; what answers is paused at its next bytes. */
void km_question_pause(struct km_question *q);
void km_question_resume(struct km_question *q);
/* Nobody wants the answer any more: no event comes, the pointer is dead.  NULL is fine. */
void km_question_cancel(struct km_question *q);

/* --- for kinds of question that begin otherwise than as a call (mcp/within.h) --- */

/* begin: a moment later, with the question's port, request and visit ready; it answers the port,
 * now or later. */
int km_question_new(struct km_asker *a, const struct km_question_args *args,
                    void (*begin)(struct km_question *q), const struct km_answer_events *events,
                    void *ctx, struct km_question **ret, struct km_err *err) KM_MUST_USE;
struct km_port *km_question_port(struct km_question *q);
const struct km_request *km_question_request(const struct km_question *q);
struct km_visit *km_question_visit(struct km_question *q);
struct km_str km_question_body(const struct km_question *q);

#endif
