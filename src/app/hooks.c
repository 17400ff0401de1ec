/* SPDX-License-Identifier: Apache-2.0 */
/* hooks.c - who stands on a call's way, listed once: where, and in which order (call/hooks.h).
 *
 * An object of its own: another program of these parts may have others (tests/guarded).
 */
#include "app/cli.h"
#include "call/hedge.h"
#include "call/hooks.h"
#include "gateway/llm/kind.h"
#include "gateway/llm/loop.h"
#include "gateway/llm/mirror.h"
#include "gateway/mcp/chat.h"
#include "kept/answers.h"
#include "kept/file_refs.h"
#include "kept/made.h"
#include "kept/other_models.h"
#include "kept/together.h"

static const struct km_call_hook *const prepared[] = {
    &km_mcp_chat_hook, /* first: its rounds are calls, which come to the others */
    &km_answers_hook, &km_loop_hook, &km_file_refs_hook, &km_other_models_hook, NULL,
};

static const struct km_call_hook *const routed[] = { &km_together_hook, &km_hedge_hook, NULL };
static const struct km_call_hook *const settled[] = { &km_hedge_learn_hook, &km_mirror_hook, NULL };

static const struct km_call_unit *const fetched[] = { &km_made_unit, NULL };
static const struct km_call_unit *const shown[] = { &km_answers_unit, NULL };

const struct km_call_hooks km_app_hooks = { .at = { [KM_HOOK_PREPARED] = prepared,
                                                    [KM_HOOK_ROUTED] = routed,
                                                    [KM_HOOK_SETTLED] = settled },
                                            .units = { [KM_UNITS_FETCH] = fetched,
                                                       [KM_UNITS_SHOWN] = shown },
                                            .of_models = &km_kind_llm };
