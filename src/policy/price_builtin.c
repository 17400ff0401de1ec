/* SPDX-License-Identifier: Apache-2.0 */
/* price_builtin.c - what current models cost: a small table for the time before an import.
 *
 * Source: npm's @pydantic/genai-prices 0.1.8, released 2026-09-23 (MIT licence); written by
 * scripts/builtin-prices.mjs, which names the models.  Do not edit: prices of a deployment go
 * into its litellm_params, those of many models come by `kanmon prices import`.
 *
 * Units: pico-USD a token.  Columns: input, output, cache read, cache write, request;
 * tokens of input, of output; then the tier: its threshold, input, output, cache read, write;
 * then audio: input, output, cache read; then images: input, cache read.
 * -1 is unknown.  A row has its names first, parted by spaces; names with a star are asked in
 * this order, so the narrower stands first.  Where a price depends on the hour, the dearest is
 * taken: a budget must hold at any hour.
 */
#include "policy/price_table.h"

const char km_price_builtin_source[] = "@pydantic/genai-prices 0.1.8, 2026-09-23";

/* clang-format off */
const struct km_price_builtin km_price_builtin[] = {
    { "openai/gpt-5.5 openai/gpt-5.5-2026-04-23 openai/gpt-5.5-2026-04-24 "
      "openai/gpt-5-5 openai/gpt-5-5-2026-04-23 openai/gpt-5-5-2026-04-24 "
      "openai/gpt-5.5-chat openai/gpt-5.5-chat-latest openai/gpt-5-5-chat "
      "openai/gpt-5-5-chat-latest openai/gpt-5.5-codex openai/gpt-5-5-codex",
      { 5000000, 30000000, 500000, -1, -1, 1000000, -1, 272000, 10000000, 45000000, 1000000,
        -1 } },
    { "openai/gpt-5.4 openai/gpt-5.4-2026-03-05 openai/gpt-5-4 "
      "openai/gpt-5-4-2026-03-05",
      { 2500000, 15000000, 250000, -1, -1, 1050000, -1, 272000, 5000000, 22500000, 500000, -1 } },
    { "openai/gpt-5.4-mini openai/gpt-5.4-mini-2026-03-17 openai/gpt-5-4-mini "
      "openai/gpt-5-4-mini-2026-03-17",
      { 750000, 4500000, 75000, -1, -1, 400000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-5.4-nano openai/gpt-5.4-nano-2026-03-17 openai/gpt-5-4-nano "
      "openai/gpt-5-4-nano-2026-03-17",
      { 200000, 1250000, 20000, -1, -1, 400000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-5.2 openai/gpt-5.2-2025-12-11 openai/gpt-5-2 "
      "openai/gpt-5-2-2025-12-11 openai/gpt-5.2-chat openai/gpt-5.2-chat-latest "
      "openai/gpt-5-2-chat openai/gpt-5-2-chat-latest openai/gpt-5.2-codex "
      "openai/gpt-5-2-codex",
      { 1750000, 14000000, 175000, -1, -1, 400000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-5.1 openai/gpt-5.1-2025-11-13 openai/gpt-5.1-codex "
      "openai/gpt-5.1-codex-max openai/gpt-5.1-chat openai/gpt-5.1-chat-latest "
      "openai/gpt-5-1 openai/gpt-5-1-2025-11-13 openai/gpt-5-1-codex "
      "openai/gpt-5-1-codex-max openai/gpt-5-1-chat openai/gpt-5-1-chat-latest",
      { 1250000, 10000000, 125000, -1, -1, 400000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-5 openai/gpt-5-2025-08-07 openai/gpt-5-chat openai/gpt-5-chat-latest "
      "openai/gpt-5-codex",
      { 1250000, 10000000, 125000, -1, -1, 400000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-5-mini openai/gpt-5-mini-2025-08-07",
      { 250000, 2000000, 25000, -1, -1, 400000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-5-nano openai/gpt-5-nano-*",
      { 50000, 400000, 5000, -1, -1, 400000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-4.1 openai/gpt-4.1-2025-04-14",
      { 2000000, 8000000, 500000, -1, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-4.1-mini openai/gpt-4.1-mini-2025-04-14",
      { 400000, 1600000, 100000, -1, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-4.1-nano openai/gpt-4.1-nano-2025-04-14",
      { 100000, 400000, 25000, -1, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-4o openai/gpt-4o-2024-08-06 openai/gpt-4o-2024-11-20",
      { 2500000, 10000000, 1250000, -1, -1, 128000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-4o-2024-05-13",
      { 5000000, 15000000, -1, -1, -1, 128000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-4o-mini openai/gpt-4o-mini-2024-07-18 "
      "openai/gpt-4o-mini-search-preview openai/gpt-4o-mini-search-preview-2025-03-11",
      { 150000, 600000, 75000, -1, -1, 128000, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-3.5-turbo openai/gpt-35-turbo openai/gpt-3.5-turbo-0125",
      { 500000, 1500000, -1, -1, -1, 16385, -1, -1, -1, -1, -1, -1 } },
    { "openai/gpt-realtime openai/gpt-realtime-2025-08-28 openai/gpt-realtime-1.5",
      { 4000000, 16000000, 400000, -1, -1, 32000, -1, -1, -1, -1, -1, -1, 32000000, 64000000,
        400000, 5000000, 500000 } },
    { "openai/gpt-realtime-2 openai/gpt-realtime-2.1",
      { 4000000, 24000000, 400000, -1, -1, 128000, -1, -1, -1, -1, -1, -1, 32000000, 64000000,
        400000, 5000000, 500000 } },
    { "openai/gpt-realtime-mini openai/gpt-realtime-2.1-mini "
      "openai/gpt-realtime-mini-2025-12-15 openai/gpt-realtime-mini-2025-10-06",
      { 600000, 2400000, 60000, -1, -1, -1, -1, -1, -1, -1, -1, -1, 10000000, 20000000, 300000,
        800000, 80000 } },
    { "openai/gpt-4o-mini-transcribe",
      { 1250000, 5000000, -1, -1, -1, 16000, -1, -1, -1, -1, -1, -1, 3000000, -1, -1, -1, -1 } },
    { "openai/o1 openai/o1-2024-12-17",
      { 15000000, 60000000, 7500000, -1, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "openai/o3 openai/o3-2025-04-16",
      { 2000000, 8000000, 500000, -1, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "openai/o3-mini openai/o3-mini-2025-01-31 openai/o3-mini-high",
      { 1100000, 4400000, 550000, -1, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "openai/o4-mini openai/o4-mini-2025-04-16 openai/o4-mini-high",
      { 1100000, 4400000, 275000, -1, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "openai/text-embedding-3-small",
      { 20000, -1, -1, -1, -1, 8192, -1, -1, -1, -1, -1, -1 } },
    { "openai/text-embedding-3-large",
      { 130000, -1, -1, -1, -1, 8192, -1, -1, -1, -1, -1, -1 } },
    { "openai/text-embedding-ada-002 openai/text-embedding-ada "
      "openai/text-embedding-ada-002-v2",
      { 100000, -1, -1, -1, -1, 8192, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-opus-5 anthropic/claude-opus-5.0* anthropic/claude-5-opus* "
      "anthropic/claude-5.0-opus*",
      { 5000000, 25000000, 500000, 6250000, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-sonnet-5* anthropic/claude-5-sonnet* "
      "anthropic/claude-5.0-sonnet*",
      { 2000000, 10000000, 200000, 2500000, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-opus-4-6* anthropic/claude-opus-4.6* anthropic/claude-4-6-opus* "
      "anthropic/claude-4.6-opus*",
      { 5000000, 25000000, 500000, 6250000, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-opus-4-5* anthropic/claude-opus-4.5* anthropic/claude-4-5-opus* "
      "anthropic/claude-4.5-opus*",
      { 5000000, 25000000, 500000, 6250000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-opus-4-1* anthropic/claude-opus-4.1*",
      { 15000000, 75000000, 1500000, 18750000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-sonnet-4-6* anthropic/claude-sonnet-4.6*",
      { 3000000, 15000000, 300000, 3750000, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-sonnet-4-5* anthropic/claude-sonnet-4.5*",
      { 3000000, 15000000, 300000, 3750000, -1, 200000, -1, 200000, 6000000, 22500000, 600000,
        7500000 } },
    { "anthropic/claude-sonnet-4-2025* anthropic/claude-sonnet-4-0* "
      "anthropic/claude-sonnet-4@* anthropic/claude-sonnet-4 anthropic/claude-4-sonnet*",
      { 3000000, 15000000, 300000, 3750000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-haiku-4-5* anthropic/claude-haiku-4.5* "
      "anthropic/claude-4-5-haiku* anthropic/claude-4.5-haiku*",
      { 1000000, 5000000, 100000, 1250000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-3-7-sonnet* anthropic/claude-3.7-sonnet* "
      "anthropic/claude-sonnet-3.7* anthropic/claude-sonnet-3-7*",
      { 3000000, 15000000, 300000, 3750000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-3-5-sonnet* anthropic/claude-3.5-sonnet*",
      { 3000000, 15000000, 300000, 3750000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-3-5-haiku* anthropic/claude-3.5-haiku*",
      { 800000, 4000000, 80000, 1000000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "anthropic/claude-3-haiku*",
      { 250000, 1250000, 30000, 300000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "gemini/gemini-3.1-pro-preview*",
      { 2000000, 12000000, 200000, -1, -1, -1, -1, 200000, 4000000, 18000000, 400000, -1 } },
    { "gemini/gemini-3.5-flash gemini/gemini-3.5-flash-preview*",
      { 1500000, 9000000, 150000, -1, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "gemini/gemini-3-flash-preview gemini/gemini-3-flash-preview-*",
      { 500000, 3000000, 50000, -1, -1, 1000000, -1, -1, -1, -1, -1, -1, 1000000, -1, 100000,
        -1, -1 } },
    { "gemini/gemini-2.5-pro",
      { 1250000, 10000000, 125000, -1, -1, -1, -1, 200000, 2500000, 15000000, 250000, -1 } },
    { "gemini/gemini-2.5-flash gemini/gemini-2.5-flash-latest "
      "gemini/gemini-2.5-flash-preview-09-2025",
      { 300000, 2500000, 30000, -1, -1, 1048576, -1, -1, -1, -1, -1, -1, 1000000, -1, 100000,
        -1, -1 } },
    { "gemini/gemini-2.5-flash-lite",
      { 100000, 400000, 10000, -1, -1, 1000000, -1, -1, -1, -1, -1, -1, 300000, -1, 30000, -1,
        -1 } },
    { "gemini/gemini-2.0-flash gemini/*gemini-2.0-flash gemini/*gemini-2.0-flash-0* "
      "gemini/*gemini-2.0-flash-exp* gemini/*gemini-2.0-flash-thinking* "
      "gemini/*gemini-2.0-flash-latest*",
      { 100000, 400000, 25000, -1, -1, 1000000, -1, -1, -1, -1, -1, -1, 700000, -1, 175000, -1,
        -1 } },
    { "gemini/gemini-embedding-001",
      { 150000, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*global.anthropic.claude-sonnet-5*",
      { 2000000, 10000000, 200000, 2500000, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*global.anthropic.claude-opus-4-6*",
      { 5000000, 25000000, 500000, 6250000, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*global.anthropic.claude-sonnet-4-6*",
      { 3000000, 15000000, 300000, 3750000, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*global.anthropic.claude-sonnet-4-5-20250929*",
      { 3000000, 15000000, 300000, 3750000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*global.anthropic.claude-haiku-4-5-20251001*",
      { 1000000, 5000000, 100000, 1250000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*global.anthropic.claude-sonnet-4-20250514*",
      { 3000000, 15000000, 300000, 3750000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-sonnet-5*",
      { 2200000, 11000000, 220000, 2750000, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-opus-4-6*",
      { 5500000, 27500000, 550000, 6875000, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-sonnet-4-6*",
      { 3300000, 16500000, 330000, 4125000, -1, 1000000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-sonnet-4-5-20250929*",
      { 3300000, 16500000, 330000, 4125000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-haiku-4-5-20251001*",
      { 1100000, 5500000, 110000, 1375000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-sonnet-4-20250514*",
      { 3000000, 15000000, 300000, 3750000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-3-7-sonnet-20250219*",
      { 3000000, 15000000, 300000, 3750000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-3-5-sonnet-20240620*",
      { 3000000, 15000000, 300000, 3750000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-3-5-sonnet-20241022*",
      { 3000000, 15000000, 300000, 3750000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-3-5-haiku-20241022*",
      { 800000, 4000000, 80000, 1000000, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*anthropic.claude-3-haiku-20240307*",
      { 250000, 1250000, -1, -1, -1, 200000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*amazon.nova-pro*",
      { 800000, 3200000, 200000, -1, -1, 300000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*amazon.nova-lite*",
      { 60000, 240000, 15000, -1, -1, 300000, -1, -1, -1, -1, -1, -1 } },
    { "bedrock/*amazon.nova-micro*",
      { 35000, 140000, 8750, -1, -1, 128000, -1, -1, -1, -1, -1, -1 } },
    { "mistral/mistral-large-2512",
      { 500000, 1500000, 50000, -1, -1, 262144, -1, -1, -1, -1, -1, -1 } },
    { "mistral/mistral-medium-latest",
      { 1500000, 7500000, 150000, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
    { "mistral/mistral-small-latest",
      { 100000, 300000, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
    { "mistral/codestral mistral/codestral-latest mistral/codestral-2501",
      { 300000, 900000, -1, -1, -1, 256000, -1, -1, -1, -1, -1, -1 } },
    { "mistral/mistral-embed",
      { 100000, 100000, -1, -1, -1, 8192, -1, -1, -1, -1, -1, -1 } },
    { "deepseek/deepseek-chat*",
      { 270000, 1100000, 70000, -1, -1, 64000, -1, -1, -1, -1, -1, -1 } },
    { "deepseek/deepseek-reasoner deepseek/deepseek-r1*",
      { 550000, 2190000, 140000, -1, -1, 64000, -1, -1, -1, -1, -1, -1 } },
    { "groq/llama-3.3-70b-versatile",
      { 590000, 790000, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
    { "groq/llama-3.1-8b-instant",
      { 50000, 80000, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } },
    { "groq/openai/gpt-oss-120b groq/openai/gpt-oss-safeguard-20b",
      { 150000, 600000, 75000, -1, -1, 131072, -1, -1, -1, -1, -1, -1 } },
    { "groq/openai/gpt-oss-20b",
      { 75000, 300000, 37500, -1, -1, 131072, -1, -1, -1, -1, -1, -1 } },
    { "xai/grok-4.3 xai/x-ai/grok-4.3 xai/grok-4.3-latest",
      { 1250000, 2500000, 200000, -1, -1, 1000000, -1, 200000, 2500000, 5000000, 400000, -1 } },
    { "xai/grok-4-0709 xai/grok-4 xai/grok-4-latest",
      { 3000000, 15000000, 750000, -1, -1, 256000, -1, -1, -1, -1, -1, -1 } },
    { "xai/grok-4-fast-reasoning xai/grok-4-fast xai/grok-4-fast-reasoning-latest",
      { 200000, 500000, 50000, -1, -1, 2000000, -1, -1, -1, -1, -1, -1 } },
    { "xai/grok-3 xai/grok-3-latest xai/grok-3-beta",
      { 3000000, 15000000, 750000, -1, -1, 131072, -1, -1, -1, -1, -1, -1 } },
    { "xai/grok-3-mini xai/grok-3-mini-beta xai/grok-3-mini-latest",
      { 300000, 500000, 75000, -1, -1, 131072, -1, -1, -1, -1, -1, -1 } },
};
/* clang-format on */

const size_t km_price_builtin_n = sizeof km_price_builtin / sizeof km_price_builtin[0];
