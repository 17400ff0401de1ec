/* SPDX-License-Identifier: Apache-2.0 */
/* payers.h - who pays for a call beside its key, as the ledger has it: a text, and numbers for it.
 *
 *     text:   name RS length_s RS end_us GS  name ...     RS, GS: the bytes 0x1e, 0x1d
 *
 *     payers         number that stands for a key and a text in every table of the ledger
 *     purses         name -> number, and how long its windows are
 *     payer_purses   purse -> payers that have it
 *     purse_spend    purse, end of a window -> spent
 *
 * A name is that of a purse (policy/purse.h); to the store it is a name.  So a row of the ledger
 * says by its one number who paid, and what is summed by that number is summed by all who pay.
 *
 * A call that went from one target to another may have cost some of them a part of its cost only.
 * A record says so behind the text, and the number is that of the text before it:
 *
 *     text FS  place RS paid RS reserved GS  place ...      FS: 0x1c
 *
 * Which windows a purse has is said by km_store_purses_define(), as a key's row says its own; what
 * a text says stands in until then.
 */
#ifndef KM_STORE_PAYERS_H
#define KM_STORE_PAYERS_H

#include "store/sums.h"
#include "store/driver.h"

#define KM_PAYERS_BYTES 4096 /* of a text at most */
#define KM_PAYERS_MOST 32 /* purses */

/* One of a text. */
struct km_paying {
    struct km_str name;
    int64_t length_s; /* of its windows; 0: one for ever */
    int64_t end_us; /* an end of one */
    bool fresh; /* to be defined: one of this name was there before, and is nothing to it */
};

void km_paying_write(const struct km_paying *p, struct km_buf *out);
/* The next of what is left of it; false: it is over, or what is left is none. */
bool km_paying_next(struct km_str *text, struct km_paying *ret);

/* What one of a text pays, where that is not all; by its place there, from 0. */
struct km_paying_part {
    size_t at;
    int64_t paid, reserved; /* nano-USD */
};
/* The first begins the list of parts: behind the last of the text. */
void km_paying_write_part(const struct km_paying_part *p, struct km_buf *out);
/* As km_paying_next(), of km_paying_parts(). */
bool km_paying_next_part(struct km_str *parts, struct km_paying_part *ret);
struct km_str km_paying_whole(struct km_str text); /* without parts */
struct km_str km_paying_parts(struct km_str text); /* without what is before them; or empty */

/* SQL: the key `i` of what has the number n, which may be of payers `p`. */
#define KM_PAYER_JOIN(n)                                                                           \
    " LEFT JOIN payers p ON p.id = " n " JOIN key_ids i ON i.id = coalesce(p.key, " n ")"

/* --- in memory's words --- */

/* These purses have these windows from now on: what is spent in the current one goes along to those
 * of another length.  Nobody waits; what calls spend afterwards finds it so. */
void km_store_purses_define(struct km_store *store, const struct km_paying *purses, size_t n);

/* What is spent in each window of each purse; a purse with none is told once, with spend 0.
 * Blocking, before loops run. */
typedef void km_purse_spend_fn(void *ctx, const struct km_paying *purse, int64_t end_us,
                               int64_t spend);
int km_store_purses(struct km_store *store, km_purse_spend_fn *each, void *ctx,
                    struct km_err *err) KM_MUST_USE;

/* --- the writer's, inside its transaction (payer_books.c) --- */

struct km_payer_books;
int km_payer_books_new(struct km_db *db, struct km_payer_books **ret,
                       struct km_err *err) KM_MUST_USE;
struct km_payer_books *km_payer_books_free(struct km_payer_books *b);
/* The number of the key (its own number, and its hash) with this text; made where it is new. */
int km_payer_books_number(struct km_payer_books *b, int64_t key, const uint8_t hash[32],
                          struct km_str text, int64_t *ret, struct km_err *err) KM_MUST_USE;
/* What a call of that number cost, at that moment, is added to each of its purses at the end; or
 * what its parts say of it. */
int km_payer_books_add(struct km_payer_books *b, int64_t number, int64_t at_us, int64_t cost,
                       struct km_str parts, struct km_err *err) KM_MUST_USE;
int km_payer_books_finish(struct km_payer_books *b, struct km_err *err) KM_MUST_USE;
void km_payer_books_clear(struct km_payer_books *b); /* sums: committed, or rolled back */
void km_payer_books_forget(struct km_payer_books *b); /* what is known of rows */

/* The difference of a correction; no sum falls below zero. */
int km_payers_correct(struct km_db *db, int64_t number, int64_t more, int64_t at_us,
                      struct km_err *err) KM_MUST_USE;

#endif
