/* SPDX-License-Identifier: Apache-2.0 */
/* things.h - what a provider's account keeps besides files, named by a member of a body. */
#ifndef KM_GATEWAY_THINGS_H
#define KM_GATEWAY_THINGS_H

#include "base/right.h"
#include "gateway/call.h"

/* May the call's key say this?  top: a member of the body itself, else of something inside.
 * *ret_container: the id of a container, which must be found to be the key's; empty: none is
 * named.  KM_E_FORBIDDEN: naming the member, and the setting that opens it.  Loop thread. */
enum km_right km_things_grants(const struct km_call *call, struct km_str member,
                               const struct km_json *v, bool top, struct km_str *ret_container,
                               struct km_err *err) KM_MUST_USE;

/* Does kanmon_settings.account_objects open `name` to virtual keys? */
bool km_things_opened(const struct km_call *call, const char *name);

#endif
