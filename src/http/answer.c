/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - the head of an answer, built on the stack in three pieces around the caller's own
 * lines, so that head and body leave in one write and nothing is allocated.
 *
 * The text of Date is made once a second.
 */
#include "base/time.h"
#include "http/conn.h"

static char *put(char *at, struct km_str s)
{
    memcpy(at, s.p, s.n);
    return at + s.n;
}

static char *put_u64(char *at, uint64_t v)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

static struct km_str date(struct km_http_server *s)
{
    uint64_t now = km_loop_now_ms(s->loop);

    if (now >= s->date_until_ms) {
        int64_t wall = km_wall_us();
        char text[KM_TIME_HTTP_LEN + 1];

        km_time_http(wall, text);
        s->date_n =
            (size_t)(put(put(put(s->date, KM_STR("Date: ")), km_str(text, KM_TIME_HTTP_LEN)),
                         KM_STR("\r\n")) -
                     s->date);
        s->date_until_ms = now + 1000 - (uint64_t)(wall / 1000 % 1000);
    }
    return km_str(s->date, s->date_n);
}

void km_answer_head(struct km_http_server *s, struct km_answer *a, int status, struct km_str head,
                    uint64_t length, bool keep, bool old_version)
{
    char *at = a->first;

    if (status == 200) {
        at = put(at, KM_STR("HTTP/1.1 200 OK\r\n"));
    } else {
        at = put_u64(put(at, KM_STR("HTTP/1.1 ")), (uint64_t)status);
        *at++ = ' ';
        at = put(put(at, km_str_c(km_http_reason(status))), KM_STR("\r\n"));
    }
    at = put(at, date(s));
    a->parts[0] = km_str(a->first, (size_t)(at - a->first));
    a->parts[1] = head;
    at = a->last;
    if (length == UINT64_MAX)
        at = put(at, KM_STR("Transfer-Encoding: chunked\r\n"));
    else if (length != KM_LENGTH_NONE)
        at = put(put_u64(put(at, KM_STR("Content-Length: ")), length), KM_STR("\r\n"));
    if (!keep)
        at = put(at, KM_STR("Connection: close\r\n"));
    else if (old_version)
        at = put(at, KM_STR("Connection: keep-alive\r\n"));
    at = put(at, KM_STR("\r\n"));
    a->parts[2] = km_str(a->last, (size_t)(at - a->last));
}
