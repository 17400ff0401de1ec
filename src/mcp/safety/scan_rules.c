/* SPDX-License-Identifier: Apache-2.0 */
/* scan_rules.c - the sentences by which a description gives orders to a model (scan_rules.h).
 *
 * A rule is a few groups of words that follow each other, with at most `gap` bytes between the end
 * of one and the beginning of the next, in one sentence or two:
 *
 *     "ignore|disregard" ... "previous|prior" ... "instruction|rule"
 *
 * A word stands at the beginning of a word of the text.  The rules name what attacks say and what
 * documentation hardly does; single words such as "must", "important" or "api key" are in half of
 * all honest descriptions and are no sign of anything.
 */
#include "mcp/safety/scan_rules.h"

#define GROUPS 4

struct rule {
    const char *groups[GROUPS]; /* alternatives between '|' */
    size_t gap;
};

#define SECRET_PLACES                                                                              \
    "~/.ssh|.ssh/|id_rsa|id_ed25519|/etc/passwd|/etc/shadow|~/.aws|.aws/credentials|~/.netrc|"     \
    "mcp.json|~/.cursor|~/.kube|.git-credentials|~/.npmrc"

static const struct rule rules[] = {
    /* what was said before does not count */
    { { "ignore|disregard|forget",
        "previous|prior|above|earlier|preceding|all other|any other|the system|your|all|any",
        "instruction|guideline|system prompt|safety rule|directive" },
      24 },
    { { "override|bypass|supersede", "previous|prior|earlier|your|the user's|safety|all other",
        "instruction|guideline|directive" },
      24 },
    { { "you are now a|you must now act|new instructions:|your new task|your real task|"
        "your true purpose|from now on you|from now on, you" },
      0 },
    { { "ignore|disregard|never use|do not use|don't use",
        "other tools|all other tools|any other tool|the other tools" },
      24 },
    /* nobody is to know */
    { { "do not|don't|dont|never|must not|without|avoid|refrain from",
        "tell|mention|inform the|inform any|informing|reveal|disclose", "user|human|operator" },
      32 },
    { { "hide|conceal|keep", "from the user|from user|secret from|hidden from" }, 40 },
    { { "secretly|silently|covertly|without the user's knowledge|without the user knowing",
        "send|forward|upload|exfiltrat|transmit|leak" },
      24 },
    /* secrets are to be passed on */
    { { "read|open|cat|load|access|fetch|get|retrieve|extract|collect|search",
        SECRET_PLACES "|.env file|~/.env",
        "pass|send|include|provide|attach|append|content|upload|put|post|parameter|argument" },
      90 },
    { { "pass|send|include|attach|append|upload|post", SECRET_PLACES }, 60 },
    { { "reveal|print|output|repeat|include|send|leak|provide|pass|append",
        "your system prompt|the system prompt|your instructions|the entire conversation|"
        "the full conversation|the whole conversation|all previous messages" },
      24 },
    /* what other tools do is to be done otherwise */
    { { "when|whenever|if", "tool is|server is|tool becomes|tools are",
        "present|available|connected|enabled|loaded", "must|always|never" },
      60 },
    { { "must|always|instead|secretly", "send|sent|forward|bcc|redirect|deliver", "@" }, 60 },
    /* marks of a conversation's own form */
    { { "<important>|<system>|</system>|<system-reminder>|<secret>|<hidden>|[inst]|<<sys>>|"
        "im_start|<!--|[system]|### system" },
      0 },
};

static bool wordy(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Does one of the alternatives stand here?  Its length, or 0. */
static size_t stands(struct km_str text, size_t at, const char *group)
{
    struct km_str rest = km_str_c(group), word;

    if (at > 0 && wordy(text.p[at]) && wordy(text.p[at - 1]))
        return 0;
    while (km_str_split(&rest, '|', &word)) {
        if (word.n && text.n - at >= word.n && memcmp(text.p + at, word.p, word.n) == 0)
            return word.n;
    }
    return 0;
}

/* An address: something on both sides of '@'. */
static bool address(struct km_str text, size_t at)
{
    return text.p[at] == '@' && at > 0 && wordy(text.p[at - 1]) && at + 1 < text.n &&
           wordy(text.p[at + 1]);
}

static bool follows(struct km_str text, size_t from, const struct rule *r, size_t group)
{
    if (group == GROUPS || !r->groups[group])
        return true;
    for (size_t at = from; at < text.n && at <= from + r->gap; at++) {
        size_t n = stands(text, at, r->groups[group]);

        if (n && r->groups[group][0] == '@' && !address(text, at))
            continue;
        if (n && follows(text, at + n, r, group + 1))
            return true;
    }
    return false;
}

bool km_scan_orders(struct km_str folded)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        for (size_t at = 0; at < folded.n; at++) {
            size_t n = stands(folded, at, rules[i].groups[0]);

            if (n && follows(folded, at + n, &rules[i], 1))
                return true;
        }
    return false;
}
