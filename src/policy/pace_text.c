/* SPDX-License-Identifier: Apache-2.0 */
/* pace_text.c - what a JSON text is made of (pace.h): bytes of each sort, counted together.
 *
 *     ...text... [ base64 of media ] ...text... [ base64 ] ...text...
 *       |  |  |                        |  |  |              |  |
 *       blocks of 64 bytes: all of a short text, some of a long one, evenly spread
 *
 * Media come first.  A long run of base64 is met by looking at a block every 256 bytes; it is
 * media if it has capitals, small letters and digits, as a hexadecimal number or a line of one
 * letter has not.  It may be broken by escaped line ends and slashes, as some libraries write it.
 *
 * What lies between is told by vectors, a byte at a time would cost ten times as much: a letter is
 * the beginning of a word if the byte before it is none, which is the same vector loaded one byte
 * earlier.  So nothing has to be known of where a block begins, and a block may be anywhere: inside
 * a string, a character or an escape.  JSON's escapes are what they stand for: \n is the end of a
 * line, \" a mark, and each \uXXXX a character, so that a text is as long for a client that escapes
 * all of it as for one that does not.
 */
#include "policy/pace.h"

#include "base/chunk.h"
#include "base/encode.h"

#define LANE 32
#define BLOCK KM_CHUNK_BYTES
#define BACK 8 /* bytes before a block that may be looked at: an escape is six */
#define LEAST_MEDIA 256 /* base64 of less is text */
#define PICTURE_LEAST 258 /* tokens, whatever the pixels */
#define PICTURE_MOST 4784
#define PIXELS_A_TOKEN 750
#define PNG_HEAD 24 /* bytes up to the height */
#define PNG_HEAD_BASE64 32
#define WHOLE_BLOCKS 6 /* so many are all counted; of those beyond one of SPARSE */
#define SPARSE 8
#define MOST_BLOCKS 256
#define FLUSH_BLOCKS 32 /* a counter of 8 bits takes two a lane */

typedef signed char lane __attribute__((vector_size(LANE)));
typedef unsigned char ulane __attribute__((vector_size(LANE)));
typedef uint16_t pairs __attribute__((vector_size(LANE)));
typedef uint64_t quarters __attribute__((vector_size(LANE)));

#define INLINE static inline __attribute__((always_inline))

enum sort {
    HIGH,
    LEADS,
    WIDE,
    LINES,
    VOID,
    ODD_SORTS, /* those before only an odd block has */
    LETTERS = ODD_SORTS,
    WORDS,
    DIGITS,
    BLANKS,
    QUOTES,
    SORTS
};

/* The sorts that every block may have. */
struct few {
    lane letters, words, digits, blanks, quotes;
};

/* Counted by bytes, which must be emptied into `sums` before they overflow. */
struct tally {
    lane count[ODD_SORTS];
    struct few few; /* of odd blocks */
    int64_t sums[SORTS];
};

INLINE void load(lane *v, const char *p)
{
    memcpy(v, p, sizeof *v);
}

INLINE bool any(const lane *v)
{
    quarters q;

    memcpy(&q, v, sizeof q);
    return (q[0] | q[1] | q[2] | q[3]) != 0;
}

/* Small or capital: pushed up so that what is beyond 'z' overflows and is negative. */
INLINE void letters(lane *ret, const lane *v)
{
    const lane up = (lane)((ulane)(*v | 0x20) + (127 - 'z'));

    *ret = up > 'a' - 1 + (127 - 'z');
}

INLINE void digits(lane *ret, const lane *v)
{
    const lane up = (lane)((ulane)*v + (127 - '9'));

    *ret = up > '0' - 1 + (127 - '9');
}

/* The byte `behind` bytes before each is the one after a backslash that is not escaped itself. */
INLINE void escaped(lane *ret, const char *p, int behind)
{
    lane one, two;

    load(&one, p - behind - 1);
    load(&two, p - behind - 2);
    *ret = (one == '\\') & ~(two == '\\');
}

/* It is the k-th of the four digits after \u. */
INLINE void nth_hex(lane *ret, const char *p, int k)
{
    lane u, e;

    load(&u, p - k);
    escaped(&e, p, k);
    *ret = (u == 'u') & e;
}

/* Characters written as \uXXXX: their digits are none, and no letters. */
INLINE void unicode(struct tally *t, const char *p, const lane *v, lane *letter, lane *before,
                    lane *digit)
{
    lane first, hex, hex_before, k;

    nth_hex(&first, p, 1);
    nth_hex(&hex_before, p, 2);
    nth_hex(&k, p, 3);
    hex_before |= k;
    nth_hex(&k, p, 4);
    hex_before |= k;
    hex = first | hex_before;
    nth_hex(&k, p, 5);
    hex_before |= k;
    *letter &= ~hex;
    *digit &= ~hex;
    *before &= ~hex_before;
    t->count[VOID] -= hex;
    t->count[LEADS] -= first;
    t->count[WIDE] -= first & (*v > '2'); /* from U+3000 on; what is in two halves counts twice */
}

INLINE void escapes(struct tally *t, const char *p, const lane *v, lane *letter, lane *before,
                    lane *digit, lane *quote)
{
    lane e, e_before, u;

    escaped(&e, p, 0);
    escaped(&e_before, p, 1);
    t->count[LINES] -= e & (*v == 'n');
    t->count[VOID] -= e; /* its backslash */
    t->count[VOID] -= e & *letter;
    *letter &= ~e;
    *before &= ~e_before;
    *quote &= ~e;
    nth_hex(&u, p, 4);
    u |= e & (*v == 'u');
    if (any(&u))
        unicode(t, p, v, letter, before, digit);
}

/* Bytes of UTF-8: each character once, by its first. */
INLINE void high(struct tally *t, const lane *v)
{
    const lane is = *v < 0;

    t->count[HIGH] -= is;
    t->count[LEADS] -= is & (*v > -65);
    t->count[WIDE] -= is & (*v > -30);
    t->count[LEADS] -= is & (*v > -17); /* four bytes: as two, which it is in UTF-16 */
    t->count[WIDE] -= is & (*v > -17);
}

INLINE void add_few(struct few *f, const lane *v, const lane *letter, const lane *before,
                    const lane *digit, const lane *quote)
{
    f->letters -= *letter;
    f->words -= *letter & ~*before;
    f->digits -= *digit;
    f->blanks -= (lane)((ulane)*v <= ' ');
    f->quotes -= *quote;
}

INLINE void count_plain(struct few *f, const char *p)
{
    lane v, v_before, letter, before, digit, quote;

    load(&v, p);
    load(&v_before, p - 1);
    letters(&letter, &v);
    letters(&before, &v_before);
    digits(&digit, &v);
    quote = v == '"';
    add_few(f, &v, &letter, &before, &digit, &quote);
}

INLINE void count_odd(struct tally *t, const char *p)
{
    lane v, v_before, v_six, letter, before, digit, quote, odd;

    load(&v, p);
    load(&v_before, p - 1);
    load(&v_six, p - 6);
    letters(&letter, &v);
    letters(&before, &v_before);
    digits(&digit, &v);
    quote = v == '"';
    odd = (v == '\\') | (v_six == '\\');
    if (any(&odd))
        escapes(t, p, &v, &letter, &before, &digit, &quote);
    odd = v < 0;
    if (any(&odd))
        high(t, &v);
    add_few(&t->few, &v, &letter, &before, &digit, &quote);
}

INLINE bool is_odd(const char *p)
{
    lane a, b, six;

    load(&a, p);
    load(&b, p + LANE);
    load(&six, p - 6);
    a = (a == '\\') | (b == '\\') | (six == '\\') | ((a | b) < 0);
    return any(&a);
}

INLINE int64_t sum_of(const lane *count)
{
    pairs p = (pairs)*count;
    int64_t sum = 0;
    quarters q;

    p = (p & 0xff) + (p >> 8);
    memcpy(&q, &p, sizeof q);
    q += q >> 32;
    q += q >> 16;
    for (int i = 0; i < LANE / 8; i++)
        sum += (int64_t)(q[i] & 0xffff);
    return sum;
}

/* For the first odd block since they were emptied: mostly there is none. */
INLINE void clear(struct tally *t)
{
    t->few = (struct few){ .letters = { 0 } };
    for (int i = 0; i < ODD_SORTS; i++)
        t->count[i] = (lane){ 0 };
}

/* All counts into the sums; a block is in one of the two few. */
INLINE void flush(struct tally *t, struct few *f, bool odd)
{
    if (odd) {
        f->letters += t->few.letters;
        f->words += t->few.words;
        f->digits += t->few.digits;
        f->blanks += t->few.blanks;
        f->quotes += t->few.quotes;
        for (int i = 0; i < ODD_SORTS; i++)
            t->sums[i] += sum_of(&t->count[i]);
    }
    t->sums[LETTERS] += sum_of(&f->letters);
    t->sums[WORDS] += sum_of(&f->words);
    t->sums[DIGITS] += sum_of(&f->digits);
    t->sums[BLANKS] += sum_of(&f->blanks);
    t->sums[QUOTES] += sum_of(&f->quotes);
    *f = (struct few){ .letters = { 0 } };
}

/* Where block `at` is with BACK bytes before it: in place, or at the edges in `room` with blanks
 * about it. */
INLINE const char *block_at(struct km_str s, size_t at, char *room)
{
    const size_t from = at < BACK ? 0 : at - BACK;
    const size_t end = s.n - at < BLOCK ? s.n : at + BLOCK;

    if (at >= BACK && s.n - at >= BLOCK)
        return s.p + at;
    memset(room, ' ', BACK + BLOCK);
    memcpy(room + BACK - (at - from), s.p + from, end - from);
    return room + BACK;
}

/* `step` / 65536 blocks from one to the next. */
INLINE size_t place_of(size_t i, uint64_t step)
{
    return (size_t)((i * step) >> 16) * BLOCK;
}

/* Plain blocks from the i-th on that lie in place, as far as they follow each other: nothing is
 * called in between, so that counts and constants stay in registers. */
INLINE size_t count_run(struct few *f, struct km_str s, size_t i, size_t end, uint64_t step)
{
    const size_t most = s.n - BLOCK - BACK;

    if (s.n < BLOCK + BACK)
        return i;
    for (; i < end; i++) {
        const size_t at = place_of(i, step);

        if (at - BACK > most || is_odd(s.p + at)) /* before BACK it wraps */
            break;
        count_plain(f, s.p + at);
        count_plain(f, s.p + at + LANE);
    }
    return i;
}

INLINE void count_blocks(struct tally *t, struct km_str s, size_t nblocks, uint64_t step,
                         void (*odd)(struct tally *t, const char *p))
{
    struct few f = { .letters = { 0 } };
    char room[BACK + BLOCK];
    size_t nodd = 0, i = 0;

    while (i < nblocks) {
        const size_t full = nblocks - i < FLUSH_BLOCKS ? nblocks : i + FLUSH_BLOCKS;

        while ((i = count_run(&f, s, i, full, step)) < full) {
            const char *p = block_at(s, place_of(i++, step), room);

            if (is_odd(p)) {
                if (nodd++ == 0)
                    clear(t);
                odd(t, p);
            } else {
                count_plain(&f, p);
                count_plain(&f, p + LANE);
            }
        }
        flush(t, &f, nodd > 0);
        nodd = 0;
    }
}

/* What is rare is apart, so that what is frequent stays in registers. */
#define COUNT(name, target)                                                                        \
    target __attribute__((noinline)) static void name##_odd(struct tally *t, const char *p)        \
    {                                                                                              \
        count_odd(t, p);                                                                           \
        count_odd(t, p + LANE);                                                                    \
    }                                                                                              \
                                                                                                   \
    target static void name(struct tally *t, struct km_str s, size_t nblocks, uint64_t step)       \
    {                                                                                              \
        count_blocks(t, s, nblocks, step, name##_odd);                                             \
    }

/* Compiled twice where a processor may have vectors of 32 bytes and need not; see chunk.c. */
COUNT(count_narrow, )
#if defined(__x86_64__)
COUNT(count_wide, __attribute__((target("avx2"))))
#define HAS_WIDE __builtin_cpu_supports("avx2")
#else
#define count_wide count_narrow
#define HAS_WIDE false
#endif

static int64_t part_of(int64_t counted, uint64_t whole, uint64_t seen)
{
    return seen >= whole ? counted : (int64_t)((uint64_t)counted * whole / seen);
}

/* A text without media. */
static void measure_plain(struct km_text_size *size, struct km_str s)
{
    const size_t blocks = s.n / BLOCK + (s.n % BLOCK != 0);
    struct tally t;
    size_t n = blocks;
    uint64_t seen;
    int64_t *sum = t.sums, marks;

    if (n > WHOLE_BLOCKS)
        n = WHOLE_BLOCKS + (n - WHOLE_BLOCKS) / SPARSE;
    if (n > MOST_BLOCKS)
        n = MOST_BLOCKS;
    if (n == 0)
        return;
    memset(t.sums, 0, sizeof t.sums);
    (HAS_WIDE ? count_wide : count_narrow)(&t, s, n, ((uint64_t)blocks << 16) / n);
    seen = (uint64_t)n * BLOCK;
    marks = (int64_t)seen - sum[LETTERS] - sum[DIGITS] - sum[BLANKS] - sum[QUOTES] - sum[HIGH] -
            sum[VOID];
    if (marks < 0) /* the backslash of an escape lay before the block */
        marks = 0;
    size->letters += part_of(sum[LETTERS], s.n, seen);
    size->words += part_of(sum[WORDS], s.n, seen);
    size->digits += part_of(sum[DIGITS], s.n, seen);
    size->marks += part_of(marks, s.n, seen);
    size->strings += part_of(sum[QUOTES], s.n, seen) / 2;
    size->lines += part_of(sum[LINES], s.n, seen);
    size->wide += part_of(sum[WIDE], s.n, seen);
    size->other += part_of(sum[LEADS] - sum[WIDE], s.n, seen);
}

/* --- media --- */

static bool in_base64(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '/' && c <= '9') || c == '+';
}

/* Nearly all that is text is told by a few bytes. */
static bool may_be_run(const char *p)
{
    const km_lane v = km_lane_at(p);

    return !km_lane_any(~((((v | 0x20) > 'a' - 1) & ((v | 0x20) < 'z' + 1)) |
                          ((v > '/' - 1) & (v < '9' + 1)) | (v == '+')));
}

/* A run may be broken by \n, \r and \/. */
static bool is_break(struct km_str s, size_t at)
{
    return s.n - at >= 2 && s.p[at] == '\\' &&
           (s.p[at + 1] == 'n' || s.p[at + 1] == 'r' || s.p[at + 1] == '/');
}

static size_t run_begin(struct km_str s, size_t from, size_t at)
{
    while (at > from && (in_base64(s.p[at - 1]) || is_break(s, at - 1)))
        at--;
    return at;
}

static size_t run_end(struct km_str s, size_t at)
{
    for (;;) {
        at += km_run_base64(s.p + at, s.n - at);
        while (at < s.n && in_base64(s.p[at]))
            at++;
        if (!is_break(s, at))
            return at;
        at += 2;
    }
}

static bool has_all_sorts(struct km_str run)
{
    unsigned seen = 0;

    for (size_t i = 0; i < run.n && seen != 7; i++) {
        const char c = run.p[i];

        seen |= c >= 'a' && c <= 'z'   ? 1U
                : c >= 'A' && c <= 'Z' ? 2U
                : c >= '0' && c <= '9' ? 4U
                                       : 0;
    }
    return seen == 7;
}

/* The next run from `from` on: no less than LEAST_MEDIA bytes. */
static bool next_run(struct km_str s, size_t from, size_t *ret_at, size_t *ret_end)
{
    for (size_t at = from; at + KM_LANE_BYTES <= s.n; at += LEAST_MEDIA) {
        size_t begin, end;

        if (!may_be_run(s.p + at))
            continue;
        begin = run_begin(s, from, at);
        end = run_end(s, at);
        if (end - begin >= LEAST_MEDIA) {
            *ret_at = begin;
            *ret_end = end;
            return true;
        }
    }
    return false;
}

static int64_t between(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

/* Of base64, by how the file in it begins. */
static const struct sort_of_media {
    struct km_str head;
    int64_t bytes_a_token, least, most;
} media_sorts[] = {
    /* Pictures: Anthropic counts a token each 750 pixels up to 1,568, since Claude Opus 4.7 up to
     * 4,784 (platform.claude.com/docs/en/build-with-claude/vision); OpenAI 170 each tile of 512 by
     * 512 and at most eight, or as many as there are patches of 32 by 32, at most 1,536 times 1 to
     * 2.46 (developers.openai.com/api/docs/guides/images-vision); Google 258 each tile, Gemini 3
     * 1,120 (ai.google.dev/gemini-api/docs/media-resolution).  A PNG says its pixels, and has few
     * bytes for each where it is a screenshot; others are told by their bytes. */
    { { "iVBORw", 6 }, 40, PICTURE_LEAST, PICTURE_MOST }, /* PNG */
    { { "/9j/", 4 }, 80, PICTURE_LEAST, PICTURE_MOST }, /* JPEG */
    { { "R0lGOD", 6 }, 40, PICTURE_LEAST, 1600 }, /* GIF */
    /* 32 tokens a second at most, of 32,000 bytes where it is not compressed. */
    { { "UklGR", 5 }, 800, 258, 200000 }, /* RIFF: WAV, and WebP, which is small */
    { { "SUQz", 4 }, 250, 32, 200000 }, /* MP3 */
    { { "//", 2 }, 250, 32, 200000 },
    { { "T2dnUw", 6 }, 125, 32, 200000 }, /* Ogg: speech has 4,000 bytes a second */
    { { "ZkxhQw", 6 }, 500, 32, 200000 }, /* FLAC */
    /* A page is 3,000 tokens at most, text and picture, and has 50,000 bytes and more. */
    { { "JVBERi", 6 }, 16, 1600, 300000 }, /* PDF */
    /* What is not known, thoughts in cipher mostly: as the text that it may be. */
    { { "", 0 }, 2, 16, INT64_MAX },
};

static int64_t big_endian(const char *p)
{
    return (int64_t)((uint32_t)(unsigned char)p[0] << 24 | (uint32_t)(unsigned char)p[1] << 16 |
                     (uint32_t)(unsigned char)p[2] << 8 | (unsigned char)p[3]);
}

/* By its pixels, which stand in the chunk that every PNG begins with; -1: they cannot be read. */
static int64_t png_tokens(struct km_str run)
{
    struct km_buf head KM_CLEANUP(km_buf_done) = KM_BUF(PNG_HEAD);
    int64_t width, height;

    if (run.n < PNG_HEAD_BASE64 ||
        km_buf_unbase64(&head, km_str_sub(run, 0, PNG_HEAD_BASE64)) < 0 || head.n < PNG_HEAD ||
        memcmp(head.p + 12, "IHDR", 4) != 0)
        return -1;
    width = big_endian(head.p + 16);
    height = big_endian(head.p + 20);
    return width < 1 || height < 1                       ? -1
           : width > INT32_MAX || height > INT32_MAX / 2 ? PICTURE_MOST
                                                         : width * height / PIXELS_A_TOKEN + 1;
}

static void add_media(struct km_text_size *size, struct km_str run)
{
    const struct sort_of_media *m = media_sorts;
    int64_t tokens = -1;

    while (!km_str_starts(run, m->head))
        m++;
    if (m == media_sorts)
        tokens = png_tokens(run);
    if (tokens < 0)
        tokens = (int64_t)(run.n / 4 * 3) / m->bytes_a_token;
    size->media++;
    size->media_bytes += (int64_t)run.n;
    size->media_tokens += between(tokens, m->least, m->most);
}

struct km_text_size km_text_measure(struct km_str json)
{
    struct km_text_size size = { 0 };
    size_t done = 0, from = 0, at, end;

    while (next_run(json, from, &at, &end)) {
        const struct km_str run = km_str(json.p + at, end - at);

        from = end;
        if (!has_all_sorts(run))
            continue;
        measure_plain(&size, km_str(json.p + done, at - done));
        add_media(&size, run);
        done = end;
    }
    measure_plain(&size, km_str_skip(json, done));
    return size;
}

void km_text_add(struct km_text_size *size, const struct km_text_size *more)
{
    size->letters += more->letters;
    size->words += more->words;
    size->digits += more->digits;
    size->marks += more->marks;
    size->strings += more->strings;
    size->lines += more->lines;
    size->wide += more->wide;
    size->other += more->other;
    size->media_bytes += more->media_bytes;
    size->media += more->media;
    size->media_tokens += more->media_tokens;
}
