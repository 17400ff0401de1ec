/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - a call for a file or a batch from the inside; for the files of this folder alone,
 * call.c says what it is about. */
#ifndef KM_GATEWAY_OBJECT_INSIDE_H
#define KM_GATEWAY_OBJECT_INSIDE_H

#include "call/call.h"
#include "store/objects.h"

enum km_object_action {
    KM_OBJECT_MAKE,
    KM_OBJECT_GET,
    KM_OBJECT_CONTENT,
    KM_OBJECT_REMOVE,
    KM_OBJECT_CANCEL,
};

/* A route's row. */
struct km_object_api {
    struct km_llm_api api; /* first */
    const char *kind; /* "file", "batch" */
    enum km_object_action action;
};

extern const struct km_object_api km_object_get_batch;

#define KM_OBJECT_LINE ((size_t)4 << 20) /* of a batch's file: longer ones are not read */
#define KM_OBJECT_LINE_WRITTEN ((size_t)16 << 20) /* of the file that it wrote, images and all */

struct km_object_work {
    struct km_str id; /* of the path, or the file a batch is made of */
    struct km_object row;
    bool known; /* row is filled */
    bool kept; /* body is */
    /* the file of a batch that is to be made */
    bool checking, checked;
    /* a batch that has ended */
    bool counted, counting, claimed, asked;
    bool free; /* there is nothing to charge */
    bool blind; /* its output file cannot be had: what it reports has to do */
    bool uncounted; /* a line was unreadable or a count was none: what is charged is an estimate */
    bool priced; /* cost is of lines whose model has a price */
    bool model_known;
    uint8_t owner[32]; /* whose it is: km_visit_hash() */
    struct km_str endpoint; /* of a batch that is to be made: as its maker said */
    int64_t most; /* that its lines may cost */
    int64_t unbounded; /* lines that bound their output nowhere */
    struct km_err denied;
    struct km_str body; /* the upstream's answer, once it is kept */
    struct km_str output; /* the id of the file that it wrote */
    struct km_buf line;
    struct km_usage report; /* the batch's own, if it is known */
    int64_t lines, unread; /* answers that were counted, and lines that could not be */
    struct km_usage used;
    int64_t cost; /* nano-USD */
    size_t model_n;
    char model[200]; /* of the line before, and its price */
    struct km_price line_price;
    struct km_price price; /* of all of it */
    struct km_batch_poll *poll; /* the gateway asks, not the owner */
};

/* --- call.c --- */
extern const char km_object_work_name[]; /* kind->work_name of both kinds */

static inline struct km_object_work *km_object_of(const struct km_call *call)
{
    return km_call_work(call, km_object_work_name);
}

static inline const struct km_object_api *km_object_api(const struct km_call *call)
{
    return (const struct km_object_api *)(const void *)call->api;
}

static inline bool km_object_is_batch(const struct km_call *call)
{
    return km_object_api(call)->kind[0] == 'b';
}

/* call->at->out: what is in the file, which a batch reads or has written. */
void km_object_ask_content(struct km_call *call, struct km_str file);

/* --- list.c --- */
void km_object_list(void *visit, struct km_exchange *x, const struct km_route_match *match);

/* --- charge.c --- */
/* The answer is here: km_call_kind.complete() for all but contents. */
int km_object_end(struct km_call *call, struct km_err *err) KM_MUST_USE;
void km_object_usage(struct km_call *call, struct km_usage *ret);

/* --- poll.c: of km_kind_batch_look --- */
void km_batch_look_books(struct km_call *call, struct km_ledger_entry *e);
bool km_batch_look_ended(struct km_call *call);

/* --- line.c --- */
/* A line of the file of a batch that is to be made: what it may cost is added, what it names is
 * noted; or why it may not be. */
int km_object_judge_line(struct km_call *call, struct km_arena *scratch, struct km_str text,
                         struct km_err *err) KM_MUST_USE;

/* --- batch.c --- */
/* Bytes of a batch's file: its lines are checked or counted, as its work says. */
void km_object_lines(struct km_call *call, struct km_str bytes);
void km_object_last_line(struct km_call *call); /* one without an end */
/* What a batch says that all of it used. */
void km_object_read_report(const struct km_json *usage, struct km_usage *u);
/* All lines were counted that could be: what else there is, by what the batch reported (o->report),
 * at the price of its model where it names one. */
void km_object_settle_report(struct km_call *call, struct km_str model);

/* call.c: of a request for an object, and of what the gateway asks of a batch. */
extern const struct km_call_kind km_kind_object, km_kind_batch_look;

#endif
