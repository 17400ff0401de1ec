/* SPDX-License-Identifier: Apache-2.0 */
/* origin.h - where a request comes from: which machine, by which name, from whose page. */
#ifndef KM_DOOR_ORIGIN_H
#define KM_DOOR_ORIGIN_H

#include "host/visit.h"

/* The field by which a proxy says that it passed the request on; empty: none does.  Such a request
 * is nobody's of this machine: rights that come from where it was made end with it. */
struct km_str km_forwarded_by(const struct km_headers *h);
/* By the control socket, or from this machine's own address, and nobody passed it on.  The one
 * place that says what is local.  Not of a copy. */
bool km_visit_is_local(const struct km_visit *v);

/* Host, and Origin, as the configuration allows them (DNS rebinding, foreign pages). */
int km_check_host(const struct km_visit *v, struct km_err *err) KM_MUST_USE;
int km_check_origin(const struct km_visit *v, struct km_err *err) KM_MUST_USE;
/* Is it a page of another origin that the configuration names? */
bool km_origin_listed(const struct km_visit *v);

#endif
