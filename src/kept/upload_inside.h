/* SPDX-License-Identifier: Apache-2.0 */
/* upload_inside.h - a form while it is held, for the files that read it and send it. */
#ifndef KM_KEPT_UPLOAD_INSIDE_H
#define KM_KEPT_UPLOAD_INSIDE_H

#include "kept/upload.h"
#include "http/multipart.h"

#define KM_UPLOAD_PARTS 128 /* in the hold */

/* Parts of the form, by place. */
struct km_upload_part {
    struct km_str name;
    uint64_t begin, value, end; /* end 0: it is not over */
    bool file;
};

struct km_upload {
    struct km_multipart form;
    struct km_spool *spool; /* whose bytes the hold is; NULL: memory */
    size_t spool_most; /* 0: it is not to be spooled, or is already */
    char *hold;
    size_t n, cap, most;
    int64_t charged;
    struct km_upload_part parts[KM_UPLOAD_PARTS];
    size_t nparts;
    bool whole, poured, released;
    bool ruled; /* it goes to a deployment, whose defaults and dropped fields count */
    struct km_str *out; /* the hold as it is sent */
    size_t nout, at, offset;
};

/* One of LiteLLM's own fields that a form may have and no upstream knows. */
bool km_upload_is_own(struct km_str name);
/* The first part of that name, or NULL. */
const struct km_upload_part *km_upload_find(const struct km_upload *u, struct km_str name);
/* Does the call's deployment leave the field out, or have a value for it? */
bool km_upload_is_judged(const struct km_call *call, struct km_str part);
/* Nothing of the hold is needed any more; data: the call. */
void km_upload_release(void *data);

#endif
