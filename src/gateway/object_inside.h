/* SPDX-License-Identifier: Apache-2.0 */
/* object_inside.h - a call for a file or a batch from the inside; for object_call.c, which says
 * what it is about, and object_batch.c alone. */
#ifndef KM_GATEWAY_OBJECT_INSIDE_H
#define KM_GATEWAY_OBJECT_INSIDE_H

#include "gateway/call.h"
#include "store/objects.h"

#define KM_OBJECT_LINE ((size_t)4 << 20) /* of a batch's file: longer ones are not read */

struct km_object_work {
    struct km_str id; /* of the path, or the file a batch is made of */
    struct km_object row;
    bool known; /* row is filled */
    /* the file of a batch that is to be made */
    bool checking, checked;
    int64_t most; /* that its lines may cost */
    struct km_err denied;
    struct km_str body; /* the upstream's answer, once it is kept */
    bool kept;
    /* a batch that has ended */
    bool counted, counting, claimed, asked;
    struct km_str output; /* the file's id */
    struct km_str model; /* that its lines name */
    struct km_buf line;
    bool long_line;
    struct km_usage used;
    struct km_price price;
};

/* Bytes of a batch's file: its lines are checked or counted, as call->object says. */
void km_object_lines(struct km_call *call, struct km_str bytes);
void km_object_last_line(struct km_call *call); /* one without an end */
/* A `usage` of an answer or of a batch. */
void km_object_add_usage(struct km_object_work *o, const struct km_json *usage);
/* The price of the model that the batch's lines name, where it is one of ours or listed. */
struct km_price km_object_batch_price(const struct km_call *call);

#endif
