/* SPDX-License-Identifier: Apache-2.0 */
/* credential.h - what a request shows of who sent it.
 *
 * Credentials may come in any header LiteLLM knows, to Google's routes as ?key=, to /bedrock as
 * the access key's id of a signed request, to WebSockets as a subprotocol or ?api-key=.  Two
 * different ones in a request are refused: taking the first would let a proxy and us disagree
 * about who is asking.
 */
#ifndef KM_DOOR_CREDENTIAL_H
#define KM_DOOR_CREDENTIAL_H

#include "host/visit.h"

/* The one credential of the request, a view, empty when there is none.  KM_E_UNAUTHENTICATED: it
 * cannot be read, or there are two. */
int km_credential(const struct km_visit *v, struct km_str *ret, struct km_err *err) KM_MUST_USE;

/* The value of a cookie of the request; empty: none. */
struct km_str km_cookie(const struct km_visit *v, struct km_str name);

/* Refuses a credential, in LiteLLM's words; why: "No api key passed in." */
int km_credential_refuse(struct km_err *err, const char *why);

#endif
