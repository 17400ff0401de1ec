/* SPDX-License-Identifier: Apache-2.0 */
/* gemini_encode.c - the canonical chat as a generateContent body.
 *
 *     {"systemInstruction": {"parts": [...]},          all system texts, in order
 *      "contents": [{"role": "user"|"model", "parts": [...]}, ...],
 *      "tools": [{"functionDeclarations": [...]}], "toolConfig": {...},
 *      "generationConfig": {...}, "safetySettings": ..., "cachedContent": ...}
 *
 * What was said is gemini_turns.c's, how to answer gemini_config.c's.
 */
#include "llm/provider/codecs.h"
#include "llm/provider/gemini_inside.h"

/* --- tools --- */

static bool own_tool(struct km_str json)
{
    static const char *const names[] = { "googleSearch", "google_search", "codeExecution",
                                         "code_execution", "urlContext", "url_context",
                                         "googleSearchRetrieval", "googleMaps", "computerUse",
                                         "fileSearch" };
    struct km_str inner = km_str_trim(km_str_skip(km_str_trim(json), 1));

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct km_str name = km_str_c(names[i]);

        if (inner.n > name.n + 1 && inner.p[0] == '"' && inner.p[name.n + 1] == '"' &&
            km_str_starts(km_str_skip(inner, 1), name))
            return true;
    }
    return false;
}

static void put_declaration(const struct km_gemini_writer *w, const struct km_tool *t)
{
    km_out_open(w->out, '{');
    km_out_member(w->out, "name", t->name);
    if (t->description.n)
        km_out_member(w->out, "description", t->description);
    if (t->schema_json.n)
        km_out_member_raw(w->out, "parametersJsonSchema", t->schema_json);
    km_out_close(w->out, '}');
}

static int put_tools(const struct km_gemini_writer *w, bool *ret_functions)
{
    const struct km_chat *chat = w->chat;
    bool any = false;

    *ret_functions = false;
    for (const struct km_tool *t = chat->tools; t; t = t->next) {
        if (t->hosted_json.n && !own_tool(t->hosted_json) &&
            km_tool_refuse(w->args->d, t, w->err) < 0)
            return KM_E_UNSUPPORTED;
        *ret_functions = *ret_functions || !t->hosted_json.n;
        any = any || !t->hosted_json.n || own_tool(t->hosted_json);
    }
    if (!any)
        return 0;
    km_out_key(w->out, "tools");
    km_out_open(w->out, '[');
    if (*ret_functions) {
        km_out_open(w->out, '{');
        km_out_key(w->out, "functionDeclarations");
        km_out_open(w->out, '[');
        for (const struct km_tool *t = chat->tools; t; t = t->next)
            if (!t->hosted_json.n)
                put_declaration(w, t);
        km_out_close(w->out, ']');
        km_out_close(w->out, '}');
    }
    for (const struct km_tool *t = chat->tools; t; t = t->next)
        if (t->hosted_json.n && own_tool(t->hosted_json))
            km_out_raw(w->out, t->hosted_json);
    km_out_close(w->out, ']');
    return 0;
}

static void put_tool_config(const struct km_gemini_writer *w)
{
    static const char *const modes[] = { [KM_CHOICE_AUTO] = "AUTO",
                                         [KM_CHOICE_NONE] = "NONE",
                                         [KM_CHOICE_REQUIRED] = "ANY",
                                         [KM_CHOICE_NAMED] = "ANY" };

    km_out_key(w->out, "toolConfig");
    km_out_open(w->out, '{');
    km_out_key(w->out, "functionCallingConfig");
    km_out_open(w->out, '{');
    km_out_member(w->out, "mode", km_str_c(modes[w->chat->tool_choice]));
    if (w->chat->tool_choice == KM_CHOICE_NAMED) {
        km_out_key(w->out, "allowedFunctionNames");
        km_out_open(w->out, '[');
        km_out_str(w->out, w->chat->tool_name);
        km_out_close(w->out, ']');
    }
    km_out_close(w->out, '}');
    km_out_close(w->out, '}');
}

static void put_extras(const struct km_gemini_writer *w)
{
    static const char *const names[][2] = {
        { "safetySettings", "safetySettings" }, { "safety_settings", "safetySettings" },
        { "cachedContent", "cachedContent" },   { "cached_content", "cachedContent" },
        { "labels", "labels" },
    };

    for (const struct km_chat_extra *x = w->chat->extras; x; x = x->next) {
        size_t i = 0;

        while (i < sizeof names / sizeof names[0] && !km_str_eq(x->name, km_str_c(names[i][0])))
            i++;
        if (i < sizeof names / sizeof names[0]) {
            km_out_member_raw(w->out, names[i][1], x->json);
        } else if (x->kind == KM_EXTRA_AS_IS) {
            km_out_key_str(w->out, x->name);
            km_out_raw(w->out, x->json);
        }
    }
}

int km_gemini_encode(const struct km_encode_args *args, const struct km_chat *chat,
                     struct km_json_out *out, struct km_err *err)
{
    struct km_gemini_writer w = { .args = args, .chat = chat, .out = out, .err = err };
    bool functions = false;
    int r;

    w.newer = args->can->generation >= 30;
    w.vertex = args->d->codec == &km_codec_gemini_vertex;
    km_out_open(out, '{');
    km_gemini_put_system(&w);
    r = km_gemini_put_contents(&w);
    if (r == 0)
        r = put_tools(&w, &functions);
    if (r == 0 && functions && km_chat_has(chat, KM_P_TOOL_CHOICE))
        put_tool_config(&w);
    if (r == 0)
        r = km_gemini_put_config(&w);
    put_extras(&w);
    km_out_close(out, '}');
    return r;
}
