/* SPDX-License-Identifier: Apache-2.0 */
/* file_refs.h - files of a key, named by id inside the body of another call. */
#ifndef KM_GATEWAY_FILE_REFS_H
#define KM_GATEWAY_FILE_REFS_H

#include "call/call.h"
#include "call/hooks.h"

#define KM_FILE_REFS_MOST 32 /* different files in one call */
#define KM_FILE_REFS_BATCH 1000 /* in all lines of a batch */
#define KM_FILE_REFS_ITEMS 1000 /* items and spoken answers, in either */

/* At `prepared`: every file that the body names must be the key's own, and of what may serve the
 * call only those that hold all of them stay in call->match.  For kinds that say so
 * (km_call_kind.refers).  KM_E_AGAIN: the store is asked.  KM_E_NOT_FOUND, KM_E_INVALID: naming
 * the id. */
extern const struct km_call_hook km_file_refs_hook;

/* The same for a batch, whose lines are bodies: the files of one line, and, when all are there,
 * whether each is the key's own and held where the batch is made, call->at->d. */
int km_file_refs_add(struct km_call *call, const struct km_json *body,
                     struct km_err *err) KM_MUST_USE;
int km_file_refs_owned(struct km_call *call, struct km_err *err) KM_MUST_USE;

#endif
