/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - which addresses may be connected to.
 *
 * A guarded dial judges every resolved address at connect time, so that a name that changes
 * between check and use gains nothing.  How strict it is depends on who named the place:
 *
 *     the configuration file     KM_GUARD_NONE      any address
 *     an administrator, by HTTP  KM_GUARD_METADATA  none that is link-local or hands out a cloud's
 *                                                   credentials: the master key is no login to it
 *     a caller or a server       KM_GUARD_PUBLIC    public unicast only, in mapped and translated
 *                                                   forms too
 */
#ifndef KM_NET_GUARD_H
#define KM_NET_GUARD_H

#include "sys/dns.h"

enum km_guard { KM_GUARD_NONE, KM_GUARD_PUBLIC, KM_GUARD_METADATA };

/* May it be connected to?  *ret_why: why not, in static storage. */
bool km_guard_allows(enum km_guard guard, const union km_addr *a, const char **ret_why);
/* true: a public unicast address. */
bool km_addr_public(const union km_addr *a);
/* true: link-local, or where a cloud's machines ask for their own credentials; in every form that
 * carries such an IPv4 address. */
bool km_addr_metadata(const union km_addr *a);
/* true: this machine's, or a private network's (RFC 1918, 3927, 4193, 4291), mapped ones too.  Not
 * the opposite of public: what is neither is nobody's. */
bool km_addr_private(const union km_addr *a);

#endif
