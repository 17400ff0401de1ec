/* SPDX-License-Identifier: Apache-2.0 */
/* spill_ledger.c - see spill_ledger.h.
 *
 *     chunk [ record | void | record ]  ->  frame [ record record ]  ->  rows, many frames in one
 *                                                          transaction with meta 'spill_seq'
 *
 * Records are what a hand-over sends too: this machine's layout, checked whole before they are
 * believed.  What came twice adds nothing, for the call's id is the key of its row; an audit record
 * has no such id, and is safe by the number of its frame.
 */
#include "store/spill_ledger.h"

#include <stdlib.h>

#include "store/statements.h"

#define GATHER_BYTES ((size_t)1 << 20) /* of frames in one transaction */

static size_t pack(struct km_chunk *c, char *out)
{
    size_t n = 0;

    for (struct km_record *rec = NULL; (rec = km_chunk_next(c, rec));) {
        struct km_record *copy = (struct km_record *)(void *)(out + n);

        if (rec->kind == KM_RECORD_VOID)
            continue;
        memcpy(copy, rec, rec->size);
        copy->done = NULL;
        copy->ctx = NULL;
        copy->alone = 0; /* its intent may be in the store */
        n += rec->size;
    }
    return n;
}

int km_spill_chunks(struct km_spill *s, struct km_chunk *list, struct km_err *err)
{
    bool any = false;
    char *buf = NULL;
    int r = 0;

    for (struct km_chunk *c = list; r == 0 && c; c = c->next) {
        struct km_str bytes;

        if (c->safe)
            continue;
        if (!buf && !(buf = malloc(KM_CHUNK_BYTES)))
            return km_fail(err, KM_E_NOMEM, "store: out of memory");
        bytes = km_str(buf, pack(c, buf));
        if (bytes.n)
            r = km_spill_append(s, &bytes, 1, err);
        if (r == 0)
            km_chunk_spilled(c, bytes.n ? km_spill_last(s) : 0);
        any = any || bytes.n;
    }
    free(buf);
    if (r == 0 && any)
        r = km_spill_sync(s, err);
    return r;
}

int64_t km_spill_last_of(const struct km_chunk *list)
{
    int64_t last = 0;

    for (; list; list = list->next)
        if (list->spilled > last)
            last = list->spilled;
    return last;
}

enum { NOTE, NOTED };

static const struct km_statement rows[] = {
    [NOTE] = { "spill.note",
               { "INSERT INTO meta (name, value) VALUES ('spill_seq', ?1)"
                 " ON CONFLICT DO UPDATE SET value = max(value, excluded.value)" },
               .in = KM_NUMBER },
    [NOTED] = { "spill.noted",
                { "SELECT value FROM meta WHERE name = 'spill_seq'" },
                .out = KM_NUMBER },
};
const struct km_statements km_spill_statements = KM_STATEMENTS(rows);

int km_spill_note(struct km_db *db, int64_t seq, struct km_err *err)
{
    return km_db_run(db, &rows[NOTE], &seq, NULL, err);
}

int km_spill_noted(struct km_db *db, int64_t *ret_seq, struct km_err *err)
{
    return km_db_number(db, &rows[NOTED], ret_seq, err);
}

struct replay {
    struct km_db *db;
    struct km_apply *apply;
    int64_t done; /* the store has frames up to this one */
    int64_t last; /* of those gathered */
    int64_t upto; /* what comes behind is not asked for */
    bool rehearsal; /* the transaction is another's */
    struct km_buf gathered; /* frames, one behind the other */
    size_t n;
};

static int apply_records(struct replay *p, struct km_err *err)
{
    struct km_str bytes = km_buf_view(&p->gathered);
    int r = 0;

    while (r == 0 && bytes.n) {
        const struct km_record *rec = (const struct km_record *)(const void *)bytes.p;

        r = km_apply_record(p->apply, rec, err);
        bytes = km_str_skip(bytes, rec->size);
        p->n++;
    }
    return r;
}

/* In the file, and not only in its log: that must not grow with what is read, and the frames go
 * when all of it is done. */
static int sync_file(struct km_db *db, struct km_err *err)
{
    return db->driver->file ? db->driver->file->sync(db, err) : 0;
}

static int rehearse_gathered(struct replay *p, struct km_err *err)
{
    int r = apply_records(p, err);

    if (r == 0)
        r = km_apply_finish(p->apply, err);
    if (r == 0)
        km_apply_committed(p->apply);
    km_buf_reset(&p->gathered);
    return r;
}

static int commit_gathered(struct replay *p, struct km_err *err)
{
    int r;

    if (p->gathered.n == 0)
        return 0;
    if (p->rehearsal)
        return rehearse_gathered(p, err);
    r = p->db->driver->begin(p->db, err);
    if (r < 0)
        return r;
    r = apply_records(p, err);
    if (r == 0)
        r = km_apply_finish(p->apply, err);
    if (r == 0)
        r = km_spill_note(p->db, p->last, err);
    if (r == 0)
        r = p->db->driver->commit(p->db, err);
    if (r == 0) {
        km_apply_committed(p->apply);
        p->done = p->last;
        km_buf_reset(&p->gathered);
        return sync_file(p->db, err);
    }
    km_apply_rolled_back(p->apply);
    p->db->driver->rollback(p->db);
    return r;
}

/* The whole records that a frame begins with, also those of the version before. */
static void gather(struct km_buf *gathered, struct km_str bytes)
{
    size_t n;

    do {
        km_record_read(bytes, gathered, &n); /* none: of a later version, the rest cannot be told */
        bytes = km_str_skip(bytes, n);
    } while (n);
}

static int on_frame(void *ctx, int64_t seq, struct km_str bytes, struct km_err *err)
{
    struct replay *p = ctx;

    if (seq <= p->done || seq > p->upto)
        return 0;
    gather(&p->gathered, bytes);
    if (km_buf_failed(&p->gathered))
        return km_fail(err, KM_E_NOMEM, "store: out of memory");
    p->last = seq;
    return p->gathered.n >= GATHER_BYTES ? commit_gathered(p, err) : 0;
}

static int read_all(struct km_spill *s, struct replay *p, struct km_err *err)
{
    int r = km_spill_noted(p->db, &p->done, err);

    km_buf_init(&p->gathered, GATHER_BYTES + (size_t)2 * KM_SPILL_FRAME);
    if (r == 0)
        r = km_spill_read(s, on_frame, p, err);
    if (r == 0)
        r = commit_gathered(p, err);
    km_buf_done(&p->gathered);
    return r;
}

int km_spill_replay(struct km_spill *s, struct km_db *db, struct km_apply *apply, int64_t upto,
                    size_t *ret_n, int64_t *ret_done, struct km_err *err)
{
    struct replay p = { .db = db, .apply = apply, .upto = upto };
    int r = read_all(s, &p, err);

    *ret_n = p.n;
    *ret_done = p.done;
    return r;
}

int km_spill_rehearse(struct km_spill *s, struct km_db *db, struct km_apply *apply,
                      struct km_err *err)
{
    struct replay p = { .db = db, .apply = apply, .upto = INT64_MAX, .rehearsal = true };

    return read_all(s, &p, err);
}
