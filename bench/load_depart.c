/* SPDX-License-Identifier: Apache-2.0 */
/* load_depart.c - how long an upstream works on for a client that has left.
 *
 * One client after the other asks, waits until the upstream is at work (a stream: until
 * its first event; an unstreamed answer: a while), and closes its connection.  The mock
 * notes when the connection to it is closed, on the same monotonic clock; the difference
 * is what the gateway took to notice and to pass it on.  Events come seconds apart, so
 * that a gateway which only notices when a write fails is seen to.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"

enum { AT_WORK_MS = 30, PATIENCE_MS = 5000, SETTLE_MS = 5 };
/* Tags of our own, above those of held streams and other than a run before had: what that
 * one left behind may depart only now. */
enum { TAG_FIRST = 20000, TAG_RUNS = 100, TAG_COUNT_MAX = 400 };

static bool readable(int fd, int wait_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, wait_ms) > 0;
}

static void nap(int ms)
{
    poll(NULL, 0, ms);
}

/* Reads until the stream's first event.  False: it did not come. */
static bool first_event(int fd)
{
    char buf[8192];
    size_t have = 0;

    while (have < sizeof buf - 1 && readable(fd, PATIENCE_MS)) {
        ssize_t n = recv(fd, buf + have, sizeof buf - 1 - have, 0);

        if (n <= 0)
            return false;
        have += (size_t)n;
        if (memmem(buf, have, "data:", 5))
            return true;
    }
    return false;
}

/* The moment client `tag` left; 0 when it never got as far. */
static uint64_t visit(const struct options *o, unsigned tag)
{
    char request[REQUEST_MAX], script[128];
    int fd = client_connect(o, (int)tag);
    uint64_t left_ns = 0;
    size_t len;

    if (fd < 0)
        return 0;
    snprintf(script, sizeof script,
             o->unary ? "delay_ms=4000 tag=%u" : "events=-1 interval_ms=2000 tag=%u", tag);
    len = client_request(o, request, script, !o->unary);
    if (send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len &&
        (o->unary ? !readable(fd, AT_WORK_MS) : first_event(fd))) {
        nap(SETTLE_MS);
        left_ns = clock_ns();
    }
    close(fd);
    return left_ns;
}

/* Fills the histogram from the mock's log; returns how many departures it holds. */
static int match(const char *stats, unsigned first, const uint64_t *left_ns, int count,
                 struct hist *h)
{
    const char *p = stats ? strstr(stats, "\"departures\":[") : NULL;
    int seen = 0;

    memset(h, 0, sizeof *h);
    for (p = p ? p + 14 : NULL; p && *p == '['; p += *p == ',') {
        char *end;
        unsigned long tag = strtoul(p + 1, &end, 10);
        uint64_t at_ns = strtoull(end + 1, &end, 10);

        if (tag >= first && tag < first + (unsigned long)count && left_ns[tag - first]) {
            uint64_t from_ns = left_ns[tag - first];

            hist_add(h, at_ns > from_ns ? at_ns - from_ns : 0);
            seen++;
        }
        p = end + 1;
    }
    return seen;
}

int load_depart(const struct options *o)
{
    int count = o->connections, visits = 0, seen = 0;
    uint64_t *left_ns = calloc((size_t)count, sizeof *left_ns);
    struct hist *h = calloc(1, sizeof *h);
    unsigned first = TAG_FIRST + (unsigned)getpid() % TAG_RUNS * TAG_COUNT_MAX;
    uint64_t until_ns;

    if (!left_ns || !h || count > TAG_COUNT_MAX)
        return 1;
    free(client_ask_mock(o, "POST", "/__reset"));
    for (int i = 0; i < count; i++)
        visits += (left_ns[i] = visit(o, first + (unsigned)i)) != 0;
    until_ns = clock_ns() + PATIENCE_MS * 1000000ull;
    while (seen < visits && clock_ns() < until_ns) {
        char *stats = client_ask_mock(o, "GET", "/__stats");

        seen = match(stats, first, left_ns, count, h);
        free(stats);
        nap(20);
    }
    printf("{\"mode\":\"depart\",\"unary\":%s,\"clients\":%d,\"left\":%d,\"noticed\":%d,"
           "\"latency\":",
           o->unary ? "true" : "false", count, visits, seen);
    hist_print_json(h, stdout);
    printf("}\n");
    return seen ? 0 : 1;
}
