/* SPDX-License-Identifier: Apache-2.0 */
/* op.c - see op.h.
 *
 * What a text is nobody here knows, so all are wiped: some are tokens, or what a server's
 * configuration has of them.  The room is counted before the first is kept, so none moves.
 */
#include "store/op.h"

#include <stdlib.h>

#include "base/crypto.h"

void km_op_free(struct km_op *op)
{
    km_wipe(op->texts, (size_t)(op->end - op->texts));
    free(op);
}

void *km_op_new(size_t size, size_t texts, km_op_fn *run)
{
    struct km_op *op = calloc(1, size + texts);

    km_assert(size >= sizeof *op);
    if (!op)
        return NULL;
    op->run = run;
    op->free = km_op_free;
    op->texts = op->next_text = (char *)op + size;
    op->end = op->texts + texts;
    return op;
}

static int run_row(struct km_op *op, struct km_db *db, struct km_apply *apply, struct km_err *err)
{
    (void)apply;
    return km_db_run(db, op->row, op, NULL, err);
}

void *km_op_new_row(size_t size, size_t texts, const struct km_statement *row)
{
    struct km_op *op = km_op_new(size, texts, run_row);

    if (op)
        op->row = row;
    return op;
}

void km_op_tell(struct km_op *op, struct km_mailbox *reply, km_store_done_fn *done, void *ctx)
{
    op->reply = done ? reply : NULL;
    op->done = done;
    op->ctx = ctx;
}

struct km_str km_op_keep(struct km_op *op, struct km_str s)
{
    struct km_str kept = { op->next_text, s.n };

    km_assert(s.n <= (size_t)(op->end - op->next_text));
    if (s.n)
        memcpy(op->next_text, s.p, s.n);
    op->next_text += s.n;
    return kept;
}

size_t km_op_audit_room(const struct km_audit *audit)
{
    return audit->actor.n + audit->action.n + audit->target.n + audit->detail.n;
}

struct km_audit km_op_keep_audit(struct km_op *op, const struct km_audit *audit)
{
    return (struct km_audit){ .actor = km_op_keep(op, audit->actor),
                              .action = km_op_keep(op, audit->action),
                              .target = km_op_keep(op, audit->target),
                              .detail = km_op_keep(op, audit->detail) };
}

int km_op_nothing(struct km_op *op, struct km_db *db, struct km_apply *apply, struct km_err *err)
{
    (void)op;
    (void)db;
    (void)apply;
    (void)err;
    return 0;
}
