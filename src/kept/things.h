/* SPDX-License-Identifier: Apache-2.0 */
/* things.h - what a provider's account keeps besides files, named by a member of a body. */
#ifndef KM_KEPT_THINGS_H
#define KM_KEPT_THINGS_H

#include "base/right.h"
#include "base/setting.h"
#include "call/call.h"

struct km_things_settings { /* kanmon_settings */
    struct km_str_list account_objects; /* that keys may name, though nobody knows whose they are */
};

extern const struct km_settings_table km_things_settings_table;

/* What the store knows of, by kinds of its rows. */
enum km_thing_kind { KM_THING_FILE, KM_THING_CONTAINER, KM_THING_ITEM, KM_THING_AUDIO };

struct km_thing {
    enum km_thing_kind kind;
    struct km_str id;
};

/* May the call's key say this?  top: a member of the body itself, else of something inside.
 * ret->id: of a thing that must be found to be the key's; empty: none is named.  KM_E_FORBIDDEN:
 * naming the member, and the setting that opens it.  Loop thread. */
enum km_right km_things_grants(const struct km_call *call, struct km_str member,
                               const struct km_json *v, bool top, struct km_thing *ret,
                               struct km_err *err) KM_MUST_USE;

/* May the upstream read this place, "s3://...", for the call's key?  What stands in a bucket is
 * read with the operator's own credentials; any other place grants itself. */
enum km_right km_things_grants_place(const struct km_call *call, struct km_str place,
                                     struct km_err *err) KM_MUST_USE;

enum km_opened {
    KM_OPENED_FILES, /* the operator's */
    KM_OPENED_ANSWERS, /* what answers were made of, whoever asked for them */
    KM_OPENED_BUCKETS, /* what the operator's credentials may read */
};

/* Is it open to the call's key, by kanmon_settings.account_objects or as the administrator's? */
bool km_things_opened(const struct km_call *call, enum km_opened what);

#endif
