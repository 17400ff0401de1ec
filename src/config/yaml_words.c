/* SPDX-License-Identifier: Apache-2.0 */
/* yaml_words.c - libyaml's errors in the words of somebody who edits a file (yaml_part.h).
 *
 * libyaml names the token it could not read; a person wants to know what is wrong with the line.
 * The table maps pairs of context and problem to both a sentence and a remedy; the first row that
 * fits counts, a NULL context fits each.  Of an unclosed quote the place is where it was opened,
 * not the end of the file, where libyaml gave up; of an unclosed bracket that is said beside.
 *
 * Tabs: libyaml takes them for spaces in places where PyYAML refuses them.  A file that LiteLLM
 * would refuse is refused here too, with the place of the tab.
 */
#include "config/yaml_part.h"

#include <string.h>

static const char tab_help[] = "write spaces instead: YAML takes no tabs outside of quoted text";

static const struct {
    const char *context, *problem; /* parts of libyaml's texts */
    struct km_yaml_words words;
} rows[] = {
    { NULL, "found a tab character", { "there is a tab here", tab_help, false } },
    { "a quoted scalar",
      "unexpected end of stream",
      { "this quote is never closed", "add the closing quote on this line", true } },
    { "a quoted scalar",
      "unexpected document indicator",
      { "this quote is not closed before the next document", "add the closing quote", true } },
    { NULL,
      "escape character",
      { "a backslash sequence that YAML does not know, in double quotes",
        "use single quotes, where a backslash is a backslash, or write it twice", false } },
    { "a flow sequence",
      "",
      { "a list is not closed here, or a ',' is missing between two of its items",
        "add the ']' or the ','", false } },
    { "a flow mapping",
      "",
      { "a mapping is not closed here, or a ',' is missing between two of its keys",
        "add the '}' or the ','", false } },
    { "a simple key",
      "expected ':'",
      { "this line is neither 'key: value' nor '- item'",
        "is a ':' missing here, or the space behind it?", true } },
    { NULL,
      "mapping values are not allowed",
      { "a ':' where no key can be",
        "a value with ': ' in it needs quotes; else this line, or the one above, is indented "
        "wrongly",
        false } },
    { NULL,
      "sequence entries are not allowed",
      { "a list item where none can be",
        "a '-' begins a line of its own, below its key", false } },
    { "a block mapping",
      "did not find expected key",
      { "this line does not fit the keys above it",
        "keys of one mapping begin in the same column; nothing stands behind a closing quote or "
        "bracket", false } },
    { "a block collection",
      "did not find expected '-'",
      { "this line does not fit the list items above it",
        "items of one list begin with '-' in the same column", false } },
    { "an alias",
      "",
      { "a value that begins with '*' is an alias in YAML", "put it in quotes: \"*\"", false } },
    { "an anchor",
      "",
      { "a value that begins with '&' is an anchor in YAML", "put it in quotes", false } },
    { NULL,
      "expected <document start>",
      { "something stands behind the end of the document",
        "is the first line indented less than this one, or more?", false } },
    { NULL,
      "did not find expected node content",
      { "a value is missing here", "is there a ',' or a bracket too many?", false } },
    { NULL,
      "found undefined tag handle",
      { "a value that begins with '!' is a tag in YAML", "put it in quotes", false } },
    { "a tag", "", { "a value that begins with '!' is a tag in YAML", "put it in quotes", false } },
    { "a directive",
      "",
      { "a line that begins with '%' is a directive in YAML", "put it in quotes", false } },
    { "a block scalar",
      "",
      { "what follows '|' or '>' is not indented as it has to be",
        "indent its lines by the same number of spaces, more than the key", false } },
    { NULL, "UTF-8", { "a byte that is not UTF-8", "save the file as UTF-8", false } },
    { NULL,
      "control characters are not allowed",
      { "a control character", "delete it; it may be invisible", false } },
};

static bool has(const char *text, const char *part)
{
    return text && strstr(text, part);
}

/* "found character that cannot start any token" is about one character. */
static struct km_yaml_words cannot_start(struct km_str at)
{
    static const struct {
        char c;
        struct km_yaml_words words;
    } chars[] = {
        { '\t', { "there is a tab here", tab_help, false } },
        { '@', { "a value cannot begin with '@'", "put it in quotes", false } },
        { '`', { "a value cannot begin with a backtick", "put it in quotes", false } },
        { '%', { "a value cannot begin with '%'", "put it in quotes", false } },
    };

    for (size_t i = 0; at.n && i < sizeof chars / sizeof chars[0]; i++)
        if (at.p[0] == chars[i].c)
            return chars[i].words;
    return (struct km_yaml_words){ "a value cannot begin with this character", "put it in quotes",
                                   false };
}

struct km_yaml_words km_yaml_explain(const char *context, const char *problem, struct km_str at)
{
    if (has(problem, "cannot start any token"))
        return cannot_start(at);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if ((!rows[i].context || has(context, rows[i].context)) && has(problem, rows[i].problem))
            return rows[i].words;
    return (struct km_yaml_words){ NULL, NULL, false };
}

bool km_yaml_find_tab(struct km_str text, const struct km_yaml_span *spans, size_t n,
                      size_t *ret_offset)
{
    size_t at = 0, span = 0; /* characters so far; the next scalar */
    bool comment = false, blank = true; /* in one; the byte before begins one */

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];

        if (((unsigned char)c & 0xc0) == 0x80)
            continue;
        while (span < n && at >= spans[span].to)
            span++;
        if (span < n && at >= spans[span].from) {
            comment = false;
            blank = c == '\n'; /* the end of a block scalar is the start of a line */
        } else {
            comment = c != '\n' && (comment || (c == '#' && blank));
            blank = c == ' ' || c == '\n' || c == '\r';
            if (c == '\t' && !comment) {
                *ret_offset = i;
                return true;
            }
        }
        at++;
    }
    return false;
}
