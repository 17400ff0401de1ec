/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.h - the only door to OpenSSL's digests, HMAC, AEAD, signatures, random numbers.
 *
 * Failures of the library itself (no memory, no entropy) are returned, never ignored.
 * Secrets live in km_secret: wiped on done, never printed.
 */
#ifndef KM_BASE_CRYPTO_H
#define KM_BASE_CRYPTO_H

#include "base/buf.h"

#define KM_SHA256_LEN 32
#define KM_SHA1_LEN 20
#define KM_AEAD_KEY_LEN 32
#define KM_AEAD_NONCE_LEN 12
#define KM_AEAD_TAG_LEN 16

/* Cheap enough for every request: the algorithm is fetched once. Any thread. */
void km_sha256(struct km_str s, uint8_t out[KM_SHA256_LEN]);
void km_sha256_hex(struct km_str s, char out[2 * KM_SHA256_LEN + 1]);
/* Of n views one behind the other: a body in parts. */
void km_sha256_parts(const struct km_str *parts, size_t n, uint8_t out[KM_SHA256_LEN]);
/* Where a protocol names it (WebSocket's handshake); nothing secret may rest on it. */
void km_sha1(struct km_str s, uint8_t out[KM_SHA1_LEN]);
void km_hmac_sha256(struct km_str key, struct km_str s, uint8_t out[KM_SHA256_LEN]);

int km_random(void *out, size_t n, struct km_err *err) KM_MUST_USE;

/* Constant time in n. */
bool km_secret_eq(const void *a, const void *b, size_t n);
/* Constant time in the content for equal lengths; lengths may be learnt. */
bool km_secret_str_eq(struct km_str a, struct km_str b);
void km_wipe(void *p, size_t n);

/* AES-256-GCM.  out gets nonce || ciphertext || tag; aad binds it to its place. */
int km_aead_seal(const uint8_t key[KM_AEAD_KEY_LEN], struct km_str plain, struct km_str aad,
                 struct km_buf *out, struct km_err *err) KM_MUST_USE;
int km_aead_open(const uint8_t key[KM_AEAD_KEY_LEN], struct km_str sealed, struct km_str aad,
                 struct km_buf *out, struct km_err *err) KM_MUST_USE;

/* RS256, RSASSA-PKCS1-v1_5 with SHA-256, by a private key as PEM (PKCS#8 or PKCS#1, not
 * encrypted); appends the signature's bytes.  A millisecond of work.  KM_E_INVALID: no such key.
 * Any thread. */
int km_rs256_sign(struct km_str pem, struct km_str text, struct km_buf *out,
                  struct km_err *err) KM_MUST_USE;

/* As km_rs256_sign(), by an RSA key (RS256) or one of the curve P-256 (ES256: r || s); *ret_alg is
 * the name, static. */
int km_jws_sign(struct km_str pem, struct km_str text, struct km_buf *out, const char **ret_alg,
                struct km_err *err) KM_MUST_USE;

/* Another's public key, as the members of a JWK say it (raw bytes, big-endian).  Immutable once it
 * is made: any thread.  RSA of 2048 to 8192 bits; curves P-256, P-384, P-521.  KM_E_INVALID. */
struct km_pubkey;
int km_pubkey_rsa(struct km_str n, struct km_str e, struct km_pubkey **ret,
                  struct km_err *err) KM_MUST_USE;
int km_pubkey_ec(struct km_str curve, struct km_str x, struct km_str y, struct km_pubkey **ret,
                 struct km_err *err) KM_MUST_USE;
int km_pubkey_ed25519(struct km_str x, struct km_pubkey **ret, struct km_err *err) KM_MUST_USE;
struct km_pubkey *km_pubkey_free(struct km_pubkey *k); /* NULL */
/* alg: "RS256" to "RS512", "PS256" to "PS512", "ES256" to "ES512", "EdDSA".  false also where the
 * key is not of the algorithm's kind. */
bool km_pubkey_verify(const struct km_pubkey *k, struct km_str alg, struct km_str text,
                      struct km_str sig);
bool km_signature_known(struct km_str alg);

/* An owned secret string. */
struct km_secret {
    char *p;
    size_t n;
};

int km_secret_init(struct km_secret *s, struct km_str value) KM_MUST_USE;
void km_secret_done(struct km_secret *s);
static inline struct km_str km_secret_view(const struct km_secret *s)
{
    return (struct km_str){ s->p, s->n };
}

#endif
