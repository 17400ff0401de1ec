/* SPDX-License-Identifier: Apache-2.0 */
/* access.h - what the built-in authorization server has for the pages of others: the address this
 * gateway goes by, texts that come back signed, forms, and a person who proves who it is.
 *
 * A log-in at a server behind kanmon is a page of that kind (gateway/mcp/login.c).  All of it runs
 * on the visit's loop.
 */
#ifndef KM_DOOR_OAUTH_ACCESS_H
#define KM_DOOR_OAUTH_ACCESS_H

#include "door/auth.h"
#include "host/module.h"

struct km_oauth;
extern const struct km_module km_oauth_module;

/* The gateway's. */
static inline struct km_oauth *km_oauth_of(const struct km_gateway *gw)
{
    return km_module_state(gw->slots, &km_oauth_module);
}

/* --- addresses --- */

/* "https://host" as the visitor sees this gateway: kanmon_settings.public_url, else Host; by the
 * control socket the address it listens on, for a browser on this machine. */
struct km_str km_oauth_base(const struct km_visit *v);
/* The same of a visit without its exchange: its Host, and whether it came by TLS. */
struct km_str km_oauth_base_of(const struct km_visit *v, struct km_str host, bool secure,
                               struct km_arena *arena);

/* --- what is signed --- */

/* What we sign is JSON in base64, and so are the tokens of others, which are cut out of errors
 * (base/veil.h): ours begin with a mark, so that a page that says no still has its form. */
#define KM_SIGNED_MARK "t"
/* Behind the mark; what was signed before there was one has none. */
static inline struct km_str km_signed_text(struct km_str text)
{
    return km_str_starts(text, KM_STR(KM_SIGNED_MARK "eyJ")) ? km_str_skip(text, 1) : text;
}

/* The MAC of a text for one purpose, by the key of the state folder. */
void km_oauth_mac(const struct km_oauth *o, const char *purpose, struct km_str text,
                  uint8_t ret_mac[32]);
/* prefix and 32 random bytes as base64url; *ret_hash is what the store keeps of it. */
int km_oauth_secret(const char *prefix, struct km_arena *arena, struct km_str *ret,
                    uint8_t ret_hash[32], struct km_err *err) KM_MUST_USE;

/* --- who is it? --- */

/* What a person typed in to prove who it is. */
struct km_oauth_proof {
    struct km_key *key; /* referenced; NULL: the master key, or a token */
    bool token; /* of an issuer that is trusted: v->who says whose */
};

/* Before km_oauth_prove(): KM_E_AGAIN: go_on(v) follows on the loop, once, or the exchange was
 * ended.  0: go on. */
int km_oauth_prove_begin(struct km_visit *v, struct km_str text, km_visit_fn *go_on) KM_MUST_USE;
/* A key or a token that may be used now.  Wrong keys are counted by address. */
int km_oauth_prove(struct km_visit *v, struct km_str text, struct km_oauth_proof *ret,
                   struct km_err *err) KM_MUST_USE;

/* --- forms and pages --- */

/* A field of a form or a query; empty when absent.  KM_E_INVALID when it is there twice. */
int km_oauth_field(struct km_visit *v, struct km_str form, const char *name, size_t most,
                   struct km_str *ret, struct km_err *err) KM_MUST_USE;
/* Waits for the body of a form, then fn; refused bodies are answered. */
void km_oauth_page_form(struct km_visit *v, struct km_str type,
                        void (*fn)(struct km_visit *v, struct km_str body));
/* The page before a log-in at a server behind kanmon (gateway/mcp/login.c). */
struct km_oauth_login_page {
    struct km_str server;
    struct km_str ticket, check; /* into the form */
    struct km_str cookie; /* a header line; empty: none */
    bool ask; /* for a key */
    bool credential; /* for one of the server's as well, which is kept: nothing leads on */
    struct km_str help; /* the same: where one is had; or empty */
    const struct km_str_list *uses; /* the same: what it is used for */
    int status;
    const char *said; /* why it is shown again; NULL */
};
void km_oauth_page_login(struct km_visit *v, const struct km_oauth_login_page *page);
/* A page that leads on to another's address. */
void km_oauth_page_onward(struct km_visit *v, struct km_str url, struct km_str cookie);
/* A page that says that all is done. */
void km_oauth_page_done(struct km_visit *v, const char *title, const char *text);
/* A page that says what is wrong with a link. */
void km_oauth_page_error(struct km_visit *v, const struct km_err *err);

#endif
