/* SPDX-License-Identifier: Apache-2.0 */
/* upload.h - a form on its way through: audio, images, files.
 *
 * What of it stands before the bound (kanmon_settings.limits.upload_ahead_bytes) is held and read:
 * the model, and all that decides where the form goes and what it costs, must be there.  A form
 * that ends before the bound is a body as any other, and is sent again when an upstream fails.
 * The rest of a longer one is passed on as it comes: from its first byte on nothing can be tried
 * again, and a field that decides and comes only then breaks it off.
 *
 * OpenAI's library for Node puts the file before the model when its caller did.  Such a form goes
 * to a temporary file until its end and is then a body as any other.
 */
#ifndef KM_GATEWAY_UPLOAD_H
#define KM_GATEWAY_UPLOAD_H

#include "call/call.h"

struct km_upload;

/* The call's; NULL: its body is no form, or was not begun. */
struct km_upload *km_upload_of(const struct km_call *call);

/* Is the request's body a form? */
bool km_upload_is_form(const struct km_call *call);

/* Begins to read, once; KM_E_AGAIN until enough is here (km_call_resume() follows).  needs_model:
 * where the held part does not name one the form is read on, into a temporary file, up to
 * kanmon_settings.limits.upload_spool_bytes. */
int km_upload_take(struct km_call *call, bool needs_model, struct km_err *err) KM_MUST_USE;

/* A field's value, a view that lives as long as the upload holds it; false: it is not there. */
bool km_upload_field(const struct km_upload *u, struct km_str name, struct km_str *ret);
bool km_upload_whole(const struct km_upload *u); /* all of the form was read */
int64_t km_upload_files(const struct km_upload *u); /* parts that are files; -1: not known yet */
int64_t km_upload_bytes(const struct km_call *call); /* the form's length, at most */
bool km_upload_poured(const struct km_call *call); /* bytes have left that cannot be had again */

/* Fills the attempt's request: `model`, unless empty, in place of what the form says or put in
 * front of it, and without the gateway's own fields.  head: the attempt's header lines, of which
 * Content-Type is replaced. */
int km_upload_send(struct km_call *call, struct km_str model, struct km_str head,
                   struct km_err *err) KM_MUST_USE;

/* From the callbacks of the exchange and of the attempt. */
void km_upload_piece(struct km_call *call, struct km_str bytes, bool last,
                     const struct km_err *err);
void km_upload_room(struct km_call *call);

#endif
