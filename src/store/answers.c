/* SPDX-License-Identifier: Apache-2.0 */
/* answers.c - see answers.h for the contract.
 *
 *     loop --put--> writer: seal, INSERT OR REPLACE, DELETE what is over
 *     loop --get--> writer (nothing: what came before is committed) --> reader: SELECT, open
 *
 * Sealing and opening are done on the store's threads, for an answer can be long.  The owner and
 * the id are bound into the seal: a row that is moved to another owner does not open.
 */
#include "store/answers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/time.h"
#include "store/inside.h"
#include "store/reader.h"
#include "store/statements.h"
#include "store/writer.h"
#include "sys/read_file.h"

#define RECORD_MOST ((size_t)32 * 1024 * 1024)
#define FORGET_MOST "50" /* a put */

/* --- the key --- */

static int read_key(const char *path, uint8_t key[32], struct km_err *err)
{
    struct km_buf b KM_CLEANUP(km_buf_done) = KM_BUF(64);
    struct km_err why = { 0 };
    int r = km_file_read(path, KM_FILE_REGULAR, &b, &why);
    bool whole = r == 0 && b.n == 32;

    if (whole)
        memcpy(key, b.p, 32);
    km_wipe(b.p, b.n);
    if (whole || r == KM_E_NOT_FOUND)
        return r;
    return r == KM_E_SYSTEM ? km_fail(err, r, "cannot read %s: %s", path, why.text)
                            : km_fail(err, KM_E_STORE, "%s is not a key of 32 bytes", path);
}

/* Written whole under another name first: two processes that start at once agree on one. */
static int make_key(const char *path, struct km_err *err)
{
    char temp[600];
    uint8_t key[32];
    int fd, r = km_random(key, sizeof key, err);
    bool ok;

    if (r < 0)
        return r;
    snprintf(temp, sizeof temp, "%s.%ld", path, (long)getpid());
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ok = fd >= 0 && write(fd, key, sizeof key) == (ssize_t)sizeof key && fsync(fd) == 0;
    km_wipe(key, sizeof key);
    if (!ok)
        r = km_fail_errno(err, errno, "cannot write %s", temp);
    if (fd >= 0)
        close(fd);
    if (r == 0 && link(temp, path) < 0 && errno != EEXIST)
        r = km_fail_errno(err, errno, "cannot write %s", path);
    if (fd >= 0)
        unlink(temp);
    return r;
}

int km_answers_key(const char *state_dir, bool make, uint8_t ret_key[32], struct km_err *err)
{
    char path[512];
    int n = snprintf(path, sizeof path, "%s/answers.key", state_dir), r;

    if (n < 0 || (size_t)n >= sizeof path)
        return km_fail(err, KM_E_STORE, "the path of state_dir is too long");
    r = read_key(path, ret_key, err);
    if (r != KM_E_NOT_FOUND || !make)
        return r;
    (void)mkdir(state_dir, 0700); /* where the store lies elsewhere it may be missing */
    r = make_key(path, err);
    if (r == 0)
        r = read_key(path, ret_key, err);
    return r == KM_E_NOT_FOUND ? km_fail(err, KM_E_STORE, "%s went away", path) : r;
}

int km_answers_key_for(const char *state_dir, bool make, struct km_str purpose, uint8_t ret_key[32],
                       struct km_err *err)
{
    uint8_t root[KM_AEAD_KEY_LEN];
    int r = km_answers_key(state_dir, make, root, err);

    if (r == 0)
        km_hmac_sha256(km_str((const char *)root, sizeof root), purpose, ret_key);
    km_wipe(root, sizeof root);
    return r;
}

/* --- operations --- */

struct op {
    struct km_op op; /* first: the writer's pointer is ours */
    struct km_store *store;
    int64_t expires_us;
    int64_t now_us; /* when it runs */
    uint8_t owner[32];
    struct km_str id, record;
    struct km_str sealed; /* while it runs */
    km_store_json_fn *fn; /* of a get */
    void *ctx;
};

/* What a reader is asked. */
struct asked {
    const char *state_dir;
    int64_t now_us; /* when it runs */
    uint8_t owner[32];
    struct km_str id; /* into bytes, when it runs */
    size_t id_n;
    char bytes[KM_ANSWERS_ID_BYTES];
};

/* What lies there. */
struct kept {
    uint8_t owner[32];
    struct km_str sealed;
};

enum { PUT, FORGET, DELETE, GET };

#define MINE "id = ?1 AND (owner = ?2 OR owner IN (SELECT old FROM key_heirs WHERE hash = ?2))"

static const struct km_statement rows[] = {
    [PUT] = { "answers.put",
              { "INSERT OR REPLACE INTO answers (id, owner, expires_us, sealed)"
                " VALUES (?1, ?2, ?3, ?4)" },
              .in = KM_FIELDS(KM_FIELD(struct op, id), KM_FIELD(struct op, owner),
                              KM_FIELD(struct op, expires_us),
                              KM_FIELD_AS(struct op, sealed, KM_FIELD_BLOB)) },
    [FORGET] = { "answers.forget",
                 { "DELETE FROM answers WHERE (owner, id) IN (SELECT owner, id FROM answers"
                   " WHERE expires_us <= ?1 ORDER BY expires_us LIMIT " FORGET_MOST ")" },
                 .in = KM_FIELDS(KM_FIELD(struct op, now_us)) },
    [DELETE] = { "answers.delete",
                 { "DELETE FROM answers WHERE expires_us > ?3 AND " MINE },
                 .in = KM_FIELDS(KM_FIELD(struct op, id), KM_FIELD(struct op, owner),
                                 KM_FIELD(struct op, now_us)) },
    [GET] = { "answers.get",
              { "SELECT owner, sealed FROM answers WHERE expires_us > ?3 AND " MINE },
              .in = KM_FIELDS(KM_FIELD(struct asked, id), KM_FIELD(struct asked, owner),
                              KM_FIELD(struct asked, now_us)),
              .out = KM_FIELDS(KM_FIELD(struct kept, owner),
                               KM_FIELD_AS(struct kept, sealed, KM_FIELD_BLOB)) },
};
const struct km_statements km_answers_statements = KM_STATEMENTS(rows);

static struct op *op_of(struct km_op *op)
{
    return (struct op *)(void *)op;
}

static struct op *op_new(struct km_store *store, struct km_mailbox *reply, km_op_fn *run,
                         struct km_str id, const uint8_t owner[32], struct km_str record)
{
    struct op *op = km_op_new(sizeof *op, id.n + record.n, run);

    km_assert(op != NULL); /* without it the caller could never be answered */
    op->op.reply = reply;
    op->store = store;
    memcpy(op->owner, owner, 32);
    op->id = km_op_keep(&op->op, id);
    op->record = km_op_keep(&op->op, record);
    return op;
}

static struct km_str bound_to(struct km_buf *b, const uint8_t owner[32], struct km_str id)
{
    km_buf_bytes(b, owner, 32);
    km_buf_str(b, id);
    return km_buf_view(b);
}

static int run_put(struct km_op *base, struct km_db *db, struct km_apply *apply, struct km_err *err)
{
    struct op *op = op_of(base);
    struct km_buf sealed KM_CLEANUP(km_buf_done) = KM_BUF(RECORD_MOST + 64);
    struct km_buf aad KM_CLEANUP(km_buf_done) = KM_BUF(32 + KM_ANSWERS_ID_BYTES);
    uint8_t key[KM_AEAD_KEY_LEN];
    int r = km_answers_key(op->store->state_dir, true, key, err);

    (void)apply;
    if (r == 0)
        r = km_aead_seal(key, op->record, bound_to(&aad, op->owner, op->id), &sealed, err);
    km_wipe(key, sizeof key);
    op->sealed = km_buf_view(&sealed);
    op->now_us = km_wall_us();
    if (r == 0)
        r = km_db_run(db, &rows[PUT], op, NULL, err);
    return r == 0 ? km_db_run(db, &rows[FORGET], op, NULL, err) : r;
}

void km_store_answer_put(struct km_store *store, struct km_mailbox *reply,
                         const struct km_answer_row *row, km_store_done_fn *done, void *ctx)
{
    struct op *op;

    if (!row->id.n || row->id.n > KM_ANSWERS_ID_BYTES || row->record.n > RECORD_MOST)
        return; /* too long to be kept: it will not be found */
    op = op_new(store, done ? reply : NULL, run_put, row->id, row->owner, row->record);
    op->expires_us = row->expires_us;
    op->op.done = done;
    op->op.ctx = ctx;
    km_writer_submit(store->writer, &op->op);
}

static int no_answer(struct km_err *err)
{
    return km_fail(err, KM_E_NOT_FOUND, "there is no such answer");
}

static int run_delete(struct km_op *base, struct km_db *db, struct km_apply *apply,
                      struct km_err *err)
{
    struct op *op = op_of(base);
    int64_t changed = 0;
    int r;

    (void)apply;
    op->now_us = km_wall_us();
    r = km_db_run(db, &rows[DELETE], op, &changed, err);
    return r == 0 && changed == 0 ? no_answer(err) : r;
}

void km_store_answer_delete(struct km_store *store, struct km_mailbox *reply, struct km_str id,
                            const uint8_t owner[32], km_store_done_fn *done, void *ctx)
{
    struct op *op = op_new(store, reply, run_delete, km_str_sub(id, 0, KM_ANSWERS_ID_BYTES + 1),
                           owner, KM_STR_NONE);

    op->op.done = done;
    op->op.ctx = ctx;
    km_writer_submit(store->writer, &op->op);
}

/* --- reading --- */

static int run_get(struct km_db *db, const void *query, struct km_buf *out, struct km_err *err)
{
    struct asked a = *(const struct asked *)query;
    struct km_buf aad KM_CLEANUP(km_buf_done) = KM_BUF(32 + KM_ANSWERS_ID_BYTES);
    struct km_ready *get KM_CLEANUP(km_ready_done) = NULL;
    uint8_t key[KM_AEAD_KEY_LEN];
    struct kept row;
    enum km_row got = KM_ROW_END;
    int r;

    a.now_us = km_wall_us();
    a.id = km_str(a.bytes, a.id_n);
    r = km_db_ask(db, &rows[GET], &a, &get, err);
    if (r == 0)
        r = km_ready_next(get, &row, &got, err);
    if (r < 0 || !got)
        return r < 0 ? r : no_answer(err);
    r = km_answers_key(a.state_dir, false, key, err);
    if (r == 0 && got == KM_ROW)
        r = km_aead_open(key, row.sealed, bound_to(&aad, row.owner, a.id), out, err);
    km_wipe(key, sizeof key);
    return r < 0 ? km_fail(err, KM_E_NOT_FOUND, "the answer was sealed by another key") : 0;
}

/* A store that cannot be written can still be read. */
static void on_written(void *ctx, const struct km_err *err)
{
    struct op *op = ctx;
    struct asked a = { .state_dir = op->store->state_dir, .id_n = op->id.n };

    (void)err;
    memcpy(a.owner, op->owner, sizeof a.owner);
    if (op->id.n)
        memcpy(a.bytes, op->id.p, op->id.n);
    km_reader_ask(op->store, op->op.reply, run_get, &a, sizeof a, op->fn, op->ctx);
}

void km_store_answer_get(struct km_store *store, struct km_mailbox *reply, struct km_str id,
                         const uint8_t owner[32], km_store_json_fn *fn, void *ctx)
{
    struct op *op = op_new(store, reply, km_op_nothing,
                           id.n > KM_ANSWERS_ID_BYTES ? KM_STR_NONE : id, owner, KM_STR_NONE);

    op->fn = fn;
    op->ctx = ctx;
    op->op.done = on_written;
    op->op.ctx = op;
    km_writer_submit(store->writer, &op->op);
}
