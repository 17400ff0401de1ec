/* SPDX-License-Identifier: Apache-2.0 */
/* open_state.c - see open_state.h.
 *
 *     flags  attempt  deadline  prompt  completion  cost  user  metadata  client_ip
 *
 * Nine numbers, each as seven bits a byte from the lowest on, the last without the high bit.  The
 * deadline is told from the call's start and one more, so that 0 is none.  All are bounded on their
 * way in, so the whole never has more than its room.
 */
#include "store/open_state.h"

#include "store/batch.h"

#define MOST_DEADLINE (((int64_t)1 << 49) - 1) /* 17 years */

enum { FLAGS, ATTEMPT, DEADLINE, PROMPT, COMPLETION, COST, USER, METADATA, CLIENT_IP, NUMBERS };

static uint8_t *put(uint8_t *at, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *at++ = (uint8_t)(v | 0x80);
    *at++ = (uint8_t)v;
    return at;
}

static uint64_t deadline_of(const struct km_record *rec)
{
    int64_t after;

    if (rec->deadline_us <= rec->start_us)
        return rec->deadline_us ? 1 : 0;
    after = rec->deadline_us - rec->start_us;
    return (uint64_t)(after < MOST_DEADLINE ? after : MOST_DEADLINE - 1) + 1;
}

size_t km_open_state_pack(const struct km_record *rec, uint8_t out[KM_OPEN_STATE_BYTES])
{
    uint8_t *at = put(out, rec->flags);

    _Static_assert(5 + 3 + 7 + 6 + 6 + 8 + 3 * 3 <= KM_OPEN_STATE_BYTES, "what each is bounded to");
    at = put(at, rec->attempt);
    at = put(at, deadline_of(rec));
    at = put(at, (uint64_t)km_batch_tokens(rec->prompt_tokens));
    at = put(at, (uint64_t)km_batch_tokens(rec->completion_tokens));
    at = put(at, (uint64_t)km_batch_cost(rec->cost));
    at = put(at, rec->len[KM_RECORD_USER]);
    at = put(at, rec->len[KM_RECORD_METADATA]);
    at = put(at, rec->len[KM_RECORD_CLIENT_IP]);
    return (size_t)(at - out);
}

static bool take(struct km_str *bytes, int64_t *ret)
{
    uint64_t v = 0;

    for (unsigned shift = 0; bytes->n && shift < 63; shift += 7) {
        const uint8_t byte = (uint8_t)bytes->p[0];

        *bytes = km_str_skip(*bytes, 1);
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = (int64_t)v;
            return true;
        }
    }
    return false;
}

bool km_open_state_read(struct km_str bytes, int64_t start_us, struct km_open_state *ret)
{
    int64_t v[NUMBERS];

    for (size_t i = 0; i < NUMBERS; i++)
        if (!take(&bytes, &v[i]))
            return false;
    *ret = (struct km_open_state){
        .flags = v[FLAGS],
        .attempt = v[ATTEMPT],
        .deadline_us = v[DEADLINE] ? start_us + v[DEADLINE] - 1 : 0,
        .prompt_tokens = v[PROMPT],
        .completion_tokens = v[COMPLETION],
        .cost = v[COST],
        .user_n = v[USER],
        .metadata_n = v[METADATA],
        .client_ip_n = v[CLIENT_IP],
    };
    return bytes.n == 0;
}

struct km_str km_open_texts(const struct km_record *rec)
{
    _Static_assert(KM_RECORD_USER + 1 == KM_RECORD_METADATA &&
                       KM_RECORD_METADATA + 1 == KM_RECORD_CLIENT_IP,
                   "they lie in one run");
    return km_str(rec->text + km_record_offset(rec, KM_RECORD_USER),
                  (size_t)rec->len[KM_RECORD_USER] + rec->len[KM_RECORD_METADATA] +
                      rec->len[KM_RECORD_CLIENT_IP]);
}
