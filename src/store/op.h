/* SPDX-License-Identifier: Apache-2.0 */
/* op.h - what is asked of the writer, and the texts it takes along.
 *
 *     loop: km_op_new ─> km_op_keep ... ─> km_writer_submit
 *     writer: run, inside the transaction ─> reply: done ─> free, which wipes the texts
 *
 *     [ struct km_op | what the module adds | texts ]   one piece of memory: it crosses as it is
 */
#ifndef KM_STORE_OP_H
#define KM_STORE_OP_H

#include "store/apply.h"
#include "store/audit.h"

/* One queued operation; a module derives its own by putting this first. */
struct km_op;
typedef int km_op_fn(struct km_op *op, struct km_db *db, struct km_apply *apply,
                     struct km_err *err);

struct km_op {
    struct km_msg msg;
    struct km_op *next;
    km_op_fn *run; /* inside the transaction, on the writer's thread */
    const struct km_statement *row; /* of km_op_new_row() */
    void (*free)(struct km_op *op);
    void (*committed)(
        struct km_op *op); /* on the writer's thread, before it is answered; or NULL */
    struct km_mailbox *reply; /* NULL: nobody asks */
    km_store_done_fn *done;
    void *ctx;
    bool whole; /* its failure is the transaction's */
    bool eventual; /* nobody waits: committed within commit_ms, as what a ledger holds */
    int result;
    struct km_err err;
    char *texts, *next_text, *end; /* of km_op_new() */
};

/* One of `size` bytes, a struct km_op first and the rest zero, with room for so many bytes of
 * texts.  NULL: no memory. */
void *km_op_new(size_t size, size_t texts, km_op_fn *run);

/* The same of one that is one statement, whose values are members of what the module derives. */
void *km_op_new_row(size_t size, size_t texts, const struct km_statement *row);

/* Who is told after the commit; a NULL done: nobody. */
void km_op_tell(struct km_op *op, struct km_mailbox *reply, km_store_done_fn *done, void *ctx);

/* A copy that lives as long as the operation; its room was asked for. */
struct km_str km_op_keep(struct km_op *op, struct km_str s);

/* Room of an audit record's texts; and a copy of the record that keeps them. */
size_t km_op_audit_room(const struct km_audit *audit);
struct km_audit km_op_keep_audit(struct km_op *op, const struct km_audit *audit);

/* Wipes the texts and frees; for a module with something of its own to free first. */
void km_op_free(struct km_op *op);

/* The run of one that is only to be behind all that were submitted before it. */
int km_op_nothing(struct km_op *op, struct km_db *db, struct km_apply *apply, struct km_err *err);

#endif
