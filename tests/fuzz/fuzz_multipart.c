/* SPDX-License-Identifier: Apache-2.0 */
/* Forms.
 *
 * Beyond "no crash": however the bytes are cut, the reader says the same of them, byte for byte
 * and place for place; a value it gives is part of the form, and stands where it says.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "http/multipart.h"

struct seen {
    struct km_str form;
    struct km_buf text;
    uint64_t at; /* where the next byte of the value stands */
    const struct km_multipart *m;
};

static int on_part(void *ctx, const struct km_multipart_part *part, struct km_err *err)
{
    struct seen *s = ctx;

    (void)err;
    must(part->name.n > 0 && part->begin + 2 <= s->form.n);
    must(s->form.p[part->begin] == '-' && s->form.p[part->begin + 1] == '-');
    s->at = s->m->at;
    km_buf_printf(&s->text, "[%.*s@%llu]", KM_STR_ARG(part->name), (unsigned long long)part->begin);
    return 0;
}

static int on_data(void *ctx, struct km_str bytes, struct km_err *err)
{
    struct seen *s = ctx;

    (void)err;
    must(s->at + bytes.n <= s->form.n && memcmp(s->form.p + s->at, bytes.p, bytes.n) == 0);
    s->at += bytes.n;
    km_buf_str(&s->text, bytes);
    return 0;
}

static int on_end(void *ctx, uint64_t end, struct km_err *err)
{
    struct seen *s = ctx;

    (void)err;
    must(s->at + 2 == end && end < s->form.n && s->form.p[end] == '-');
    km_buf_printf(&s->text, "[%llu]", (unsigned long long)end);
    return 0;
}

static int read_form(struct seen *s, size_t step)
{
    static const struct km_multipart_events events = { on_part, on_data, on_end };
    struct km_multipart m;
    int r = km_multipart_init(&m, KM_STR("multipart/form-data; boundary=B"), &events, s, NULL);

    s->m = &m;
    for (size_t at = 0; r == 0 && at < s->form.n; at += step)
        r = km_multipart_feed(&m, km_str_sub(s->form, at, step), NULL);
    return r == 0 ? km_multipart_end(&m, NULL) : r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen whole = { .form = km_str((const char *)data, size), .text = KM_BUF(1 << 22) };
    struct seen cut = { .form = whole.form, .text = KM_BUF(1 << 22) };
    int r = read_form(&whole, size ? size : 1);

    must(read_form(&cut, 1) == r);
    must(km_str_eq(km_buf_view(&whole.text), km_buf_view(&cut.text)));
    km_buf_done(&whole.text);
    km_buf_done(&cut.text);
    return 0;
}
