/* SPDX-License-Identifier: Apache-2.0 */
/* confirm.h - private to the server: words that confirm a change that was shown before.
 *
 * A preview hands out a word.  It is good once, for ten minutes, for the same caller, server,
 * statement and values, and for no more rows than were shown.  The table is the process's, since
 * the confirmed call may come to another worker than the preview did.  Thread: any.
 */
#ifndef KM_SERVERS_POSTGRES_CONFIRM_H
#define KM_SERVERS_POSTGRES_CONFIRM_H

#include "base/str.h"

#define KM_PG_CONFIRM_WORD 32 /* hexadecimal digits */
#define KM_PG_CONFIRM_MOST 1024 /* that wait; the oldest goes */
#define KM_PG_CONFIRM_EACH 64 /* of one principal; its oldest goes */
#define KM_PG_CONFIRM_MS ((uint64_t)10 * 60 * 1000)

/* digest: of all a confirmation is for, the principal too.  ret_word: KM_PG_CONFIRM_WORD + 1
 * bytes. */
int km_pg_confirm_give(const uint8_t digest[32], struct km_str principal, int64_t rows,
                       uint64_t now_ms, char *ret_word, struct km_err *err) KM_MUST_USE;
/* Takes the word away, whatever it was for.  KM_E_FORBIDDEN: not this one. */
int km_pg_confirm_take(struct km_str word, const uint8_t digest[32], uint64_t now_ms,
                       int64_t *ret_rows, struct km_err *err) KM_MUST_USE;

#endif
