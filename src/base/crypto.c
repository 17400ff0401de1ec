/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.c - see crypto.h for the contract.
 *
 * SHA-256 is hashed several times a call, mostly of a hundred bytes, by OpenSSL's own functions
 * for it.  They are marked as deprecated for EVP, which in OpenSSL 3 looks an algorithm up by name
 * under a lock, and even with what was fetched once takes memory for each digest and gives it
 * back: three times the cost of a block where the processor knows SHA-256.
 *
 * For the cipher, which is asked for seldom, each thread fetches what it needs once:
 *
 *     thread -> struct tools { aes, cipher }
 *
 * This is the one mutable thread-local of base besides the log's buffers.  It caches and nothing
 * else: a thread that has it and one that makes it anew compute the same.  A pthread key gives it
 * back when the thread ends.  Without memory at a thread's first use it stops.
 *
 * Sealed text is nonce || ciphertext || tag, the nonce drawn at random: with 96 bits and
 * far fewer than 2^32 seals under one key a repetition is not a concern (NIST SP 800-38D).
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Init(): see above */

#include "base/crypto.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/encode.h"

struct tools {
    EVP_CIPHER *aes;
    EVP_CIPHER_CTX *cipher;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key_of_tools;
static _Thread_local struct tools *mine;

static void free_tools(void *data)
{
    struct tools *t = data;

    EVP_CIPHER_CTX_free(t->cipher);
    EVP_CIPHER_free(t->aes);
    free(t);
}

static void make_key(void)
{
    km_assert(pthread_key_create(&key_of_tools, free_tools) == 0);
}

static __attribute__((noinline)) struct tools *make_tools(void)
{
    struct tools *t = calloc(1, sizeof *t);

    pthread_once(&once, make_key);
    km_assert(t);
    t->aes = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    t->cipher = EVP_CIPHER_CTX_new();
    km_assert(t->aes && t->cipher);
    km_assert(pthread_setspecific(key_of_tools, t) == 0);
    mine = t;
    return t;
}

static struct tools *tools(void)
{
    return mine ? mine : make_tools();
}

void km_sha256_parts(const struct km_str *parts, size_t n, uint8_t out[KM_SHA256_LEN])
{
    SHA256_CTX c;

    SHA256_Init(&c);
    for (size_t i = 0; i < n; i++)
        SHA256_Update(&c, parts[i].p, parts[i].n);
    SHA256_Final(out, &c); /* and wipes what it held of the text */
}

void km_sha256(struct km_str s, uint8_t out[KM_SHA256_LEN])
{
    km_sha256_parts(&s, 1, out);
}

void km_sha256_hex(struct km_str s, char out[2 * KM_SHA256_LEN + 1])
{
    uint8_t digest[KM_SHA256_LEN];

    km_sha256(s, digest);
    km_hex(out, digest, sizeof digest);
}

void km_sha1(struct km_str s, uint8_t out[KM_SHA1_LEN])
{
    km_assert(EVP_Q_digest(NULL, "SHA1", NULL, s.n ? s.p : "", s.n, out, NULL) == 1);
}

/* RFC 2104 by the digest that is there: OpenSSL's own one-shot makes four contexts a call, and a
 * signature of a request is one such call. */
void km_hmac_sha256(struct km_str key, struct km_str s, uint8_t out[KM_SHA256_LEN])
{
    uint8_t block[64] = { 0 }, inner[KM_SHA256_LEN];

    if (key.n > sizeof block)
        km_sha256(key, block);
    else if (key.n)
        memcpy(block, key.p, key.n);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36;
    km_sha256_parts((struct km_str[]){ { (const char *)block, sizeof block }, s }, 2, inner);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36 ^ 0x5c;
    km_sha256_parts((struct km_str[]){ { (const char *)block, sizeof block },
                                       { (const char *)inner, sizeof inner } },
                    2, out);
    km_wipe(block, sizeof block);
    km_wipe(inner, sizeof inner);
}

int km_random(void *out, size_t n, struct km_err *err)
{
    if (n > INT_MAX || RAND_bytes(out, (int)n) != 1)
        return km_fail(err, KM_E_SYSTEM, "no random bytes to be had from OpenSSL");
    return 0;
}

bool km_secret_eq(const void *a, const void *b, size_t n)
{
    return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

bool km_secret_str_eq(struct km_str a, struct km_str b)
{
    return a.n == b.n && km_secret_eq(a.p, b.p, a.n);
}

void km_wipe(void *p, size_t n)
{
    if (n)
        OPENSSL_cleanse(p, n);
}

/* EVP counts in int. */
static bool fits(struct km_str a, struct km_str b)
{
    return a.n <= INT_MAX / 2 && b.n <= INT_MAX / 2;
}

static bool seal(const uint8_t *key, struct km_str plain, struct km_str aad, uint8_t *out)
{
    EVP_CIPHER_CTX *c = tools()->cipher;
    uint8_t *nonce = out, *text = out + KM_AEAD_NONCE_LEN;
    int n;

    return EVP_EncryptInit_ex2(c, tools()->aes, key, nonce, NULL) == 1 &&
           (!aad.n || EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)aad.p, (int)aad.n) == 1) &&
           (!plain.n ||
            EVP_EncryptUpdate(c, text, &n, (const uint8_t *)plain.p, (int)plain.n) == 1) &&
           EVP_EncryptFinal_ex(c, text + plain.n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, KM_AEAD_TAG_LEN, text + plain.n) == 1;
}

int km_aead_seal(const uint8_t key[KM_AEAD_KEY_LEN], struct km_str plain, struct km_str aad,
                 struct km_buf *out, struct km_err *err)
{
    const size_t n = plain.n + KM_AEAD_NONCE_LEN + KM_AEAD_TAG_LEN;
    uint8_t *at;
    int r;
    bool done;

    at = fits(plain, aad) ? (uint8_t *)km_buf_reserve(out, n) : NULL;
    if (!at)
        return km_fail(err, KM_E_LIMIT, "no room for %zu sealed bytes", n);
    r = km_random(at, KM_AEAD_NONCE_LEN, err);
    if (r < 0)
        return r;
    done = seal(key, plain, aad, at);
    EVP_CIPHER_CTX_reset(tools()->cipher); /* the key schedule does not stay behind */
    if (!done)
        return km_fail(err, KM_E_INTERNAL, "AES-256-GCM does not encrypt");
    out->n += n;
    return 0;
}

/* text: ciphertext || tag */
static bool unseal(const uint8_t *key, const uint8_t *nonce, struct km_str text, struct km_str aad,
                   uint8_t *out)
{
    EVP_CIPHER_CTX *c = tools()->cipher;
    uint8_t tag[KM_AEAD_TAG_LEN];
    size_t plain = text.n - KM_AEAD_TAG_LEN;
    int n;

    memcpy(tag, text.p + plain, sizeof tag);
    return EVP_DecryptInit_ex2(c, tools()->aes, key, nonce, NULL) == 1 &&
           (!aad.n || EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)aad.p, (int)aad.n) == 1) &&
           (!plain || EVP_DecryptUpdate(c, out, &n, (const uint8_t *)text.p, (int)plain) == 1) &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1 &&
           EVP_DecryptFinal_ex(c, out + plain, &n) == 1;
}

int km_aead_open(const uint8_t key[KM_AEAD_KEY_LEN], struct km_str sealed, struct km_str aad,
                 struct km_buf *out, struct km_err *err)
{
    struct km_str text = km_str_skip(sealed, KM_AEAD_NONCE_LEN);
    uint8_t *at;
    size_t plain;
    bool done;

    if (text.n < KM_AEAD_TAG_LEN || !fits(sealed, aad))
        return km_fail(err, KM_E_INVALID, "not a sealed text");
    plain = text.n - KM_AEAD_TAG_LEN;
    at = (uint8_t *)km_buf_reserve(out, plain);
    if (!at)
        return km_fail(err, KM_E_LIMIT, "no room for %zu opened bytes", plain);
    done = unseal(key, (const uint8_t *)sealed.p, text, aad, at);
    EVP_CIPHER_CTX_reset(tools()->cipher);
    if (!done) {
        km_wipe(at, plain); /* what GCM gave before the tag was checked is not a text */
        return km_fail(err, KM_E_INVALID, "sealed with another key, or altered");
    }
    out->n += plain;
    return 0;
}

int km_secret_init(struct km_secret *s, struct km_str value)
{
    *s = (struct km_secret){ .p = malloc(value.n + 1) };
    if (!s->p)
        return KM_E_NOMEM;
    if (value.n)
        memcpy(s->p, value.p, value.n);
    s->p[value.n] = '\0';
    s->n = value.n;
    return 0;
}

void km_secret_done(struct km_secret *s)
{
    if (s->p)
        km_wipe(s->p, s->n);
    free(s->p);
    *s = (struct km_secret){ .p = NULL };
}
