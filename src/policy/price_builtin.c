/* SPDX-License-Identifier: Apache-2.0 */
/* price_builtin.c - what current models cost: a table for the time before an import.
 *
 * Source: the price tables of LiteLLM 1.106.2 and @pydantic/genai-prices 0.1.8
 * (both MIT licence); written by scripts/builtin-prices.mjs, which names providers and models.  Do
 * not edit: prices of a deployment go into its litellm_params, those of many models come by
 * `kanmon prices import`.
 *
 * A row has its names first, parted by spaces, then LiteLLM's members as price_columns.h has them,
 * in USD.  Names with a star are asked in this order, so the narrower stands first.  Where a price
 * depends on the hour, the dearest is taken: a budget must hold at any hour.  "container" is what a
 * provider's own tools cost with any of its models.
 */
#include "policy/price_table.h"

const char km_price_builtin_source[] = "LiteLLM 1.106.2 and @pydantic/genai-prices 0.1.8";

/* clang-format off */
const struct km_price_builtin km_price_builtin[] = {
    { "openai/container",
      "{search_context_cost_per_query:{search_context_size_medium:0.01},"
      "code_interpreter_cost_per_session:0.03,file_search_cost_per_1k_calls:2.5}" },
    { "azure/container",
      "{code_interpreter_cost_per_session:0.033,file_search_cost_per_1k_calls:2.5}" },
    { "anthropic/container",
      "{search_context_cost_per_query:{search_context_size_medium:0.01},"
      "code_interpreter_cost_per_session:0.05}" },
    { "gemini/container",
      "{code_interpreter_cost_per_session:0}" },
    { "vertex_ai/container",
      "{code_interpreter_cost_per_session:0}" },
    { "xai/container",
      "{search_context_cost_per_query:{search_context_size_medium:0.005},"
      "code_interpreter_cost_per_session:0.005,file_search_cost_per_1k_calls:2.5}" },
    { "openai/gpt-4o-transcribe-diarize openai/gpt-4o-transcribe",
      "{input_cost_per_audio_token:0.000006,input_cost_per_token:0.0000025,"
      "max_input_tokens:16000,max_output_tokens:2000,output_cost_per_token:0.00001}" },
    { "openai/computer-use-preview openai/computer-use-preview-2025-03-11",
      "{input_cost_per_token:0.000003,max_input_tokens:8192,max_output_tokens:1024,"
      "output_cost_per_token:0.000012}" },
    { "openai/ft:gpt-3.5-turbo openai/ft:gpt-3.5-turbo-0125 openai/ft:gpt-3.5-turbo-1106",
      "{input_cost_per_token:0.000003,max_input_tokens:16385,max_output_tokens:4096,"
      "output_cost_per_token:0.000006}" },
    { "openai/ft:gpt-3.5-turbo-0613",
      "{input_cost_per_token:0.000003,max_input_tokens:4096,max_output_tokens:4096,"
      "output_cost_per_token:0.000006}" },
    { "openai/ft:gpt-4-0613 openai/gpt-4 openai/gpt-4-0613",
      "{input_cost_per_token:0.00003,max_input_tokens:8192,max_output_tokens:4096,"
      "output_cost_per_token:0.00006}" },
    { "openai/ft:gpt-4o-2024-08-06",
      "{cache_read_input_token_cost:0.000001875,cache_read_input_token_cost_batches:9e-7,"
      "input_cost_per_token:0.00000375,input_cost_per_token_batches:0.000002225,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:0.000015,"
      "output_cost_per_token_batches:0.0000125}" },
    { "openai/ft:gpt-4o-2024-11-20",
      "{cache_creation_input_token_cost:0.000001875,input_cost_per_token:0.00000375,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:0.000015}" },
    { "openai/ft:gpt-4o-mini-2024-07-18",
      "{cache_read_input_token_cost:1.5e-7,input_cost_per_token:3e-7,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:0.0000012}" },
    { "openai/ft:gpt-4.1-2025-04-14",
      "{cache_read_input_token_cost:7.5e-7,cache_read_input_token_cost_batches:5e-7,"
      "input_cost_per_token:0.000003,max_input_tokens:1047576,max_output_tokens:32768,"
      "output_cost_per_token:0.000012}" },
    { "openai/ft:gpt-4.1-mini-2025-04-14",
      "{cache_read_input_token_cost:2e-7,input_cost_per_token:8e-7,max_input_tokens:1047576,"
      "max_output_tokens:32768,output_cost_per_token:0.0000032}" },
    { "openai/ft:gpt-4.1-nano-2025-04-14",
      "{cache_read_input_token_cost:5e-8,input_cost_per_token:2e-7,max_input_tokens:1047576,"
      "max_output_tokens:32768,output_cost_per_token:8e-7}" },
    { "openai/ft:o4-mini-2025-04-16",
      "{cache_read_input_token_cost:0.000001,input_cost_per_token:0.000004,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.000016}" },
    { "openai/gpt-3.5-turbo openai/gpt-3.5-turbo-0125",
      "{input_cost_per_token:5e-7,max_input_tokens:16385,max_output_tokens:4096,"
      "output_cost_per_token:0.0000015}" },
    { "openai/gpt-3.5-turbo-1106",
      "{input_cost_per_token:0.000001,input_cost_per_token_batches:0.000001,"
      "max_input_tokens:16385,max_output_tokens:4096,output_cost_per_token:0.000002,"
      "output_cost_per_token_batches:0.000002}" },
    { "openai/gpt-3.5-turbo-16k",
      "{input_cost_per_token:0.000003,max_input_tokens:16385,max_output_tokens:4096,"
      "output_cost_per_token:0.000004}" },
    { "openai/gpt-4-1106-preview openai/gpt-4-turbo openai/gpt-4-turbo-2024-04-09",
      "{input_cost_per_token:0.00001,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:0.00003}" },
    { "openai/gpt-4.1 openai/gpt-4.1-2025-04-14",
      "{cache_read_input_token_cost:5e-7,cache_read_input_token_cost_priority:8.75e-7,"
      "input_cost_per_token:0.000002,input_cost_per_token_priority:0.0000035,"
      "max_input_tokens:1047576,max_output_tokens:32768,output_cost_per_token:0.000008,"
      "output_cost_per_token_priority:0.000014,"
      "search_context_cost_per_query:{search_context_size_medium:0.025}}" },
    { "openai/gpt-4.1-mini openai/gpt-4.1-mini-2025-04-14",
      "{cache_read_input_token_cost:1e-7,cache_read_input_token_cost_priority:1.75e-7,"
      "input_cost_per_token:4e-7,input_cost_per_token_priority:7e-7,"
      "max_input_tokens:1047576,max_output_tokens:32768,output_cost_per_token:0.0000016,"
      "output_cost_per_token_priority:0.0000028,"
      "search_context_cost_per_query:{search_context_size_medium:0.025}}" },
    { "openai/gpt-4.1-nano openai/gpt-4.1-nano-2025-04-14",
      "{cache_read_input_token_cost:2.5e-8,cache_read_input_token_cost_priority:5e-8,"
      "input_cost_per_token:1e-7,input_cost_per_token_priority:2e-7,"
      "max_input_tokens:1047576,max_output_tokens:32768,output_cost_per_token:4e-7,"
      "output_cost_per_token_priority:8e-7}" },
    { "openai/gpt-4o openai/gpt-4o-2024-08-06 openai/gpt-4o-2024-11-20",
      "{cache_read_input_token_cost:0.00000125,"
      "cache_read_input_token_cost_priority:0.000002125,input_cost_per_token:0.0000025,"
      "input_cost_per_token_priority:0.00000425,max_input_tokens:128000,"
      "max_output_tokens:16384,output_cost_per_token:0.00001,"
      "output_cost_per_token_priority:0.000017,"
      "search_context_cost_per_query:{search_context_size_medium:0.025}}" },
    { "openai/gpt-4o-2024-05-13",
      "{input_cost_per_token:0.000005,input_cost_per_token_priority:0.00000875,"
      "max_input_tokens:128000,max_output_tokens:4096,output_cost_per_token:0.000015,"
      "output_cost_per_token_priority:0.00002625}" },
    { "openai/gpt-4o-audio-preview-2024-12-17 openai/gpt-4o-audio-preview-2025-06-03",
      "{input_cost_per_audio_token:0.00004,input_cost_per_token:0.0000025,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_audio_token:0.00008,"
      "output_cost_per_token:0.00001}" },
    { "openai/gpt-audio openai/gpt-audio-1.5 openai/gpt-audio-2025-08-28",
      "{input_cost_per_audio_token:0.000032,input_cost_per_token:0.0000025,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_audio_token:0.000064,"
      "output_cost_per_token:0.00001}" },
    { "openai/gpt-audio-mini openai/gpt-audio-mini-2025-10-06 "
      "openai/gpt-audio-mini-2025-12-15",
      "{input_cost_per_audio_token:0.00001,input_cost_per_token:6e-7,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_audio_token:0.00002,"
      "output_cost_per_token:0.0000024}" },
    { "openai/gpt-4o-mini openai/gpt-4o-mini-2024-07-18",
      "{cache_read_input_token_cost:7.5e-8,cache_read_input_token_cost_priority:1.25e-7,"
      "input_cost_per_token:1.5e-7,input_cost_per_token_priority:2.5e-7,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:6e-7,"
      "output_cost_per_token_priority:0.000001,"
      "search_context_cost_per_query:{search_context_size_medium:0.025}}" },
    { "openai/gpt-4o-mini-audio-preview-2024-12-17",
      "{input_cost_per_audio_token:0.00001,input_cost_per_token:1.5e-7,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_audio_token:0.00002,"
      "output_cost_per_token:6e-7}" },
    { "openai/gpt-4o-mini-realtime-preview-2024-12-17",
      "{cache_creation_input_audio_token_cost:3e-7,cache_read_input_token_cost:3e-7,"
      "input_cost_per_audio_token:0.00001,input_cost_per_token:6e-7,max_input_tokens:128000,"
      "max_output_tokens:4096,output_cost_per_audio_token:0.00002,"
      "output_cost_per_token:0.0000024}" },
    { "openai/gpt-4o-mini-search-preview openai/gpt-4o-mini-search-preview-2025-03-11",
      "{cache_read_input_token_cost:7.5e-8,input_cost_per_token:1.5e-7,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:6e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.025}}" },
    { "openai/gpt-4o-mini-transcribe openai/gpt-4o-mini-transcribe-2025-03-20 "
      "openai/gpt-4o-mini-transcribe-2025-12-15",
      "{input_cost_per_audio_token:0.000003,input_cost_per_token:0.00000125,"
      "max_input_tokens:16000,max_output_tokens:2000,output_cost_per_token:0.000005}" },
    { "openai/gpt-4o-mini-tts openai/gpt-4o-mini-tts-2025-03-20 "
      "openai/gpt-4o-mini-tts-2025-12-15",
      "{input_cost_per_token:6e-7,output_cost_per_audio_token:0.000012,"
      "output_cost_per_second:0.00025,output_cost_per_token:0.00001}" },
    { "openai/gpt-4o-search-preview openai/gpt-4o-search-preview-2025-03-11",
      "{cache_read_input_token_cost:0.00000125,input_cost_per_token:0.0000025,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:0.00001,"
      "search_context_cost_per_query:{search_context_size_medium:0.025}}" },
    { "openai/gpt-image-1.5 openai/gpt-image-1.5-2025-12-16",
      "{cache_read_input_image_token_cost:0.000002,cache_read_input_token_cost:0.00000125,"
      "cache_read_input_token_cost_batches:6.3e-7,input_cost_per_token:0.000005,"
      "output_cost_per_token:0.00001,input_cost_per_image_token:0.000008,"
      "output_cost_per_image_token:0.000032}" },
    { "openai/gpt-image-2 openai/gpt-image-2-2026-04-21 openai/gpt-image-2.5-flare "
      "openai/gpt-image-2.5-flare-2026-09-08 openai/gpt-image-2.5-sunburst "
      "openai/gpt-image-2.5-sunburst-2026-09-08",
      "{cache_read_input_image_token_cost:0.000002,cache_read_input_token_cost:0.00000125,"
      "input_cost_per_token:0.000005,input_cost_per_image_token:0.000008,"
      "output_cost_per_image_token:0.00003}" },
    { "openai/gpt-5 openai/gpt-5-2025-08-07",
      "{cache_read_input_token_cost:1.25e-7,cache_read_input_token_cost_flex:6.25e-8,"
      "cache_read_input_token_cost_priority:2.5e-7,input_cost_per_token:0.00000125,"
      "input_cost_per_token_flex:6.25e-7,input_cost_per_token_priority:0.0000025,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.00001,"
      "output_cost_per_token_flex:0.000005,output_cost_per_token_priority:0.00002,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5-codex",
      "{cache_read_input_token_cost:1.25e-7,input_cost_per_token:0.00000125,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.00001}" },
    { "openai/gpt-5.1 openai/gpt-5.1-2025-11-13",
      "{cache_read_input_token_cost:1.25e-7,cache_read_input_token_cost_flex:6.25e-8,"
      "cache_read_input_token_cost_priority:2.5e-7,input_cost_per_token:0.00000125,"
      "input_cost_per_token_priority:0.0000025,max_input_tokens:272000,"
      "max_output_tokens:128000,output_cost_per_token:0.00001,"
      "output_cost_per_token_priority:0.00002,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "input_cost_per_token_flex:6.25e-7,output_cost_per_token_flex:0.000005}" },
    { "openai/gpt-5.1-codex-mini",
      "{cache_read_input_token_cost:2.5e-8,input_cost_per_token:2.5e-7,"
      "max_input_tokens:400000,max_output_tokens:128000,output_cost_per_token:0.000002}" },
    { "openai/gpt-5.1-codex-max openai/gpt-5.1-codex",
      "{cache_read_input_token_cost:1.25e-7,input_cost_per_token:0.00000125,"
      "max_input_tokens:400000,max_output_tokens:128000,output_cost_per_token:0.00001}" },
    { "openai/gpt-5.1-chat-latest openai/gpt-5-chat openai/gpt-5-chat-latest",
      "{cache_read_input_token_cost:1.25e-7,input_cost_per_token:0.00000125,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:0.00001}" },
    { "openai/gpt-5.2 openai/gpt-5.2-2025-12-11",
      "{cache_read_input_token_cost:1.75e-7,cache_read_input_token_cost_flex:8.75e-8,"
      "cache_read_input_token_cost_priority:3.5e-7,input_cost_per_token:0.00000175,"
      "input_cost_per_token_priority:0.0000035,max_input_tokens:272000,"
      "max_output_tokens:128000,output_cost_per_token:0.000014,"
      "output_cost_per_token_priority:0.000028,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "input_cost_per_token_flex:8.75e-7,output_cost_per_token_flex:0.000007}" },
    { "openai/gpt-5.2-codex",
      "{cache_read_input_token_cost:1.75e-7,input_cost_per_token:0.00000175,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.000014}" },
    { "openai/gpt-5.2-chat-latest openai/gpt-5.3-chat-latest",
      "{cache_read_input_token_cost:1.75e-7,input_cost_per_token:0.00000175,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:0.000014}" },
    { "openai/gpt-5.2-pro openai/gpt-5.2-pro-2025-12-11",
      "{input_cost_per_token:0.000021,max_input_tokens:272000,max_output_tokens:128000,"
      "output_cost_per_token:0.000168,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-6-astra",
      "{cache_creation_input_token_cost:0.0000125,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000025,"
      "cache_creation_input_token_cost_above_272k_tokens_flex:0.0000125,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.00005,"
      "cache_creation_input_token_cost_flex:0.00000625,"
      "cache_creation_input_token_cost_priority:0.000025,"
      "cache_read_input_token_cost:0.000001,"
      "cache_read_input_token_cost_above_272k_tokens:0.000002,"
      "cache_read_input_token_cost_above_272k_tokens_flex:0.000001,"
      "cache_read_input_token_cost_above_272k_tokens_priority:0.000004,"
      "cache_creation_input_token_cost_above_272k_tokens_ultrafast:0.00015,"
      "cache_creation_input_token_cost_ultrafast:0.000075,"
      "cache_read_input_token_cost_above_272k_tokens_ultrafast:0.000012,"
      "cache_read_input_token_cost_flex:5e-7,cache_read_input_token_cost_priority:0.000002,"
      "cache_read_input_token_cost_ultrafast:0.000006,input_cost_per_token:0.00001,"
      "input_cost_per_token_above_272k_tokens:0.00002,"
      "input_cost_per_token_above_272k_tokens_flex:0.00001,"
      "input_cost_per_token_above_272k_tokens_priority:0.00004,"
      "input_cost_per_token_above_272k_tokens_ultrafast:0.00012,"
      "input_cost_per_token_flex:0.000005,input_cost_per_token_priority:0.00002,"
      "input_cost_per_token_ultrafast:0.00006,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.00005,"
      "output_cost_per_token_above_272k_tokens:0.000075,"
      "output_cost_per_token_above_272k_tokens_flex:0.0000375,"
      "output_cost_per_token_above_272k_tokens_priority:0.00015,"
      "output_cost_per_token_above_272k_tokens_ultrafast:0.00045,"
      "output_cost_per_token_flex:0.000025,output_cost_per_token_priority:0.0001,"
      "output_cost_per_token_ultrafast:0.0003,regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-6-sol",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens_flex:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.00001,"
      "cache_creation_input_token_cost_flex:0.00000125,"
      "cache_creation_input_token_cost_priority:0.000005,cache_read_input_token_cost:2e-7,"
      "cache_read_input_token_cost_above_272k_tokens:4e-7,"
      "cache_read_input_token_cost_above_272k_tokens_flex:2e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:8e-7,"
      "cache_read_input_token_cost_flex:1e-7,cache_read_input_token_cost_priority:4e-7,"
      "input_cost_per_token:0.000002,input_cost_per_token_above_272k_tokens:0.000004,"
      "input_cost_per_token_above_272k_tokens_flex:0.000002,"
      "input_cost_per_token_above_272k_tokens_priority:0.000008,"
      "input_cost_per_token_flex:0.000001,input_cost_per_token_priority:0.000004,"
      "max_input_tokens:922000,max_output_tokens:128000,output_cost_per_token:0.00001,"
      "output_cost_per_token_above_272k_tokens:0.000015,"
      "output_cost_per_token_above_272k_tokens_flex:0.0000075,"
      "output_cost_per_token_above_272k_tokens_priority:0.00003,"
      "output_cost_per_token_flex:0.000005,output_cost_per_token_priority:0.00002,"
      "regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-6-luna",
      "{cache_creation_input_token_cost:1.25e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:2.5e-7,"
      "cache_creation_input_token_cost_above_272k_tokens_flex:1.25e-7,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:5e-7,"
      "cache_creation_input_token_cost_flex:6.25e-8,"
      "cache_creation_input_token_cost_priority:2.5e-7,cache_read_input_token_cost:1e-8,"
      "cache_read_input_token_cost_above_272k_tokens:2e-8,"
      "cache_read_input_token_cost_above_272k_tokens_flex:1e-8,"
      "cache_read_input_token_cost_above_272k_tokens_priority:4e-8,"
      "cache_read_input_token_cost_flex:5e-9,cache_read_input_token_cost_priority:2e-8,"
      "input_cost_per_token:1e-7,input_cost_per_token_above_272k_tokens:2e-7,"
      "input_cost_per_token_above_272k_tokens_flex:1e-7,"
      "input_cost_per_token_above_272k_tokens_priority:4e-7,input_cost_per_token_flex:5e-8,"
      "input_cost_per_token_priority:2e-7,max_input_tokens:922000,max_output_tokens:128000,"
      "output_cost_per_token:5e-7,output_cost_per_token_above_272k_tokens:7.5e-7,"
      "output_cost_per_token_above_272k_tokens_flex:3.75e-7,"
      "output_cost_per_token_above_272k_tokens_priority:0.0000015,"
      "output_cost_per_token_flex:2.5e-7,output_cost_per_token_priority:0.000001,"
      "regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5.6 openai/gpt-5.6-sol",
      "{cache_creation_input_token_cost:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens:0.00001,"
      "cache_creation_input_token_cost_above_272k_tokens_flex:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.00002,"
      "cache_creation_input_token_cost_flex:0.0000025,"
      "cache_creation_input_token_cost_priority:0.00001,cache_read_input_token_cost:4e-7,"
      "cache_read_input_token_cost_above_272k_tokens:8e-7,"
      "cache_read_input_token_cost_above_272k_tokens_flex:4e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:0.0000016,"
      "cache_read_input_token_cost_flex:2e-7,cache_read_input_token_cost_priority:8e-7,"
      "input_cost_per_token:0.000004,input_cost_per_token_above_272k_tokens:0.000008,"
      "input_cost_per_token_above_272k_tokens_flex:0.000004,"
      "input_cost_per_token_above_272k_tokens_priority:0.000016,"
      "input_cost_per_token_flex:0.000002,input_cost_per_token_priority:0.000008,"
      "max_input_tokens:922000,max_output_tokens:128000,output_cost_per_token:0.00002,"
      "output_cost_per_token_above_272k_tokens:0.00003,"
      "output_cost_per_token_above_272k_tokens_flex:0.000015,"
      "output_cost_per_token_above_272k_tokens_priority:0.00006,"
      "output_cost_per_token_flex:0.00001,output_cost_per_token_priority:0.00004,"
      "regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5.6-terra",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens_flex:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.00001,"
      "cache_creation_input_token_cost_flex:0.00000125,"
      "cache_creation_input_token_cost_priority:0.000005,cache_read_input_token_cost:2e-7,"
      "cache_read_input_token_cost_above_272k_tokens:4e-7,"
      "cache_read_input_token_cost_above_272k_tokens_flex:2e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:8e-7,"
      "cache_read_input_token_cost_flex:1e-7,cache_read_input_token_cost_priority:4e-7,"
      "input_cost_per_token:0.000002,input_cost_per_token_above_272k_tokens:0.000004,"
      "input_cost_per_token_above_272k_tokens_flex:0.000002,"
      "input_cost_per_token_above_272k_tokens_priority:0.000008,"
      "input_cost_per_token_flex:0.000001,input_cost_per_token_priority:0.000004,"
      "max_input_tokens:922000,max_output_tokens:128000,output_cost_per_token:0.000012,"
      "output_cost_per_token_above_272k_tokens:0.000018,"
      "output_cost_per_token_above_272k_tokens_flex:0.000009,"
      "output_cost_per_token_above_272k_tokens_priority:0.000036,"
      "output_cost_per_token_flex:0.000006,output_cost_per_token_priority:0.000024,"
      "regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5.6-luna",
      "{cache_creation_input_token_cost:2.5e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:5e-7,"
      "cache_creation_input_token_cost_above_272k_tokens_flex:2.5e-7,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.000001,"
      "cache_creation_input_token_cost_flex:1.25e-7,"
      "cache_creation_input_token_cost_priority:5e-7,cache_read_input_token_cost:2e-8,"
      "cache_read_input_token_cost_above_272k_tokens:4e-8,"
      "cache_read_input_token_cost_above_272k_tokens_flex:2e-8,"
      "cache_read_input_token_cost_above_272k_tokens_priority:8e-8,"
      "cache_read_input_token_cost_flex:1e-8,cache_read_input_token_cost_priority:4e-8,"
      "input_cost_per_token:2e-7,input_cost_per_token_above_272k_tokens:4e-7,"
      "input_cost_per_token_above_272k_tokens_flex:2e-7,"
      "input_cost_per_token_above_272k_tokens_priority:8e-7,input_cost_per_token_flex:1e-7,"
      "input_cost_per_token_priority:4e-7,max_input_tokens:922000,max_output_tokens:128000,"
      "output_cost_per_token:0.0000012,output_cost_per_token_above_272k_tokens:0.0000018,"
      "output_cost_per_token_above_272k_tokens_flex:9e-7,"
      "output_cost_per_token_above_272k_tokens_priority:0.0000036,"
      "output_cost_per_token_flex:6e-7,output_cost_per_token_priority:0.0000024,"
      "regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5.6-cyber openai/daybreak-red-latest openai/gpt-daybreak-red-latest",
      "{cache_creation_input_token_cost:0.000015625,"
      "cache_creation_input_token_cost_above_272k_tokens:0.00003125,"
      "cache_read_input_token_cost:0.00000125,"
      "cache_read_input_token_cost_above_272k_tokens:0.0000025,"
      "input_cost_per_token:0.0000125,input_cost_per_token_above_272k_tokens:0.000025,"
      "max_input_tokens:400000,max_output_tokens:128000,output_cost_per_token:0.000075,"
      "output_cost_per_token_above_272k_tokens:0.0001125}" },
    { "openai/daybreak-blue-latest openai/gpt-daybreak-blue-latest",
      "{cache_creation_input_token_cost:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens:0.00001,"
      "cache_read_input_token_cost:4e-7,cache_read_input_token_cost_above_272k_tokens:8e-7,"
      "input_cost_per_token:0.000004,input_cost_per_token_above_272k_tokens:0.000008,"
      "max_input_tokens:922000,max_output_tokens:128000,output_cost_per_token:0.00002,"
      "output_cost_per_token_above_272k_tokens:0.00003}" },
    { "openai/chat-latest",
      "{cache_read_input_token_cost:5e-7,input_cost_per_token:0.000005,"
      "max_input_tokens:400000,max_output_tokens:128000,output_cost_per_token:0.00003}" },
    { "openai/gpt-5.5 openai/gpt-5.5-2026-04-23",
      "{cache_read_input_token_cost:5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:0.000001,"
      "cache_read_input_token_cost_flex:2.5e-7,"
      "cache_read_input_token_cost_priority:0.00000125,input_cost_per_token:0.000005,"
      "input_cost_per_token_above_272k_tokens:0.00001,input_cost_per_token_flex:0.0000025,"
      "input_cost_per_token_priority:0.0000125,max_input_tokens:1050000,"
      "max_output_tokens:128000,output_cost_per_token:0.00003,"
      "output_cost_per_token_above_272k_tokens:0.000045,output_cost_per_token_flex:0.000015,"
      "output_cost_per_token_priority:0.000075,regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "input_cost_per_token_above_272k_tokens_flex:0.000005,"
      "output_cost_per_token_above_272k_tokens_flex:0.0000225,"
      "cache_read_input_token_cost_above_272k_tokens_flex:5e-7}" },
    { "openai/gpt-5.5-pro openai/gpt-5.5-pro-2026-04-23",
      "{input_cost_per_token:0.00003,input_cost_per_token_above_272k_tokens:0.00006,"
      "input_cost_per_token_flex:0.000015,max_input_tokens:1050000,max_output_tokens:128000,"
      "output_cost_per_token:0.00018,output_cost_per_token_above_272k_tokens:0.00027,"
      "output_cost_per_token_flex:0.00009,regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5.4 openai/gpt-5.4-2026-03-05",
      "{cache_read_input_token_cost:2.5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:5e-7,"
      "cache_read_input_token_cost_batches:1.3e-7,cache_read_input_token_cost_flex:1.3e-7,"
      "cache_read_input_token_cost_priority:5e-7,input_cost_per_token:0.0000025,"
      "input_cost_per_token_above_272k_tokens:0.000005,input_cost_per_token_flex:0.00000125,"
      "input_cost_per_token_priority:0.000005,max_input_tokens:1050000,"
      "max_output_tokens:128000,output_cost_per_token:0.000015,"
      "output_cost_per_token_above_272k_tokens:0.0000225,"
      "output_cost_per_token_flex:0.0000075,output_cost_per_token_priority:0.00003,"
      "regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "input_cost_per_token_above_272k_tokens_flex:0.0000025,"
      "output_cost_per_token_above_272k_tokens_flex:0.00001125,"
      "cache_read_input_token_cost_above_272k_tokens_flex:2.5e-7}" },
    { "openai/gpt-5.4-pro openai/gpt-5.4-pro-2026-03-05",
      "{input_cost_per_token:0.00003,input_cost_per_token_above_272k_tokens:0.00006,"
      "input_cost_per_token_flex:0.000015,max_input_tokens:1050000,max_output_tokens:128000,"
      "output_cost_per_token:0.00018,output_cost_per_token_above_272k_tokens:0.00027,"
      "output_cost_per_token_flex:0.00009,regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "input_cost_per_token_above_272k_tokens_flex:0.00003,"
      "output_cost_per_token_above_272k_tokens_flex:0.000135}" },
    { "openai/gpt-5.4-mini openai/gpt-5.4-mini-2026-03-17",
      "{cache_read_input_token_cost:7.5e-8,cache_read_input_token_cost_flex:3.75e-8,"
      "cache_read_input_token_cost_priority:1.5e-7,input_cost_per_token:7.5e-7,"
      "input_cost_per_token_flex:3.75e-7,input_cost_per_token_priority:0.0000015,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.0000045,"
      "output_cost_per_token_flex:0.00000225,output_cost_per_token_priority:0.000009,"
      "regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5.4-nano openai/gpt-5.4-nano-2026-03-17",
      "{cache_read_input_token_cost:2e-8,cache_read_input_token_cost_flex:1e-8,"
      "input_cost_per_token:2e-7,input_cost_per_token_flex:1e-7,max_input_tokens:272000,"
      "max_output_tokens:128000,output_cost_per_token:0.00000125,"
      "output_cost_per_token_flex:6.25e-7,regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5-pro openai/gpt-5-pro-2025-10-06",
      "{input_cost_per_token:0.000015,max_input_tokens:400000,max_output_tokens:272000,"
      "output_cost_per_token:0.00012,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5.3-codex",
      "{cache_read_input_token_cost:1.75e-7,cache_read_input_token_cost_priority:3.5e-7,"
      "input_cost_per_token:0.00000175,input_cost_per_token_priority:0.0000035,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.000014,"
      "output_cost_per_token_priority:0.000028,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5-mini openai/gpt-5-mini-2025-08-07",
      "{cache_read_input_token_cost:2.5e-8,cache_read_input_token_cost_flex:1.25e-8,"
      "cache_read_input_token_cost_priority:4.5e-8,input_cost_per_token:2.5e-7,"
      "input_cost_per_token_flex:1.25e-7,input_cost_per_token_priority:4.5e-7,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.000002,"
      "output_cost_per_token_flex:0.000001,output_cost_per_token_priority:0.0000036,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5-nano",
      "{cache_read_input_token_cost:5e-9,cache_read_input_token_cost_flex:2.5e-9,"
      "input_cost_per_token:5e-8,input_cost_per_token_flex:2.5e-8,"
      "input_cost_per_token_priority:0.0000025,max_input_tokens:272000,"
      "max_output_tokens:128000,output_cost_per_token:4e-7,output_cost_per_token_flex:2e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-5-nano-2025-08-07",
      "{cache_read_input_token_cost:5e-9,cache_read_input_token_cost_flex:2.5e-9,"
      "input_cost_per_token:5e-8,input_cost_per_token_priority:0.0000025,"
      "input_cost_per_token_flex:2.5e-8,max_input_tokens:272000,max_output_tokens:128000,"
      "output_cost_per_token:4e-7,output_cost_per_token_flex:2e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-image-1",
      "{cache_read_input_image_token_cost:0.0000025,cache_read_input_token_cost:0.00000125,"
      "cache_read_input_token_cost_batches:6.3e-7,input_cost_per_image_token:0.00001,"
      "input_cost_per_token:0.000005,output_cost_per_image_token:0.00004}" },
    { "openai/gpt-image-1-mini",
      "{cache_read_input_image_token_cost:2.5e-7,cache_read_input_token_cost:2e-7,"
      "input_cost_per_image_token:0.0000025,input_cost_per_token:0.000002,"
      "output_cost_per_image_token:0.000008}" },
    { "openai/gpt-realtime openai/gpt-realtime-1.5 openai/gpt-realtime-2025-08-28",
      "{cache_creation_input_audio_token_cost:4e-7,cache_read_input_audio_token_cost:4e-7,"
      "cache_read_input_image_token_cost:5e-7,cache_read_input_token_cost:4e-7,"
      "input_cost_per_audio_token:0.000032,input_cost_per_image_token:0.000005,"
      "input_cost_per_token:0.000004,max_input_tokens:32000,max_output_tokens:4096,"
      "output_cost_per_audio_token:0.000064,output_cost_per_token:0.000016}" },
    { "openai/gpt-realtime-2",
      "{cache_creation_input_audio_token_cost:4e-7,cache_read_input_audio_token_cost:4e-7,"
      "cache_read_input_image_token_cost:5e-7,cache_read_input_token_cost:4e-7,"
      "input_cost_per_audio_token:0.000032,input_cost_per_image_token:0.000005,"
      "input_cost_per_token:0.000004,max_input_tokens:128000,max_output_tokens:32000,"
      "output_cost_per_audio_token:0.000064,output_cost_per_token:0.000024}" },
    { "openai/gpt-realtime-2.1",
      "{cache_creation_input_audio_token_cost:4e-7,cache_read_input_audio_token_cost:4e-7,"
      "cache_read_input_image_token_cost:5e-7,cache_read_input_token_cost:4e-7,"
      "input_cost_per_audio_token:0.000032,input_cost_per_image_token:0.000005,"
      "input_cost_per_token:0.000004,max_input_tokens:128000,max_output_tokens:32000,"
      "output_cost_per_audio_token:0.000064,output_cost_per_token:0.000024,"
      "regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1}" },
    { "openai/gpt-realtime-2.1-mini",
      "{cache_creation_input_audio_token_cost:3e-7,cache_read_input_audio_token_cost:3e-7,"
      "cache_read_input_image_token_cost:8e-8,cache_read_input_token_cost:6e-8,"
      "input_cost_per_audio_token:0.00001,input_cost_per_image_token:8e-7,"
      "input_cost_per_token:6e-7,max_input_tokens:128000,max_output_tokens:32000,"
      "output_cost_per_audio_token:0.00002,output_cost_per_token:0.0000024,"
      "regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1}" },
    { "openai/gpt-realtime-mini",
      "{cache_creation_input_audio_token_cost:3e-7,cache_read_input_audio_token_cost:3e-7,"
      "cache_read_input_image_token_cost:8e-8,cache_read_input_token_cost:6e-8,"
      "input_cost_per_audio_token:0.00001,input_cost_per_image_token:8e-7,"
      "input_cost_per_token:6e-7,max_input_tokens:32000,max_output_tokens:4096,"
      "output_cost_per_audio_token:0.00002,output_cost_per_token:0.0000024}" },
    { "openai/o1 openai/o1-2024-12-17",
      "{cache_read_input_token_cost:0.0000075,input_cost_per_token:0.000015,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.00006}" },
    { "openai/o1-pro openai/o1-pro-2025-03-19",
      "{input_cost_per_token:0.00015,max_input_tokens:200000,max_output_tokens:100000,"
      "output_cost_per_token:0.0006}" },
    { "openai/o3 openai/o3-2025-04-16",
      "{cache_read_input_token_cost:5e-7,cache_read_input_token_cost_flex:2.5e-7,"
      "cache_read_input_token_cost_priority:8.75e-7,input_cost_per_token:0.000002,"
      "input_cost_per_token_flex:0.000001,input_cost_per_token_priority:0.0000035,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.000008,"
      "output_cost_per_token_flex:0.000004,output_cost_per_token_priority:0.000014,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/o3-deep-research openai/o3-deep-research-2025-06-26",
      "{cache_read_input_token_cost:0.0000025,input_cost_per_token:0.00001,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.00004}" },
    { "openai/o3-mini openai/o3-mini-2025-01-31",
      "{cache_read_input_token_cost:5.5e-7,input_cost_per_token:0.0000011,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.0000044}" },
    { "openai/o3-pro openai/o3-pro-2025-06-10",
      "{input_cost_per_token:0.00002,max_input_tokens:200000,max_output_tokens:100000,"
      "output_cost_per_token:0.00008,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/o4-mini openai/o4-mini-2025-04-16",
      "{cache_read_input_token_cost:2.75e-7,cache_read_input_token_cost_flex:1.38e-7,"
      "cache_read_input_token_cost_priority:5e-7,input_cost_per_token:0.0000011,"
      "input_cost_per_token_flex:5.5e-7,input_cost_per_token_priority:0.000002,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.0000044,"
      "output_cost_per_token_flex:0.0000022,output_cost_per_token_priority:0.000008,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/o4-mini-deep-research openai/o4-mini-deep-research-2025-06-26",
      "{cache_read_input_token_cost:5e-7,input_cost_per_token:0.000002,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.000008}" },
    { "openai/omni-moderation-2024-09-26 openai/omni-moderation-latest",
      "{input_cost_per_token:0,max_input_tokens:32768,max_output_tokens:0,"
      "output_cost_per_token:0}" },
    { "openai/text-embedding-3-large",
      "{input_cost_per_token:1.3e-7,max_input_tokens:8191,output_cost_per_token:0}" },
    { "openai/text-embedding-3-small",
      "{input_cost_per_token:2e-8,max_input_tokens:8191,output_cost_per_token:0}" },
    { "openai/text-embedding-ada-002 openai/text-embedding-ada-002-v2",
      "{input_cost_per_token:1e-7,max_input_tokens:8191,output_cost_per_token:0}" },
    { "openai/tts-1 openai/tts-1-1106",
      "{input_cost_per_character:0.000015}" },
    { "openai/tts-1-hd openai/tts-1-hd-1106",
      "{input_cost_per_character:0.00003}" },
    { "openai/whisper-1",
      "{input_cost_per_second:0.0001,output_cost_per_second:0.0001}" },
    { "openai/gpt-5-search-api openai/gpt-5-search-api-2025-10-14",
      "{cache_read_input_token_cost:1.25e-7,input_cost_per_token:0.00000125,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.00001,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "openai/gpt-realtime-mini-2025-12-15",
      "{cache_creation_input_audio_token_cost:3e-7,cache_read_input_audio_token_cost:3e-7,"
      "cache_read_input_image_token_cost:8e-8,cache_read_input_token_cost:6e-8,"
      "input_cost_per_audio_token:0.00001,input_cost_per_image_token:8e-7,"
      "input_cost_per_token:6e-7,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_audio_token:0.00002,output_cost_per_token:0.0000024}" },
    { "openai/gpt-realtime-whisper openai/gpt-live-transcribe",
      "{input_cost_per_second:0.000283333333333}" },
    { "openai/chatgpt-image-latest",
      "{cache_read_input_image_token_cost:0.000002,cache_read_input_token_cost:0.00000125,"
      "cache_read_input_token_cost_batches:6.3e-7,input_cost_per_image_token:0.000008,"
      "input_cost_per_token:0.000005,output_cost_per_image_token:0.000032,"
      "output_cost_per_token:0.00001}" },
    { "openai/gpt-transcribe",
      "{input_cost_per_second:0.000075}" },
    { "openai/gpt-live-1",
      "{input_cost_per_second:0.000833333333333}" },
    { "openai/gpt-realtime-translate",
      "{input_cost_per_second:0.000566666666667,max_input_tokens:16000,"
      "max_output_tokens:2000}" },
    { "openai/gpt-5.5-cyber openai/gpt-5.5-cyber-preview",
      "{cache_read_input_token_cost:0.00000125,input_cost_per_token:0.0000125,"
      "output_cost_per_token:0.000075}" },
    { "openai/gpt-rosalind-research openai/gpt-rosalind-discovery",
      "{cache_read_input_token_cost:5e-7,input_cost_per_token:0.000005,"
      "output_cost_per_token:0.000025}" },
    { "openai/gpt-6.1-sol",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens_flex:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.00001,"
      "cache_creation_input_token_cost_above_272k_tokens_ultrafast:0.00003,"
      "cache_creation_input_token_cost_flex:0.00000125,"
      "cache_creation_input_token_cost_priority:0.000005,"
      "cache_creation_input_token_cost_ultrafast:0.000015,cache_read_input_token_cost:1e-7,"
      "cache_read_input_token_cost_above_272k_tokens:2e-7,"
      "cache_read_input_token_cost_above_272k_tokens_flex:1e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:4e-7,"
      "cache_read_input_token_cost_above_272k_tokens_ultrafast:0.0000012,"
      "cache_read_input_token_cost_flex:5e-8,cache_read_input_token_cost_priority:2e-7,"
      "cache_read_input_token_cost_ultrafast:6e-7,input_cost_per_token:0.000002,"
      "input_cost_per_token_above_272k_tokens:0.000004,"
      "input_cost_per_token_above_272k_tokens_flex:0.000002,"
      "input_cost_per_token_above_272k_tokens_priority:0.000008,"
      "input_cost_per_token_above_272k_tokens_ultrafast:0.000024,"
      "input_cost_per_token_flex:0.000001,input_cost_per_token_priority:0.000004,"
      "input_cost_per_token_ultrafast:0.000012,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.00001,"
      "output_cost_per_token_above_272k_tokens:0.000015,"
      "output_cost_per_token_above_272k_tokens_flex:0.0000075,"
      "output_cost_per_token_above_272k_tokens_priority:0.00003,"
      "output_cost_per_token_above_272k_tokens_ultrafast:0.00009,"
      "output_cost_per_token_flex:0.000005,output_cost_per_token_priority:0.00002,"
      "output_cost_per_token_ultrafast:0.00006,regional_processing_uplift_multiplier_eu:1.1,"
      "regional_processing_uplift_multiplier_us:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "anthropic/claude-haiku-4-5-20251001 anthropic/claude-haiku-4-5",
      "{cache_creation_input_token_cost:0.00000125,"
      "cache_creation_input_token_cost_above_1hr:0.000002,cache_read_input_token_cost:1e-7,"
      "input_cost_per_token:0.000001,max_input_tokens:200000,max_output_tokens:64000,"
      "output_cost_per_token:0.000005}" },
    { "anthropic/claude-sonnet-4-5 anthropic/claude-sonnet-4-5-20250929",
      "{cache_creation_input_token_cost:0.00000375,"
      "cache_creation_input_token_cost_above_1hr:0.000006,cache_read_input_token_cost:3e-7,"
      "input_cost_per_token:0.000003,max_input_tokens:200000,max_output_tokens:64000,"
      "output_cost_per_token:0.000015,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "anthropic/claude-sonnet-5",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_1hr:0.000004,cache_read_input_token_cost:2e-7,"
      "input_cost_per_token:0.000002,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00001,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "provider_specific_entry:{us:1.1}}" },
    { "anthropic/claude-sonnet-5-5",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_1hr:0.000004,cache_read_input_token_cost:1e-7,"
      "input_cost_per_token:0.000002,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00001,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "provider_specific_entry:{us:1.1}}" },
    { "anthropic/claude-sonnet-4-6",
      "{cache_creation_input_token_cost:0.00000375,"
      "cache_creation_input_token_cost_above_1hr:0.000006,cache_read_input_token_cost:3e-7,"
      "input_cost_per_token:0.000003,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.000015,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "provider_specific_entry:{us:1.1}}" },
    { "anthropic/claude-opus-4-5-20251101 anthropic/claude-opus-4-5",
      "{cache_creation_input_token_cost:0.00000625,"
      "cache_creation_input_token_cost_above_1hr:0.00001,cache_read_input_token_cost:5e-7,"
      "input_cost_per_token:0.000005,max_input_tokens:200000,max_output_tokens:64000,"
      "output_cost_per_token:0.000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "anthropic/claude-opus-4-6 anthropic/claude-opus-4-6-20260205 "
      "anthropic/claude-opus-4-7 anthropic/claude-opus-4-7-20260416",
      "{cache_creation_input_token_cost:0.00000625,"
      "cache_creation_input_token_cost_above_1hr:0.00001,cache_read_input_token_cost:5e-7,"
      "input_cost_per_token:0.000005,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "provider_specific_entry:{us:1.1}}" },
    { "anthropic/claude-fable-5 anthropic/claude-mythos-5 anthropic/claude-mythos-preview",
      "{cache_creation_input_token_cost:0.0000125,"
      "cache_creation_input_token_cost_above_1hr:0.00002,"
      "cache_read_input_token_cost:0.000001,input_cost_per_token:0.00001,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.00005,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "provider_specific_entry:{us:1.1}}" },
    { "anthropic/claude-fable-5-1 anthropic/claude-mythos-5-1",
      "{cache_creation_input_token_cost:0.0000125,"
      "cache_creation_input_token_cost_above_1hr:0.00002,cache_read_input_token_cost:2.5e-7,"
      "input_cost_per_token:0.00001,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00005,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "provider_specific_entry:{us:1.1}}" },
    { "anthropic/claude-opus-5-5",
      "{cache_creation_input_token_cost:0.000005,"
      "cache_creation_input_token_cost_above_1hr:0.000008,cache_read_input_token_cost:2e-7,"
      "input_cost_per_token:0.000004,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00002,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "provider_specific_entry:{fast:2,us:1.1}}" },
    { "anthropic/claude-opus-5 anthropic/claude-opus-4-8",
      "{cache_creation_input_token_cost:0.00000625,"
      "cache_creation_input_token_cost_above_1hr:0.00001,cache_read_input_token_cost:5e-7,"
      "input_cost_per_token:0.000005,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "provider_specific_entry:{fast:2,us:1.1}}" },
    { "anthropic/claude-haiku-5-5",
      "{cache_creation_input_token_cost:1.25e-7,"
      "cache_creation_input_token_cost_above_1hr:2e-7,cache_read_input_token_cost:1e-8,"
      "input_cost_per_token:1e-7,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:5e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "input_cost_per_token_above_100k_tokens:5e-7,"
      "output_cost_per_token_above_100k_tokens:0.0000025,"
      "cache_creation_input_token_cost_above_100k_tokens:6.25e-7,"
      "cache_creation_input_token_cost_above_1hr_above_100k_tokens:0.000001,"
      "cache_read_input_token_cost_above_100k_tokens:5e-8,provider_specific_entry:{us:1.1}}" },
    { "gemini/gemini-live-2.5-flash-preview-native-audio-09-2025",
      "{input_cost_per_audio_token:0.000003,input_cost_per_token:5e-7,"
      "max_input_tokens:1048576,max_output_tokens:65535,"
      "output_cost_per_audio_token:0.000012,output_cost_per_token:0.000002,"
      "search_context_cost_per_query:{search_context_size_medium:0.035}}" },
    { "gemini/gemini-robotics-er-2-preview",
      "{cache_read_input_token_cost:1e-7,input_cost_per_audio_token:0.000001,"
      "input_cost_per_token:0.000001,max_input_tokens:131072,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.000005,output_cost_per_token:0.000005,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "gemini/gemini-embedding-001",
      "{input_cost_per_token:1.5e-7,max_input_tokens:2048,output_cost_per_token:0}" },
    { "gemini/gemini-embedding-2 gemini/gemini-embedding-2-preview",
      "{input_cost_per_audio_token:0.0000065,input_cost_per_image_token:4.5e-7,"
      "input_cost_per_token:2e-7,max_input_tokens:8192,output_cost_per_token:0}" },
    { "gemini/gemini-3-pro-image-preview gemini/nano-banana-pro-preview",
      "{input_cost_per_image:0.0011,input_cost_per_token:0.000002,"
      "input_cost_per_token_flex:0.000001,input_cost_per_token_priority:0.0000036,"
      "max_input_tokens:131072,max_output_tokens:32768,output_cost_per_image:0.134,"
      "output_cost_per_image_token:0.00012,output_cost_per_token:0.000012,"
      "output_cost_per_token_flex:0.000006,output_cost_per_token_priority:0.0000216,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "gemini/gemini-3.1-flash-image-preview",
      "{input_cost_per_token:5e-7,max_input_tokens:65536,max_output_tokens:65536,"
      "output_cost_per_image:0.045,output_cost_per_image_token:0.00006,"
      "output_cost_per_token:0.000003,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "gemini/gemini-3.1-flash-lite-preview",
      "{cache_read_input_audio_token_cost:5e-8,cache_read_input_token_cost:2.5e-8,"
      "cache_read_input_token_cost_flex:1.25e-8,cache_read_input_token_cost_priority:4.5e-8,"
      "input_cost_per_audio_token:5e-7,input_cost_per_token:2.5e-7,"
      "input_cost_per_token_flex:1.25e-7,input_cost_per_token_priority:4.5e-7,"
      "max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.0000015,output_cost_per_token:0.0000015,"
      "output_cost_per_token_flex:7.5e-7,output_cost_per_token_priority:0.0000027,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "gemini/deep-research-preview-04-2026 gemini/deep-research-max-preview-04-2026",
      "{input_cost_per_token:0.000002,max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_token:0.000012,"
      "search_context_cost_per_query:{search_context_size_medium:0.035}}" },
    { "gemini/gemini-2.5-flash",
      "{cache_read_input_audio_token_cost:1e-7,cache_read_input_token_cost:3e-8,"
      "cache_read_input_token_cost_batches:3e-8,cache_read_input_token_cost_flex:3e-8,"
      "cache_read_input_token_cost_priority:5.4e-8,input_cost_per_audio_token:0.000001,"
      "input_cost_per_token:3e-7,max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.0000025,output_cost_per_token:0.0000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.035},"
      "input_cost_per_audio_token_priority:0.0000018,input_cost_per_token_flex:1.5e-7,"
      "input_cost_per_token_priority:5.4e-7,output_cost_per_token_flex:0.00000125,"
      "output_cost_per_token_priority:0.0000045}" },
    { "gemini/gemini-2.5-flash-image",
      "{cache_read_input_token_cost:3e-8,input_cost_per_audio_token:0.000001,"
      "input_cost_per_token:3e-7,input_cost_per_token_flex:1.5e-7,"
      "input_cost_per_token_priority:5.4e-7,max_input_tokens:65536,max_output_tokens:32768,"
      "output_cost_per_image:0.039,output_cost_per_image_token:0.00003,"
      "output_cost_per_reasoning_token:0.0000025,output_cost_per_token:0.0000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.035}}" },
    { "gemini/gemini-3-pro-image",
      "{input_cost_per_image:0.0011,input_cost_per_token:0.000002,"
      "input_cost_per_token_flex:0.000001,input_cost_per_token_priority:0.0000036,"
      "max_input_tokens:65536,max_output_tokens:32768,output_cost_per_image:0.134,"
      "output_cost_per_image_token:0.00012,output_cost_per_token:0.000012,"
      "output_cost_per_token_flex:0.000006,output_cost_per_token_priority:0.0000216,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "gemini/gemini-3.1-flash-image",
      "{input_cost_per_token:5e-7,max_input_tokens:131072,max_output_tokens:32768,"
      "output_cost_per_image:0.045,output_cost_per_image_token:0.00006,"
      "output_cost_per_token:0.000003,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "gemini/gemini-3.1-flash-lite-image",
      "{input_cost_per_image:0.00028,input_cost_per_token:2.5e-7,max_input_tokens:65536,"
      "max_output_tokens:4096,output_cost_per_image:0.0336,"
      "output_cost_per_image_token:0.00003,output_cost_per_token:0.0000015}" },
    { "gemini/deep-research-pro-preview-12-2025",
      "{input_cost_per_image:0.0011,input_cost_per_token:0.000002,max_input_tokens:1048576,"
      "max_output_tokens:65536,output_cost_per_token:0.000012,"
      "search_context_cost_per_query:{search_context_size_medium:0.035}}" },
    { "gemini/gemini-2.5-flash-lite",
      "{cache_read_input_audio_token_cost:3e-8,cache_read_input_token_cost:1e-8,"
      "cache_read_input_token_cost_batches:1e-8,cache_read_input_token_cost_flex:1e-8,"
      "cache_read_input_token_cost_priority:1.8e-8,input_cost_per_audio_token:3e-7,"
      "input_cost_per_token:1e-7,max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:4e-7,output_cost_per_token:4e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.035},"
      "input_cost_per_audio_token_priority:5.4e-7,input_cost_per_token_flex:5e-8,"
      "input_cost_per_token_priority:1.8e-7,output_cost_per_token_flex:2e-7,"
      "output_cost_per_token_priority:7.2e-7}" },
    { "gemini/gemini-flash-latest",
      "{cache_read_input_token_cost:7.5e-8,input_cost_per_token:7.5e-7,"
      "max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.00000375,output_cost_per_token:0.00000375,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "cache_read_input_token_cost_flex:3.75e-8,"
      "cache_read_input_token_cost_priority:1.35e-7,input_cost_per_token_flex:3.75e-7,"
      "input_cost_per_token_priority:0.00000135,output_cost_per_token_flex:0.000001875,"
      "output_cost_per_token_priority:0.00000675,web_search_billing_unit:per_query}" },
    { "gemini/gemini-flash-lite-latest",
      "{cache_read_input_token_cost:3e-8,input_cost_per_token:3e-7,max_input_tokens:1048576,"
      "max_output_tokens:65536,output_cost_per_reasoning_token:0.0000025,"
      "output_cost_per_token:0.0000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "cache_read_input_token_cost_flex:2e-8,cache_read_input_token_cost_priority:5e-8,"
      "input_cost_per_token_flex:1.5e-7,input_cost_per_token_priority:5.4e-7,"
      "output_cost_per_token_flex:0.00000125,output_cost_per_token_priority:0.0000045,"
      "web_search_billing_unit:per_query}" },
    { "gemini/gemini-2.5-flash-preview-tts",
      "{input_cost_per_token:5e-7,max_input_tokens:8192,max_output_tokens:16384,"
      "output_cost_per_audio_token:0.00001,output_cost_per_token:0.00001}" },
    { "gemini/gemini-2.5-pro",
      "{cache_read_input_token_cost:1.25e-7,"
      "cache_read_input_token_cost_above_200k_tokens:2.5e-7,"
      "cache_read_input_token_cost_above_200k_tokens_priority:4.5e-7,"
      "cache_read_input_token_cost_batches:1.25e-7,cache_read_input_token_cost_flex:1.25e-7,"
      "cache_read_input_token_cost_priority:2.25e-7,input_cost_per_token:0.00000125,"
      "input_cost_per_token_above_200k_tokens:0.0000025,"
      "input_cost_per_token_priority:0.00000225,"
      "input_cost_per_token_above_200k_tokens_priority:0.0000045,max_input_tokens:1048576,"
      "max_output_tokens:65536,output_cost_per_token:0.00001,"
      "output_cost_per_token_above_200k_tokens:0.000015,"
      "output_cost_per_token_priority:0.000018,"
      "output_cost_per_token_above_200k_tokens_priority:0.000027,"
      "search_context_cost_per_query:{search_context_size_medium:0.035},"
      "input_cost_per_token_flex:6.25e-7,output_cost_per_token_flex:0.000005}" },
    { "gemini/gemini-2.5-computer-use-preview-10-2025",
      "{input_cost_per_token:0.00000125,input_cost_per_token_above_200k_tokens:0.0000025,"
      "max_input_tokens:128000,max_output_tokens:64000,output_cost_per_token:0.00001,"
      "output_cost_per_token_above_200k_tokens:0.000015}" },
    { "gemini/gemini-3.1-flash-lite",
      "{cache_read_input_audio_token_cost:5e-8,cache_read_input_token_cost:2.5e-8,"
      "cache_read_input_token_cost_flex:1.25e-8,cache_read_input_token_cost_priority:4.5e-8,"
      "input_cost_per_audio_token:5e-7,input_cost_per_token:2.5e-7,"
      "input_cost_per_token_flex:1.25e-7,input_cost_per_token_priority:4.5e-7,"
      "max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.0000015,output_cost_per_token:0.0000015,"
      "output_cost_per_token_flex:7.5e-7,output_cost_per_token_priority:0.0000027,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query,input_cost_per_audio_token_priority:9e-7}" },
    { "gemini/gemini-3.5-flash-lite",
      "{cache_read_input_token_cost:3e-8,cache_read_input_token_cost_batches:2e-8,"
      "cache_read_input_token_cost_flex:2e-8,cache_read_input_token_cost_priority:5e-8,"
      "input_cost_per_token:3e-7,input_cost_per_token_flex:1.5e-7,"
      "input_cost_per_token_priority:5.4e-7,max_input_tokens:1048576,"
      "max_output_tokens:65536,output_cost_per_reasoning_token:0.0000025,"
      "output_cost_per_token:0.0000025,output_cost_per_token_flex:0.00000125,"
      "output_cost_per_token_priority:0.0000045,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "gemini/gemini-3-flash-preview",
      "{cache_read_input_audio_token_cost:1e-7,cache_read_input_token_cost:5e-8,"
      "cache_read_input_token_cost_batches:5e-8,cache_read_input_token_cost_flex:5e-8,"
      "input_cost_per_audio_token:0.000001,input_cost_per_token:5e-7,"
      "max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.000003,output_cost_per_token:0.000003,"
      "input_cost_per_token_priority:9e-7,input_cost_per_audio_token_priority:0.0000018,"
      "output_cost_per_token_priority:0.0000054,cache_read_input_token_cost_priority:9e-8,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query,input_cost_per_token_flex:2.5e-7,"
      "output_cost_per_token_flex:0.0000015}" },
    { "gemini/gemini-3.5-flash",
      "{cache_read_input_token_cost:1.5e-7,input_cost_per_audio_token:0.0000015,"
      "input_cost_per_token:0.0000015,max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.000009,output_cost_per_token:0.000009,"
      "input_cost_per_token_priority:0.0000027,"
      "input_cost_per_audio_token_priority:0.0000027,"
      "output_cost_per_token_priority:0.0000162,cache_read_input_token_cost_priority:2.7e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query,input_cost_per_token_flex:7.5e-7,"
      "output_cost_per_token_flex:0.0000045,cache_read_input_token_cost_flex:8e-8}" },
    { "gemini/gemini-3.6-flash gemini/gemini-3.7-flash gemini/gemini-3.8-flash",
      "{cache_read_input_token_cost:7.5e-8,cache_read_input_token_cost_flex:3.75e-8,"
      "input_cost_per_token:7.5e-7,input_cost_per_token_flex:3.75e-7,"
      "max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.00000375,output_cost_per_token:0.00000375,"
      "output_cost_per_token_flex:0.000001875,input_cost_per_token_priority:0.00000135,"
      "output_cost_per_token_priority:0.00000675,"
      "cache_read_input_token_cost_priority:1.35e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "gemini/gemini-omni-flash-preview",
      "{input_cost_per_audio_token:0.0000015,input_cost_per_token:0.0000015,"
      "max_input_tokens:131072,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.000009,output_cost_per_token:0.000009}" },
    { "gemini/gemini-3.1-pro-preview gemini/gemini-3.1-pro-preview-customtools",
      "{cache_read_input_token_cost:2e-7,cache_read_input_token_cost_above_200k_tokens:4e-7,"
      "input_cost_per_token:0.000002,input_cost_per_token_above_200k_tokens:0.000004,"
      "max_input_tokens:1048576,max_output_tokens:65536,output_cost_per_token:0.000012,"
      "output_cost_per_token_above_200k_tokens:0.000018,"
      "input_cost_per_token_priority:0.0000036,"
      "input_cost_per_token_above_200k_tokens_priority:0.0000072,"
      "output_cost_per_token_priority:0.0000216,"
      "output_cost_per_token_above_200k_tokens_priority:0.0000324,"
      "cache_read_input_token_cost_priority:3.6e-7,"
      "cache_read_input_token_cost_above_200k_tokens_priority:7.2e-7,"
      "cache_read_input_token_cost_batches:2e-7,cache_read_input_token_cost_flex:2e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query,input_cost_per_token_flex:0.000001,"
      "output_cost_per_token_flex:0.000006}" },
    { "gemini/gemini-2.5-pro-preview-tts",
      "{cache_read_input_token_cost:1.25e-7,input_cost_per_audio_token:7e-7,"
      "input_cost_per_token:0.000001,max_input_tokens:8192,max_output_tokens:16384,"
      "output_cost_per_audio_token:0.00002,output_cost_per_token:0.00002,"
      "search_context_cost_per_query:{search_context_size_medium:0.035}}" },
    { "gemini/gemini-exp-1114",
      "{input_cost_per_token:0,input_cost_per_token_above_128k_tokens:0,"
      "max_input_tokens:1048576,max_output_tokens:8192,output_cost_per_token:0,"
      "output_cost_per_token_above_128k_tokens:0}" },
    { "gemini/gemini-exp-1206",
      "{input_cost_per_token:0,input_cost_per_token_above_128k_tokens:0,"
      "max_input_tokens:2097152,max_output_tokens:8192,output_cost_per_token:0,"
      "output_cost_per_token_above_128k_tokens:0}" },
    { "gemini/gemini-gemma-2-27b-it gemini/gemini-gemma-2-9b-it",
      "{input_cost_per_token:3.5e-7,max_output_tokens:8192,"
      "output_cost_per_token:0.00000105}" },
    { "gemini/gemma-3-27b-it",
      "{input_cost_per_character:0,input_cost_per_image:0,input_cost_per_token:0,"
      "input_cost_per_token_above_128k_tokens:0,max_input_tokens:131072,"
      "max_output_tokens:8192,output_cost_per_token:0,"
      "output_cost_per_token_above_128k_tokens:0}" },
    { "gemini/gemma-4-26b-a4b-it gemini/gemma-4-31b-it",
      "{input_cost_per_token:0,output_cost_per_token:0,max_input_tokens:262144,"
      "max_output_tokens:32768}" },
    { "gemini/imagen-3.0-fast-generate-001",
      "{output_cost_per_image:0.02}" },
    { "gemini/imagen-3.0-generate-001",
      "{output_cost_per_image:0.04}" },
    { "gemini/learnlm-1.5-pro-experimental",
      "{input_cost_per_character:0,input_cost_per_image:0,input_cost_per_token:0,"
      "input_cost_per_token_above_128k_tokens:0,max_input_tokens:32767,"
      "max_output_tokens:8192,output_cost_per_token:0,"
      "output_cost_per_token_above_128k_tokens:0}" },
    { "gemini/lyria-3-clip-preview gemini/lyria-3.5-clip-preview",
      "{input_cost_per_token:0,max_input_tokens:131072,max_output_tokens:8192,"
      "output_cost_per_image:0.04,output_cost_per_token:0}" },
    { "gemini/lyria-3-pro-preview gemini/lyria-3.5-pro-preview",
      "{input_cost_per_token:0,max_input_tokens:131072,max_output_tokens:8192,"
      "output_cost_per_token:0,output_cost_per_image:0.08}" },
    { "gemini/gemini-2.0-flash-exp-image-generation",
      "{input_cost_per_token:0,max_input_tokens:32768,max_output_tokens:32768,"
      "output_cost_per_image:0.039,output_cost_per_token:0}" },
    { "gemini/gemini-2.5-flash-native-audio-latest "
      "gemini/gemini-2.5-flash-native-audio-preview-12-2025",
      "{input_cost_per_audio_token:0.000003,input_cost_per_token:5e-7,"
      "max_input_tokens:131072,max_output_tokens:8192,output_cost_per_audio_token:0.000012,"
      "output_cost_per_token:0.000002}" },
    { "gemini/gemini-2.5-flash-native-audio-preview-09-2025",
      "{input_cost_per_audio_token:0.000003,input_cost_per_token:5e-7,"
      "max_input_tokens:1048576,max_output_tokens:8192,output_cost_per_audio_token:0.000012,"
      "output_cost_per_token:0.000002}" },
    { "gemini/gemini-3.1-flash-live-preview",
      "{input_cost_per_audio_token:0.000003,input_cost_per_image_token:0.000001,"
      "input_cost_per_token:7.5e-7,max_input_tokens:131072,max_output_tokens:65536,"
      "output_cost_per_audio_token:0.000012,output_cost_per_token:0.0000045,"
      "input_cost_per_second:0.0000833333333333}" },
    { "gemini/gemini-3.8-live gemini/gemini-3.8-live-extended-thinking",
      "{input_cost_per_audio_token:0.000003,input_cost_per_image_token:0.000001,"
      "input_cost_per_token:7.5e-7,max_input_tokens:131072,max_output_tokens:65536,"
      "output_cost_per_audio_token:0.000012,output_cost_per_token:0.0000045}" },
    { "gemini/gemini-3.1-flash-tts-preview",
      "{input_cost_per_token:0.000001,max_input_tokens:8192,max_output_tokens:16384,"
      "output_cost_per_audio_token:0.00002,output_cost_per_token:0.00002}" },
    { "gemini/gemini-3.8-flash-tts",
      "{cache_read_input_token_cost:1.25e-7,cache_read_input_token_cost_flex:2.5e-8,"
      "cache_read_input_token_cost_priority:2.25e-7,input_cost_per_token:5e-7,"
      "input_cost_per_token_flex:2.5e-7,input_cost_per_token_priority:9e-7,"
      "max_input_tokens:8192,max_output_tokens:16384,output_cost_per_audio_token:0.000009,"
      "output_cost_per_token:0.000009,output_cost_per_token_flex:0.0000045,"
      "output_cost_per_token_priority:0.0000162}" },
    { "gemini/gemini-3.8-flash-lite-tts",
      "{cache_read_input_token_cost:1.25e-7,cache_read_input_token_cost_flex:2.5e-8,"
      "cache_read_input_token_cost_priority:2.25e-7,input_cost_per_token:5e-7,"
      "input_cost_per_token_flex:2.5e-7,input_cost_per_token_priority:9e-7,"
      "max_input_tokens:8192,max_output_tokens:16384,output_cost_per_audio_token:0.000006,"
      "output_cost_per_token:0.000006,output_cost_per_token_flex:0.000003,"
      "output_cost_per_token_priority:0.0000108}" },
    { "gemini/gemini-pro-latest",
      "{cache_read_input_token_cost:2e-7,cache_read_input_token_cost_above_200k_tokens:4e-7,"
      "input_cost_per_token:0.000002,input_cost_per_token_above_200k_tokens:0.000004,"
      "max_input_tokens:1048576,max_output_tokens:65536,output_cost_per_token:0.000012,"
      "output_cost_per_token_above_200k_tokens:0.000018,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "cache_read_input_token_cost_above_200k_tokens_priority:7.2e-7,"
      "cache_read_input_token_cost_priority:3.6e-7,"
      "input_cost_per_token_above_200k_tokens_priority:0.0000072,"
      "input_cost_per_token_priority:0.0000036,"
      "output_cost_per_token_above_200k_tokens_priority:0.0000324,"
      "output_cost_per_token_priority:0.0000216,web_search_billing_unit:per_query,"
      "cache_read_input_token_cost_flex:2e-7,input_cost_per_token_flex:0.000001,"
      "output_cost_per_token_flex:0.000006}" },
    { "gemini/gemini-robotics-er-2-streaming-preview",
      "{input_cost_per_audio_token:0.000001,input_cost_per_token:0.000001,"
      "max_input_tokens:131072,max_output_tokens:65536,output_cost_per_token:0.000005,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "gemini/gemini-3.5-live-translate-preview",
      "{input_cost_per_audio_token:0.0000035,input_cost_per_token:0.0000035,"
      "max_input_tokens:131072,max_output_tokens:65536,output_cost_per_audio_token:0.000021,"
      "output_cost_per_token:0.000021}" },
    { "gemini/gemini-3.5-transcribe",
      "{input_cost_per_audio_token:0.000002,input_cost_per_token:0.000002,"
      "max_input_tokens:98304,max_output_tokens:32768,output_cost_per_token:0.000012}" },
    { "gemini/gemini-3.5-transcribe-live",
      "{input_cost_per_audio_token:0.0000035,input_cost_per_token:0.0000035,"
      "max_input_tokens:131072,max_output_tokens:65536,output_cost_per_token:0.000021}" },
    { "gemini/gemini-omni-1.1-flash",
      "{input_cost_per_audio_token:0.0000015,input_cost_per_token:0.0000015,"
      "max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.000009,output_cost_per_token:0.000009}" },
    { "gemini/lyria-3.5",
      "{input_cost_per_token:0,max_input_tokens:131072,max_output_tokens:65536,"
      "output_cost_per_token:0,output_cost_per_image:0.08}" },
    { "gemini/lyria-realtime-exp",
      "{input_cost_per_token:0,max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_token:0,output_cost_per_image:0.08}" },
    { "gemini/gemini-nano-banana-2.1",
      "{input_cost_per_token:0.0000015,max_input_tokens:131072,max_output_tokens:32768,"
      "output_cost_per_image:0.0336,output_cost_per_image_token:0.00003,"
      "output_cost_per_token:0.0000075,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "gemini/gemini-4-argon",
      "{cache_read_input_token_cost:1e-7,cache_read_input_token_cost_flex:5e-8,"
      "cache_read_input_token_cost_priority:1.8e-7,input_cost_per_token:0.000002,"
      "input_cost_per_token_flex:0.000001,input_cost_per_token_priority:0.0000036,"
      "max_input_tokens:1048576,max_output_tokens:1048576,"
      "output_cost_per_reasoning_token:0.00001,output_cost_per_token:0.00001,"
      "output_cost_per_token_flex:0.000005,output_cost_per_token_priority:0.000018,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "azure/ada",
      "{input_cost_per_token:1.1e-7,max_input_tokens:8191,output_cost_per_token:0}" },
    { "azure/codex-mini",
      "{cache_read_input_token_cost:3.75e-7,input_cost_per_token:0.0000015,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.000006}" },
    { "azure/command-r-plus",
      "{input_cost_per_token:0.000003,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:0.000015}" },
    { "azure/computer-use-preview",
      "{input_cost_per_token:0.000003,max_input_tokens:8192,max_output_tokens:1024,"
      "output_cost_per_token:0.000012}" },
    { "azure/eu/gpt-4o-2024-08-06 azure/us/gpt-4o-2024-08-06",
      "{cache_read_input_token_cost:0.000001375,input_cost_per_token:0.00000275,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:0.000011}" },
    { "azure/eu/gpt-4o azure/eu/gpt-4o-2024-11-20 azure/us/gpt-4o "
      "azure/us/gpt-4o-2024-11-20",
      "{cache_creation_input_token_cost:0.00000138,cache_read_input_token_cost:0.000001375,"
      "input_cost_per_token:0.00000275,max_input_tokens:128000,max_output_tokens:16384,"
      "output_cost_per_token:0.000011}" },
    { "azure/eu/gpt-4o-mini azure/eu/gpt-4o-mini-2024-07-18 azure/us/gpt-4o-mini "
      "azure/us/gpt-4o-mini-2024-07-18",
      "{cache_read_input_token_cost:8.3e-8,input_cost_per_token:1.65e-7,"
      "input_cost_per_token_batches:8.3e-8,max_input_tokens:128000,max_output_tokens:16384,"
      "output_cost_per_token:6.6e-7}" },
    { "azure/eu/gpt-4o-mini-realtime-preview-2024-12-17 "
      "azure/us/gpt-4o-mini-realtime-preview-2024-12-17",
      "{cache_creation_input_audio_token_cost:3.3e-7,cache_read_input_token_cost:3.3e-7,"
      "input_cost_per_audio_token:0.000011,input_cost_per_token:6.6e-7,"
      "max_input_tokens:128000,max_output_tokens:4096,output_cost_per_audio_token:0.000022,"
      "output_cost_per_token:0.00000264}" },
    { "azure/eu/gpt-4o-realtime-preview-2024-10-01 "
      "azure/us/gpt-4o-realtime-preview-2024-10-01",
      "{cache_creation_input_audio_token_cost:0.000022,"
      "cache_read_input_token_cost:0.00000275,input_cost_per_audio_token:0.00011,"
      "input_cost_per_token:0.0000055,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_audio_token:0.00022,output_cost_per_token:0.000022}" },
    { "azure/eu/gpt-4o-realtime-preview-2024-12-17 "
      "azure/us/gpt-4o-realtime-preview-2024-12-17",
      "{cache_read_input_audio_token_cost:0.0000025,cache_read_input_token_cost:0.00000275,"
      "input_cost_per_audio_token:0.000044,input_cost_per_token:0.0000055,"
      "max_input_tokens:16000,max_output_tokens:4096,output_cost_per_audio_token:0.000088,"
      "output_cost_per_token:0.000022}" },
    { "azure/eu/gpt-5-2025-08-07 azure/us/gpt-5-2025-08-07",
      "{cache_read_input_token_cost:1.375e-7,cache_read_input_token_cost_priority:2.75e-7,"
      "input_cost_per_token:0.000001375,input_cost_per_token_priority:0.00000275,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.000011,"
      "output_cost_per_token_priority:0.000022}" },
    { "azure/eu/gpt-5-mini-2025-08-07 azure/us/gpt-5-mini-2025-08-07",
      "{cache_read_input_token_cost:2.75e-8,cache_read_input_token_cost_priority:4.95e-8,"
      "input_cost_per_token:2.75e-7,input_cost_per_token_priority:4.95e-7,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.0000022,"
      "output_cost_per_token_priority:0.00000396}" },
    { "azure/eu/gpt-5.1 azure/us/gpt-5.1",
      "{cache_read_input_token_cost:1.375e-7,cache_read_input_token_cost_priority:2.75e-7,"
      "input_cost_per_token:0.000001375,max_input_tokens:272000,max_output_tokens:128000,"
      "output_cost_per_token:0.000011,input_cost_per_token_priority:0.00000275,"
      "output_cost_per_token_priority:0.000022}" },
    { "azure/eu/gpt-5.1-codex azure/us/gpt-5.1-codex",
      "{cache_read_input_token_cost:1.375e-7,input_cost_per_token:0.000001375,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.000011}" },
    { "azure/eu/gpt-5.1-codex-mini azure/us/gpt-5.1-codex-mini",
      "{cache_read_input_token_cost:2.75e-8,input_cost_per_token:2.75e-7,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.0000022}" },
    { "azure/eu/gpt-5-nano-2025-08-07 azure/us/gpt-5-nano-2025-08-07",
      "{cache_read_input_token_cost:5.5e-9,input_cost_per_token:5.5e-8,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:4.4e-7}" },
    { "azure/eu/o1 azure/eu/o1-2024-12-17 azure/us/o1 azure/us/o1-2024-12-17",
      "{cache_read_input_token_cost:0.00000825,input_cost_per_token:0.0000165,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.000066}" },
    { "azure/eu/o1-mini-2024-09-12 azure/us/o1-mini-2024-09-12",
      "{cache_read_input_token_cost:6.05e-7,input_cost_per_token:0.00000121,"
      "max_input_tokens:128000,max_output_tokens:65536,output_cost_per_token:0.00000484}" },
    { "azure/eu/o3-mini azure/eu/o3-mini-2025-01-31 azure/us/o3-mini "
      "azure/us/o3-mini-2025-01-31",
      "{cache_read_input_token_cost:6.05e-7,input_cost_per_token:0.00000121,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.00000484}" },
    { "azure/global-standard/gpt-4o-2024-08-06 azure/global-standard/gpt-4o-2024-11-20 "
      "azure/global/gpt-4o-2024-08-06 azure/global/gpt-4o-2024-11-20 azure/gpt-4o "
      "azure/gpt-4o-2024-08-06 azure/gpt-4o-2024-11-20",
      "{cache_read_input_token_cost:0.00000125,input_cost_per_token:0.0000025,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:0.00001}" },
    { "azure/global-standard/gpt-4o-mini",
      "{input_cost_per_token:1.5e-7,max_input_tokens:128000,max_output_tokens:16384,"
      "output_cost_per_token:6e-7}" },
    { "azure/global/gpt-5.1 azure/gpt-5.1",
      "{cache_read_input_token_cost:1.25e-7,cache_read_input_token_cost_priority:2.5e-7,"
      "input_cost_per_token:0.00000125,max_input_tokens:272000,max_output_tokens:128000,"
      "output_cost_per_token:0.00001,input_cost_per_token_priority:0.0000025,"
      "output_cost_per_token_priority:0.00002}" },
    { "azure/global/gpt-5.1-codex azure/gpt-5-codex azure/gpt-5.1-codex "
      "azure/gpt-5.1-codex-max",
      "{cache_read_input_token_cost:1.25e-7,input_cost_per_token:0.00000125,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.00001}" },
    { "azure/global/gpt-5.1-codex-mini azure/gpt-5.1-codex-mini",
      "{cache_read_input_token_cost:2.5e-8,input_cost_per_token:2.5e-7,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.000002}" },
    { "azure/gpt-3.5-turbo azure/gpt-35-turbo",
      "{input_cost_per_token:5e-7,max_input_tokens:4097,max_output_tokens:4096,"
      "output_cost_per_token:0.0000015}" },
    { "azure/gpt-35-turbo-16k azure/gpt-35-turbo-16k-0613",
      "{input_cost_per_token:0.000003,max_input_tokens:16385,max_output_tokens:4096,"
      "output_cost_per_token:0.000004}" },
    { "azure/gpt-4 azure/gpt-4-0613",
      "{input_cost_per_token:0.00003,max_input_tokens:8192,max_output_tokens:4096,"
      "output_cost_per_token:0.00006}" },
    { "azure/gpt-4-0125-preview azure/gpt-4-1106-preview",
      "{input_cost_per_token:0.00001,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:0.00003}" },
    { "azure/gpt-4-32k azure/gpt-4-32k-0613",
      "{input_cost_per_token:0.00006,max_input_tokens:32768,max_output_tokens:4096,"
      "output_cost_per_token:0.00012}" },
    { "azure/gpt-4-turbo azure/gpt-4-turbo-2024-04-09 azure/gpt-4-turbo-vision-preview",
      "{input_cost_per_token:0.000011,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:0.000033}" },
    { "azure/gpt-4.1 azure/gpt-4.1-2025-04-14",
      "{cache_read_input_token_cost:5e-7,cache_read_input_token_cost_priority:8.75e-7,"
      "input_cost_per_token:0.000002,input_cost_per_token_priority:0.0000035,"
      "max_input_tokens:1047576,max_output_tokens:32768,output_cost_per_token:0.000008,"
      "output_cost_per_token_priority:0.000014}" },
    { "azure/gpt-4.1-mini azure/gpt-4.1-mini-2025-04-14",
      "{cache_read_input_token_cost:1e-7,cache_read_input_token_cost_priority:1.75e-7,"
      "input_cost_per_token:4e-7,input_cost_per_token_priority:7e-7,"
      "max_input_tokens:1047576,max_output_tokens:32768,output_cost_per_token:0.0000016,"
      "output_cost_per_token_priority:0.0000028}" },
    { "azure/gpt-4.1-nano azure/gpt-4.1-nano-2025-04-14",
      "{cache_read_input_token_cost:2.5e-8,input_cost_per_token:1e-7,"
      "max_input_tokens:1047576,max_output_tokens:32768,output_cost_per_token:4e-7}" },
    { "azure/gpt-4.5-preview",
      "{cache_read_input_token_cost:0.0000375,input_cost_per_token:0.000075,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:0.00015}" },
    { "azure/gpt-4o-2024-05-13",
      "{input_cost_per_token:0.000005,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:0.000015}" },
    { "azure/gpt-audio azure/gpt-audio-2025-08-28 azure/gpt-4o-audio-preview-2024-12-17",
      "{input_cost_per_audio_token:0.00004,input_cost_per_token:0.0000025,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_audio_token:0.00008,"
      "output_cost_per_token:0.00001}" },
    { "azure/gpt-audio-1.5 azure/gpt-audio-1.5-2026-02-23",
      "{input_cost_per_audio_token:0.000032,input_cost_per_token:0.0000025,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_audio_token:0.000064,"
      "output_cost_per_token:0.00001}" },
    { "azure/gpt-audio-mini azure/gpt-audio-mini-2025-10-06",
      "{input_cost_per_audio_token:0.00001,input_cost_per_token:6e-7,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_audio_token:0.00002,"
      "output_cost_per_token:0.0000024}" },
    { "azure/gpt-4o-mini azure/gpt-4o-mini-2024-07-18",
      "{cache_read_input_token_cost:7.5e-8,input_cost_per_token:1.5e-7,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:6e-7}" },
    { "azure/gpt-4o-mini-audio-preview-2024-12-17",
      "{input_cost_per_audio_token:0.00001,input_cost_per_token:1.5e-7,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_audio_token:0.00002,"
      "output_cost_per_token:6e-7}" },
    { "azure/gpt-4o-mini-realtime-preview-2024-12-17",
      "{cache_creation_input_audio_token_cost:3e-7,cache_read_input_token_cost:3e-7,"
      "input_cost_per_audio_token:0.00001,input_cost_per_token:6e-7,max_input_tokens:128000,"
      "max_output_tokens:4096,output_cost_per_audio_token:0.00002,"
      "output_cost_per_token:0.0000024}" },
    { "azure/gpt-realtime azure/gpt-realtime-2025-08-28 azure/gpt-realtime-1.5 "
      "azure/gpt-realtime-1.5-2026-02-23",
      "{cache_creation_input_audio_token_cost:0.000004,"
      "cache_read_input_audio_token_cost:4e-7,cache_read_input_token_cost:4e-7,"
      "input_cost_per_audio_token:0.000032,input_cost_per_image_token:0.000005,"
      "input_cost_per_token:0.000004,max_input_tokens:32000,max_output_tokens:4096,"
      "output_cost_per_audio_token:0.000064,output_cost_per_token:0.000016}" },
    { "azure/gpt-realtime-2.1 azure/gpt-realtime-2",
      "{cache_creation_input_audio_token_cost:4e-7,cache_read_input_audio_token_cost:4e-7,"
      "cache_read_input_token_cost:4e-7,input_cost_per_audio_token:0.000032,"
      "input_cost_per_image_token:0.000005,input_cost_per_token:0.000004,"
      "max_input_tokens:32000,max_output_tokens:4096,output_cost_per_audio_token:0.000064,"
      "output_cost_per_token:0.000024}" },
    { "azure/gpt-realtime-2.1-mini azure/gpt-realtime-mini "
      "azure/gpt-realtime-mini-2025-10-06",
      "{cache_creation_input_audio_token_cost:3e-7,cache_read_input_audio_token_cost:3e-7,"
      "cache_read_input_token_cost:6e-8,input_cost_per_audio_token:0.00001,"
      "input_cost_per_image_token:8e-7,input_cost_per_token:6e-7,max_input_tokens:32000,"
      "max_output_tokens:4096,output_cost_per_audio_token:0.00002,"
      "output_cost_per_token:0.0000024}" },
    { "azure/gpt-4o-mini-transcribe",
      "{input_cost_per_audio_token:0.000003,input_cost_per_token:0.00000125,"
      "max_input_tokens:16000,max_output_tokens:2000,output_cost_per_token:0.000005}" },
    { "azure/gpt-4o-mini-tts",
      "{input_cost_per_token:6e-7,output_cost_per_audio_token:0.000012,"
      "output_cost_per_second:0.00025,output_cost_per_token:0.00001}" },
    { "azure/gpt-4o-realtime-preview-2024-10-01",
      "{cache_creation_input_audio_token_cost:0.00002,cache_read_input_token_cost:0.0000025,"
      "input_cost_per_audio_token:0.0001,input_cost_per_token:0.000005,"
      "max_input_tokens:128000,max_output_tokens:4096,output_cost_per_audio_token:0.0002,"
      "output_cost_per_token:0.00002}" },
    { "azure/gpt-4o-realtime-preview-2024-12-17",
      "{cache_read_input_token_cost:0.0000025,input_cost_per_audio_token:0.00004,"
      "input_cost_per_token:0.000005,max_input_tokens:16000,max_output_tokens:4096,"
      "output_cost_per_audio_token:0.00008,output_cost_per_token:0.00002}" },
    { "azure/gpt-4o-transcribe azure/gpt-4o-transcribe-diarize",
      "{input_cost_per_audio_token:0.000006,input_cost_per_token:0.0000025,"
      "max_input_tokens:16000,max_output_tokens:2000,output_cost_per_token:0.00001}" },
    { "azure/gpt-realtime-whisper",
      "{input_cost_per_second:0.000283333333333333,max_input_tokens:32000,"
      "max_output_tokens:4096}" },
    { "azure/gpt-5.1-2025-11-13 azure/gpt-5.1-codex-2025-11-13 azure/gpt-5 "
      "azure/gpt-5-2025-08-07",
      "{cache_read_input_token_cost:1.25e-7,cache_read_input_token_cost_priority:2.5e-7,"
      "input_cost_per_token:0.00000125,input_cost_per_token_priority:0.0000025,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.00001,"
      "output_cost_per_token_priority:0.00002}" },
    { "azure/gpt-5.1-codex-mini-2025-11-13 azure/gpt-5-mini azure/gpt-5-mini-2025-08-07",
      "{cache_read_input_token_cost:2.5e-8,cache_read_input_token_cost_priority:4.5e-8,"
      "input_cost_per_token:2.5e-7,input_cost_per_token_priority:4.5e-7,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.000002,"
      "output_cost_per_token_priority:0.0000036}" },
    { "azure/gpt-5-nano azure/gpt-5-nano-2025-08-07",
      "{cache_read_input_token_cost:5e-9,input_cost_per_token:5e-8,max_input_tokens:272000,"
      "max_output_tokens:128000,output_cost_per_token:4e-7}" },
    { "azure/gpt-5-pro",
      "{input_cost_per_token:0.000015,max_input_tokens:272000,max_output_tokens:128000,"
      "output_cost_per_token:0.00012}" },
    { "azure/gpt-5-chat",
      "{cache_read_input_token_cost:1.25e-7,input_cost_per_token:0.00000125,"
      "max_input_tokens:128000,max_output_tokens:16384,output_cost_per_token:0.00001}" },
    { "azure/gpt-5.1-chat",
      "{cache_read_input_token_cost:1.25e-7,input_cost_per_token:0.00000125,"
      "max_input_tokens:111616,max_output_tokens:16384,output_cost_per_token:0.00001}" },
    { "azure/gpt-5.2-chat azure/gpt-5.3-chat",
      "{cache_read_input_token_cost:1.75e-7,input_cost_per_token:0.00000175,"
      "max_input_tokens:111616,max_output_tokens:16384,output_cost_per_token:0.000014}" },
    { "azure/us/gpt-5.1-chat azure/eu/gpt-5.1-chat",
      "{cache_read_input_token_cost:1.375e-7,input_cost_per_token:0.000001375,"
      "max_input_tokens:111616,max_output_tokens:16384,output_cost_per_token:0.000011}" },
    { "azure/us/gpt-5.2-chat azure/us/gpt-5.3-chat azure/eu/gpt-5.2-chat "
      "azure/eu/gpt-5.3-chat",
      "{cache_read_input_token_cost:1.925e-7,input_cost_per_token:0.000001925,"
      "max_input_tokens:111616,max_output_tokens:16384,output_cost_per_token:0.0000154}" },
    { "azure/us/o1-preview azure/eu/o1-preview",
      "{cache_read_input_token_cost:0.00000825,input_cost_per_token:0.0000165,"
      "max_input_tokens:128000,max_output_tokens:32768,output_cost_per_token:0.000066}" },
    { "azure/gpt-5.2 azure/gpt-5.2-2025-12-11 azure/gpt-5.3-codex",
      "{cache_read_input_token_cost:1.75e-7,cache_read_input_token_cost_priority:3.5e-7,"
      "input_cost_per_token:0.00000175,input_cost_per_token_priority:0.0000035,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.000014,"
      "output_cost_per_token_priority:0.000028}" },
    { "azure/gpt-5.2-codex",
      "{cache_read_input_token_cost:1.75e-7,input_cost_per_token:0.00000175,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.000014}" },
    { "azure/gpt-5.2-pro azure/gpt-5.2-pro-2025-12-11",
      "{input_cost_per_token:0.000021,max_input_tokens:272000,max_output_tokens:128000,"
      "output_cost_per_token:0.000168,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-5.4",
      "{cache_read_input_token_cost:2.5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:5e-7,"
      "cache_read_input_token_cost_above_272k_tokens_flex:2.5e-7,"
      "cache_read_input_token_cost_priority:5e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:0.000001,"
      "cache_read_input_token_cost_batches:1.3e-7,input_cost_per_token:0.0000025,"
      "input_cost_per_token_above_272k_tokens:0.000005,"
      "input_cost_per_token_priority:0.000005,"
      "input_cost_per_token_above_272k_tokens_priority:0.00001,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.000015,"
      "output_cost_per_token_above_272k_tokens:0.0000225,"
      "output_cost_per_token_priority:0.00003,"
      "output_cost_per_token_above_272k_tokens_priority:0.000045,"
      "input_cost_per_token_above_272k_tokens_flex:0.0000025,"
      "input_cost_per_token_flex:0.00000125,"
      "output_cost_per_token_above_272k_tokens_flex:0.00001125,"
      "output_cost_per_token_flex:0.0000075}" },
    { "azure/us/gpt-5.4 azure/eu/gpt-5.4",
      "{cache_read_input_token_cost:2.75e-7,"
      "cache_read_input_token_cost_above_272k_tokens:5.5e-7,"
      "cache_read_input_token_cost_batches:1.43e-7,"
      "cache_read_input_token_cost_priority:5.5e-7,input_cost_per_token:0.00000275,"
      "input_cost_per_token_priority:0.0000055,output_cost_per_token:0.0000165,"
      "output_cost_per_token_priority:0.000033,max_input_tokens:922000,"
      "max_output_tokens:128000,input_cost_per_token_above_272k_tokens:0.0000055,"
      "output_cost_per_token_above_272k_tokens:0.00002475}" },
    { "azure/gpt-5.4-2026-03-05",
      "{cache_read_input_token_cost:2.5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:5e-7,"
      "cache_read_input_token_cost_above_272k_tokens_flex:2.5e-7,"
      "cache_read_input_token_cost_priority:5e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:0.000001,"
      "input_cost_per_token:0.0000025,input_cost_per_token_above_272k_tokens:0.000005,"
      "input_cost_per_token_priority:0.000005,"
      "input_cost_per_token_above_272k_tokens_priority:0.00001,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.000015,"
      "output_cost_per_token_above_272k_tokens:0.0000225,"
      "output_cost_per_token_priority:0.00003,"
      "output_cost_per_token_above_272k_tokens_priority:0.000045,"
      "input_cost_per_token_above_272k_tokens_flex:0.0000025,"
      "input_cost_per_token_flex:0.00000125,"
      "output_cost_per_token_above_272k_tokens_flex:0.00001125,"
      "output_cost_per_token_flex:0.0000075,cache_read_input_token_cost_batches:1.3e-7}" },
    { "azure/us/gpt-5.4-2026-03-05 azure/eu/gpt-5.4-2026-03-05",
      "{cache_read_input_token_cost:2.75e-7,"
      "cache_read_input_token_cost_above_272k_tokens:5.5e-7,"
      "cache_read_input_token_cost_priority:5.5e-7,input_cost_per_token:0.00000275,"
      "input_cost_per_token_priority:0.0000055,output_cost_per_token:0.0000165,"
      "output_cost_per_token_priority:0.000033,max_input_tokens:922000,"
      "max_output_tokens:128000,input_cost_per_token_above_272k_tokens:0.0000055,"
      "output_cost_per_token_above_272k_tokens:0.00002475,"
      "cache_read_input_token_cost_batches:1.43e-7}" },
    { "azure/gpt-5.4-pro azure/gpt-5.4-pro-2026-03-05",
      "{cache_read_input_token_cost:0.000003,"
      "cache_read_input_token_cost_above_272k_tokens:0.000006,input_cost_per_token:0.00003,"
      "input_cost_per_token_above_272k_tokens:0.00006,"
      "input_cost_per_token_above_272k_tokens_flex:0.00003,"
      "input_cost_per_token_flex:0.000015,max_input_tokens:922000,max_output_tokens:128000,"
      "output_cost_per_token:0.00018,output_cost_per_token_above_272k_tokens:0.00027,"
      "output_cost_per_token_above_272k_tokens_flex:0.000135,"
      "output_cost_per_token_flex:0.00009,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-5.6",
      "{cache_creation_input_token_cost:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens:0.00001,"
      "cache_creation_input_token_cost_priority:0.00001,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.00002,"
      "cache_read_input_token_cost:4e-7,cache_read_input_token_cost_above_272k_tokens:8e-7,"
      "cache_read_input_token_cost_priority:8e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:0.0000016,"
      "input_cost_per_token:0.000004,input_cost_per_token_above_272k_tokens:0.000008,"
      "input_cost_per_token_priority:0.000008,"
      "input_cost_per_token_above_272k_tokens_priority:0.000016,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.00002,"
      "output_cost_per_token_above_272k_tokens:0.00003,"
      "output_cost_per_token_priority:0.00004,"
      "output_cost_per_token_above_272k_tokens_priority:0.00006,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-5.6-sol azure/gpt-5.6-sol-2026-07-09",
      "{cache_creation_input_token_cost:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens:0.00001,"
      "cache_creation_input_token_cost_above_272k_tokens_flex:0.000005,"
      "cache_creation_input_token_cost_priority:0.00001,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.00002,"
      "cache_creation_input_token_cost_flex:0.0000025,cache_read_input_token_cost:4e-7,"
      "cache_read_input_token_cost_above_272k_tokens:8e-7,"
      "cache_read_input_token_cost_above_272k_tokens_flex:4e-7,"
      "cache_read_input_token_cost_priority:8e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:0.0000016,"
      "cache_read_input_token_cost_flex:2e-7,input_cost_per_token:0.000004,"
      "input_cost_per_token_above_272k_tokens:0.000008,"
      "input_cost_per_token_above_272k_tokens_flex:0.000004,"
      "input_cost_per_token_priority:0.000008,"
      "input_cost_per_token_above_272k_tokens_priority:0.000016,"
      "input_cost_per_token_flex:0.000002,max_input_tokens:922000,max_output_tokens:128000,"
      "output_cost_per_token:0.00002,output_cost_per_token_above_272k_tokens:0.00003,"
      "output_cost_per_token_above_272k_tokens_flex:0.000015,"
      "output_cost_per_token_priority:0.00004,"
      "output_cost_per_token_above_272k_tokens_priority:0.00006,"
      "output_cost_per_token_flex:0.00001,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-5.6-terra azure/gpt-5.6-terra-2026-07-09",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens_flex:0.0000025,"
      "cache_creation_input_token_cost_priority:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.00001,"
      "cache_creation_input_token_cost_flex:0.00000125,cache_read_input_token_cost:2e-7,"
      "cache_read_input_token_cost_above_272k_tokens:4e-7,"
      "cache_read_input_token_cost_above_272k_tokens_flex:2e-7,"
      "cache_read_input_token_cost_priority:4e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:8e-7,"
      "cache_read_input_token_cost_flex:1e-7,input_cost_per_token:0.000002,"
      "input_cost_per_token_above_272k_tokens:0.000004,"
      "input_cost_per_token_above_272k_tokens_flex:0.000002,"
      "input_cost_per_token_priority:0.000004,"
      "input_cost_per_token_above_272k_tokens_priority:0.000008,"
      "input_cost_per_token_flex:0.000001,max_input_tokens:922000,max_output_tokens:128000,"
      "output_cost_per_token:0.000012,output_cost_per_token_above_272k_tokens:0.000018,"
      "output_cost_per_token_above_272k_tokens_flex:0.000009,"
      "output_cost_per_token_priority:0.000024,"
      "output_cost_per_token_above_272k_tokens_priority:0.000036,"
      "output_cost_per_token_flex:0.000006,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-5.6-luna azure/gpt-5.6-luna-2026-07-09",
      "{cache_creation_input_token_cost:2.5e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:5e-7,"
      "cache_creation_input_token_cost_above_272k_tokens_flex:2.5e-7,"
      "cache_creation_input_token_cost_priority:5e-7,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.000001,"
      "cache_creation_input_token_cost_flex:1.25e-7,cache_read_input_token_cost:2e-8,"
      "cache_read_input_token_cost_above_272k_tokens:4e-8,"
      "cache_read_input_token_cost_above_272k_tokens_flex:2e-8,"
      "cache_read_input_token_cost_priority:4e-8,"
      "cache_read_input_token_cost_above_272k_tokens_priority:8e-8,"
      "cache_read_input_token_cost_flex:1e-8,input_cost_per_token:2e-7,"
      "input_cost_per_token_above_272k_tokens:4e-7,"
      "input_cost_per_token_above_272k_tokens_flex:2e-7,input_cost_per_token_priority:4e-7,"
      "input_cost_per_token_above_272k_tokens_priority:8e-7,input_cost_per_token_flex:1e-7,"
      "max_input_tokens:922000,max_output_tokens:128000,output_cost_per_token:0.0000012,"
      "output_cost_per_token_above_272k_tokens:0.0000018,"
      "output_cost_per_token_above_272k_tokens_flex:9e-7,"
      "output_cost_per_token_priority:0.0000024,"
      "output_cost_per_token_above_272k_tokens_priority:0.0000036,"
      "output_cost_per_token_flex:6e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-6-astra azure/gpt-6-astra-2026-09-03",
      "{cache_creation_input_token_cost:0.0000125,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000025,"
      "cache_read_input_token_cost:0.000001,"
      "cache_read_input_token_cost_above_272k_tokens:0.000002,input_cost_per_token:0.00001,"
      "input_cost_per_token_above_272k_tokens:0.00002,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.00005,"
      "output_cost_per_token_above_272k_tokens:0.000075,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-6-luna azure/gpt-6-luna-2026-09-22",
      "{cache_creation_input_token_cost:1.25e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:2.5e-7,"
      "cache_read_input_token_cost:1e-8,cache_read_input_token_cost_above_272k_tokens:2e-8,"
      "input_cost_per_token:1e-7,input_cost_per_token_above_272k_tokens:2e-7,"
      "max_input_tokens:922000,max_output_tokens:128000,output_cost_per_token:5e-7,"
      "output_cost_per_token_above_272k_tokens:7.5e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-6-sol azure/gpt-6-sol-2026-09-22",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.00001,"
      "cache_creation_input_token_cost_priority:0.000005,cache_read_input_token_cost:2e-7,"
      "cache_read_input_token_cost_above_272k_tokens:4e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:8e-7,"
      "cache_read_input_token_cost_priority:4e-7,input_cost_per_token:0.000002,"
      "input_cost_per_token_above_272k_tokens:0.000004,"
      "input_cost_per_token_above_272k_tokens_priority:0.000008,"
      "input_cost_per_token_priority:0.000004,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.00001,"
      "output_cost_per_token_above_272k_tokens:0.000015,"
      "output_cost_per_token_above_272k_tokens_priority:0.00003,"
      "output_cost_per_token_priority:0.00002,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-6.1-sol azure/gpt-6.1-sol-2026-09-29",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000005,"
      "cache_read_input_token_cost:1e-7,cache_read_input_token_cost_above_272k_tokens:2e-7,"
      "input_cost_per_token:0.000002,input_cost_per_token_above_272k_tokens:0.000004,"
      "max_input_tokens:922000,max_output_tokens:128000,output_cost_per_token:0.00001,"
      "output_cost_per_token_above_272k_tokens:0.000015,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/us/gpt-6.1-sol",
      "{cache_creation_input_token_cost:0.00000275,"
      "cache_creation_input_token_cost_above_272k_tokens:0.0000055,"
      "cache_read_input_token_cost:1.1e-7,"
      "cache_read_input_token_cost_above_272k_tokens:2.2e-7,input_cost_per_token:0.0000022,"
      "input_cost_per_token_above_272k_tokens:0.0000044,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.000011,"
      "output_cost_per_token_above_272k_tokens:0.0000165,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/eu/gpt-6.1-sol azure/apac/gpt-6.1-sol",
      "{cache_creation_input_token_cost:0.000003,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000006,"
      "cache_read_input_token_cost:1.2e-7,"
      "cache_read_input_token_cost_above_272k_tokens:2.4e-7,input_cost_per_token:0.0000024,"
      "input_cost_per_token_above_272k_tokens:0.0000048,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.000012,"
      "output_cost_per_token_above_272k_tokens:0.000018,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-chat-latest azure/chat-latest",
      "{cache_read_input_token_cost:5e-7,input_cost_per_token:0.000005,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.00003}" },
    { "azure/us/gpt-5.6 azure/us/gpt-5.6-sol azure/eu/gpt-5.6 azure/eu/gpt-5.6-sol",
      "{cache_creation_input_token_cost:0.0000055,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000011,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.000022,"
      "cache_creation_input_token_cost_priority:0.000011,cache_read_input_token_cost:4.4e-7,"
      "cache_read_input_token_cost_above_272k_tokens:8.8e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:0.00000176,"
      "cache_read_input_token_cost_priority:8.8e-7,input_cost_per_token:0.0000044,"
      "input_cost_per_token_above_272k_tokens:0.0000088,"
      "input_cost_per_token_above_272k_tokens_priority:0.0000176,"
      "input_cost_per_token_priority:0.0000088,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.000022,"
      "output_cost_per_token_above_272k_tokens:0.000033,"
      "output_cost_per_token_above_272k_tokens_priority:0.000066,"
      "output_cost_per_token_priority:0.000044,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/us/gpt-5.6-terra azure/eu/gpt-5.6-terra",
      "{cache_creation_input_token_cost:0.00000275,"
      "cache_creation_input_token_cost_above_272k_tokens:0.0000055,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.000011,"
      "cache_creation_input_token_cost_priority:0.0000055,"
      "cache_read_input_token_cost:2.2e-7,"
      "cache_read_input_token_cost_above_272k_tokens:4.4e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:8.8e-7,"
      "cache_read_input_token_cost_priority:4.4e-7,input_cost_per_token:0.0000022,"
      "input_cost_per_token_above_272k_tokens:0.0000044,"
      "input_cost_per_token_above_272k_tokens_priority:0.0000088,"
      "input_cost_per_token_priority:0.0000044,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.0000132,"
      "output_cost_per_token_above_272k_tokens:0.0000198,"
      "output_cost_per_token_above_272k_tokens_priority:0.0000396,"
      "output_cost_per_token_priority:0.0000264,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/us/gpt-5.6-luna azure/eu/gpt-5.6-luna",
      "{cache_creation_input_token_cost:2.75e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:5.5e-7,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.0000011,"
      "cache_creation_input_token_cost_priority:5.5e-7,cache_read_input_token_cost:2.2e-8,"
      "cache_read_input_token_cost_above_272k_tokens:4.4e-8,"
      "cache_read_input_token_cost_above_272k_tokens_priority:8.8e-8,"
      "cache_read_input_token_cost_priority:4.4e-8,input_cost_per_token:2.2e-7,"
      "input_cost_per_token_above_272k_tokens:4.4e-7,"
      "input_cost_per_token_above_272k_tokens_priority:8.8e-7,"
      "input_cost_per_token_priority:4.4e-7,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.00000132,"
      "output_cost_per_token_above_272k_tokens:0.00000198,"
      "output_cost_per_token_above_272k_tokens_priority:0.00000396,"
      "output_cost_per_token_priority:0.00000264,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/us/gpt-6-astra",
      "{cache_creation_input_token_cost:0.00001375,"
      "cache_creation_input_token_cost_above_272k_tokens:0.0000275,"
      "cache_read_input_token_cost:0.0000011,"
      "cache_read_input_token_cost_above_272k_tokens:0.0000022,"
      "input_cost_per_token:0.000011,input_cost_per_token_above_272k_tokens:0.000022,"
      "max_input_tokens:922000,max_output_tokens:128000,output_cost_per_token:0.000055,"
      "output_cost_per_token_above_272k_tokens:0.0000825,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/us/gpt-6-luna",
      "{cache_creation_input_token_cost:1.375e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:2.75e-7,"
      "cache_read_input_token_cost:1.1e-8,"
      "cache_read_input_token_cost_above_272k_tokens:2.2e-8,input_cost_per_token:1.1e-7,"
      "input_cost_per_token_above_272k_tokens:2.2e-7,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:5.5e-7,"
      "output_cost_per_token_above_272k_tokens:8.25e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/us/gpt-6-sol",
      "{cache_creation_input_token_cost:0.00000275,"
      "cache_creation_input_token_cost_above_272k_tokens:0.0000055,"
      "cache_creation_input_token_cost_above_272k_tokens_priority:0.000011,"
      "cache_creation_input_token_cost_priority:0.0000055,"
      "cache_read_input_token_cost:2.2e-7,"
      "cache_read_input_token_cost_above_272k_tokens:4.4e-7,"
      "cache_read_input_token_cost_above_272k_tokens_priority:8.8e-7,"
      "cache_read_input_token_cost_priority:4.4e-7,input_cost_per_token:0.0000022,"
      "input_cost_per_token_above_272k_tokens:0.0000044,"
      "input_cost_per_token_above_272k_tokens_priority:0.0000088,"
      "input_cost_per_token_priority:0.0000044,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.000011,"
      "output_cost_per_token_above_272k_tokens:0.0000165,"
      "output_cost_per_token_above_272k_tokens_priority:0.000033,"
      "output_cost_per_token_priority:0.000022,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/us/gpt-chat-latest",
      "{cache_read_input_token_cost:5.5e-7,input_cost_per_token:0.0000055,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.000033}" },
    { "azure/gpt-5.5 azure/gpt-5.5-2026-04-24",
      "{cache_read_input_token_cost:5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:0.000001,"
      "cache_read_input_token_cost_priority:0.00000125,"
      "cache_read_input_token_cost_above_272k_tokens_priority:0.000002,"
      "cache_read_input_token_cost_flex:2.5e-7,input_cost_per_token:0.000005,"
      "input_cost_per_token_above_272k_tokens:0.00001,"
      "input_cost_per_token_above_272k_tokens_flex:0.000005,"
      "input_cost_per_token_priority:0.0000125,"
      "input_cost_per_token_above_272k_tokens_priority:0.00002,"
      "input_cost_per_token_flex:0.0000025,max_input_tokens:922000,max_output_tokens:128000,"
      "output_cost_per_token:0.00003,output_cost_per_token_above_272k_tokens:0.000045,"
      "output_cost_per_token_priority:0.000075,"
      "output_cost_per_token_above_272k_tokens_priority:0.00009,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/us/gpt-5.5 azure/eu/gpt-5.5 azure/us/gpt-5.5-2026-04-23 "
      "azure/us/gpt-5.5-2026-04-24 azure/eu/gpt-5.5-2026-04-23 azure/eu/gpt-5.5-2026-04-24",
      "{cache_read_input_token_cost:5.5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:0.0000011,"
      "cache_read_input_token_cost_priority:0.000001375,input_cost_per_token:0.0000055,"
      "input_cost_per_token_above_272k_tokens:0.000011,"
      "input_cost_per_token_priority:0.00001375,output_cost_per_token:0.000033,"
      "output_cost_per_token_above_272k_tokens:0.0000495,"
      "output_cost_per_token_priority:0.0000825,max_input_tokens:922000,"
      "max_output_tokens:128000,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-5.5-2026-04-23",
      "{cache_read_input_token_cost:5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:0.000001,"
      "cache_read_input_token_cost_priority:0.00000125,"
      "cache_read_input_token_cost_above_272k_tokens_priority:0.000002,"
      "cache_read_input_token_cost_flex:2.5e-7,input_cost_per_token:0.000005,"
      "input_cost_per_token_above_272k_tokens:0.00001,"
      "input_cost_per_token_priority:0.0000125,"
      "input_cost_per_token_above_272k_tokens_priority:0.00002,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.00003,"
      "output_cost_per_token_above_272k_tokens:0.000045,"
      "output_cost_per_token_priority:0.000075,"
      "output_cost_per_token_above_272k_tokens_priority:0.00009,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "input_cost_per_token_above_272k_tokens_flex:0.000005,"
      "input_cost_per_token_flex:0.0000025}" },
    { "azure/gpt-5.5-pro azure/gpt-5.5-pro-2026-04-23",
      "{cache_read_input_token_cost:0.000003,"
      "cache_read_input_token_cost_above_272k_tokens:0.000006,input_cost_per_token:0.00003,"
      "input_cost_per_token_above_272k_tokens:0.00006,max_input_tokens:1050000,"
      "max_output_tokens:128000,output_cost_per_token:0.00018,"
      "output_cost_per_token_above_272k_tokens:0.00027,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/gpt-5.4-mini azure/gpt-5.4-mini-2026-03-17",
      "{cache_read_input_token_cost:7.5e-8,cache_read_input_token_cost_flex:3.75e-8,"
      "cache_read_input_token_cost_priority:1.5e-7,input_cost_per_token:7.5e-7,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.0000045,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "input_cost_per_token_flex:3.75e-7,input_cost_per_token_priority:0.0000015,"
      "output_cost_per_token_flex:0.00000225,output_cost_per_token_priority:0.000009}" },
    { "azure/gpt-5.4-nano azure/gpt-5.4-nano-2026-03-17",
      "{cache_read_input_token_cost:2e-8,cache_read_input_token_cost_flex:1e-8,"
      "input_cost_per_token:2e-7,max_input_tokens:272000,max_output_tokens:128000,"
      "output_cost_per_token:0.00000125,"
      "search_context_cost_per_query:{search_context_size_medium:0.01},"
      "input_cost_per_token_flex:1e-7,output_cost_per_token_flex:6.25e-7}" },
    { "azure/gpt-image-1",
      "{cache_read_input_image_token_cost:0.0000025,cache_read_input_token_cost:0.00000125,"
      "input_cost_per_image_token:0.00001,input_cost_per_token:0.000005,"
      "output_cost_per_image_token:0.00004}" },
    { "azure/gpt-image-1-mini",
      "{cache_read_input_image_token_cost:2.5e-7,cache_read_input_token_cost:2e-7,"
      "input_cost_per_image_token:0.0000025,input_cost_per_token:0.000002,"
      "output_cost_per_image_token:0.000008}" },
    { "azure/gpt-image-1.5 azure/gpt-image-1.5-2025-12-16",
      "{cache_read_input_image_token_cost:0.000002,cache_read_input_token_cost:0.00000125,"
      "input_cost_per_token:0.000005,input_cost_per_image_token:0.000008,"
      "output_cost_per_image_token:0.000032,output_cost_per_token:0.00001}" },
    { "azure/gpt-image-2 azure/gpt-image-2.5-flare azure/gpt-image-2.5-sunburst "
      "azure/gpt-image-2-2026-04-21",
      "{cache_read_input_image_token_cost:0.000002,cache_read_input_token_cost:0.00000125,"
      "input_cost_per_token:0.000005,input_cost_per_image_token:0.000008,"
      "output_cost_per_image_token:0.00003}" },
    { "azure/mistral-large-2402 azure/mistral-large-latest",
      "{input_cost_per_token:0.000008,max_input_tokens:32000,"
      "output_cost_per_token:0.000024}" },
    { "azure/o1 azure/o1-2024-12-17",
      "{cache_read_input_token_cost:0.0000075,input_cost_per_token:0.000015,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.00006}" },
    { "azure/o1-mini azure/o1-mini-2024-09-12",
      "{cache_read_input_token_cost:5.5e-7,input_cost_per_token:0.0000011,"
      "max_input_tokens:128000,max_output_tokens:65536,output_cost_per_token:0.0000044}" },
    { "azure/o3 azure/o3-2025-04-16",
      "{cache_read_input_token_cost:5e-7,input_cost_per_token:0.000002,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.000008}" },
    { "azure/o3-deep-research",
      "{cache_read_input_token_cost:0.0000025,input_cost_per_token:0.00001,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.00004,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/o3-mini azure/o3-mini-2025-01-31",
      "{cache_read_input_token_cost:5.5e-7,input_cost_per_token:0.0000011,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.0000044}" },
    { "azure/o3-pro azure/o3-pro-2025-06-10",
      "{input_cost_per_token:0.00002,max_input_tokens:200000,max_output_tokens:100000,"
      "output_cost_per_token:0.00008}" },
    { "azure/o4-mini azure/o4-mini-2025-04-16",
      "{cache_read_input_token_cost:2.75e-7,input_cost_per_token:0.0000011,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.0000044}" },
    { "azure/text-embedding-3-large",
      "{input_cost_per_token:1.43e-7,max_input_tokens:8192,output_cost_per_token:0}" },
    { "azure/text-embedding-3-small",
      "{input_cost_per_token:2.2e-8,max_input_tokens:8192,output_cost_per_token:0}" },
    { "azure/text-embedding-ada-002",
      "{input_cost_per_token:1.1e-7,max_input_tokens:8192,output_cost_per_token:0}" },
    { "azure/speech/azure-tts azure/tts-1",
      "{input_cost_per_character:0.000015}" },
    { "azure/speech/azure-tts-hd",
      "{input_cost_per_character:0.00003}" },
    { "azure/speech/azure-stt",
      "{input_cost_per_second:0.0002777778,output_cost_per_second:0}" },
    { "azure/tts-1-hd",
      "{input_cost_per_character:0.000033}" },
    { "azure/us/gpt-4.1-2025-04-14",
      "{cache_read_input_token_cost:5.5e-7,cache_read_input_token_cost_priority:9.63e-7,"
      "input_cost_per_token:0.0000022,input_cost_per_token_priority:0.00000385,"
      "max_input_tokens:1047576,max_output_tokens:32768,output_cost_per_token:0.0000088,"
      "output_cost_per_token_priority:0.0000154}" },
    { "azure/us/gpt-4.1-mini-2025-04-14",
      "{cache_read_input_token_cost:1.1e-7,cache_read_input_token_cost_priority:1.93e-7,"
      "input_cost_per_token:4.4e-7,input_cost_per_token_priority:7.7e-7,"
      "max_input_tokens:1047576,max_output_tokens:32768,output_cost_per_token:0.00000176,"
      "output_cost_per_token_priority:0.00000308}" },
    { "azure/us/gpt-4.1-nano-2025-04-14",
      "{cache_read_input_token_cost:2.8e-8,input_cost_per_token:1.1e-7,"
      "max_input_tokens:1047576,max_output_tokens:32768,output_cost_per_token:4.4e-7}" },
    { "azure/us/o3 azure/us/o3-2025-04-16 azure/eu/o3 azure/eu/o3-2025-04-16",
      "{cache_read_input_token_cost:5.5e-7,input_cost_per_token:0.0000022,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.0000088}" },
    { "azure/us/o4-mini azure/us/o4-mini-2025-04-16 azure/eu/o4-mini "
      "azure/eu/o4-mini-2025-04-16",
      "{cache_read_input_token_cost:3.03e-7,input_cost_per_token:0.00000121,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.00000484}" },
    { "azure/whisper-1 azure/whisper",
      "{input_cost_per_second:0.0001,output_cost_per_second:0.0001}" },
    { "azure/us-gov/gpt-5.1",
      "{cache_read_input_token_cost:1.71875e-7,input_cost_per_token:0.00000171875,"
      "max_input_tokens:272000,max_output_tokens:128000,output_cost_per_token:0.00001375}" },
    { "azure/us-gov/o3-mini",
      "{cache_read_input_token_cost:7.57e-7,input_cost_per_token:0.000001513,"
      "max_input_tokens:200000,max_output_tokens:100000,output_cost_per_token:0.00000605}" },
    { "azure/us-gov/text-embedding-3-large",
      "{input_cost_per_token:1.63e-7,max_input_tokens:8191,output_cost_per_token:0}" },
    { "azure/us-gov/text-embedding-3-small",
      "{input_cost_per_token:2.5e-8,max_input_tokens:8191,output_cost_per_token:0}" },
    { "azure/eu/codex-mini azure/us/codex-mini",
      "{cache_read_input_token_cost:4.13e-7,input_cost_per_token:0.00000165,"
      "output_cost_per_token:0.0000066}" },
    { "azure/eu/computer-use-preview azure/us/computer-use-preview",
      "{input_cost_per_token:0.0000033,output_cost_per_token:0.0000132}" },
    { "azure/eu/gpt-4.1 azure/us/gpt-4.1",
      "{cache_read_input_token_cost:5.5e-7,cache_read_input_token_cost_priority:9.63e-7,"
      "input_cost_per_token:0.0000022,input_cost_per_token_priority:0.00000385,"
      "output_cost_per_token:0.0000088,output_cost_per_token_priority:0.0000154}" },
    { "azure/eu/gpt-4.1-mini azure/us/gpt-4.1-mini",
      "{cache_read_input_token_cost:1.1e-7,cache_read_input_token_cost_priority:1.93e-7,"
      "input_cost_per_token:4.4e-7,input_cost_per_token_priority:7.7e-7,"
      "output_cost_per_token:0.00000176,output_cost_per_token_priority:0.00000308}" },
    { "azure/eu/gpt-4.1-nano azure/us/gpt-4.1-nano",
      "{cache_read_input_token_cost:2.8e-8,input_cost_per_token:1.1e-7,"
      "output_cost_per_token:4.4e-7}" },
    { "azure/eu/gpt-4o-2024-05-13 azure/us/gpt-4o-2024-05-13",
      "{input_cost_per_token:0.0000055,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:0.0000165}" },
    { "azure/eu/gpt-5 azure/us/gpt-5",
      "{cache_read_input_token_cost:1.375e-7,cache_read_input_token_cost_priority:2.75e-7,"
      "input_cost_per_token:0.000001375,input_cost_per_token_priority:0.00000275,"
      "output_cost_per_token:0.000011,output_cost_per_token_priority:0.000022}" },
    { "azure/eu/gpt-5-codex azure/us/gpt-5-codex",
      "{cache_read_input_token_cost:1.38e-7,input_cost_per_token:0.000001375,"
      "output_cost_per_token:0.000011}" },
    { "azure/eu/gpt-5-mini azure/us/gpt-5-mini",
      "{cache_read_input_token_cost:2.75e-8,cache_read_input_token_cost_priority:4.95e-8,"
      "input_cost_per_token:2.75e-7,input_cost_per_token_priority:4.95e-7,"
      "output_cost_per_token:0.0000022,output_cost_per_token_priority:0.00000396}" },
    { "azure/eu/gpt-5-nano azure/us/gpt-5-nano",
      "{cache_read_input_token_cost:5.5e-9,input_cost_per_token:5.5e-8,"
      "output_cost_per_token:4.4e-7}" },
    { "azure/eu/gpt-5-pro azure/us/gpt-5-pro",
      "{input_cost_per_token:0.0000165,output_cost_per_token:0.000132}" },
    { "azure/eu/gpt-5.1-codex-max azure/us/gpt-5.1-codex-max",
      "{cache_read_input_token_cost:1.375e-7,input_cost_per_token:0.000001375,"
      "output_cost_per_token:0.000011}" },
    { "azure/eu/gpt-5.2 azure/eu/gpt-5.3-codex azure/us/gpt-5.2 azure/us/gpt-5.3-codex",
      "{cache_read_input_token_cost:1.925e-7,cache_read_input_token_cost_priority:3.85e-7,"
      "input_cost_per_token:0.000001925,input_cost_per_token_priority:0.00000385,"
      "output_cost_per_token:0.0000154,output_cost_per_token_priority:0.0000308}" },
    { "azure/eu/gpt-5.2-codex azure/us/gpt-5.2-codex",
      "{cache_read_input_token_cost:1.925e-7,input_cost_per_token:0.000001925,"
      "output_cost_per_token:0.0000154}" },
    { "azure/eu/gpt-5.2-pro azure/us/gpt-5.2-pro",
      "{input_cost_per_token:0.0000231,output_cost_per_token:0.0001848}" },
    { "azure/eu/gpt-5.4-mini azure/us/gpt-5.4-mini",
      "{cache_read_input_token_cost:8.25e-8,cache_read_input_token_cost_priority:1.65e-7,"
      "input_cost_per_token:8.25e-7,input_cost_per_token_priority:0.00000165,"
      "output_cost_per_token:0.00000495,output_cost_per_token_priority:0.0000099}" },
    { "azure/eu/gpt-5.4-nano azure/us/gpt-5.4-nano",
      "{cache_read_input_token_cost:2.2e-8,input_cost_per_token:2.2e-7,"
      "output_cost_per_token:0.000001375}" },
    { "azure/eu/gpt-5.4-pro azure/us/gpt-5.4-pro",
      "{input_cost_per_token:0.000033,input_cost_per_token_above_272k_tokens:0.000066,"
      "output_cost_per_token:0.000198,output_cost_per_token_above_272k_tokens:0.000297}" },
    { "azure/eu/gpt-6-astra",
      "{cache_creation_input_token_cost:0.000015,"
      "cache_creation_input_token_cost_above_272k_tokens:0.00003,"
      "cache_read_input_token_cost:0.0000012,"
      "cache_read_input_token_cost_above_272k_tokens:0.0000024,"
      "input_cost_per_token:0.000012,input_cost_per_token_above_272k_tokens:0.000024,"
      "max_input_tokens:922000,max_output_tokens:128000,output_cost_per_token:0.00006,"
      "output_cost_per_token_above_272k_tokens:0.00009}" },
    { "azure/eu/gpt-6-luna",
      "{cache_creation_input_token_cost:1.5e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:3e-7,"
      "cache_read_input_token_cost:1.2e-8,"
      "cache_read_input_token_cost_above_272k_tokens:2.4e-8,input_cost_per_token:1.2e-7,"
      "input_cost_per_token_above_272k_tokens:2.4e-7,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:6e-7,"
      "output_cost_per_token_above_272k_tokens:9e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/eu/gpt-6-sol",
      "{cache_creation_input_token_cost:0.000003,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000006,"
      "cache_read_input_token_cost:2.4e-7,"
      "cache_read_input_token_cost_above_272k_tokens:4.8e-7,input_cost_per_token:0.0000024,"
      "input_cost_per_token_above_272k_tokens:0.0000048,max_input_tokens:922000,"
      "max_output_tokens:128000,output_cost_per_token:0.000012,"
      "output_cost_per_token_above_272k_tokens:0.000018,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "azure/eu/o1-mini azure/us/o1-mini",
      "{cache_read_input_token_cost:6.05e-7,input_cost_per_token:0.00000121,"
      "output_cost_per_token:0.00000484}" },
    { "azure/eu/o3-deep-research azure/us/o3-deep-research",
      "{cache_read_input_token_cost:0.00000275,input_cost_per_token:0.000011,"
      "output_cost_per_token:0.000044}" },
    { "azure/eu/text-embedding-3-large azure/us/text-embedding-3-large",
      "{input_cost_per_token:1.43e-7}" },
    { "azure/eu/text-embedding-3-small azure/us/text-embedding-3-small",
      "{input_cost_per_token:2.2e-8}" },
    { "azure/eu/text-embedding-ada-002 azure/us/text-embedding-ada-002",
      "{input_cost_per_token:1.1e-7}" },
    { "azure/gpt-live-1",
      "{input_cost_per_second:0.000833333333333}" },
    { "azure/gpt-live-transcribe",
      "{input_cost_per_second:0.000283333333333,max_input_tokens:32000,"
      "max_output_tokens:4096}" },
    { "azure/gpt-transcribe",
      "{input_cost_per_second:0.000075}" },
    { "azure/gpt-realtime-translate",
      "{input_cost_per_second:0.000566666666667,max_input_tokens:32000,"
      "max_output_tokens:4096}" },
    { "azure/model-router",
      "{input_cost_per_token:1.4e-7,max_input_tokens:200000,max_output_tokens:32768,"
      "output_cost_per_token:0}" },
    { "bedrock/amazon.nova-2-multimodal-embeddings-v1:0",
      "{max_input_tokens:8172,input_cost_per_token:1.35e-7,input_cost_per_image:0.00006,"
      "output_cost_per_token:0}" },
    { "bedrock/amazon.nova-2-sonic-v1:0 bedrock/amazon.nova-2-5-sonic",
      "{input_cost_per_audio_token:0.000003,input_cost_per_token:3.3e-7,"
      "output_cost_per_audio_token:0.000012,output_cost_per_token:0.00000275}" },
    { "bedrock/amazon.rerank-v1:0",
      "{input_cost_per_query:0.001,input_cost_per_token:0,max_input_tokens:32000,"
      "max_output_tokens:32000,output_cost_per_token:0}" },
    { "bedrock/amazon.titan-embed-image-v1",
      "{input_cost_per_image:0.00006,input_cost_per_token:8e-7,max_input_tokens:128,"
      "output_cost_per_token:0}" },
    { "bedrock/amazon.titan-embed-text-v1 bedrock/amazon.titan-embed-g1-text-02",
      "{input_cost_per_token:1e-7,max_input_tokens:8192,output_cost_per_token:0}" },
    { "bedrock/amazon.titan-embed-text-v2:0",
      "{input_cost_per_token:2e-8,max_input_tokens:8192,output_cost_per_token:0}" },
    { "bedrock/amazon.titan-text-express-v1",
      "{input_cost_per_token:2e-7,max_input_tokens:42000,max_output_tokens:8000,"
      "output_cost_per_token:6e-7}" },
    { "bedrock/amazon.titan-text-lite-v1",
      "{input_cost_per_token:1.5e-7,max_input_tokens:42000,max_output_tokens:4000,"
      "output_cost_per_token:2e-7}" },
    { "bedrock/amazon.titan-text-premier-v1:0",
      "{input_cost_per_token:5e-7,max_input_tokens:42000,max_output_tokens:32000,"
      "output_cost_per_token:0.0000015}" },
    { "bedrock/anthropic.claude-3-5-haiku-20241022-v1:0 "
      "bedrock/us.anthropic.claude-3-5-haiku-20241022-v1:0",
      "{cache_creation_input_token_cost:0.000001,cache_read_input_token_cost:8e-8,"
      "input_cost_per_token:8e-7,max_input_tokens:200000,max_output_tokens:8192,"
      "output_cost_per_token:0.000004}" },
    { "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0",
      "{input_cost_per_token:0.000003,max_input_tokens:200000,max_output_tokens:4096,"
      "output_cost_per_token:0.000015,cache_creation_input_token_cost:0.00000375,"
      "cache_read_input_token_cost:3e-7}" },
    { "bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0 "
      "bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0 "
      "bedrock/anthropic.claude-3-7-sonnet-20250219-v1:0 "
      "bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
      "{cache_creation_input_token_cost:0.00000375,cache_read_input_token_cost:3e-7,"
      "input_cost_per_token:0.000003,max_input_tokens:200000,max_output_tokens:8192,"
      "output_cost_per_token:0.000015}" },
    { "bedrock/anthropic.claude-3-7-sonnet-20240620-v1:0",
      "{cache_creation_input_token_cost:0.0000045,cache_read_input_token_cost:3.6e-7,"
      "input_cost_per_token:0.0000036,max_input_tokens:200000,max_output_tokens:8192,"
      "output_cost_per_token:0.000018}" },
    { "bedrock/anthropic.claude-3-opus-20240229-v1:0 "
      "bedrock/eu.anthropic.claude-3-opus-20240229-v1:0 "
      "bedrock/us.anthropic.claude-3-opus-20240229-v1:0",
      "{input_cost_per_token:0.000015,max_input_tokens:200000,max_output_tokens:4096,"
      "output_cost_per_token:0.000075,cache_read_input_token_cost:0.0000015,"
      "cache_creation_input_token_cost:0.00001875}" },
    { "bedrock/anthropic.claude-instant-v1",
      "{input_cost_per_token:8e-7,max_input_tokens:100000,max_output_tokens:8191,"
      "output_cost_per_token:0.0000024}" },
    { "bedrock/anthropic.claude-mythos-preview",
      "{cache_creation_input_token_cost:0.000034375,"
      "cache_creation_input_token_cost_above_1hr:0.000055,"
      "cache_read_input_token_cost:0.00000275,input_cost_per_token:0.0000275,"
      "output_cost_per_token:0.0001375,max_input_tokens:1000000,max_output_tokens:128000}" },
    { "bedrock/anthropic.claude-v1 bedrock/anthropic.claude-v2:1",
      "{input_cost_per_token:0.000008,max_input_tokens:100000,max_output_tokens:8191,"
      "output_cost_per_token:0.000024}" },
    { "bedrock/cohere.command-light-text-v14",
      "{input_cost_per_token:3e-7,max_input_tokens:4096,max_output_tokens:4096,"
      "output_cost_per_token:6e-7}" },
    { "bedrock/cohere.command-text-v14",
      "{input_cost_per_token:0.000001,max_input_tokens:4096,max_output_tokens:4096,"
      "output_cost_per_token:0.000002}" },
    { "bedrock/cohere.embed-english-v3 bedrock/cohere.embed-multilingual-v3",
      "{input_cost_per_token:1e-7,max_input_tokens:512,output_cost_per_token:0}" },
    { "bedrock/cohere.embed-v4:0 bedrock/us.cohere.embed-v4:0 "
      "bedrock/global.cohere.embed-v4:0",
      "{input_cost_per_token:1.2e-7,max_input_tokens:128000,output_cost_per_token:0}" },
    { "bedrock/cohere.rerank-v3-5:0",
      "{input_cost_per_query:0.002,input_cost_per_token:0,max_input_tokens:4096,"
      "max_output_tokens:4096,output_cost_per_token:0}" },
    { "bedrock/eu.anthropic.claude-3-5-haiku-20241022-v1:0",
      "{input_cost_per_token:8e-7,max_input_tokens:200000,max_output_tokens:8192,"
      "output_cost_per_token:0.000004,cache_read_input_token_cost:8e-8,"
      "cache_creation_input_token_cost:0.000001}" },
    { "bedrock/eu.anthropic.claude-3-5-sonnet-20240620-v1:0 "
      "bedrock/us.anthropic.claude-3-5-sonnet-20240620-v1:0",
      "{input_cost_per_token:0.000003,max_input_tokens:200000,max_output_tokens:4096,"
      "output_cost_per_token:0.000015,cache_read_input_token_cost:3e-7,"
      "cache_creation_input_token_cost:0.00000375}" },
    { "bedrock/eu.anthropic.claude-3-5-sonnet-20241022-v2:0 "
      "bedrock/eu.anthropic.claude-3-7-sonnet-20250219-v1:0",
      "{input_cost_per_token:0.000003,max_input_tokens:200000,max_output_tokens:8192,"
      "output_cost_per_token:0.000015,cache_read_input_token_cost:3e-7,"
      "cache_creation_input_token_cost:0.00000375}" },
    { "bedrock/eu.meta.llama3-2-1b-instruct-v1:0",
      "{input_cost_per_token:1.3e-7,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:1.3e-7}" },
    { "bedrock/eu.meta.llama3-2-3b-instruct-v1:0",
      "{input_cost_per_token:1.9e-7,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:1.9e-7}" },
    { "bedrock/meta.llama2-13b-chat-v1",
      "{input_cost_per_token:7.5e-7,max_input_tokens:4096,max_output_tokens:4096,"
      "output_cost_per_token:0.000001}" },
    { "bedrock/meta.llama2-70b-chat-v1",
      "{input_cost_per_token:0.00000195,max_input_tokens:4096,max_output_tokens:4096,"
      "output_cost_per_token:0.00000256}" },
    { "bedrock/meta.llama3-1-405b-instruct-v1:0 bedrock/us.meta.llama3-1-405b-instruct-v1:0",
      "{input_cost_per_token:0.0000024,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:0.0000024}" },
    { "bedrock/meta.llama3-1-70b-instruct-v1:0 bedrock/meta.llama3-2-90b-instruct-v1:0 "
      "bedrock/us.meta.llama3-1-70b-instruct-v1:0 "
      "bedrock/us.meta.llama3-2-90b-instruct-v1:0 bedrock/meta.llama3-3-70b-instruct-v1:0 "
      "bedrock/us.meta.llama3-3-70b-instruct-v1:0",
      "{input_cost_per_token:7.2e-7,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:7.2e-7}" },
    { "bedrock/meta.llama3-1-8b-instruct-v1:0 bedrock/us.meta.llama3-1-8b-instruct-v1:0",
      "{input_cost_per_token:2.2e-7,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:2.2e-7}" },
    { "bedrock/meta.llama3-2-11b-instruct-v1:0 bedrock/us.meta.llama3-2-11b-instruct-v1:0",
      "{input_cost_per_token:1.6e-7,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:1.6e-7}" },
    { "bedrock/meta.llama3-2-1b-instruct-v1:0 bedrock/us.meta.llama3-2-1b-instruct-v1:0",
      "{input_cost_per_token:1e-7,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:1e-7}" },
    { "bedrock/meta.llama3-2-3b-instruct-v1:0 bedrock/us.meta.llama3-2-3b-instruct-v1:0",
      "{input_cost_per_token:1.5e-7,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:1.5e-7}" },
    { "bedrock/meta.llama3-70b-instruct-v1:0",
      "{input_cost_per_token:0.00000265,max_input_tokens:8192,max_output_tokens:8192,"
      "output_cost_per_token:0.0000035}" },
    { "bedrock/meta.llama3-8b-instruct-v1:0",
      "{input_cost_per_token:3e-7,max_input_tokens:8192,max_output_tokens:8192,"
      "output_cost_per_token:6e-7}" },
    { "bedrock/mistral.mistral-7b-instruct-v0:2",
      "{input_cost_per_token:1.5e-7,max_input_tokens:32000,max_output_tokens:4096,"
      "output_cost_per_token:2e-7}" },
    { "bedrock/mistral.mistral-large-2402-v1:0",
      "{input_cost_per_token:0.000004,max_input_tokens:32000,max_output_tokens:4096,"
      "output_cost_per_token:0.000012}" },
    { "bedrock/mistral.mistral-large-2407-v1:0",
      "{input_cost_per_token:0.000002,max_input_tokens:128000,max_output_tokens:8191,"
      "output_cost_per_token:0.000006}" },
    { "bedrock/mistral.mistral-small-2402-v1:0",
      "{input_cost_per_token:0.000001,max_input_tokens:32000,max_output_tokens:4096,"
      "output_cost_per_token:0.000003}" },
    { "bedrock/mistral.mixtral-8x7b-instruct-v0:1",
      "{input_cost_per_token:4.5e-7,max_input_tokens:32000,max_output_tokens:4096,"
      "output_cost_per_token:7e-7}" },
    { "bedrock/amazon.nova-lite-v1:0 bedrock/us.amazon.nova-lite-v1:0",
      "{cache_read_input_token_cost:1.5e-8,input_cost_per_token:6e-8,"
      "max_input_tokens:300000,max_output_tokens:10000,output_cost_per_token:2.4e-7}" },
    { "bedrock/amazon.nova-2-lite-v1:0 bedrock/global.amazon.nova-2-lite-v1:0",
      "{cache_read_input_token_cost:7.5e-8,cache_read_input_token_cost_priority:1.3125e-7,"
      "input_cost_per_token:3e-7,input_cost_per_token_priority:5.25e-7,"
      "max_input_tokens:1000000,max_output_tokens:64000,output_cost_per_token:0.0000025,"
      "output_cost_per_token_priority:0.000004375}" },
    { "bedrock/amazon.nova-2-pro-preview-20251202-v1:0",
      "{cache_read_input_token_cost:3.125e-7,input_cost_per_token:0.00000125,"
      "input_cost_per_image_token:0.00000125,input_cost_per_audio_token:0.00000125,"
      "input_cost_per_token_priority:0.0000021875,max_input_tokens:1000000,"
      "max_output_tokens:64000,output_cost_per_token:0.00001,"
      "output_cost_per_token_priority:0.0000175}" },
    { "bedrock/apac.amazon.nova-2-lite-v1:0",
      "{cache_read_input_token_cost:9.9e-8,input_cost_per_token:3.96e-7,"
      "max_input_tokens:1000000,max_output_tokens:64000,output_cost_per_token:0.000003311}" },
    { "bedrock/apac.amazon.nova-2-pro-preview-20251202-v1:0 "
      "bedrock/eu.amazon.nova-2-pro-preview-20251202-v1:0",
      "{cache_read_input_token_cost:3.4375e-7,input_cost_per_token:0.000001375,"
      "input_cost_per_image_token:0.000001375,input_cost_per_audio_token:0.000001375,"
      "max_input_tokens:1000000,max_output_tokens:64000,output_cost_per_token:0.000011}" },
    { "bedrock/eu.amazon.nova-2-lite-v1:0",
      "{cache_read_input_token_cost:1.0725e-7,input_cost_per_token:4.29e-7,"
      "max_input_tokens:1000000,max_output_tokens:64000,output_cost_per_token:0.000003597}" },
    { "bedrock/us.amazon.nova-2-lite-v1:0",
      "{cache_read_input_token_cost:8.25e-8,cache_read_input_token_cost_flex:4.125e-8,"
      "cache_read_input_token_cost_priority:1.44375e-7,input_cost_per_token:3.3e-7,"
      "input_cost_per_token_flex:1.65e-7,input_cost_per_token_priority:5.775e-7,"
      "max_input_tokens:1000000,max_output_tokens:64000,output_cost_per_token:0.00000275,"
      "output_cost_per_token_flex:0.000001375,output_cost_per_token_priority:0.0000048125}" },
    { "bedrock/us.amazon.nova-2-pro-preview-20251202-v1:0",
      "{cache_read_input_token_cost:3.4375e-7,input_cost_per_token:0.000001375,"
      "input_cost_per_image_token:0.000001375,input_cost_per_audio_token:0.000001375,"
      "input_cost_per_token_priority:0.00000240625,max_input_tokens:1000000,"
      "max_output_tokens:64000,output_cost_per_token:0.000011,"
      "output_cost_per_token_priority:0.00001925}" },
    { "bedrock/amazon.nova-micro-v1:0 bedrock/us.amazon.nova-micro-v1:0",
      "{cache_read_input_token_cost:8.75e-9,input_cost_per_token:3.5e-8,"
      "max_input_tokens:128000,max_output_tokens:10000,output_cost_per_token:1.4e-7}" },
    { "bedrock/amazon.nova-premier-v1:0",
      "{cache_read_input_token_cost:6.25e-7,"
      "cache_read_input_token_cost_priority:0.00000109375,input_cost_per_token:0.0000025,"
      "input_cost_per_token_priority:0.000004375,max_input_tokens:1000000,"
      "max_output_tokens:10000,output_cost_per_token:0.0000125,"
      "output_cost_per_token_priority:0.000021875}" },
    { "bedrock/amazon.nova-pro-v1:0 bedrock/us.amazon.nova-pro-v1:0",
      "{cache_read_input_token_cost:2e-7,cache_read_input_token_cost_flex:1e-7,"
      "cache_read_input_token_cost_priority:3.5e-7,input_cost_per_token:8e-7,"
      "input_cost_per_token_flex:4e-7,input_cost_per_token_priority:0.0000014,"
      "max_input_tokens:300000,max_output_tokens:10000,output_cost_per_token:0.0000032,"
      "output_cost_per_token_flex:0.0000016,output_cost_per_token_priority:0.0000056}" },
    { "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0 "
      "bedrock/anthropic.claude-haiku-4-5@20251001 "
      "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0",
      "{cache_creation_input_token_cost:0.00000125,"
      "cache_creation_input_token_cost_above_1hr:0.000002,cache_read_input_token_cost:1e-7,"
      "input_cost_per_token:0.000001,max_input_tokens:200000,max_output_tokens:64000,"
      "output_cost_per_token:0.000005}" },
    { "bedrock/anthropic.claude-opus-4-1-20250805-v1:0 "
      "bedrock/anthropic.claude-opus-4-20250514-v1:0 "
      "bedrock/eu.anthropic.claude-opus-4-1-20250805-v1:0 "
      "bedrock/eu.anthropic.claude-opus-4-20250514-v1:0 "
      "bedrock/us.anthropic.claude-opus-4-1-20250805-v1:0 "
      "bedrock/us.anthropic.claude-opus-4-20250514-v1:0",
      "{cache_creation_input_token_cost:0.00001875,cache_read_input_token_cost:0.0000015,"
      "input_cost_per_token:0.000015,max_input_tokens:200000,max_output_tokens:32000,"
      "output_cost_per_token:0.000075,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/anthropic.claude-opus-4-5-20251101-v1:0 "
      "bedrock/global.anthropic.claude-opus-4-5-20251101-v1:0",
      "{cache_creation_input_token_cost:0.00000625,"
      "cache_creation_input_token_cost_above_1hr:0.00001,cache_read_input_token_cost:5e-7,"
      "input_cost_per_token:0.000005,max_input_tokens:200000,max_output_tokens:64000,"
      "output_cost_per_token:0.000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/anthropic.claude-opus-4-6-v1 bedrock/global.anthropic.claude-opus-4-6-v1 "
      "bedrock/anthropic.claude-opus-4-7 bedrock/global.anthropic.claude-opus-4-7 "
      "bedrock/anthropic.claude-opus-5 bedrock/global.anthropic.claude-opus-5 "
      "bedrock/anthropic.claude-opus-4-8 bedrock/global.anthropic.claude-opus-4-8",
      "{cache_creation_input_token_cost:0.00000625,"
      "cache_creation_input_token_cost_above_1hr:0.00001,cache_read_input_token_cost:5e-7,"
      "input_cost_per_token:0.000005,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/us.anthropic.claude-opus-4-6-v1 bedrock/eu.anthropic.claude-opus-4-6-v1 "
      "bedrock/au.anthropic.claude-opus-4-6-v1 bedrock/us.anthropic.claude-opus-4-7 "
      "bedrock/eu.anthropic.claude-opus-4-7 bedrock/au.anthropic.claude-opus-4-7 "
      "bedrock/us.anthropic.claude-opus-5 bedrock/eu.anthropic.claude-opus-5 "
      "bedrock/au.anthropic.claude-opus-5 bedrock/jp.anthropic.claude-opus-5 "
      "bedrock/us.anthropic.claude-opus-4-8 bedrock/eu.anthropic.claude-opus-4-8 "
      "bedrock/au.anthropic.claude-opus-4-8 bedrock/jp.anthropic.claude-opus-4-8 "
      "bedrock/jp.anthropic.claude-opus-4-7",
      "{cache_creation_input_token_cost:0.000006875,"
      "cache_creation_input_token_cost_above_1hr:0.000011,"
      "cache_read_input_token_cost:5.5e-7,input_cost_per_token:0.0000055,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.0000275,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/anthropic.claude-fable-5 bedrock/global.anthropic.claude-fable-5",
      "{cache_creation_input_token_cost:0.0000125,"
      "cache_creation_input_token_cost_above_1hr:0.00002,"
      "cache_read_input_token_cost:0.000001,input_cost_per_token:0.00001,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.00005,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/anthropic.claude-fable-5-1 bedrock/global.anthropic.claude-fable-5-1",
      "{cache_creation_input_token_cost:0.0000125,"
      "cache_creation_input_token_cost_above_1hr:0.00002,cache_read_input_token_cost:2.5e-7,"
      "input_cost_per_token:0.00001,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00005,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/us.anthropic.claude-fable-5 bedrock/eu.anthropic.claude-fable-5",
      "{cache_creation_input_token_cost:0.00001375,"
      "cache_creation_input_token_cost_above_1hr:0.000022,"
      "cache_read_input_token_cost:0.0000011,input_cost_per_token:0.000011,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.000055,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/us.anthropic.claude-fable-5-1 bedrock/eu.anthropic.claude-fable-5-1",
      "{cache_creation_input_token_cost:0.00001375,"
      "cache_creation_input_token_cost_above_1hr:0.000022,"
      "cache_read_input_token_cost:2.75e-7,input_cost_per_token:0.000011,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.000055,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/anthropic.claude-opus-5-5 bedrock/global.anthropic.claude-opus-5-5",
      "{cache_creation_input_token_cost:0.000005,"
      "cache_creation_input_token_cost_above_1hr:0.000008,cache_read_input_token_cost:2e-7,"
      "input_cost_per_token:0.000004,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00002,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/us.anthropic.claude-opus-5-5 bedrock/eu.anthropic.claude-opus-5-5 "
      "bedrock/au.anthropic.claude-opus-5-5 bedrock/jp.anthropic.claude-opus-5-5",
      "{cache_creation_input_token_cost:0.0000055,"
      "cache_creation_input_token_cost_above_1hr:0.0000088,"
      "cache_read_input_token_cost:2.2e-7,input_cost_per_token:0.0000044,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.000022,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/anthropic.claude-sonnet-5 bedrock/global.anthropic.claude-sonnet-5",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_1hr:0.000004,cache_read_input_token_cost:2e-7,"
      "input_cost_per_token:0.000002,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00001,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/us.anthropic.claude-sonnet-5 bedrock/eu.anthropic.claude-sonnet-5 "
      "bedrock/au.anthropic.claude-sonnet-5 bedrock/jp.anthropic.claude-sonnet-5",
      "{cache_creation_input_token_cost:0.00000275,"
      "cache_creation_input_token_cost_above_1hr:0.0000044,"
      "cache_read_input_token_cost:2.2e-7,input_cost_per_token:0.0000022,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.000011,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/anthropic.claude-sonnet-4-6 bedrock/global.anthropic.claude-sonnet-4-6",
      "{cache_creation_input_token_cost:0.00000375,"
      "cache_creation_input_token_cost_above_1hr:0.000006,cache_read_input_token_cost:3e-7,"
      "input_cost_per_token:0.000003,max_input_tokens:1000000,max_output_tokens:64000,"
      "output_cost_per_token:0.000015,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/us.anthropic.claude-sonnet-4-6 bedrock/eu.anthropic.claude-sonnet-4-6 "
      "bedrock/au.anthropic.claude-sonnet-4-6 bedrock/jp.anthropic.claude-sonnet-4-6",
      "{cache_creation_input_token_cost:0.000004125,"
      "cache_creation_input_token_cost_above_1hr:0.0000066,"
      "cache_read_input_token_cost:3.3e-7,input_cost_per_token:0.0000033,"
      "max_input_tokens:1000000,max_output_tokens:64000,output_cost_per_token:0.0000165,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/anthropic.claude-sonnet-4-20250514-v1:0 "
      "bedrock/apac.anthropic.claude-sonnet-4-20250514-v1:0 "
      "bedrock/eu.anthropic.claude-sonnet-4-20250514-v1:0 "
      "bedrock/global.anthropic.claude-sonnet-4-20250514-v1:0 "
      "bedrock/us.anthropic.claude-sonnet-4-20250514-v1:0",
      "{cache_creation_input_token_cost:0.00000375,cache_read_input_token_cost:3e-7,"
      "input_cost_per_token:0.000003,input_cost_per_token_above_200k_tokens:0.000006,"
      "output_cost_per_token_above_200k_tokens:0.0000225,"
      "cache_creation_input_token_cost_above_200k_tokens:0.0000075,"
      "cache_read_input_token_cost_above_200k_tokens:6e-7,max_input_tokens:200000,"
      "max_output_tokens:64000,output_cost_per_token:0.000015,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
      "{cache_creation_input_token_cost:0.00000375,"
      "cache_creation_input_token_cost_above_1hr:0.000006,"
      "cache_creation_input_token_cost_above_1hr_above_200k_tokens:0.000012,"
      "cache_read_input_token_cost:3e-7,input_cost_per_token:0.000003,"
      "input_cost_per_token_above_200k_tokens:0.000006,"
      "output_cost_per_token_above_200k_tokens:0.0000225,"
      "cache_creation_input_token_cost_above_200k_tokens:0.0000075,"
      "cache_read_input_token_cost_above_200k_tokens:6e-7,max_input_tokens:200000,"
      "max_output_tokens:64000,output_cost_per_token:0.000015,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/apac.amazon.nova-lite-v1:0",
      "{cache_read_input_token_cost:1.575e-8,input_cost_per_token:6.3e-8,"
      "max_input_tokens:300000,max_output_tokens:10000,output_cost_per_token:2.52e-7}" },
    { "bedrock/apac.amazon.nova-micro-v1:0",
      "{cache_read_input_token_cost:9.25e-9,input_cost_per_token:3.7e-8,"
      "max_input_tokens:128000,max_output_tokens:10000,output_cost_per_token:1.48e-7}" },
    { "bedrock/apac.amazon.nova-pro-v1:0",
      "{cache_read_input_token_cost:2.1e-7,cache_read_input_token_cost_flex:1.05e-7,"
      "input_cost_per_token:8.4e-7,input_cost_per_token_flex:4.2e-7,max_input_tokens:300000,"
      "max_output_tokens:10000,output_cost_per_token:0.00000336,"
      "output_cost_per_token_flex:0.00000168}" },
    { "bedrock/apac.anthropic.claude-haiku-4-5-20251001-v1:0",
      "{cache_creation_input_token_cost:0.000001375,cache_read_input_token_cost:1.1e-7,"
      "input_cost_per_token:0.0000011,max_input_tokens:200000,max_output_tokens:64000,"
      "output_cost_per_token:0.0000055}" },
    { "bedrock/au.anthropic.claude-sonnet-4-5-20250929-v1:0 "
      "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0 "
      "bedrock/jp.anthropic.claude-sonnet-4-5-20250929-v1:0 "
      "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
      "{cache_creation_input_token_cost:0.000004125,"
      "cache_creation_input_token_cost_above_1hr:0.0000066,"
      "cache_read_input_token_cost:3.3e-7,input_cost_per_token:0.0000033,"
      "input_cost_per_token_above_200k_tokens:0.0000066,"
      "output_cost_per_token_above_200k_tokens:0.00002475,"
      "cache_creation_input_token_cost_above_200k_tokens:0.00000825,"
      "cache_creation_input_token_cost_above_1hr_above_200k_tokens:0.0000132,"
      "cache_read_input_token_cost_above_200k_tokens:6.6e-7,max_input_tokens:200000,"
      "max_output_tokens:64000,output_cost_per_token:0.0000165,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/deepseek.v3-v1:0",
      "{input_cost_per_token:5.8e-7,max_input_tokens:128000,max_output_tokens:8000,"
      "output_cost_per_token:0.00000168}" },
    { "bedrock/deepseek.v3.2",
      "{input_cost_per_token:6.2e-7,input_cost_per_token_flex:3.1e-7,"
      "input_cost_per_token_priority:0.000001085,max_input_tokens:164000,"
      "max_output_tokens:8000,output_cost_per_token:0.00000185,"
      "output_cost_per_token_flex:9.25e-7,output_cost_per_token_priority:0.0000032375}" },
    { "bedrock/eu.amazon.nova-lite-v1:0",
      "{cache_read_input_token_cost:1.95e-8,input_cost_per_token:7.8e-8,"
      "max_input_tokens:300000,max_output_tokens:10000,output_cost_per_token:3.12e-7}" },
    { "bedrock/eu.amazon.nova-micro-v1:0",
      "{cache_read_input_token_cost:1.15e-8,input_cost_per_token:4.6e-8,"
      "max_input_tokens:128000,max_output_tokens:10000,output_cost_per_token:1.84e-7}" },
    { "bedrock/eu.amazon.nova-pro-v1:0",
      "{cache_read_input_token_cost:2.625e-7,cache_read_input_token_cost_flex:1.3125e-7,"
      "input_cost_per_token:0.00000105,input_cost_per_token_flex:5.25e-7,"
      "max_input_tokens:300000,max_output_tokens:10000,output_cost_per_token:0.0000042,"
      "output_cost_per_token_flex:0.0000021}" },
    { "bedrock/eu.anthropic.claude-haiku-4-5-20251001-v1:0 "
      "bedrock/jp.anthropic.claude-haiku-4-5-20251001-v1:0 "
      "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0 "
      "bedrock/au.anthropic.claude-haiku-4-5-20251001-v1:0",
      "{cache_creation_input_token_cost:0.000001375,"
      "cache_creation_input_token_cost_above_1hr:0.0000022,"
      "cache_read_input_token_cost:1.1e-7,input_cost_per_token:0.0000011,"
      "max_input_tokens:200000,max_output_tokens:64000,output_cost_per_token:0.0000055}" },
    { "bedrock/eu.mistral.pixtral-large-2502-v1:0 "
      "bedrock/us.mistral.pixtral-large-2502-v1:0 bedrock/mistral.pixtral-large-2502-v1:0",
      "{input_cost_per_token:0.000002,max_input_tokens:128000,max_output_tokens:16384,"
      "output_cost_per_token:0.000006}" },
    { "bedrock/global.anthropic.claude-sonnet-4-5-20250929-v1:0",
      "{cache_creation_input_token_cost:0.00000375,"
      "cache_creation_input_token_cost_above_1hr:0.000006,cache_read_input_token_cost:3e-7,"
      "input_cost_per_token:0.000003,input_cost_per_token_above_200k_tokens:0.000006,"
      "output_cost_per_token_above_200k_tokens:0.0000225,"
      "cache_creation_input_token_cost_above_200k_tokens:0.0000075,"
      "cache_creation_input_token_cost_above_1hr_above_200k_tokens:0.000012,"
      "cache_read_input_token_cost_above_200k_tokens:6e-7,max_input_tokens:200000,"
      "max_output_tokens:64000,output_cost_per_token:0.000015,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/meta.llama4-maverick-17b-instruct-v1:0 "
      "bedrock/us.meta.llama4-maverick-17b-instruct-v1:0",
      "{input_cost_per_token:2.4e-7,max_input_tokens:1000000,max_output_tokens:8192,"
      "output_cost_per_token:9.7e-7}" },
    { "bedrock/meta.llama4-scout-17b-instruct-v1:0 "
      "bedrock/us.meta.llama4-scout-17b-instruct-v1:0",
      "{input_cost_per_token:1.7e-7,max_input_tokens:10000000,max_output_tokens:8192,"
      "output_cost_per_token:6.6e-7}" },
    { "bedrock/minimax.minimax-m2",
      "{input_cost_per_token:3e-7,input_cost_per_token_flex:1.5e-7,"
      "input_cost_per_token_priority:5.2e-7,max_input_tokens:1000000,max_output_tokens:8000,"
      "output_cost_per_token:0.0000012,output_cost_per_token_flex:6e-7,"
      "output_cost_per_token_priority:0.0000021}" },
    { "bedrock/minimax.minimax-m2.1",
      "{input_cost_per_token:3e-7,input_cost_per_token_flex:1.5e-7,"
      "input_cost_per_token_priority:5.25e-7,max_input_tokens:196000,max_output_tokens:8000,"
      "output_cost_per_token:0.0000012,output_cost_per_token_flex:6e-7,"
      "output_cost_per_token_priority:0.0000021}" },
    { "bedrock/minimax.minimax-m2.5",
      "{input_cost_per_token:3e-7,input_cost_per_token_flex:1.5e-7,"
      "input_cost_per_token_priority:5.25e-7,output_cost_per_token:0.0000012,"
      "output_cost_per_token_flex:6e-7,max_input_tokens:196000,max_output_tokens:8000,"
      "output_cost_per_token_priority:0.0000021}" },
    { "bedrock/mistral.devstral-2-123b",
      "{input_cost_per_token:4e-7,input_cost_per_token_flex:2e-7,"
      "input_cost_per_token_priority:7e-7,max_input_tokens:256000,max_output_tokens:32000,"
      "output_cost_per_token:0.000002,output_cost_per_token_flex:0.000001,"
      "output_cost_per_token_priority:0.0000035}" },
    { "bedrock/mistral.magistral-small-2509",
      "{input_cost_per_token:5e-7,input_cost_per_token_flex:2.5e-7,"
      "input_cost_per_token_priority:8.8e-7,max_input_tokens:128000,max_output_tokens:40000,"
      "output_cost_per_token:0.0000015,output_cost_per_token_flex:7.5e-7,"
      "output_cost_per_token_priority:0.00000263}" },
    { "bedrock/mistral.ministral-3-14b-instruct",
      "{input_cost_per_token:2e-7,input_cost_per_token_flex:1e-7,"
      "input_cost_per_token_priority:3.5e-7,max_input_tokens:128000,max_output_tokens:8000,"
      "output_cost_per_token:2e-7,output_cost_per_token_flex:1e-7,"
      "output_cost_per_token_priority:3.5e-7}" },
    { "bedrock/mistral.ministral-3-3b-instruct",
      "{input_cost_per_token:1e-7,input_cost_per_token_flex:5e-8,"
      "input_cost_per_token_priority:1.7e-7,max_input_tokens:128000,max_output_tokens:8000,"
      "output_cost_per_token:1e-7,output_cost_per_token_flex:5e-8,"
      "output_cost_per_token_priority:1.7e-7}" },
    { "bedrock/mistral.ministral-3-8b-instruct",
      "{input_cost_per_token:1.5e-7,input_cost_per_token_batches:7e-8,"
      "input_cost_per_token_flex:7e-8,input_cost_per_token_priority:2.6e-7,"
      "max_input_tokens:128000,max_output_tokens:8000,output_cost_per_token:1.5e-7,"
      "output_cost_per_token_batches:7e-8,output_cost_per_token_flex:7e-8,"
      "output_cost_per_token_priority:2.6e-7}" },
    { "bedrock/mistral.mistral-large-3-675b-instruct",
      "{input_cost_per_token:5e-7,input_cost_per_token_flex:2.5e-7,"
      "input_cost_per_token_priority:8.8e-7,max_input_tokens:256000,max_output_tokens:32000,"
      "output_cost_per_token:0.0000015,output_cost_per_token_flex:7.5e-7,"
      "output_cost_per_token_priority:0.00000263}" },
    { "bedrock/mistral.voxtral-mini-3b-2507",
      "{input_cost_per_token:4e-8,input_cost_per_token_flex:2e-8,"
      "input_cost_per_token_priority:7e-8,max_input_tokens:32768,max_output_tokens:8192,"
      "output_cost_per_token:4e-8,output_cost_per_token_flex:2e-8,"
      "output_cost_per_token_priority:7e-8}" },
    { "bedrock/mistral.voxtral-small-24b-2507",
      "{input_cost_per_token:1e-7,input_cost_per_token_flex:5e-8,"
      "input_cost_per_token_priority:1.7e-7,max_input_tokens:32768,max_output_tokens:8192,"
      "output_cost_per_token:3e-7,output_cost_per_token_flex:1.5e-7,"
      "output_cost_per_token_priority:5.2e-7}" },
    { "bedrock/moonshotai.kimi-k2.5",
      "{input_cost_per_token:6e-7,input_cost_per_token_flex:3e-7,"
      "input_cost_per_token_priority:0.00000105,max_input_tokens:256000,"
      "max_output_tokens:16000,output_cost_per_token:0.000003,"
      "output_cost_per_token_flex:0.0000015,output_cost_per_token_priority:0.00000525}" },
    { "bedrock/openai.gpt-oss-120b-1:0",
      "{input_cost_per_token:1.5e-7,input_cost_per_token_flex:7.5e-8,"
      "input_cost_per_token_priority:2.625e-7,max_input_tokens:128000,"
      "max_output_tokens:16384,output_cost_per_token:6e-7,output_cost_per_token_flex:3e-7,"
      "output_cost_per_token_priority:0.00000105}" },
    { "bedrock/openai.gpt-oss-20b-1:0",
      "{input_cost_per_token:7e-8,input_cost_per_token_flex:3.5e-8,"
      "input_cost_per_token_priority:1.225e-7,max_input_tokens:128000,"
      "max_output_tokens:16384,output_cost_per_token:3e-7,output_cost_per_token_flex:1.5e-7,"
      "output_cost_per_token_priority:5.25e-7}" },
    { "bedrock/openai.gpt-oss-safeguard-120b",
      "{input_cost_per_token:1.5e-7,input_cost_per_token_batches:7e-8,"
      "input_cost_per_token_flex:7e-8,input_cost_per_token_priority:2.6e-7,"
      "max_input_tokens:128000,max_output_tokens:16000,output_cost_per_token:6e-7,"
      "output_cost_per_token_flex:3e-7,output_cost_per_token_priority:0.00000105}" },
    { "bedrock/openai.gpt-oss-safeguard-20b",
      "{input_cost_per_token:7e-8,input_cost_per_token_batches:3e-8,"
      "input_cost_per_token_flex:3e-8,input_cost_per_token_priority:1.2e-7,"
      "max_input_tokens:128000,max_output_tokens:16000,output_cost_per_token:2e-7,"
      "output_cost_per_token_flex:1e-7,output_cost_per_token_priority:3.5e-7}" },
    { "bedrock/qwen.qwen3-coder-480b-a35b-v1:0",
      "{input_cost_per_token:4.5e-7,max_input_tokens:262144,max_output_tokens:16384,"
      "output_cost_per_token:0.0000018}" },
    { "bedrock/qwen.qwen3-235b-a22b-2507-v1:0",
      "{input_cost_per_token:2.2e-7,input_cost_per_token_flex:1.1e-7,"
      "max_input_tokens:262144,max_output_tokens:8192,output_cost_per_token:8.8e-7,"
      "output_cost_per_token_flex:4.4e-7}" },
    { "bedrock/qwen.qwen3-coder-30b-a3b-v1:0",
      "{input_cost_per_token:1.5e-7,input_cost_per_token_priority:2.625e-7,"
      "max_input_tokens:262144,max_output_tokens:16384,output_cost_per_token:6e-7,"
      "output_cost_per_token_priority:0.00000105}" },
    { "bedrock/qwen.qwen3-32b-v1:0",
      "{input_cost_per_token:1.5e-7,input_cost_per_token_flex:7.5e-8,"
      "input_cost_per_token_priority:2.625e-7,max_input_tokens:32768,max_output_tokens:8192,"
      "output_cost_per_token:6e-7,output_cost_per_token_flex:3e-7,"
      "output_cost_per_token_priority:0.00000105}" },
    { "bedrock/qwen.qwen3-next-80b-a3b",
      "{input_cost_per_token:1.5e-7,max_input_tokens:256000,max_output_tokens:8000,"
      "output_cost_per_token:0.0000012}" },
    { "bedrock/qwen.qwen3-vl-235b-a22b",
      "{input_cost_per_token:5.3e-7,input_cost_per_token_batches:2.6e-7,"
      "input_cost_per_token_priority:9.3e-7,max_input_tokens:256000,max_output_tokens:8000,"
      "output_cost_per_token:0.00000266,output_cost_per_token_priority:0.00000466}" },
    { "bedrock/qwen.qwen3-coder-next",
      "{input_cost_per_token:5e-7,input_cost_per_token_flex:2.5e-7,"
      "input_cost_per_token_priority:8.75e-7,max_input_tokens:256000,"
      "max_output_tokens:16000,output_cost_per_token:0.0000012,"
      "output_cost_per_token_flex:6e-7,output_cost_per_token_priority:0.0000021}" },
    { "bedrock/us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
      "{cache_creation_input_token_cost:0.0000045,"
      "cache_creation_input_token_cost_above_1hr:0.0000072,"
      "cache_read_input_token_cost:3.6e-7,input_cost_per_token:0.0000036,"
      "input_cost_per_token_above_200k_tokens:0.0000072,"
      "output_cost_per_token_above_200k_tokens:0.000027,"
      "cache_creation_input_token_cost_above_200k_tokens:0.000009,"
      "cache_creation_input_token_cost_above_1hr_above_200k_tokens:0.0000144,"
      "cache_read_input_token_cost_above_200k_tokens:7.2e-7,max_input_tokens:200000,"
      "max_output_tokens:64000,output_cost_per_token:0.000018}" },
    { "bedrock/us-gov.anthropic.claude-sonnet-5",
      "{cache_creation_input_token_cost:0.000003,"
      "cache_creation_input_token_cost_above_1hr:0.0000048,"
      "cache_read_input_token_cost:2.4e-7,input_cost_per_token:0.0000024,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.000012}" },
    { "bedrock/us-gov.anthropic.claude-opus-4-8 bedrock/us-gov.anthropic.claude-opus-5",
      "{cache_creation_input_token_cost:0.0000075,"
      "cache_creation_input_token_cost_above_1hr:0.000012,cache_read_input_token_cost:6e-7,"
      "input_cost_per_token:0.000006,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00003}" },
    { "bedrock/us-gov.anthropic.claude-opus-5-5",
      "{cache_creation_input_token_cost:0.000006,"
      "cache_creation_input_token_cost_above_1hr:0.0000096,"
      "cache_read_input_token_cost:2.4e-7,input_cost_per_token:0.0000048,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.000024}" },
    { "bedrock/us-gov.anthropic.claude-fable-5-1",
      "{cache_creation_input_token_cost:0.000015,"
      "cache_creation_input_token_cost_above_1hr:0.000024,cache_read_input_token_cost:3e-7,"
      "input_cost_per_token:0.000012,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00006}" },
    { "bedrock/us-gov.openai.gpt-oss-20b-1:0",
      "{input_cost_per_token:8.4e-8,max_input_tokens:128000,max_output_tokens:16384,"
      "output_cost_per_token:3.6e-7}" },
    { "bedrock/us-gov.openai.gpt-oss-120b-1:0",
      "{input_cost_per_token:1.8e-7,max_input_tokens:128000,max_output_tokens:16384,"
      "output_cost_per_token:7.2e-7}" },
    { "bedrock/us.anthropic.claude-opus-4-5-20251101-v1:0 "
      "bedrock/eu.anthropic.claude-opus-4-5-20251101-v1:0",
      "{cache_creation_input_token_cost:0.000006875,"
      "cache_creation_input_token_cost_above_1hr:0.000011,"
      "cache_read_input_token_cost:5.5e-7,input_cost_per_token:0.0000055,"
      "max_input_tokens:200000,max_output_tokens:64000,output_cost_per_token:0.0000275,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/us.deepseek.r1-v1:0 bedrock/deepseek.r1-v1:0",
      "{input_cost_per_token:0.00000135,max_input_tokens:128000,max_output_tokens:8192,"
      "output_cost_per_token:0.0000054}" },
    { "bedrock/us.deepseek.v3.2",
      "{input_cost_per_token:6.2e-7,input_cost_per_token_flex:3.1e-7,"
      "input_cost_per_token_priority:0.000001085,max_input_tokens:163840,"
      "max_output_tokens:163840,output_cost_per_token:0.00000185,"
      "output_cost_per_token_flex:9.25e-7,output_cost_per_token_priority:0.0000032375}" },
    { "bedrock/eu.deepseek.v3.2",
      "{input_cost_per_token:7.4e-7,input_cost_per_token_flex:3.7e-7,"
      "max_input_tokens:163840,max_output_tokens:163840,output_cost_per_token:0.00000222,"
      "output_cost_per_token_flex:0.00000111}" },
    { "bedrock/zai.glm-4.7",
      "{input_cost_per_token:6e-7,input_cost_per_token_flex:3e-7,"
      "input_cost_per_token_priority:0.00000105,max_input_tokens:203000,"
      "max_output_tokens:128000,output_cost_per_token:0.0000022,"
      "output_cost_per_token_flex:0.0000011,output_cost_per_token_priority:0.00000385}" },
    { "bedrock/zai.glm-5",
      "{input_cost_per_token:0.000001,input_cost_per_token_priority:0.00000175,"
      "output_cost_per_token:0.0000032,max_input_tokens:200000,max_output_tokens:128000,"
      "output_cost_per_token_priority:0.0000056}" },
    { "bedrock/zai.glm-4.7-flash",
      "{input_cost_per_token:7e-8,input_cost_per_token_flex:3.5e-8,"
      "input_cost_per_token_priority:1.225e-7,max_input_tokens:203000,"
      "max_output_tokens:128000,output_cost_per_token:4e-7,output_cost_per_token_flex:2e-7,"
      "output_cost_per_token_priority:7e-7}" },
    { "bedrock/us.openai.gpt-5.6-sol",
      "{input_cost_per_token:0.0000044,input_cost_per_token_above_272k_tokens:0.0000088,"
      "cache_creation_input_token_cost:0.0000055,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000011,"
      "cache_read_input_token_cost:4.4e-7,"
      "cache_read_input_token_cost_above_272k_tokens:8.8e-7,output_cost_per_token:0.000022,"
      "output_cost_per_token_above_272k_tokens:0.000033,max_input_tokens:1050000,"
      "max_output_tokens:128000}" },
    { "bedrock/global.openai.gpt-5.6-sol",
      "{input_cost_per_token:0.000004,input_cost_per_token_above_272k_tokens:0.000008,"
      "cache_creation_input_token_cost:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens:0.00001,"
      "cache_read_input_token_cost:4e-7,cache_read_input_token_cost_above_272k_tokens:8e-7,"
      "output_cost_per_token:0.00002,output_cost_per_token_above_272k_tokens:0.00003,"
      "max_input_tokens:1050000,max_output_tokens:128000}" },
    { "bedrock/us.openai.gpt-5.6-terra",
      "{input_cost_per_token:0.0000022,input_cost_per_token_above_272k_tokens:0.0000044,"
      "cache_creation_input_token_cost:0.00000275,"
      "cache_creation_input_token_cost_above_272k_tokens:0.0000055,"
      "cache_read_input_token_cost:2.2e-7,"
      "cache_read_input_token_cost_above_272k_tokens:4.4e-7,output_cost_per_token:0.0000132,"
      "output_cost_per_token_above_272k_tokens:0.0000198,max_input_tokens:1050000,"
      "max_output_tokens:128000}" },
    { "bedrock/global.openai.gpt-5.6-terra",
      "{input_cost_per_token:0.000002,input_cost_per_token_above_272k_tokens:0.000004,"
      "cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000005,"
      "cache_read_input_token_cost:2e-7,cache_read_input_token_cost_above_272k_tokens:4e-7,"
      "output_cost_per_token:0.000012,output_cost_per_token_above_272k_tokens:0.000018,"
      "max_input_tokens:1050000,max_output_tokens:128000}" },
    { "bedrock/us.openai.gpt-5.6-luna",
      "{input_cost_per_token:2.2e-7,input_cost_per_token_above_272k_tokens:4.4e-7,"
      "cache_creation_input_token_cost:2.75e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:5.5e-7,"
      "cache_read_input_token_cost:2.2e-8,"
      "cache_read_input_token_cost_above_272k_tokens:4.4e-8,"
      "output_cost_per_token:0.00000132,output_cost_per_token_above_272k_tokens:0.00000198,"
      "max_input_tokens:1050000,max_output_tokens:128000}" },
    { "bedrock/us.openai.gpt-5.4",
      "{input_cost_per_token:0.00000275,input_cost_per_token_above_272k_tokens:0.0000055,"
      "cache_read_input_token_cost:2.75e-7,"
      "cache_read_input_token_cost_above_272k_tokens:5.5e-7,output_cost_per_token:0.0000165,"
      "output_cost_per_token_above_272k_tokens:0.00002475,max_input_tokens:1050000,"
      "max_output_tokens:128000}" },
    { "bedrock/global.openai.gpt-5.4",
      "{input_cost_per_token:0.0000025,input_cost_per_token_above_272k_tokens:0.000005,"
      "cache_read_input_token_cost:2.5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:5e-7,output_cost_per_token:0.000015,"
      "output_cost_per_token_above_272k_tokens:0.0000225,max_input_tokens:1050000,"
      "max_output_tokens:128000}" },
    { "bedrock/us.openai.gpt-5.5",
      "{input_cost_per_token:0.0000055,input_cost_per_token_above_272k_tokens:0.000011,"
      "cache_read_input_token_cost:5.5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:0.0000011,"
      "output_cost_per_token:0.000033,output_cost_per_token_above_272k_tokens:0.0000495,"
      "max_input_tokens:1050000,max_output_tokens:128000}" },
    { "bedrock/global.openai.gpt-5.5",
      "{input_cost_per_token:0.000005,input_cost_per_token_above_272k_tokens:0.00001,"
      "cache_read_input_token_cost:5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:0.000001,output_cost_per_token:0.00003,"
      "output_cost_per_token_above_272k_tokens:0.000045,max_input_tokens:1050000,"
      "max_output_tokens:128000}" },
    { "bedrock/global.openai.gpt-5.6-luna",
      "{input_cost_per_token:2e-7,input_cost_per_token_above_272k_tokens:4e-7,"
      "cache_creation_input_token_cost:2.5e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:5e-7,"
      "cache_read_input_token_cost:2e-8,cache_read_input_token_cost_above_272k_tokens:4e-8,"
      "output_cost_per_token:0.0000012,output_cost_per_token_above_272k_tokens:0.0000018,"
      "max_input_tokens:1050000,max_output_tokens:128000}" },
    { "bedrock/us.openai.gpt-6-astra",
      "{input_cost_per_token:0.000011,input_cost_per_token_above_272k_tokens:0.000022,"
      "cache_creation_input_token_cost:0.00001375,"
      "cache_creation_input_token_cost_above_272k_tokens:0.0000275,"
      "cache_creation_input_token_cost_above_272k_tokens_ultrafast:0.000165,"
      "cache_creation_input_token_cost_ultrafast:0.0000825,"
      "cache_read_input_token_cost:0.0000011,"
      "cache_read_input_token_cost_above_272k_tokens:0.0000022,"
      "cache_read_input_token_cost_above_272k_tokens_ultrafast:0.0000132,"
      "cache_read_input_token_cost_ultrafast:0.0000066,"
      "input_cost_per_token_above_272k_tokens_ultrafast:0.000132,"
      "input_cost_per_token_ultrafast:0.000066,output_cost_per_token:0.000055,"
      "output_cost_per_token_above_272k_tokens:0.0000825,max_input_tokens:1050000,"
      "max_output_tokens:128000,output_cost_per_token_above_272k_tokens_ultrafast:0.000495,"
      "output_cost_per_token_ultrafast:0.00033}" },
    { "bedrock/us.openai.gpt-6-sol",
      "{input_cost_per_token:0.0000022,input_cost_per_token_above_272k_tokens:0.0000044,"
      "cache_creation_input_token_cost:0.00000275,"
      "cache_creation_input_token_cost_above_272k_tokens:0.0000055,"
      "cache_read_input_token_cost:2.2e-7,"
      "cache_read_input_token_cost_above_272k_tokens:4.4e-7,output_cost_per_token:0.000011,"
      "output_cost_per_token_above_272k_tokens:0.0000165,max_input_tokens:1050000,"
      "max_output_tokens:128000}" },
    { "bedrock/us.openai.gpt-6-luna",
      "{input_cost_per_token:1.1e-7,input_cost_per_token_above_272k_tokens:2.2e-7,"
      "cache_creation_input_token_cost:1.375e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:2.75e-7,"
      "cache_read_input_token_cost:1.1e-8,"
      "cache_read_input_token_cost_above_272k_tokens:2.2e-8,output_cost_per_token:5.5e-7,"
      "output_cost_per_token_above_272k_tokens:8.25e-7,max_input_tokens:1050000,"
      "max_output_tokens:128000}" },
    { "bedrock/global.openai.gpt-6-astra",
      "{input_cost_per_token:0.00001,input_cost_per_token_above_272k_tokens:0.00002,"
      "cache_creation_input_token_cost:0.0000125,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000025,"
      "cache_creation_input_token_cost_above_272k_tokens_ultrafast:0.00015,"
      "cache_creation_input_token_cost_ultrafast:0.000075,"
      "cache_read_input_token_cost:0.000001,"
      "cache_read_input_token_cost_above_272k_tokens:0.000002,"
      "cache_read_input_token_cost_above_272k_tokens_ultrafast:0.000012,"
      "cache_read_input_token_cost_ultrafast:0.000006,"
      "input_cost_per_token_above_272k_tokens_ultrafast:0.00012,"
      "input_cost_per_token_ultrafast:0.00006,output_cost_per_token:0.00005,"
      "output_cost_per_token_above_272k_tokens:0.000075,max_input_tokens:1050000,"
      "max_output_tokens:128000,output_cost_per_token_above_272k_tokens_ultrafast:0.00045,"
      "output_cost_per_token_ultrafast:0.0003}" },
    { "bedrock/openai.gpt-6-sol bedrock/global.openai.gpt-6-sol",
      "{input_cost_per_token:0.000002,input_cost_per_token_above_272k_tokens:0.000004,"
      "cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000005,"
      "cache_read_input_token_cost:2e-7,cache_read_input_token_cost_above_272k_tokens:4e-7,"
      "output_cost_per_token:0.00001,output_cost_per_token_above_272k_tokens:0.000015,"
      "max_input_tokens:1050000,max_output_tokens:128000}" },
    { "bedrock/openai.gpt-6-luna bedrock/global.openai.gpt-6-luna",
      "{input_cost_per_token:1e-7,input_cost_per_token_above_272k_tokens:2e-7,"
      "cache_creation_input_token_cost:1.25e-7,"
      "cache_creation_input_token_cost_above_272k_tokens:2.5e-7,"
      "cache_read_input_token_cost:1e-8,cache_read_input_token_cost_above_272k_tokens:2e-8,"
      "output_cost_per_token:5e-7,output_cost_per_token_above_272k_tokens:7.5e-7,"
      "max_input_tokens:1050000,max_output_tokens:128000}" },
    { "bedrock/moonshotai.kimi-k3 bedrock/us.moonshotai.kimi-k3 "
      "bedrock/in.moonshotai.kimi-k3",
      "{cache_creation_input_token_cost:0.000004125,"
      "cache_creation_input_token_cost_flex:0.0000020625,"
      "cache_creation_input_token_cost_priority:0.00000721875,"
      "cache_read_input_token_cost:3.3e-7,cache_read_input_token_cost_flex:1.65e-7,"
      "cache_read_input_token_cost_priority:5.775e-7,input_cost_per_token:0.0000033,"
      "input_cost_per_token_flex:0.00000165,input_cost_per_token_priority:0.000005775,"
      "max_input_tokens:1000000,max_output_tokens:131072,output_cost_per_token:0.0000165,"
      "output_cost_per_token_flex:0.00000825,output_cost_per_token_priority:0.000028875}" },
    { "bedrock/global.moonshotai.kimi-k3",
      "{cache_creation_input_token_cost:0.00000375,"
      "cache_creation_input_token_cost_flex:0.000001875,"
      "cache_creation_input_token_cost_priority:0.0000065625,"
      "cache_read_input_token_cost:3e-7,cache_read_input_token_cost_flex:1.5e-7,"
      "cache_read_input_token_cost_priority:5.25e-7,input_cost_per_token:0.000003,"
      "input_cost_per_token_flex:0.0000015,input_cost_per_token_priority:0.00000525,"
      "max_input_tokens:1000000,max_output_tokens:131072,output_cost_per_token:0.000015,"
      "output_cost_per_token_flex:0.0000075,output_cost_per_token_priority:0.00002625}" },
    { "bedrock/anthropic.claude-mythos-5-1",
      "{max_input_tokens:1000000,max_output_tokens:128000,"
      "cache_creation_input_token_cost_above_1hr:0.00002,"
      "cache_creation_input_token_cost:0.0000125,cache_read_input_token_cost:2.5e-7,"
      "output_cost_per_token:0.00005,input_cost_per_token:0.00001}" },
    { "bedrock/global.anthropic.claude-mythos-5-1",
      "{max_input_tokens:1000000,max_output_tokens:128000,"
      "cache_read_input_token_cost:2.5e-7,cache_creation_input_token_cost:0.0000125,"
      "input_cost_per_token:0.00001,output_cost_per_token:0.00005,"
      "cache_creation_input_token_cost_above_1hr:0.00002}" },
    { "bedrock/us.anthropic.claude-mythos-5-1",
      "{max_input_tokens:1000000,max_output_tokens:128000,input_cost_per_token:0.000011,"
      "output_cost_per_token:0.000055,cache_read_input_token_cost:2.75e-7,"
      "cache_creation_input_token_cost:0.00001375,"
      "cache_creation_input_token_cost_above_1hr:0.000022}" },
    { "bedrock/us.anthropic.claude-mythos-5",
      "{max_input_tokens:1000000,max_output_tokens:128000,"
      "cache_creation_input_token_cost:0.00001375,input_cost_per_token:0.000011,"
      "cache_read_input_token_cost:0.0000011,output_cost_per_token:0.000055,"
      "cache_creation_input_token_cost_above_1hr:0.000022}" },
    { "bedrock/apac.anthropic.claude-fable-5 bedrock/au.anthropic.claude-fable-5",
      "{max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.000055,"
      "cache_creation_input_token_cost:0.00001375,cache_read_input_token_cost:0.0000011,"
      "input_cost_per_token:0.000011,cache_creation_input_token_cost_above_1hr:0.000022}" },
    { "bedrock/apac.anthropic.claude-opus-4-7",
      "{max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.0000275,"
      "cache_creation_input_token_cost:0.000006875,input_cost_per_token:0.0000055,"
      "cache_creation_input_token_cost_above_1hr:0.000011,"
      "cache_read_input_token_cost:5.5e-7}" },
    { "bedrock/apac.anthropic.claude-opus-4-8",
      "{max_input_tokens:1000000,max_output_tokens:128000,input_cost_per_token:0.0000055,"
      "cache_creation_input_token_cost_above_1hr:0.000011,output_cost_per_token:0.0000275,"
      "cache_read_input_token_cost:5.5e-7,cache_creation_input_token_cost:0.000006875}" },
    { "bedrock/apac.anthropic.claude-opus-5",
      "{max_input_tokens:1000000,max_output_tokens:128000,"
      "cache_creation_input_token_cost_above_1hr:0.000011,"
      "cache_creation_input_token_cost:0.000006875,input_cost_per_token:0.0000055,"
      "cache_read_input_token_cost:5.5e-7,output_cost_per_token:0.0000275}" },
    { "bedrock/apac.anthropic.claude-opus-5-5",
      "{max_input_tokens:1000000,max_output_tokens:128000,"
      "cache_creation_input_token_cost_above_1hr:0.0000088,"
      "cache_creation_input_token_cost:0.0000055,input_cost_per_token:0.0000044,"
      "output_cost_per_token:0.000022,cache_read_input_token_cost:2.2e-7}" },
    { "bedrock/apac.anthropic.claude-sonnet-4-6",
      "{max_input_tokens:1000000,max_output_tokens:64000,output_cost_per_token:0.0000165,"
      "cache_creation_input_token_cost_above_1hr:0.0000066,"
      "cache_read_input_token_cost:3.3e-7,cache_creation_input_token_cost:0.000004125,"
      "input_cost_per_token:0.0000033}" },
    { "bedrock/apac.anthropic.claude-sonnet-5",
      "{max_input_tokens:1000000,max_output_tokens:128000,"
      "cache_creation_input_token_cost_above_1hr:0.0000044,"
      "cache_creation_input_token_cost:0.00000275,input_cost_per_token:0.0000022,"
      "output_cost_per_token:0.000011,cache_read_input_token_cost:2.2e-7}" },
    { "bedrock/us.anthropic.claude-mythos-preview",
      "{max_input_tokens:1000000,max_output_tokens:128000,"
      "cache_creation_input_token_cost_above_1hr:0.000055,"
      "cache_read_input_token_cost:0.00000275,cache_creation_input_token_cost:0.000034375,"
      "output_cost_per_token:0.0001375,input_cost_per_token:0.0000275}" },
    { "bedrock/apac.anthropic.claude-mythos-preview "
      "bedrock/au.anthropic.claude-mythos-preview",
      "{max_input_tokens:1000000,max_output_tokens:128000,input_cost_per_token:0.0000275,"
      "cache_creation_input_token_cost:0.000034375,output_cost_per_token:0.0001375,"
      "cache_creation_input_token_cost_above_1hr:0.000055,"
      "cache_read_input_token_cost:0.00000275}" },
    { "bedrock/anthropic.claude-sonnet-5-5 bedrock/global.anthropic.claude-sonnet-5-5",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_1hr:0.000004,cache_read_input_token_cost:1e-7,"
      "input_cost_per_token:0.000002,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00001,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/apac.anthropic.claude-sonnet-5-5",
      "{max_input_tokens:1000000,max_output_tokens:128000,"
      "cache_creation_input_token_cost_above_1hr:0.0000044,"
      "cache_creation_input_token_cost:0.00000275,input_cost_per_token:0.0000022,"
      "output_cost_per_token:0.000011,cache_read_input_token_cost:1.1e-7}" },
    { "bedrock/au.anthropic.claude-sonnet-5-5 bedrock/eu.anthropic.claude-sonnet-5-5 "
      "bedrock/jp.anthropic.claude-sonnet-5-5 bedrock/us.anthropic.claude-sonnet-5-5",
      "{cache_creation_input_token_cost:0.00000275,"
      "cache_creation_input_token_cost_above_1hr:0.0000044,"
      "cache_read_input_token_cost:1.1e-7,input_cost_per_token:0.0000022,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.000011,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/us-gov.anthropic.claude-sonnet-5-5",
      "{cache_creation_input_token_cost:0.000003,"
      "cache_creation_input_token_cost_above_1hr:0.0000048,"
      "cache_read_input_token_cost:1.2e-7,input_cost_per_token:0.0000024,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.000012}" },
    { "bedrock/global.openai.gpt-6.1-sol",
      "{cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_272k_tokens:0.000005,"
      "cache_creation_input_token_cost_above_272k_tokens_ultrafast:0.00003,"
      "cache_creation_input_token_cost_ultrafast:0.000015,cache_read_input_token_cost:1e-7,"
      "cache_read_input_token_cost_above_272k_tokens:2e-7,"
      "cache_read_input_token_cost_above_272k_tokens_ultrafast:0.0000012,"
      "cache_read_input_token_cost_ultrafast:6e-7,input_cost_per_token:0.000002,"
      "input_cost_per_token_above_272k_tokens:0.000004,"
      "input_cost_per_token_above_272k_tokens_ultrafast:0.000024,"
      "input_cost_per_token_ultrafast:0.000012,max_input_tokens:1000000,"
      "max_output_tokens:131072,output_cost_per_token:0.00001,"
      "output_cost_per_token_above_272k_tokens:0.000015,"
      "output_cost_per_token_above_272k_tokens_ultrafast:0.00009,"
      "output_cost_per_token_ultrafast:0.00006}" },
    { "bedrock/us.openai.gpt-6.1-sol",
      "{cache_creation_input_token_cost:0.00000275,"
      "cache_creation_input_token_cost_above_272k_tokens:0.0000055,"
      "cache_creation_input_token_cost_above_272k_tokens_ultrafast:0.000033,"
      "cache_creation_input_token_cost_ultrafast:0.0000165,"
      "cache_read_input_token_cost:1.1e-7,"
      "cache_read_input_token_cost_above_272k_tokens:2.2e-7,"
      "cache_read_input_token_cost_above_272k_tokens_ultrafast:0.00000132,"
      "cache_read_input_token_cost_ultrafast:6.6e-7,input_cost_per_token:0.0000022,"
      "input_cost_per_token_above_272k_tokens:0.0000044,"
      "input_cost_per_token_above_272k_tokens_ultrafast:0.0000264,"
      "input_cost_per_token_ultrafast:0.0000132,max_input_tokens:1000000,"
      "max_output_tokens:131072,output_cost_per_token:0.000011,"
      "output_cost_per_token_above_272k_tokens:0.0000165,"
      "output_cost_per_token_above_272k_tokens_ultrafast:0.000099,"
      "output_cost_per_token_ultrafast:0.000066}" },
    { "bedrock/global.zai.glm-5.3",
      "{cache_creation_input_token_cost:0.0000021,"
      "cache_creation_input_token_cost_flex:0.00000105,"
      "cache_creation_input_token_cost_priority:0.000003675,"
      "cache_read_input_token_cost:3.12e-7,cache_read_input_token_cost_flex:1.56e-7,"
      "cache_read_input_token_cost_priority:5.46e-7,input_cost_per_token:0.00000168,"
      "input_cost_per_token_flex:8.4e-7,input_cost_per_token_priority:0.00000294,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.00000528,"
      "output_cost_per_token_flex:0.00000264,output_cost_per_token_priority:0.00000924}" },
    { "bedrock/us.zai.glm-5.3",
      "{cache_creation_input_token_cost:0.00000231,"
      "cache_creation_input_token_cost_flex:0.000001155,"
      "cache_creation_input_token_cost_priority:0.0000040425,"
      "cache_read_input_token_cost:3.432e-7,cache_read_input_token_cost_flex:1.716e-7,"
      "cache_read_input_token_cost_priority:6.006e-7,input_cost_per_token:0.000001848,"
      "input_cost_per_token_flex:9.24e-7,input_cost_per_token_priority:0.000003234,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.000005808,"
      "output_cost_per_token_flex:0.000002904,output_cost_per_token_priority:0.000010164}" },
    { "bedrock/anthropic.claude-haiku-5-5 bedrock/global.anthropic.claude-haiku-5-5",
      "{input_cost_per_token_above_100k_tokens:5e-7,"
      "output_cost_per_token_above_100k_tokens:0.0000025,"
      "cache_creation_input_token_cost_above_100k_tokens:6.25e-7,"
      "cache_creation_input_token_cost_above_1hr_above_100k_tokens:0.000001,"
      "cache_read_input_token_cost_above_100k_tokens:5e-8,"
      "cache_creation_input_token_cost:1.25e-7,"
      "cache_creation_input_token_cost_above_1hr:2e-7,cache_read_input_token_cost:1e-8,"
      "input_cost_per_token:1e-7,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:5e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/apac.anthropic.claude-haiku-5-5",
      "{input_cost_per_token_above_100k_tokens:5.5e-7,"
      "output_cost_per_token_above_100k_tokens:0.00000275,"
      "cache_creation_input_token_cost_above_100k_tokens:6.875e-7,"
      "cache_creation_input_token_cost_above_1hr_above_100k_tokens:0.0000011,"
      "cache_read_input_token_cost_above_100k_tokens:5.5e-8,max_input_tokens:1000000,"
      "max_output_tokens:128000,cache_creation_input_token_cost_above_1hr:2.2e-7,"
      "cache_creation_input_token_cost:1.375e-7,input_cost_per_token:1.1e-7,"
      "output_cost_per_token:5.5e-7,cache_read_input_token_cost:1.1e-8}" },
    { "bedrock/au.anthropic.claude-haiku-5-5 bedrock/eu.anthropic.claude-haiku-5-5 "
      "bedrock/jp.anthropic.claude-haiku-5-5 bedrock/us.anthropic.claude-haiku-5-5",
      "{input_cost_per_token_above_100k_tokens:5.5e-7,"
      "output_cost_per_token_above_100k_tokens:0.00000275,"
      "cache_creation_input_token_cost_above_100k_tokens:6.875e-7,"
      "cache_creation_input_token_cost_above_1hr_above_100k_tokens:0.0000011,"
      "cache_read_input_token_cost_above_100k_tokens:5.5e-8,"
      "cache_creation_input_token_cost:1.375e-7,"
      "cache_creation_input_token_cost_above_1hr:2.2e-7,cache_read_input_token_cost:1.1e-8,"
      "input_cost_per_token:1.1e-7,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:5.5e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "bedrock/us-gov.anthropic.claude-haiku-5-5",
      "{input_cost_per_token_above_100k_tokens:6e-7,"
      "output_cost_per_token_above_100k_tokens:0.000003,"
      "cache_creation_input_token_cost_above_100k_tokens:7.5e-7,"
      "cache_creation_input_token_cost_above_1hr_above_100k_tokens:0.0000012,"
      "cache_read_input_token_cost_above_100k_tokens:6e-8,"
      "cache_creation_input_token_cost:1.5e-7,"
      "cache_creation_input_token_cost_above_1hr:2.4e-7,cache_read_input_token_cost:1.2e-8,"
      "input_cost_per_token:1.2e-7,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:6e-7}" },
    { "bedrock/jp.amazon.nova-2-lite-v1:0",
      "{cache_read_input_token_cost:9.9e-8,cache_read_input_token_cost_flex:4.95e-8,"
      "cache_read_input_token_cost_priority:1.7325e-7,input_cost_per_token:3.96e-7,"
      "input_cost_per_token_flex:1.98e-7,input_cost_per_token_priority:6.93e-7,"
      "max_input_tokens:1000000,max_output_tokens:64000,output_cost_per_token:0.000003311,"
      "output_cost_per_token_flex:0.0000016555,"
      "output_cost_per_token_priority:0.00000579425}" },
    { "vertex_ai/gemini-2.5-flash",
      "{cache_read_input_audio_token_cost:1e-7,cache_read_input_token_cost:3e-8,"
      "cache_read_input_token_cost_flex:3e-8,cache_read_input_token_cost_priority:5.4e-8,"
      "input_cost_per_audio_token:0.000001,input_cost_per_token:3e-7,"
      "max_input_tokens:1048576,max_output_tokens:65535,"
      "output_cost_per_reasoning_token:0.0000025,output_cost_per_token:0.0000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.035},"
      "input_cost_per_token_flex:1.5e-7,input_cost_per_token_priority:5.4e-7,"
      "input_cost_per_audio_token_priority:0.0000018,output_cost_per_token_flex:0.00000125,"
      "output_cost_per_token_priority:0.0000045}" },
    { "vertex_ai/gemini-3.1-flash-lite-preview",
      "{cache_read_input_token_cost:2.5e-8,input_cost_per_audio_token:5e-7,"
      "input_cost_per_token:2.5e-7,max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.0000015,output_cost_per_token:0.0000015,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "vertex_ai/gemini-3.1-flash-lite",
      "{cache_read_input_audio_token_cost:5e-8,cache_read_input_token_cost:2.5e-8,"
      "cache_read_input_token_cost_flex:1.25e-8,cache_read_input_token_cost_priority:4.5e-8,"
      "input_cost_per_audio_token:5e-7,input_cost_per_token:2.5e-7,"
      "input_cost_per_token_flex:1.25e-7,input_cost_per_token_priority:4.5e-7,"
      "input_cost_per_audio_token_priority:9e-7,max_input_tokens:1048576,"
      "max_output_tokens:65536,output_cost_per_reasoning_token:0.0000015,"
      "output_cost_per_token:0.0000015,output_cost_per_token_flex:7.5e-7,"
      "output_cost_per_token_priority:0.0000027,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "vertex_ai/gemini-3.5-flash-lite",
      "{cache_read_input_token_cost:3e-8,cache_read_input_token_cost_flex:1.5e-8,"
      "cache_read_input_token_cost_priority:5.4e-8,input_cost_per_token:3e-7,"
      "input_cost_per_token_flex:1.5e-7,input_cost_per_token_priority:5.4e-7,"
      "max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.0000025,output_cost_per_token:0.0000025,"
      "output_cost_per_token_flex:0.00000125,output_cost_per_token_priority:0.0000045,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "vertex_ai/deep-research-pro-preview-12-2025",
      "{cache_read_input_token_cost:2e-7,input_cost_per_image:0.0011,"
      "input_cost_per_token:0.000002,max_input_tokens:65536,max_output_tokens:32768,"
      "output_cost_per_image:0.134,output_cost_per_image_token:0.00012,"
      "output_cost_per_token:0.000012}" },
    { "vertex_ai/gemini-2.5-flash-lite",
      "{cache_read_input_audio_token_cost:3e-8,cache_read_input_token_cost:1e-8,"
      "cache_read_input_token_cost_flex:1e-8,cache_read_input_token_cost_priority:1.8e-8,"
      "input_cost_per_audio_token:3e-7,input_cost_per_token:1e-7,max_input_tokens:1048576,"
      "max_output_tokens:65535,output_cost_per_reasoning_token:4e-7,"
      "output_cost_per_token:4e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.035},"
      "input_cost_per_audio_token_batches:5e-8,input_cost_per_token_flex:5e-8,"
      "input_cost_per_token_priority:1.8e-7,input_cost_per_audio_token_priority:5.4e-7,"
      "output_cost_per_token_flex:2e-7,output_cost_per_token_priority:7.2e-7}" },
    { "vertex_ai/gemini-2.5-flash-lite-preview-09-2025",
      "{cache_read_input_token_cost:1e-8,input_cost_per_audio_token:3e-7,"
      "input_cost_per_token:1e-7,max_input_tokens:1048576,max_output_tokens:65535,"
      "output_cost_per_reasoning_token:4e-7,output_cost_per_token:4e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.035}}" },
    { "vertex_ai/gemini-2.5-flash-preview-09-2025",
      "{cache_read_input_token_cost:3e-8,input_cost_per_audio_token:0.000001,"
      "input_cost_per_token:3e-7,max_input_tokens:1048576,max_output_tokens:65535,"
      "output_cost_per_reasoning_token:0.0000025,output_cost_per_token:0.0000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.035}}" },
    { "vertex_ai/gemini-live-2.5-flash-native-audio",
      "{input_cost_per_audio_token:0.000003,input_cost_per_token:5e-7,"
      "max_input_tokens:131072,max_output_tokens:65536,output_cost_per_audio_token:0.000012,"
      "output_cost_per_token:0.000002,"
      "search_context_cost_per_query:{search_context_size_medium:0.035},"
      "input_cost_per_image_token:0.000003}" },
    { "vertex_ai/gemini-live-2.5-flash-preview-native-audio-09-2025",
      "{input_cost_per_audio_token:0.000003,input_cost_per_token:5e-7,"
      "max_input_tokens:1048576,max_output_tokens:65535,"
      "output_cost_per_audio_token:0.000012,output_cost_per_token:0.000002,"
      "search_context_cost_per_query:{search_context_size_medium:0.035},"
      "input_cost_per_image_token:0.000003}" },
    { "vertex_ai/gemini-2.5-pro",
      "{cache_read_input_token_cost:1.25e-7,"
      "cache_read_input_token_cost_above_200k_tokens:2.5e-7,"
      "cache_creation_input_token_cost_above_200k_tokens:2.5e-7,"
      "cache_read_input_token_cost_above_200k_tokens_priority:4.5e-7,"
      "cache_read_input_token_cost_flex:1.25e-7,"
      "cache_read_input_token_cost_priority:2.25e-7,input_cost_per_token:0.00000125,"
      "input_cost_per_token_above_200k_tokens:0.0000025,max_input_tokens:1048576,"
      "max_output_tokens:65535,output_cost_per_token:0.00001,"
      "output_cost_per_token_above_200k_tokens:0.000015,"
      "search_context_cost_per_query:{search_context_size_medium:0.035},"
      "input_cost_per_token_above_200k_tokens_priority:0.0000045,"
      "input_cost_per_token_flex:6.25e-7,input_cost_per_token_priority:0.00000225,"
      "output_cost_per_token_above_200k_tokens_priority:0.000027,"
      "output_cost_per_token_flex:0.000005,output_cost_per_token_priority:0.000018}" },
    { "vertex_ai/gemini-3.1-pro-preview",
      "{cache_creation_input_token_cost_above_200k_tokens:2.5e-7,"
      "cache_read_input_token_cost:2e-7,cache_read_input_token_cost_above_200k_tokens:4e-7,"
      "cache_read_input_token_cost_above_200k_tokens_priority:7.2e-7,"
      "cache_read_input_token_cost_priority:3.6e-7,input_cost_per_token:0.000002,"
      "input_cost_per_token_above_200k_tokens:0.000004,"
      "input_cost_per_token_above_200k_tokens_priority:0.0000072,"
      "input_cost_per_token_flex:0.000001,input_cost_per_token_priority:0.0000036,"
      "max_input_tokens:1048576,max_output_tokens:65536,output_cost_per_image:0.00012,"
      "output_cost_per_token:0.000012,output_cost_per_token_above_200k_tokens:0.000018,"
      "output_cost_per_token_above_200k_tokens_priority:0.0000324,"
      "output_cost_per_token_flex:0.000006,output_cost_per_token_priority:0.0000216,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "vertex_ai/gemini-3.1-pro-preview-customtools",
      "{cache_read_input_token_cost:2e-7,cache_read_input_token_cost_above_200k_tokens:4e-7,"
      "cache_creation_input_token_cost_above_200k_tokens:2.5e-7,"
      "input_cost_per_token:0.000002,input_cost_per_token_above_200k_tokens:0.000004,"
      "max_input_tokens:1048576,max_output_tokens:65536,output_cost_per_token:0.000012,"
      "output_cost_per_token_above_200k_tokens:0.000018,output_cost_per_image:0.00012,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "vertex_ai/gemini-2.5-pro-preview-tts",
      "{cache_read_input_token_cost:1.25e-7,input_cost_per_audio_token:7e-7,"
      "input_cost_per_token:0.000001,max_input_tokens:1048576,max_output_tokens:65535,"
      "output_cost_per_audio_token:0.00002,output_cost_per_token:0.00002,"
      "search_context_cost_per_query:{search_context_size_medium:0.035}}" },
    { "vertex_ai/gemini-robotics-er-1.5-preview",
      "{cache_read_input_token_cost:0,input_cost_per_token:3e-7,"
      "input_cost_per_audio_token:0.000001,max_input_tokens:1048576,max_output_tokens:65535,"
      "output_cost_per_token:0.0000025,output_cost_per_reasoning_token:0.0000025}" },
    { "vertex_ai/gemini-2.5-computer-use-preview-10-2025",
      "{input_cost_per_token:0.00000125,input_cost_per_token_above_200k_tokens:0.0000025,"
      "max_input_tokens:128000,max_output_tokens:64000,output_cost_per_token:0.00001,"
      "output_cost_per_token_above_200k_tokens:0.000015}" },
    { "vertex_ai/gemini-flash-experimental",
      "{input_cost_per_character:0,input_cost_per_token:0,max_input_tokens:1000000,"
      "max_output_tokens:8192,output_cost_per_token:0}" },
    { "vertex_ai/gemini-3-flash-preview",
      "{cache_read_input_audio_token_cost:1e-7,cache_read_input_token_cost:5e-8,"
      "cache_read_input_token_cost_priority:9e-8,input_cost_per_audio_token:0.000001,"
      "input_cost_per_audio_token_priority:0.0000018,input_cost_per_token:5e-7,"
      "input_cost_per_token_flex:2.5e-7,input_cost_per_token_priority:9e-7,"
      "max_input_tokens:1048576,max_output_tokens:65535,"
      "output_cost_per_reasoning_token:0.000003,output_cost_per_token:0.000003,"
      "output_cost_per_token_flex:0.0000015,output_cost_per_token_priority:0.0000054,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "vertex_ai/gemini-omni-flash-preview",
      "{input_cost_per_audio_token:0.0000015,input_cost_per_token:0.0000015,"
      "max_input_tokens:1048576,max_output_tokens:65535,"
      "output_cost_per_reasoning_token:0.000009,output_cost_per_token:0.000009}" },
    { "vertex_ai/gemini-3.5-flash",
      "{cache_read_input_token_cost:1.5e-7,input_cost_per_audio_token:0.0000015,"
      "input_cost_per_token:0.0000015,max_input_tokens:1048576,max_output_tokens:65535,"
      "output_cost_per_reasoning_token:0.000009,output_cost_per_token:0.000009,"
      "input_cost_per_token_priority:0.0000027,"
      "input_cost_per_audio_token_priority:0.0000027,"
      "output_cost_per_token_priority:0.0000162,cache_read_input_token_cost_priority:2.7e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query,input_cost_per_token_flex:7.5e-7,"
      "output_cost_per_token_flex:0.0000045,cache_read_input_token_cost_flex:7.5e-8}" },
    { "vertex_ai/gemini-3.6-flash vertex_ai/gemini-3.7-flash",
      "{cache_read_input_token_cost:7.5e-8,cache_read_input_token_cost_flex:3.75e-8,"
      "input_cost_per_token:7.5e-7,input_cost_per_token_flex:3.75e-7,"
      "max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.00000375,output_cost_per_token:0.00000375,"
      "output_cost_per_token_flex:0.000001875,input_cost_per_token_priority:0.00000135,"
      "output_cost_per_token_priority:0.00000675,"
      "cache_read_input_token_cost_priority:1.35e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "vertex_ai/gemini-3.8-flash",
      "{cache_read_input_token_cost:7.5e-8,cache_read_input_token_cost_flex:3.75e-8,"
      "cache_read_input_token_cost_priority:1.35e-7,input_cost_per_token:7.5e-7,"
      "input_cost_per_token_flex:3.75e-7,input_cost_per_token_priority:0.00000135,"
      "max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.00000375,output_cost_per_token:0.00000375,"
      "output_cost_per_token_flex:0.000001875,output_cost_per_token_priority:0.00000675,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "vertex_ai/gemini-3.8-flash-cyber",
      "{cache_read_input_token_cost:1.5e-7,cache_read_input_token_cost_flex:7.5e-8,"
      "cache_read_input_token_cost_priority:2.7e-7,input_cost_per_token:0.0000015,"
      "input_cost_per_token_flex:7.5e-7,input_cost_per_token_priority:0.0000027,"
      "max_input_tokens:1048576,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.0000075,output_cost_per_token:0.0000075,"
      "output_cost_per_token_flex:0.00000375,output_cost_per_token_priority:0.0000135}" },
    { "vertex_ai/medlm-large",
      "{input_cost_per_character:0.000005,max_input_tokens:8192,max_output_tokens:1024}" },
    { "vertex_ai/medlm-medium",
      "{input_cost_per_character:5e-7,max_input_tokens:32768,max_output_tokens:8192}" },
    { "vertex_ai/gemini-robotics-er-2-preview",
      "{cache_read_input_token_cost:1e-7,input_cost_per_audio_token:0.000001,"
      "input_cost_per_token:0.000001,max_input_tokens:131072,max_output_tokens:65536,"
      "output_cost_per_reasoning_token:0.000005,output_cost_per_token:0.000005,"
      "search_context_cost_per_query:{search_context_size_medium:0.014},"
      "web_search_billing_unit:per_query}" },
    { "vertex_ai/claude-3-5-haiku vertex_ai/claude-3-5-haiku@20241022",
      "{input_cost_per_token:0.000001,max_input_tokens:200000,max_output_tokens:8192,"
      "output_cost_per_token:0.000005}" },
    { "vertex_ai/claude-haiku-4-5 vertex_ai/claude-haiku-4-5@20251001",
      "{cache_creation_input_token_cost:0.00000125,"
      "cache_creation_input_token_cost_above_1hr:0.000002,cache_read_input_token_cost:1e-7,"
      "input_cost_per_token:0.000001,max_input_tokens:200000,max_output_tokens:64000,"
      "output_cost_per_token:0.000005,regional_endpoint_uplift_multiplier:1.1}" },
    { "vertex_ai/claude-3-5-sonnet vertex_ai/claude-3-5-sonnet@20240620",
      "{input_cost_per_token:0.000003,max_input_tokens:200000,max_output_tokens:8192,"
      "output_cost_per_token:0.000015}" },
    { "vertex_ai/claude-3-haiku vertex_ai/claude-3-haiku@20240307",
      "{input_cost_per_token:2.5e-7,max_input_tokens:200000,max_output_tokens:4096,"
      "output_cost_per_token:0.00000125}" },
    { "vertex_ai/claude-3-opus vertex_ai/claude-3-opus@20240229",
      "{input_cost_per_token:0.000015,max_input_tokens:200000,max_output_tokens:4096,"
      "output_cost_per_token:0.000075}" },
    { "vertex_ai/claude-3-sonnet vertex_ai/claude-3-sonnet@20240229",
      "{input_cost_per_token:0.000003,max_input_tokens:200000,max_output_tokens:4096,"
      "output_cost_per_token:0.000015}" },
    { "vertex_ai/claude-opus-4-5 vertex_ai/claude-opus-4-5@20251101",
      "{cache_creation_input_token_cost:0.00000625,"
      "cache_creation_input_token_cost_above_1hr:0.00001,cache_read_input_token_cost:5e-7,"
      "input_cost_per_token:0.000005,max_input_tokens:200000,max_output_tokens:64000,"
      "output_cost_per_token:0.000025,regional_endpoint_uplift_multiplier:1.1,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "vertex_ai/claude-opus-4-6 vertex_ai/claude-opus-4-6@default "
      "vertex_ai/claude-opus-4-7 vertex_ai/claude-opus-4-7@default vertex_ai/claude-opus-5 "
      "vertex_ai/claude-opus-5@default vertex_ai/claude-opus-4-8 "
      "vertex_ai/claude-opus-4-8@default",
      "{regional_endpoint_uplift_multiplier:1.1,cache_creation_input_token_cost:0.00000625,"
      "cache_creation_input_token_cost_above_1hr:0.00001,cache_read_input_token_cost:5e-7,"
      "input_cost_per_token:0.000005,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.000025,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "vertex_ai/claude-fable-5 vertex_ai/claude-fable-5@default",
      "{regional_endpoint_uplift_multiplier:1.1,cache_creation_input_token_cost:0.0000125,"
      "cache_creation_input_token_cost_above_1hr:0.00002,"
      "cache_read_input_token_cost:0.000001,input_cost_per_token:0.00001,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.00005,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "vertex_ai/claude-fable-5-1 vertex_ai/claude-fable-5-1@default",
      "{regional_endpoint_uplift_multiplier:1.1,cache_creation_input_token_cost:0.0000125,"
      "cache_creation_input_token_cost_above_1hr:0.00002,cache_read_input_token_cost:2.5e-7,"
      "input_cost_per_token:0.00001,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00005,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "vertex_ai/claude-opus-5-5 vertex_ai/claude-opus-5-5@default",
      "{regional_endpoint_uplift_multiplier:1.1,cache_creation_input_token_cost:0.000005,"
      "cache_creation_input_token_cost_above_1hr:0.000008,cache_read_input_token_cost:2e-7,"
      "input_cost_per_token:0.000004,input_cost_per_token_batches:0.0000025,"
      "max_input_tokens:1000000,max_output_tokens:128000,output_cost_per_token:0.00002,"
      "output_cost_per_token_batches:0.0000125,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "vertex_ai/claude-sonnet-4-5 vertex_ai/claude-sonnet-4-5@20250929",
      "{cache_creation_input_token_cost:0.00000375,"
      "cache_creation_input_token_cost_above_1hr:0.000006,"
      "cache_creation_input_token_cost_above_1hr_above_200k_tokens:0.000012,"
      "cache_read_input_token_cost:3e-7,input_cost_per_token:0.000003,"
      "input_cost_per_token_above_200k_tokens:0.000006,"
      "output_cost_per_token_above_200k_tokens:0.0000225,"
      "cache_creation_input_token_cost_above_200k_tokens:0.0000075,"
      "cache_read_input_token_cost_above_200k_tokens:6e-7,max_input_tokens:200000,"
      "max_output_tokens:64000,output_cost_per_token:0.000015,"
      "regional_endpoint_uplift_multiplier:1.1,"
      "cache_creation_input_token_cost_batches:0.00000188}" },
    { "vertex_ai/claude-sonnet-5 vertex_ai/claude-sonnet-5@default",
      "{regional_endpoint_uplift_multiplier:1.1,cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_1hr:0.000004,cache_read_input_token_cost:2e-7,"
      "input_cost_per_token:0.000002,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00001,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "vertex_ai/claude-sonnet-4-6 vertex_ai/claude-sonnet-4-6@default",
      "{regional_endpoint_uplift_multiplier:1.1,cache_creation_input_token_cost:0.00000375,"
      "cache_creation_input_token_cost_above_1hr:0.000006,"
      "cache_creation_input_token_cost_batches:0.00000188,cache_read_input_token_cost:3e-7,"
      "input_cost_per_token:0.000003,max_input_tokens:1000000,max_output_tokens:64000,"
      "output_cost_per_token:0.000015,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "vertex_ai/claude-sonnet-5-5 vertex_ai/claude-sonnet-5-5@default",
      "{regional_endpoint_uplift_multiplier:1.1,cache_creation_input_token_cost:0.0000025,"
      "cache_creation_input_token_cost_above_1hr:0.000004,cache_read_input_token_cost:1e-7,"
      "input_cost_per_token:0.000002,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:0.00001,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "vertex_ai/claude-haiku-5-5 vertex_ai/claude-haiku-5-5@default",
      "{input_cost_per_token_above_100k_tokens:5e-7,"
      "output_cost_per_token_above_100k_tokens:0.0000025,"
      "cache_creation_input_token_cost_above_100k_tokens:6.25e-7,"
      "cache_creation_input_token_cost_above_1hr_above_100k_tokens:0.000001,"
      "cache_read_input_token_cost_above_100k_tokens:5e-8,"
      "regional_endpoint_uplift_multiplier:1.1,cache_creation_input_token_cost:1.25e-7,"
      "cache_creation_input_token_cost_above_1hr:2e-7,cache_read_input_token_cost:1e-8,"
      "input_cost_per_token:1e-7,max_input_tokens:1000000,max_output_tokens:128000,"
      "output_cost_per_token:5e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.01}}" },
    { "mistral/codestral-2508 mistral/codestral-latest mistral/mistral-code-latest "
      "mistral/mistral-code-fim-latest",
      "{cache_read_input_token_cost:3e-8,input_cost_per_token:3e-7,max_input_tokens:128000,"
      "max_output_tokens:128000,output_cost_per_token:9e-7}" },
    { "mistral/codestral-mamba-latest",
      "{cache_read_input_token_cost:2.5e-8,input_cost_per_token:2.5e-7,"
      "max_input_tokens:256000,max_output_tokens:256000,output_cost_per_token:2.5e-7}" },
    { "mistral/devstral-small-latest",
      "{cache_read_input_token_cost:1e-8,input_cost_per_token:1e-7,max_input_tokens:256000,"
      "max_output_tokens:256000,output_cost_per_token:3e-7}" },
    { "mistral/devstral-latest mistral/devstral-medium-latest "
      "mistral/mistral-code-agent-latest",
      "{cache_read_input_token_cost:4e-8,input_cost_per_token:4e-7,max_input_tokens:256000,"
      "max_output_tokens:256000,output_cost_per_token:0.000002}" },
    { "mistral/ministral-14b-2512 mistral/ministral-14b-latest",
      "{input_cost_per_token:2e-7,max_input_tokens:262144,max_output_tokens:262144,"
      "output_cost_per_token:2e-7,cache_read_input_token_cost:2e-8}" },
    { "mistral/ministral-3b-2512 mistral/ministral-3b-latest",
      "{input_cost_per_token:1e-7,max_input_tokens:131072,max_output_tokens:131072,"
      "output_cost_per_token:1e-7,cache_read_input_token_cost:1e-8}" },
    { "mistral/mistral-embed-2312 mistral/mistral-embed",
      "{input_cost_per_token:1e-7,max_input_tokens:8192}" },
    { "mistral/mistral-medium-3 mistral/magistral-medium-latest mistral/mistral-medium "
      "mistral/mistral-medium-2604 mistral/mistral-medium-latest mistral/mistral-medium-3-5 "
      "mistral/mistral-medium-3.5 mistral/mistral-vibe-cli-latest "
      "mistral/mistral-vibe-cli-with-tools",
      "{cache_read_input_token_cost:1.5e-7,input_cost_per_token:0.0000015,"
      "max_input_tokens:262144,max_output_tokens:262144,output_cost_per_token:0.0000075}" },
    { "mistral/voxtral-mini-transcribe-realtime-latest "
      "mistral/voxtral-mini-transcribe-realtime-2602 mistral/voxtral-mini-realtime-2602 "
      "mistral/voxtral-mini-realtime-latest",
      "{input_cost_per_second:0.0001}" },
    { "mistral/voxtral-mini-tts-latest mistral/voxtral-mini-tts-2603",
      "{input_cost_per_character:0.000016}" },
    { "mistral/voxtral-small-2507 mistral/voxtral-small-latest",
      "{cache_read_input_token_cost:1e-8,input_cost_per_token:1e-7,max_input_tokens:32768,"
      "max_output_tokens:32768,output_cost_per_token:4e-7}" },
    { "mistral/zai-glm-5-2 mistral/zai-glm-5-3 mistral/zai-glm-5 mistral/zai-glm-latest "
      "mistral/glm-5-2",
      "{cache_read_input_token_cost:1.4e-7,input_cost_per_token:0.0000014,"
      "max_input_tokens:1048576,max_output_tokens:131072,output_cost_per_token:0.0000044}" },
    { "mistral/magistral-small-latest mistral/mistral-small-latest "
      "mistral/mistral-small-2603 mistral/mistral-vibe-cli-fast",
      "{cache_read_input_token_cost:1.5e-8,input_cost_per_token:1.5e-7,"
      "max_input_tokens:262144,max_output_tokens:262144,output_cost_per_token:6e-7}" },
    { "mistral/codestral-embed mistral/codestral-embed-2505",
      "{cache_read_input_token_cost:1.5e-8,input_cost_per_token:1.5e-7,"
      "max_input_tokens:8192}" },
    { "mistral/mistral-large-4 mistral/mistral-large-4-0",
      "{cache_read_input_token_cost:6.8e-8,input_cost_per_token:6.8e-7,"
      "max_input_tokens:1048576,output_cost_per_token:0.00000209}" },
    { "mistral/mistral-large-latest mistral/mistral-large-3 mistral/mistral-large-2512",
      "{cache_read_input_token_cost:5e-8,input_cost_per_token:5e-7,max_input_tokens:262144,"
      "max_output_tokens:262144,output_cost_per_token:0.0000015}" },
    { "mistral/mistral-small",
      "{cache_read_input_token_cost:1e-8,input_cost_per_token:1e-7,max_input_tokens:32000,"
      "max_output_tokens:8191,output_cost_per_token:3e-7}" },
    { "mistral/ministral-3-3b-2512",
      "{cache_read_input_token_cost:1e-8,input_cost_per_token:1e-7,max_input_tokens:131072,"
      "max_output_tokens:131072,output_cost_per_token:1e-7}" },
    { "mistral/ministral-3-8b-2512 mistral/ministral-8b-2512 mistral/ministral-8b-latest",
      "{cache_read_input_token_cost:1.5e-8,input_cost_per_token:1.5e-7,"
      "max_input_tokens:262144,max_output_tokens:262144,output_cost_per_token:1.5e-7}" },
    { "mistral/ministral-3-14b-2512",
      "{cache_read_input_token_cost:2e-8,input_cost_per_token:2e-7,max_input_tokens:262144,"
      "max_output_tokens:262144,output_cost_per_token:2e-7}" },
    { "mistral/mistral-tiny",
      "{cache_read_input_token_cost:2.5e-8,input_cost_per_token:2.5e-7,"
      "max_input_tokens:32000,max_output_tokens:8191,output_cost_per_token:2.5e-7}" },
    { "mistral/open-mistral-nemo",
      "{cache_read_input_token_cost:3e-8,input_cost_per_token:3e-7,max_input_tokens:128000,"
      "max_output_tokens:128000,output_cost_per_token:3e-7}" },
    { "mistral/pixtral-large-latest",
      "{cache_read_input_token_cost:2e-7,input_cost_per_token:0.000002,"
      "max_input_tokens:128000,max_output_tokens:128000,output_cost_per_token:0.000006}" },
    { "mistral/labs-leanstral-1-5 mistral/labs-leanstral-1-5-1",
      "{input_cost_per_token:0,max_input_tokens:262144,max_output_tokens:131072,"
      "output_cost_per_token:0}" },
    { "mistral/mistral-moderation-2603",
      "{input_cost_per_token:0,max_input_tokens:131072,output_cost_per_token:0}" },
    { "mistral/voxtral-mini-2602 mistral/voxtral-mini-latest",
      "{input_cost_per_second:0.00005}" },
    { "deepseek/deepseek-chat",
      "{cache_read_input_token_cost:2.8e-8,input_cost_per_token:2.8e-7,"
      "max_input_tokens:131072,max_output_tokens:8192,output_cost_per_token:4.2e-7}" },
    { "deepseek/deepseek-reasoner",
      "{cache_read_input_token_cost:2.8e-8,input_cost_per_token:2.8e-7,"
      "max_input_tokens:131072,max_output_tokens:65536,output_cost_per_token:4.2e-7}" },
    { "deepseek/deepseek-coder",
      "{cache_read_input_token_cost:1.4e-8,input_cost_per_token:1.4e-7,"
      "input_cost_per_token_cache_hit:1.4e-8,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:2.8e-7}" },
    { "deepseek/deepseek-r1",
      "{cache_read_input_token_cost:1.4e-7,input_cost_per_token:5.5e-7,"
      "input_cost_per_token_cache_hit:1.4e-7,max_input_tokens:65536,max_output_tokens:8192,"
      "output_cost_per_token:0.00000219}" },
    { "deepseek/deepseek-v3",
      "{cache_creation_input_token_cost:0,cache_read_input_token_cost:7e-8,"
      "input_cost_per_token:2.7e-7,input_cost_per_token_cache_hit:7e-8,"
      "max_input_tokens:65536,max_output_tokens:8192,output_cost_per_token:0.0000011}" },
    { "deepseek/deepseek-v3.2",
      "{cache_read_input_token_cost:2.8e-8,input_cost_per_token:2.8e-7,"
      "input_cost_per_token_cache_hit:2.8e-8,max_input_tokens:163840,"
      "max_output_tokens:163840,output_cost_per_token:4e-7}" },
    { "deepseek/deepseek-flash deepseek/deepseek-v4-flash "
      "deepseek/deepseek-v4-flash-vision-exp",
      "{cache_creation_input_token_cost:0,cache_read_input_token_cost:6e-9,"
      "input_cost_per_token:3e-7,input_cost_per_token_cache_hit:6e-9,"
      "max_input_tokens:1000000,max_output_tokens:393216,output_cost_per_token:0.0000012}" },
    { "deepseek/deepseek-v4-pro",
      "{cache_creation_input_token_cost:0,cache_read_input_token_cost:4.4e-8,"
      "input_cost_per_token:0.00000132,input_cost_per_token_cache_hit:4.4e-8,"
      "max_input_tokens:1000000,max_output_tokens:393216,output_cost_per_token:0.00000396}" },
    { "perplexity/sonar",
      "{input_cost_per_token:0.000001,max_input_tokens:128000,"
      "output_cost_per_token:0.000001,"
      "search_context_cost_per_query:{search_context_size_high:0.012,"
      "search_context_size_low:0.005,search_context_size_medium:0.008}}" },
    { "perplexity/sonar-deep-research",
      "{citation_cost_per_token:0.000002,input_cost_per_token:0.000002,"
      "max_input_tokens:128000,output_cost_per_reasoning_token:0.000003,"
      "output_cost_per_token:0.000008,"
      "search_context_cost_per_query:{search_context_size_medium:0.005}}" },
    { "perplexity/sonar-medium-chat",
      "{input_cost_per_token:6e-7,max_input_tokens:16384,max_output_tokens:16384,"
      "output_cost_per_token:0.0000018}" },
    { "perplexity/sonar-medium-online",
      "{input_cost_per_request:0.005,input_cost_per_token:0,max_input_tokens:12000,"
      "max_output_tokens:12000,output_cost_per_token:0.0000018}" },
    { "perplexity/sonar-pro",
      "{input_cost_per_token:0.000003,max_input_tokens:200000,max_output_tokens:8000,"
      "output_cost_per_token:0.000015,"
      "search_context_cost_per_query:{search_context_size_high:0.014,"
      "search_context_size_low:0.006,search_context_size_medium:0.01}}" },
    { "perplexity/sonar-reasoning",
      "{input_cost_per_token:0.000001,max_input_tokens:128000,"
      "output_cost_per_token:0.000005,"
      "search_context_cost_per_query:{search_context_size_high:0.014,"
      "search_context_size_low:0.005,search_context_size_medium:0.008}}" },
    { "perplexity/sonar-reasoning-pro",
      "{input_cost_per_token:0.000002,max_input_tokens:128000,"
      "output_cost_per_token:0.000008,"
      "search_context_cost_per_query:{search_context_size_high:0.014,"
      "search_context_size_low:0.006,search_context_size_medium:0.01}}" },
    { "perplexity/sonar-small-chat",
      "{input_cost_per_token:7e-8,max_input_tokens:16384,max_output_tokens:16384,"
      "output_cost_per_token:2.8e-7}" },
    { "perplexity/sonar-small-online",
      "{input_cost_per_request:0.005,input_cost_per_token:0,max_input_tokens:12000,"
      "max_output_tokens:12000,output_cost_per_token:2.8e-7}" },
    { "perplexity/pplx-embed-v1-0.6b",
      "{input_cost_per_token:4e-9,max_input_tokens:32768,output_cost_per_token:0}" },
    { "perplexity/pplx-embed-v1-4b",
      "{input_cost_per_token:3e-8,max_input_tokens:32768,output_cost_per_token:0}" },
    { "perplexity/pplx-embed-context-v1-0.6b",
      "{input_cost_per_token:8e-9,max_input_tokens:32768,output_cost_per_token:0}" },
    { "perplexity/pplx-embed-context-v1-4b",
      "{input_cost_per_token:5e-8,max_input_tokens:32768,output_cost_per_token:0}" },
    { "together_ai/deepseek-ai/DeepSeek-V3",
      "{input_cost_per_token:0.00000125,max_input_tokens:65536,max_output_tokens:8192,"
      "output_cost_per_token:0.00000125}" },
    { "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
      "{input_cost_per_token:0.00000104,max_input_tokens:131072,"
      "output_cost_per_token:0.00000104}" },
    { "together_ai/moonshotai/Kimi-K2-Instruct",
      "{input_cost_per_token:0.000001,output_cost_per_token:0.000003}" },
    { "together_ai/openai/gpt-oss-120b",
      "{input_cost_per_token:1.5e-7,max_input_tokens:131072,output_cost_per_token:6e-7}" },
    { "together_ai/zai-org/GLM-4.6",
      "{input_cost_per_token:6e-7,max_input_tokens:202752,output_cost_per_token:0.0000022}" },
    { "together_ai/MiniMaxAI/MiniMax-M3",
      "{cache_read_input_token_cost:6e-8,input_cost_per_token:3e-7,max_input_tokens:524288,"
      "output_cost_per_token:0.0000012}" },
    { "together_ai/Qwen/Qwen3.5-9B",
      "{input_cost_per_token:1.7e-7,max_input_tokens:262144,output_cost_per_token:2.5e-7}" },
    { "together_ai/Qwen/Qwen3.6-Plus",
      "{input_cost_per_token:5e-7,max_input_tokens:1000000,output_cost_per_token:0.000003}" },
    { "together_ai/Qwen/Qwen3.7-Max",
      "{cache_read_input_token_cost:3e-7,input_cost_per_token:0.0000015,"
      "max_input_tokens:1000000,output_cost_per_token:0.0000045}" },
    { "together_ai/Qwen/Qwen3.7-Plus",
      "{input_cost_per_token:3.2e-7,max_input_tokens:1000000,"
      "output_cost_per_token:0.00000128}" },
    { "together_ai/Qwen/Qwen3.8-2.4T-A95B",
      "{cache_read_input_token_cost:2.5e-7,input_cost_per_token:0.000002,"
      "max_input_tokens:1010000,output_cost_per_token:0.000006}" },
    { "together_ai/deepseek-ai/DeepSeek-V4-Flash-0731",
      "{cache_read_input_token_cost:3e-8,input_cost_per_token:1.4e-7,"
      "max_input_tokens:1048576,output_cost_per_token:2.8e-7}" },
    { "together_ai/deepseek-ai/DeepSeek-V4.1-Flash "
      "together_ai/deepseek-ai/DeepSeek-V4.1-Flash-1017",
      "{cache_read_input_token_cost:6e-9,input_cost_per_token:3e-7,max_input_tokens:1048576,"
      "output_cost_per_token:0.0000012}" },
    { "together_ai/deepseek-ai/DeepSeek-V4-Pro-0813",
      "{cache_read_input_token_cost:1.3e-7,input_cost_per_token:0.00000132,"
      "max_input_tokens:1048576,output_cost_per_token:0.00000396}" },
    { "together_ai/moonshotai/Kimi-K3",
      "{cache_read_input_token_cost:3e-7,input_cost_per_token:0.000003,"
      "max_input_tokens:1048576,output_cost_per_token:0.000015}" },
    { "together_ai/zai-org/GLM-5.2 together_ai/zai-org/GLM-5.3",
      "{cache_read_input_token_cost:2.6e-7,input_cost_per_token:0.0000014,"
      "max_input_tokens:1048575,max_output_tokens:128000,output_cost_per_token:0.0000044}" },
    { "together_ai/zai-org/GLM-5.3-Flash",
      "{cache_read_input_token_cost:3e-8,input_cost_per_token:1.5e-7,"
      "max_input_tokens:1048575,max_output_tokens:128000,output_cost_per_token:5e-7}" },
    { "together_ai/Qwen/Qwen3.8-Flash",
      "{input_cost_per_token:1.5e-7,max_input_tokens:1000000,output_cost_per_token:4.7e-7}" },
    { "together_ai/moonshotai/Kimi-K2.5-fp4",
      "{input_cost_per_token:5e-7,output_cost_per_token:0.0000028,max_input_tokens:262144}" },
    { "together_ai/MiniMaxAI/MiniMax-M2.7",
      "{input_cost_per_token:3e-7,output_cost_per_token:0.0000012,"
      "cache_read_input_token_cost:6e-8,max_input_tokens:196608}" },
    { "together_ai/deepseek-ai/DeepSeek-R1-0528",
      "{input_cost_per_token:0.000003,output_cost_per_token:0.000007,"
      "max_input_tokens:163840}" },
    { "together_ai/meta-llama/Llama-3.1-405B-Instruct",
      "{input_cost_per_token:0.0000035,output_cost_per_token:0.0000035,"
      "max_input_tokens:4096}" },
    { "together_ai/Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8",
      "{input_cost_per_token:0.000002,max_input_tokens:262144,"
      "output_cost_per_token:0.000002}" },
    { "together_ai/Qwen/Qwen3-Coder-Next-FP8",
      "{input_cost_per_token:5e-7,max_input_tokens:262144,output_cost_per_token:0.0000012}" },
    { "together_ai/Qwen/Qwen3-Next-80B-A3B-Instruct "
      "together_ai/Qwen/Qwen3-Next-80B-A3B-Thinking",
      "{input_cost_per_token:1.5e-7,max_input_tokens:262144,"
      "output_cost_per_token:0.0000015}" },
    { "together_ai/Qwen/Qwen3.5-397B-A17B",
      "{cache_read_input_token_cost:3.5e-7,input_cost_per_token:6e-7,"
      "max_input_tokens:262144,output_cost_per_token:0.0000036}" },
    { "together_ai/deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
      "{input_cost_per_token:0.000002,max_input_tokens:131072,"
      "output_cost_per_token:0.000002}" },
    { "together_ai/deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B "
      "together_ai/meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
      "{input_cost_per_token:1.8e-7,max_input_tokens:131072,output_cost_per_token:1.8e-7}" },
    { "together_ai/deepseek-ai/DeepSeek-R1-Distill-Qwen-14B",
      "{input_cost_per_token:0.0000016,max_input_tokens:131072,"
      "output_cost_per_token:0.0000016}" },
    { "together_ai/deepseek-ai/DeepSeek-V3.1",
      "{input_cost_per_token:6e-7,max_input_tokens:131072,output_cost_per_token:0.0000017}" },
    { "together_ai/meta-llama/Llama-4-Scout-17B-16E-Instruct",
      "{input_cost_per_token:1.8e-7,max_input_tokens:1048576,output_cost_per_token:5.9e-7}" },
    { "together_ai/meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo",
      "{input_cost_per_token:8.8e-7,max_input_tokens:131072,output_cost_per_token:8.8e-7}" },
    { "together_ai/moonshotai/Kimi-K2.6",
      "{cache_read_input_token_cost:2e-7,input_cost_per_token:0.0000012,"
      "max_input_tokens:262144,output_cost_per_token:0.0000045}" },
    { "together_ai/moonshotai/Kimi-K2.7-Code",
      "{cache_read_input_token_cost:1.9e-7,input_cost_per_token:9.5e-7,"
      "max_input_tokens:262144,output_cost_per_token:0.000004}" },
    { "together_ai/nvidia/Llama-3.1-Nemotron-70B-Instruct-HF",
      "{input_cost_per_token:8.8e-7,max_input_tokens:32768,output_cost_per_token:8.8e-7}" },
    { "together_ai/openai/gpt-oss-20b",
      "{input_cost_per_token:5e-8,max_input_tokens:131072,output_cost_per_token:2e-7}" },
    { "together_ai/zai-org/GLM-4.5-Air-FP8",
      "{input_cost_per_token:2e-7,max_input_tokens:131072,output_cost_per_token:0.0000011}" },
    { "together_ai/zai-org/GLM-4.7",
      "{input_cost_per_token:4.5e-7,max_input_tokens:202752,output_cost_per_token:0.000002}" },
    { "together_ai/zai-org/GLM-5",
      "{input_cost_per_token:0.000001,max_input_tokens:202752,"
      "output_cost_per_token:0.0000032}" },
    { "together_ai/zai-org/GLM-5.1",
      "{cache_read_input_token_cost:2.6e-7,input_cost_per_token:0.0000014,"
      "max_input_tokens:202752,output_cost_per_token:0.0000044}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-r1",
      "{input_cost_per_token:0.000003,max_input_tokens:163840,max_output_tokens:20480,"
      "output_cost_per_token:0.000008}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-r1-0528",
      "{input_cost_per_token:0.000003,max_input_tokens:163840,max_output_tokens:160000,"
      "output_cost_per_token:0.000008}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-r1-basic",
      "{input_cost_per_token:5.5e-7,max_input_tokens:163840,max_output_tokens:20480,"
      "output_cost_per_token:0.00000219}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-v3",
      "{input_cost_per_token:9e-7,max_input_tokens:131072,max_output_tokens:8192,"
      "output_cost_per_token:9e-7}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-v3-0324",
      "{input_cost_per_token:9e-7,max_input_tokens:163840,max_output_tokens:163840,"
      "output_cost_per_token:9e-7}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-v3p1 "
      "fireworks_ai/accounts/fireworks/models/deepseek-v3p1-terminus",
      "{input_cost_per_token:5.6e-7,max_input_tokens:128000,max_output_tokens:8192,"
      "output_cost_per_token:0.00000168}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-v3p2",
      "{input_cost_per_token:5.6e-7,max_input_tokens:163840,max_output_tokens:163840,"
      "output_cost_per_token:0.00000168}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-v4-flash "
      "fireworks_ai/deepseek-v4-flash",
      "{cache_read_input_token_cost:2.8e-8,input_cost_per_token:1.4e-7,"
      "max_input_tokens:1048576,max_output_tokens:384000,output_cost_per_token:2.8e-7}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-v4-pro-0813 "
      "fireworks_ai/deepseek-v4-pro-0813",
      "{cache_read_input_token_cost:4.4e-8,cache_read_input_token_cost_priority:5.5e-8,"
      "input_cost_per_token:0.00000132,input_cost_per_token_priority:0.00000165,"
      "max_input_tokens:1048576,max_output_tokens:131072,output_cost_per_token:0.00000396,"
      "output_cost_per_token_priority:0.00000495}" },
    { "fireworks_ai/accounts/fireworks/models/glm-4p5",
      "{input_cost_per_token:5.5e-7,max_input_tokens:131072,max_output_tokens:96000,"
      "output_cost_per_token:0.00000219}" },
    { "fireworks_ai/accounts/fireworks/models/glm-4p5-air",
      "{input_cost_per_token:2.2e-7,max_input_tokens:131072,max_output_tokens:96000,"
      "output_cost_per_token:8.8e-7}" },
    { "fireworks_ai/accounts/fireworks/models/glm-4p6",
      "{input_cost_per_token:5.5e-7,output_cost_per_token:0.00000219,"
      "max_input_tokens:202752,max_output_tokens:202800}" },
    { "fireworks_ai/accounts/fireworks/models/glm-4p7 fireworks_ai/glm-4p7",
      "{cache_read_input_token_cost:3e-7,input_cost_per_token:6e-7,max_input_tokens:202752,"
      "max_output_tokens:202800,output_cost_per_token:0.0000022}" },
    { "fireworks_ai/accounts/fireworks/models/glm-5p1 fireworks_ai/glm-5p1",
      "{cache_read_input_token_cost:2.6e-7,input_cost_per_token:0.0000014,"
      "max_input_tokens:202752,max_output_tokens:131072,output_cost_per_token:0.0000044}" },
    { "fireworks_ai/accounts/fireworks/models/glm-5p2 fireworks_ai/glm-5p2",
      "{cache_read_input_token_cost:1.4e-7,cache_read_input_token_cost_priority:1.75e-7,"
      "input_cost_per_token:0.0000014,input_cost_per_token_priority:0.00000175,"
      "max_input_tokens:1048576,max_output_tokens:131072,output_cost_per_token:0.0000044,"
      "output_cost_per_token_priority:0.0000055}" },
    { "fireworks_ai/accounts/fireworks/models/gpt-oss-120b fireworks_ai/gpt-oss-120b",
      "{cache_read_input_token_cost:1.5e-8,cache_read_input_token_cost_priority:1.8e-8,"
      "input_cost_per_token:1.5e-7,input_cost_per_token_priority:1.8e-7,"
      "max_input_tokens:131072,max_output_tokens:32768,output_cost_per_token:6e-7,"
      "output_cost_per_token_priority:7.2e-7}" },
    { "fireworks_ai/accounts/fireworks/models/gpt-oss-20b fireworks_ai/gpt-oss-20b",
      "{cache_read_input_token_cost:3.5e-8,input_cost_per_token:7e-8,"
      "max_input_tokens:131072,max_output_tokens:32768,output_cost_per_token:3e-7}" },
    { "fireworks_ai/accounts/fireworks/models/kimi-k2-instruct",
      "{input_cost_per_token:6e-7,max_input_tokens:131072,max_output_tokens:16384,"
      "output_cost_per_token:0.0000025}" },
    { "fireworks_ai/accounts/fireworks/models/kimi-k2-instruct-0905",
      "{input_cost_per_token:6e-7,max_input_tokens:262144,max_output_tokens:32768,"
      "output_cost_per_token:0.0000025}" },
    { "fireworks_ai/accounts/fireworks/models/kimi-k2-thinking",
      "{input_cost_per_token:6e-7,max_input_tokens:262144,max_output_tokens:262144,"
      "output_cost_per_token:0.0000025}" },
    { "fireworks_ai/accounts/fireworks/models/kimi-k2p5 fireworks_ai/kimi-k2p5",
      "{cache_read_input_token_cost:1e-7,input_cost_per_token:6e-7,max_input_tokens:262144,"
      "max_output_tokens:32768,output_cost_per_token:0.000003}" },
    { "fireworks_ai/accounts/fireworks/models/kimi-k2p6 fireworks_ai/kimi-k2p6",
      "{cache_read_input_token_cost:1.6e-7,cache_read_input_token_cost_priority:2.2e-7,"
      "input_cost_per_token:9.5e-7,input_cost_per_token_priority:0.0000015,"
      "max_input_tokens:262144,max_output_tokens:32768,output_cost_per_token:0.000004,"
      "output_cost_per_token_priority:0.000006}" },
    { "fireworks_ai/accounts/fireworks/models/kimi-k2p7-code fireworks_ai/kimi-k2p7-code",
      "{cache_read_input_token_cost:1.9e-7,cache_read_input_token_cost_priority:2.85e-7,"
      "input_cost_per_token:9.5e-7,input_cost_per_token_priority:0.000001425,"
      "max_input_tokens:262144,max_output_tokens:32768,output_cost_per_token:0.000004,"
      "output_cost_per_token_priority:0.000006}" },
    { "fireworks_ai/accounts/fireworks/models/llama-v3p1-405b-instruct",
      "{input_cost_per_token:0.000003,max_input_tokens:131072,max_output_tokens:16384,"
      "output_cost_per_token:0.000003}" },
    { "fireworks_ai/accounts/fireworks/models/llama-v3p1-8b-instruct",
      "{input_cost_per_token:1e-7,max_input_tokens:131072,max_output_tokens:16384,"
      "output_cost_per_token:1e-7}" },
    { "fireworks_ai/accounts/fireworks/models/llama4-maverick-instruct-basic",
      "{input_cost_per_token:2.2e-7,max_input_tokens:131072,max_output_tokens:131072,"
      "output_cost_per_token:8.8e-7}" },
    { "fireworks_ai/accounts/fireworks/models/llama4-scout-instruct-basic",
      "{input_cost_per_token:1.5e-7,max_input_tokens:131072,max_output_tokens:131072,"
      "output_cost_per_token:6e-7}" },
    { "fireworks_ai/accounts/fireworks/models/minimax-m2p1 fireworks_ai/minimax-m2p1",
      "{cache_read_input_token_cost:3e-8,input_cost_per_token:3e-7,max_input_tokens:196608,"
      "max_output_tokens:204800,output_cost_per_token:0.0000012}" },
    { "fireworks_ai/accounts/fireworks/models/minimax-m3 fireworks_ai/minimax-m3",
      "{cache_read_input_token_cost:6e-8,cache_read_input_token_cost_priority:9e-8,"
      "input_cost_per_token:3e-7,input_cost_per_token_priority:4.5e-7,"
      "max_input_tokens:512000,max_output_tokens:512000,output_cost_per_token:0.0000012,"
      "output_cost_per_token_priority:0.0000018}" },
    { "fireworks_ai/glm-5p1-fast",
      "{cache_read_input_token_cost:5.2e-7,input_cost_per_token:0.0000028,"
      "max_input_tokens:202800,max_output_tokens:131072,output_cost_per_token:0.0000088}" },
    { "fireworks_ai/kimi-k2p6-fast",
      "{cache_read_input_token_cost:3e-7,input_cost_per_token:0.000002,"
      "max_input_tokens:262144,max_output_tokens:32768,output_cost_per_token:0.000008}" },
    { "fireworks_ai/kimi-k2p7-code-fast",
      "{cache_read_input_token_cost:3.8e-7,input_cost_per_token:0.0000019,"
      "max_input_tokens:262144,max_output_tokens:32768,output_cost_per_token:0.000008}" },
    { "fireworks_ai/qwen3p7-plus fireworks_ai/accounts/fireworks/models/qwen3p7-plus",
      "{cache_read_input_token_cost:8e-8,input_cost_per_token:4e-7,max_input_tokens:262144,"
      "max_output_tokens:65536,output_cost_per_token:0.0000016}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-coder-480b-a35b-instruct",
      "{max_input_tokens:262144,max_output_tokens:262144,input_cost_per_token:4.5e-7,"
      "output_cost_per_token:0.0000018}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-r1-0528-distill-qwen3-8b "
      "fireworks_ai/accounts/fireworks/models/deepseek-r1-distill-llama-8b "
      "fireworks_ai/accounts/fireworks/models/deepseek-r1-distill-qwen-14b "
      "fireworks_ai/accounts/fireworks/models/deepseek-r1-distill-qwen-7b",
      "{max_input_tokens:131072,max_output_tokens:131072,input_cost_per_token:2e-7,"
      "output_cost_per_token:2e-7}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-r1-distill-llama-70b "
      "fireworks_ai/accounts/fireworks/models/deepseek-r1-distill-qwen-32b "
      "fireworks_ai/accounts/fireworks/models/llama-v3p1-70b-instruct "
      "fireworks_ai/accounts/fireworks/models/llama-v3p1-nemotron-70b-instruct "
      "fireworks_ai/accounts/fireworks/models/llama-v3p3-70b-instruct "
      "fireworks_ai/accounts/fireworks/models/qwen3-32b",
      "{max_input_tokens:131072,max_output_tokens:131072,input_cost_per_token:9e-7,"
      "output_cost_per_token:9e-7}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-r1-distill-qwen-1p5b "
      "fireworks_ai/accounts/fireworks/models/qwen3-1p7b "
      "fireworks_ai/accounts/fireworks/models/qwen3-1p7b-fp8-draft-131072",
      "{max_input_tokens:131072,max_output_tokens:131072,input_cost_per_token:1e-7,"
      "output_cost_per_token:1e-7}" },
    { "fireworks_ai/accounts/fireworks/models/glm-4p5v "
      "fireworks_ai/accounts/fireworks/models/gpt-oss-safeguard-120b",
      "{max_input_tokens:131072,max_output_tokens:131072,input_cost_per_token:0.0000012,"
      "output_cost_per_token:0.0000012}" },
    { "fireworks_ai/accounts/fireworks/models/gpt-oss-safeguard-20b",
      "{max_input_tokens:131072,max_output_tokens:131072,input_cost_per_token:5e-7,"
      "output_cost_per_token:5e-7}" },
    { "fireworks_ai/accounts/fireworks/models/llama-v3p1-405b-instruct-long "
      "fireworks_ai/accounts/fireworks/models/llama-v3p1-70b-instruct-1b",
      "{max_input_tokens:4096,max_output_tokens:4096,input_cost_per_token:1e-7,"
      "output_cost_per_token:1e-7}" },
    { "fireworks_ai/accounts/fireworks/models/minimax-m2",
      "{max_input_tokens:196608,max_output_tokens:4096,input_cost_per_token:3e-7,"
      "output_cost_per_token:0.0000012}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-0p6b "
      "fireworks_ai/accounts/fireworks/models/qwen3-1p7b-fp8-draft-40960",
      "{max_input_tokens:40960,max_output_tokens:40960,input_cost_per_token:1e-7,"
      "output_cost_per_token:1e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-14b "
      "fireworks_ai/accounts/fireworks/models/qwen3-4b "
      "fireworks_ai/accounts/fireworks/models/qwen3-8b",
      "{max_input_tokens:40960,max_output_tokens:40960,input_cost_per_token:2e-7,"
      "output_cost_per_token:2e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-1p7b-fp8-draft",
      "{max_input_tokens:262144,max_output_tokens:262144,input_cost_per_token:1e-7,"
      "output_cost_per_token:1e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-235b-a22b",
      "{max_input_tokens:131072,max_output_tokens:131072,input_cost_per_token:2.2e-7,"
      "output_cost_per_token:8.8e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-235b-a22b-instruct-2507 "
      "fireworks_ai/accounts/fireworks/models/qwen3-235b-a22b-thinking-2507",
      "{max_input_tokens:262144,max_output_tokens:262144,input_cost_per_token:2.2e-7,"
      "output_cost_per_token:8.8e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-30b-a3b",
      "{max_input_tokens:131072,max_output_tokens:131072,input_cost_per_token:1.5e-7,"
      "output_cost_per_token:6e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-30b-a3b-instruct-2507",
      "{max_input_tokens:262144,max_output_tokens:262144,input_cost_per_token:5e-7,"
      "output_cost_per_token:5e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-30b-a3b-thinking-2507",
      "{max_input_tokens:262144,max_output_tokens:262144,input_cost_per_token:9e-7,"
      "output_cost_per_token:9e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-4b-instruct-2507",
      "{max_input_tokens:262144,max_output_tokens:262144,input_cost_per_token:2e-7,"
      "output_cost_per_token:2e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-coder-30b-a3b-instruct",
      "{max_input_tokens:262144,max_output_tokens:262144,input_cost_per_token:1.5e-7,"
      "output_cost_per_token:6e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-coder-480b-instruct-bf16",
      "{max_input_tokens:262144,max_output_tokens:4096,input_cost_per_token:9e-7,"
      "output_cost_per_token:9e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-embedding-0p6b",
      "{max_input_tokens:32768,max_output_tokens:32768,input_cost_per_token:0,"
      "output_cost_per_token:0}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-embedding-4b "
      "fireworks_ai/accounts/fireworks/models/qwen3-reranker-0p6b "
      "fireworks_ai/accounts/fireworks/models/qwen3-reranker-4b",
      "{max_input_tokens:40960,max_output_tokens:40960,input_cost_per_token:0,"
      "output_cost_per_token:0}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-next-80b-a3b-instruct "
      "fireworks_ai/accounts/fireworks/models/qwen3-next-80b-a3b-thinking",
      "{max_input_tokens:4096,max_output_tokens:4096,input_cost_per_token:9e-7,"
      "output_cost_per_token:9e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-reranker-8b",
      "{max_input_tokens:40960,max_output_tokens:40960,input_cost_per_token:2e-7,"
      "output_cost_per_token:0}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-v4-flash-0731 "
      "fireworks_ai/deepseek-v4-flash-0731",
      "{cache_read_input_token_cost:7e-9,cache_read_input_token_cost_priority:8.75e-9,"
      "input_cost_per_token:2.2e-7,input_cost_per_token_priority:2.75e-7,"
      "max_input_tokens:1048576,max_output_tokens:131072,output_cost_per_token:6.6e-7,"
      "output_cost_per_token_priority:8.25e-7}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-v4p1-flash "
      "fireworks_ai/deepseek-v4p1-flash "
      "fireworks_ai/accounts/fireworks/models/deepseek-v4p1-flash-1017",
      "{cache_read_input_token_cost:6e-9,cache_read_input_token_cost_priority:7.5e-9,"
      "input_cost_per_token:3e-7,input_cost_per_token_priority:3.75e-7,"
      "max_input_tokens:1048576,max_output_tokens:393216,output_cost_per_token:0.0000012,"
      "output_cost_per_token_priority:0.0000015}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-v4-flash-vision-exp "
      "fireworks_ai/deepseek-v4-flash-vision-exp",
      "{cache_read_input_token_cost:7e-9,cache_read_input_token_cost_priority:8.75e-9,"
      "input_cost_per_token:2.2e-7,input_cost_per_token_priority:2.75e-7,"
      "max_input_tokens:1048576,output_cost_per_token:6.6e-7,"
      "output_cost_per_token_priority:8.25e-7}" },
    { "fireworks_ai/accounts/fireworks/models/kimi-k3 fireworks_ai/kimi-k3",
      "{cache_read_input_token_cost:3e-7,cache_read_input_token_cost_priority:3.75e-7,"
      "input_cost_per_token:0.000003,input_cost_per_token_priority:0.00000375,"
      "max_input_tokens:1048576,max_output_tokens:131072,output_cost_per_token:0.000015,"
      "output_cost_per_token_priority:0.00001875}" },
    { "fireworks_ai/deepseek-v4p1-flash-us "
      "fireworks_ai/accounts/fireworks/models/deepseek-v4p1-flash-1017-us",
      "{cache_read_input_token_cost:9e-9,cache_read_input_token_cost_priority:1.125e-8,"
      "input_cost_per_token:4.5e-7,input_cost_per_token_priority:5.625e-7,"
      "max_input_tokens:1048576,max_output_tokens:393216,output_cost_per_token:0.0000018,"
      "output_cost_per_token_priority:0.00000225}" },
    { "fireworks_ai/glm-5p2-fast fireworks_ai/glm-5p2-fast-us",
      "{cache_read_input_token_cost:2.1e-7,input_cost_per_token:0.0000021,"
      "max_input_tokens:1048576,max_output_tokens:131072,output_cost_per_token:0.0000066}" },
    { "fireworks_ai/kimi-k3-fast",
      "{cache_read_input_token_cost:4.5e-7,input_cost_per_token:0.0000045,"
      "max_input_tokens:1048576,max_output_tokens:131072,output_cost_per_token:0.0000225}" },
    { "fireworks_ai/kimi-k3-us",
      "{cache_read_input_token_cost:4.5e-7,cache_read_input_token_cost_priority:5.625e-7,"
      "input_cost_per_token:0.0000045,input_cost_per_token_priority:0.000005625,"
      "max_input_tokens:1048576,max_output_tokens:131072,output_cost_per_token:0.0000225,"
      "output_cost_per_token_priority:0.000028125}" },
    { "fireworks_ai/qwen3p8-max fireworks_ai/accounts/fireworks/models/qwen3p8-max",
      "{cache_read_input_token_cost:2.5e-7,cache_read_input_token_cost_priority:3.75e-7,"
      "input_cost_per_token:0.000002,input_cost_per_token_priority:0.000003,"
      "max_input_tokens:262144,output_cost_per_token:0.000006,"
      "output_cost_per_token_priority:0.000009}" },
    { "fireworks_ai/accounts/fireworks/models/glm-5p3 fireworks_ai/glm-5p3",
      "{cache_read_input_token_cost:2.6e-7,cache_read_input_token_cost_priority:3.25e-7,"
      "input_cost_per_token:0.0000014,input_cost_per_token_priority:0.00000175,"
      "max_input_tokens:1048576,max_output_tokens:128000,output_cost_per_token:0.0000044,"
      "output_cost_per_token_priority:0.0000055}" },
    { "fireworks_ai/glm-5p3-us",
      "{cache_read_input_token_cost:3.9e-7,cache_read_input_token_cost_priority:4.875e-7,"
      "input_cost_per_token:0.0000021,input_cost_per_token_priority:0.000002625,"
      "max_input_tokens:1048576,max_output_tokens:128000,output_cost_per_token:0.0000066,"
      "output_cost_per_token_priority:0.00000825}" },
    { "fireworks_ai/glm-5p3-fast",
      "{cache_read_input_token_cost:3.9e-7,input_cost_per_token:0.0000021,"
      "max_input_tokens:1048576,output_cost_per_token:0.0000066}" },
    { "fireworks_ai/accounts/fireworks/models/glm-5p3-flash fireworks_ai/glm-5p3-flash",
      "{cache_read_input_token_cost:3e-8,cache_read_input_token_cost_priority:3.75e-8,"
      "input_cost_per_token:1.5e-7,input_cost_per_token_priority:1.875e-7,"
      "max_input_tokens:1048576,output_cost_per_token:5e-7,"
      "output_cost_per_token_priority:6.25e-7}" },
    { "fireworks_ai/glm-5p3-flash-us",
      "{cache_read_input_token_cost:4.5e-8,cache_read_input_token_cost_priority:5.625e-8,"
      "input_cost_per_token:2.25e-7,input_cost_per_token_priority:2.8125e-7,"
      "max_input_tokens:1048576,output_cost_per_token:7.5e-7,"
      "output_cost_per_token_priority:9.375e-7}" },
    { "fireworks_ai/accounts/fireworks/models/qwen3-embedding-8b",
      "{input_cost_per_token:1e-7,output_cost_per_token:0,max_input_tokens:40960,"
      "max_output_tokens:40960}" },
    { "fireworks_ai/accounts/fireworks/models/deepseek-v4-pro",
      "{cache_read_input_token_cost:6e-7,cache_read_input_token_cost_priority:6e-7,"
      "input_cost_per_token:0.0000012,input_cost_per_token_priority:0.0000012,"
      "max_input_tokens:1048576,max_output_tokens:131072,output_cost_per_token:0.0000012,"
      "output_cost_per_token_priority:0.0000012}" },
    { "fireworks_ai/accounts/fireworks/models/minimax-m2p7",
      "{cache_read_input_token_cost_priority:6e-7,input_cost_per_token_priority:0.0000012,"
      "max_input_tokens:196608,max_output_tokens:196608,"
      "output_cost_per_token_priority:0.0000012}" },
    { "fireworks_ai/accounts/fireworks/models/minimax-m3p1-flash",
      "{cache_read_input_token_cost:1.5e-8,cache_read_input_token_cost_priority:2.25e-8,"
      "input_cost_per_token:1.5e-7,input_cost_per_token_priority:2.25e-7,"
      "max_input_tokens:1048576,max_output_tokens:1048576,output_cost_per_token:6e-7,"
      "output_cost_per_token_priority:9e-7}" },
    { "groq/llama-guard-3-8b",
      "{input_cost_per_token:2e-7,max_input_tokens:8192,output_cost_per_token:2e-7}" },
    { "groq/meta-llama/llama-prompt-guard-2-22m",
      "{input_cost_per_token:3e-8,max_input_tokens:512,max_output_tokens:512,"
      "output_cost_per_token:3e-8}" },
    { "groq/meta-llama/llama-prompt-guard-2-86m",
      "{input_cost_per_token:4e-8,max_input_tokens:512,max_output_tokens:512,"
      "output_cost_per_token:4e-8}" },
    { "groq/openai/gpt-oss-120b",
      "{cache_read_input_token_cost:7.5e-8,input_cost_per_token:1.5e-7,"
      "max_input_tokens:131072,max_output_tokens:65536,output_cost_per_token:6e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.005}}" },
    { "groq/openai/gpt-oss-20b",
      "{cache_read_input_token_cost:3.75e-8,input_cost_per_token:7.5e-8,"
      "max_input_tokens:131072,max_output_tokens:65536,output_cost_per_token:3e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.005}}" },
    { "groq/openai/gpt-oss-safeguard-20b",
      "{cache_read_input_token_cost:3.7e-8,input_cost_per_token:7.5e-8,"
      "max_input_tokens:131072,max_output_tokens:65536,output_cost_per_token:3e-7,"
      "search_context_cost_per_query:{search_context_size_medium:0.005}}" },
    { "groq/canopylabs/orpheus-v1-english",
      "{input_cost_per_character:0.000022,max_input_tokens:4000,max_output_tokens:50000}" },
    { "groq/canopylabs/orpheus-arabic-saudi",
      "{input_cost_per_character:0.00004,max_input_tokens:4000,max_output_tokens:50000}" },
    { "groq/whisper-large-v3",
      "{input_cost_per_second:0.00003083,output_cost_per_second:0}" },
    { "groq/whisper-large-v3-turbo",
      "{input_cost_per_second:0.00001111,output_cost_per_second:0}" },
    { "groq/qwen/qwen3.8-27b",
      "{input_cost_per_token:8e-7,max_input_tokens:131072,max_output_tokens:16384,"
      "output_cost_per_token:0.000004}" },
    { "xai/grok-4.20-multi-agent-beta-0309 xai/grok-4.20-beta-0309-reasoning "
      "xai/grok-4.20-beta-0309-non-reasoning xai/grok-4.20-beta xai/grok-4.20-beta-0309 "
      "xai/grok-4.20-beta-latest xai/grok-4.20-beta-latest-non-reasoning "
      "xai/grok-4.20-beta-latest-reasoning xai/grok-4.20-beta-non-reasoning "
      "xai/grok-4.20-beta-reasoning xai/grok-4.20-experimental-beta-0304 "
      "xai/grok-4.20-experimental-beta-0304-non-reasoning "
      "xai/grok-4.20-experimental-beta-0304-reasoning "
      "xai/grok-4.20-experimental-beta-latest "
      "xai/grok-4.20-experimental-beta-non-reasoning-latest "
      "xai/grok-4.20-experimental-beta-reasoning-latest "
      "xai/grok-4.20-multi-agent-beta-latest "
      "xai/grok-4.20-multi-agent-experimental-beta-0304 "
      "xai/grok-4.20-multi-agent-experimental-beta-latest xai/grok-4.20-non-reasoning-gv2 "
      "xai/grok-4.20-reasoning-gv2",
      "{cache_read_input_token_cost:2e-7,input_cost_per_token:0.00000125,"
      "max_input_tokens:1000000,max_output_tokens:1000000,output_cost_per_token:0.0000025,"
      "input_cost_per_token_above_200k_tokens:0.0000025,"
      "output_cost_per_token_above_200k_tokens:0.000005,"
      "cache_read_input_token_cost_above_200k_tokens:4e-7,"
      "input_cost_per_image_token:0.00000125}" },
    { "xai/grok-4.20-0309-reasoning xai/grok-4.20-0309-non-reasoning "
      "xai/grok-4.20-multi-agent-0309 xai/grok-4.20 xai/grok-4.20-reasoning "
      "xai/grok-4.20-reasoning-latest xai/grok-4.20-non-reasoning "
      "xai/grok-4.20-non-reasoning-latest xai/grok-4.20-multi-agent "
      "xai/grok-4.20-multi-agent-latest xai/grok-4.20-0309",
      "{cache_read_input_token_cost:2e-7,cache_read_input_token_cost_batches:1.6e-7,"
      "input_cost_per_token:0.00000125,input_cost_per_token_batches:0.000001,"
      "max_input_tokens:1000000,max_output_tokens:1000000,output_cost_per_token:0.0000025,"
      "output_cost_per_token_batches:0.000002,"
      "input_cost_per_token_above_200k_tokens:0.0000025,"
      "input_cost_per_token_above_200k_tokens_batches:0.000002,"
      "output_cost_per_token_above_200k_tokens:0.000005,"
      "output_cost_per_token_above_200k_tokens_batches:0.000004,"
      "cache_read_input_token_cost_above_200k_tokens:4e-7,"
      "cache_read_input_token_cost_above_200k_tokens_batches:3.2e-7,"
      "input_cost_per_image_token:0.00000125}" },
    { "xai/grok-4.3 xai/grok-4.3-latest",
      "{cache_read_input_token_cost:2e-7,cache_read_input_token_cost_above_200k_tokens:4e-7,"
      "cache_read_input_token_cost_above_200k_tokens_batches:3.2e-7,"
      "cache_read_input_token_cost_batches:1.6e-7,input_cost_per_image_token:0.00000125,"
      "input_cost_per_token:0.00000125,input_cost_per_token_above_200k_tokens:0.0000025,"
      "input_cost_per_token_above_200k_tokens_batches:0.000002,"
      "input_cost_per_token_batches:0.000001,max_input_tokens:1000000,"
      "max_output_tokens:1000000,output_cost_per_token:0.0000025,"
      "output_cost_per_token_above_200k_tokens:0.000005,"
      "output_cost_per_token_above_200k_tokens_batches:0.000004,"
      "output_cost_per_token_batches:0.000002}" },
    { "xai/grok-4.5 xai/grok-4.5-latest xai/grok-build-latest",
      "{cache_read_input_token_cost:3e-7,cache_read_input_token_cost_above_200k_tokens:6e-7,"
      "input_cost_per_image_token:0.000002,input_cost_per_token:0.000002,"
      "input_cost_per_token_above_200k_tokens:0.000004,max_input_tokens:500000,"
      "max_output_tokens:500000,output_cost_per_token:0.000006,"
      "output_cost_per_token_above_200k_tokens:0.000012}" },
    { "xai/grok-4.6 xai/grok-4.7",
      "{cache_read_input_token_cost:5e-7,"
      "cache_read_input_token_cost_above_200k_tokens:0.000001,"
      "input_cost_per_image_token:0.000002,input_cost_per_token:0.000002,"
      "input_cost_per_token_above_200k_tokens:0.000004,max_input_tokens:500000,"
      "max_output_tokens:500000,output_cost_per_token:0.000006,"
      "output_cost_per_token_above_200k_tokens:0.000012}" },
    { "xai/grok-build-0.1",
      "{cache_read_input_token_cost:2e-7,input_cost_per_token:0.000001,"
      "max_input_tokens:256000,max_output_tokens:256000,output_cost_per_token:0.000002,"
      "input_cost_per_token_above_200k_tokens:0.000002,"
      "output_cost_per_token_above_200k_tokens:0.000004,"
      "cache_read_input_token_cost_above_200k_tokens:4e-7,"
      "input_cost_per_image_token:0.000001}" },
    { "xai/grok-voice-transcribe-1.0 xai/grok-voice-transcribe-2.0",
      "{input_cost_per_second:0.00002778,output_cost_per_second:0}" },
    { "xai/grok-code-fast xai/grok-code-fast-1 xai/grok-code-fast-1-0825",
      "{cache_read_input_token_cost:2e-7,cache_read_input_token_cost_above_200k_tokens:4e-7,"
      "input_cost_per_image_token:0.000001,input_cost_per_token:0.000001,"
      "input_cost_per_token_above_200k_tokens:0.000002,max_input_tokens:256000,"
      "max_output_tokens:256000,output_cost_per_token:0.000002,"
      "output_cost_per_token_above_200k_tokens:0.000004}" },
    { "xai/grok-voice-3.0 xai/grok-voice-latest xai/grok-voice-2.0",
      "{input_cost_per_second:0.001333333333333}" },
    { "cohere/embed-v4.0",
      "{input_cost_per_token:1.2e-7,max_input_tokens:128000,output_cost_per_token:0,"
      "input_cost_per_image_token:4.7e-7}" },
    { "cohere/embed-v5.0-pro",
      "{input_cost_per_token:1.2e-7,max_input_tokens:128000,output_cost_per_token:0}" },
    { "cohere/embed-v5.0-fast",
      "{input_cost_per_token:8e-8,max_input_tokens:128000,output_cost_per_token:0}" },
    { "cohere/embed-english-light-v3.0 cohere/embed-multilingual-v3.0",
      "{input_cost_per_token:1e-7,max_input_tokens:512,output_cost_per_token:0}" },
    { "cohere/embed-english-v3.0",
      "{input_cost_per_image:0.0001,input_cost_per_token:1e-7,max_input_tokens:512,"
      "output_cost_per_token:0}" },
    { "cohere/embed-multilingual-light-v3.0",
      "{input_cost_per_token:0.0001,max_input_tokens:512,output_cost_per_token:0}" },
    { "cohere/rerank-english-v3.0 cohere/rerank-multilingual-v3.0 cohere/rerank-v3.5",
      "{input_cost_per_query:0.002,input_cost_per_token:0,max_input_tokens:4096,"
      "max_output_tokens:4096,output_cost_per_token:0}" },
    { "cohere/rerank-v4.0-fast",
      "{input_cost_per_query:0.002,input_cost_per_token:0,max_input_tokens:32768,"
      "max_output_tokens:32768,output_cost_per_token:0}" },
    { "cohere/rerank-v4.0-pro",
      "{input_cost_per_query:0.0025,input_cost_per_token:0,max_input_tokens:32768,"
      "max_output_tokens:32768,output_cost_per_token:0}" },
    { "cohere/command-a-03-2025",
      "{input_cost_per_token:0.0000025,max_input_tokens:256000,max_output_tokens:8000,"
      "output_cost_per_token:0.00001}" },
    { "cohere/c4ai-aya-expanse-32b",
      "{input_cost_per_token:5e-7,output_cost_per_token:0.0000015,max_input_tokens:128000,"
      "max_output_tokens:4000}" },
    { "cohere/command-a-plus-05-2026",
      "{input_cost_per_token:0,max_input_tokens:128000,max_output_tokens:64000,"
      "output_cost_per_token:0}" },
    { "cohere/command-r-08-2024",
      "{input_cost_per_token:1.5e-7,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:6e-7}" },
    { "cohere/command-r-plus-08-2024",
      "{input_cost_per_token:0.0000025,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:0.00001}" },
    { "cohere/command-r7b-12-2024",
      "{input_cost_per_token:3.75e-8,max_input_tokens:128000,max_output_tokens:4096,"
      "output_cost_per_token:1.5e-7}" },
    { "cerebras/llama-3.3-70b",
      "{input_cost_per_token:8.5e-7,max_input_tokens:128000,max_output_tokens:128000,"
      "output_cost_per_token:0.0000012}" },
    { "cerebras/llama3.1-70b",
      "{input_cost_per_token:6e-7,max_input_tokens:128000,max_output_tokens:128000,"
      "output_cost_per_token:6e-7}" },
    { "cerebras/llama3.1-8b",
      "{input_cost_per_token:1e-7,max_input_tokens:128000,max_output_tokens:128000,"
      "output_cost_per_token:1e-7}" },
    { "cerebras/gpt-oss-120b",
      "{input_cost_per_token:3.5e-7,max_input_tokens:131072,max_output_tokens:32768,"
      "output_cost_per_token:7.5e-7}" },
    { "cerebras/qwen-3-32b",
      "{input_cost_per_token:4e-7,max_input_tokens:128000,max_output_tokens:128000,"
      "output_cost_per_token:8e-7}" },
    { "cerebras/qwen-3.8-27b",
      "{input_cost_per_token:9.9e-7,max_input_tokens:65536,max_output_tokens:32768,"
      "output_cost_per_token:0.00000149}" },
    { "cerebras/gemma-4-31b",
      "{input_cost_per_token:9.9e-7,max_input_tokens:131072,max_output_tokens:40960,"
      "output_cost_per_token:0.00000149}" },
    { "moonshot/kimi-k2.7-code",
      "{cache_read_input_token_cost:1.9e-7,input_cost_per_token:9.5e-7,"
      "max_input_tokens:262144,max_output_tokens:262144,output_cost_per_token:0.000004}" },
    { "moonshot/kimi-k2.5",
      "{cache_read_input_token_cost:1e-7,input_cost_per_token:6e-7,max_input_tokens:262144,"
      "max_output_tokens:262144,output_cost_per_token:0.000003}" },
    { "moonshot/kimi-k2.6",
      "{cache_read_input_token_cost:1.6e-7,input_cost_per_token:9.5e-7,"
      "max_input_tokens:262144,max_output_tokens:262144,output_cost_per_token:0.000004}" },
    { "moonshot/kimi-k3",
      "{cache_read_input_token_cost:3e-7,input_cost_per_token:0.000003,"
      "max_input_tokens:1048576,max_output_tokens:1048576,output_cost_per_token:0.000015}" },
    { "moonshot/moonshot-v1-128k moonshot/moonshot-v1-128k-vision-preview "
      "moonshot/moonshot-v1-auto",
      "{input_cost_per_token:0.000002,max_input_tokens:131072,max_output_tokens:131072,"
      "output_cost_per_token:0.000005}" },
    { "moonshot/moonshot-v1-32k moonshot/moonshot-v1-32k-vision-preview",
      "{input_cost_per_token:0.000001,max_input_tokens:32768,max_output_tokens:32768,"
      "output_cost_per_token:0.000003}" },
    { "moonshot/moonshot-v1-8k moonshot/moonshot-v1-8k-vision-preview",
      "{input_cost_per_token:2e-7,max_input_tokens:8192,max_output_tokens:8192,"
      "output_cost_per_token:0.000002}" },
    { "voyage/rerank-2",
      "{input_cost_per_token:5e-8,max_input_tokens:16000,max_output_tokens:16000,"
      "output_cost_per_token:0}" },
    { "voyage/rerank-2-lite",
      "{input_cost_per_token:2e-8,max_input_tokens:8000,max_output_tokens:8000,"
      "output_cost_per_token:0}" },
    { "voyage/rerank-1",
      "{input_cost_per_token:5e-8,max_input_tokens:8000,max_output_tokens:8000,"
      "output_cost_per_token:0}" },
    { "voyage/rerank-lite-1",
      "{input_cost_per_token:2e-8,max_input_tokens:4000,max_output_tokens:4000,"
      "output_cost_per_token:0}" },
    { "voyage/rerank-2.5 voyage/rerank-3",
      "{input_cost_per_token:5e-8,max_input_tokens:32000,max_output_tokens:32000,"
      "output_cost_per_token:0}" },
    { "voyage/rerank-2.5-lite voyage/rerank-3-lite",
      "{input_cost_per_token:2e-8,max_input_tokens:32000,max_output_tokens:32000,"
      "output_cost_per_token:0}" },
    { "voyage/voyage-2 voyage/voyage-lite-02-instruct",
      "{input_cost_per_token:1e-7,max_input_tokens:4000,output_cost_per_token:0}" },
    { "voyage/voyage-3 voyage/voyage-3.5 voyage/voyage-4",
      "{input_cost_per_token:6e-8,max_input_tokens:32000,output_cost_per_token:0}" },
    { "voyage/voyage-multilingual-2 voyage/voyage-finance-2 voyage/voyage-multimodal-3 "
      "voyage/voyage-4-large voyage/voyage-code-4 voyage/voyage-multimodal-3.5",
      "{input_cost_per_token:1.2e-7,max_input_tokens:32000,output_cost_per_token:0}" },
    { "voyage/voyage-3-large voyage/voyage-code-3",
      "{input_cost_per_token:1.8e-7,max_input_tokens:32000,output_cost_per_token:0}" },
    { "voyage/voyage-3-lite voyage/voyage-3.5-lite voyage/voyage-4-lite",
      "{input_cost_per_token:2e-8,max_input_tokens:32000,output_cost_per_token:0}" },
    { "voyage/voyage-code-2 voyage/voyage-large-2 voyage/voyage-large-2-instruct "
      "voyage/voyage-law-2",
      "{input_cost_per_token:1.2e-7,max_input_tokens:16000,output_cost_per_token:0}" },
    { "voyage/voyage-context-3",
      "{input_cost_per_token:1.8e-7,max_input_tokens:120000,output_cost_per_token:0}" },
    { "voyage/voyage-lite-01",
      "{input_cost_per_token:1e-7,max_input_tokens:4096,output_cost_per_token:0}" },
    { "voyage/voyage-context-4",
      "{input_cost_per_token:1.2e-7,max_input_tokens:120000,output_cost_per_token:0}" },
    { "openai/gpt-5.1-chat openai/gpt-5-1 openai/gpt-5-1-2025-11-13 openai/gpt-5-1-codex "
      "openai/gpt-5-1-codex-max openai/gpt-5-1-chat openai/gpt-5-1-chat-latest",
      "{max_input_tokens:400000,input_cost_per_token:0.00000125,"
      "output_cost_per_token:0.00001,cache_read_input_token_cost:1.25e-7}" },
    { "openai/gpt-5-2 openai/gpt-5-2-2025-12-11 openai/gpt-5.2-chat openai/gpt-5-2-chat "
      "openai/gpt-5-2-chat-latest openai/gpt-5-2-codex",
      "{max_input_tokens:400000,input_cost_per_token:0.00000175,"
      "output_cost_per_token:0.000014,cache_read_input_token_cost:1.75e-7}" },
    { "openai/gpt-5-4 openai/gpt-5-4-2026-03-05",
      "{max_input_tokens:1050000,input_cost_per_token:0.0000025,"
      "input_cost_per_token_above_272k_tokens:0.000005,output_cost_per_token:0.000015,"
      "output_cost_per_token_above_272k_tokens:0.0000225,cache_read_input_token_cost:2.5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:5e-7}" },
    { "openai/gpt-5.5-2026-04-24 openai/gpt-5-5 openai/gpt-5-5-2026-04-23 "
      "openai/gpt-5-5-2026-04-24 openai/gpt-5.5-chat openai/gpt-5.5-chat-latest "
      "openai/gpt-5-5-chat openai/gpt-5-5-chat-latest openai/gpt-5.5-codex "
      "openai/gpt-5-5-codex",
      "{max_input_tokens:1000000,input_cost_per_token:0.000005,"
      "input_cost_per_token_above_272k_tokens:0.00001,output_cost_per_token:0.00003,"
      "output_cost_per_token_above_272k_tokens:0.000045,cache_read_input_token_cost:5e-7,"
      "cache_read_input_token_cost_above_272k_tokens:0.000001}" },
    { "anthropic/claude-opus-5.0* anthropic/claude-5-opus* anthropic/claude-5.0-opus*",
      "{max_input_tokens:1000000,input_cost_per_token:0.000005,"
      "output_cost_per_token:0.000025,cache_read_input_token_cost:5e-7,"
      "cache_creation_input_token_cost:0.00000625}" },
    { "anthropic/claude-sonnet-5* anthropic/claude-sonnet-5.0* anthropic/claude-5-sonnet* "
      "anthropic/claude-5.0-sonnet*",
      "{max_input_tokens:1000000,input_cost_per_token:0.000002,"
      "output_cost_per_token:0.00001,cache_read_input_token_cost:2e-7,"
      "cache_creation_input_token_cost:0.0000025}" },
    { "anthropic/claude-opus-4-1 anthropic/claude-opus-4-1* anthropic/claude-opus-4.1*",
      "{max_input_tokens:200000,input_cost_per_token:0.000015,"
      "output_cost_per_token:0.000075,cache_read_input_token_cost:0.0000015,"
      "cache_creation_input_token_cost:0.00001875}" },
    { "anthropic/claude-sonnet-4-0 anthropic/claude-sonnet-4-2025* "
      "anthropic/claude-sonnet-4-0* anthropic/claude-sonnet-4@* anthropic/claude-sonnet-4 "
      "anthropic/claude-4-sonnet* anthropic/claude-3-7-sonnet-latest "
      "anthropic/claude-3-7-sonnet* anthropic/claude-3.7-sonnet* "
      "anthropic/claude-sonnet-3.7* anthropic/claude-sonnet-3-7* "
      "anthropic/claude-3-5-sonnet anthropic/claude-3-5-sonnet* "
      "anthropic/claude-3.5-sonnet*",
      "{max_input_tokens:200000,input_cost_per_token:0.000003,"
      "output_cost_per_token:0.000015,cache_read_input_token_cost:3e-7,"
      "cache_creation_input_token_cost:0.00000375}" },
    { "anthropic/claude-3-5-haiku-latest anthropic/claude-3-5-haiku* "
      "anthropic/claude-3.5-haiku*",
      "{max_input_tokens:200000,input_cost_per_token:8e-7,output_cost_per_token:0.000004,"
      "cache_read_input_token_cost:8e-8,cache_creation_input_token_cost:0.000001}" },
    { "anthropic/claude-3-haiku anthropic/claude-3-haiku*",
      "{max_input_tokens:200000,input_cost_per_token:2.5e-7,"
      "output_cost_per_token:0.00000125,cache_read_input_token_cost:3e-8,"
      "cache_creation_input_token_cost:3e-7}" },
    { "gemini/gemini-2.0-flash gemini/*gemini-2.0-flash gemini/*gemini-2.0-flash-0* "
      "gemini/*gemini-2.0-flash-exp* gemini/*gemini-2.0-flash-thinking* "
      "gemini/*gemini-2.0-flash-latest*",
      "{max_input_tokens:1000000,input_cost_per_token:1e-7,output_cost_per_token:4e-7,"
      "cache_read_input_token_cost:2.5e-8,input_cost_per_audio_token:7e-7,"
      "cache_read_input_audio_token_cost:1.75e-7}" },
    { "bedrock/*global.anthropic.claude-sonnet-5*",
      "{max_input_tokens:1000000,input_cost_per_token:0.000002,"
      "output_cost_per_token:0.00001,cache_read_input_token_cost:2e-7,"
      "cache_creation_input_token_cost:0.0000025}" },
    { "bedrock/*global.anthropic.claude-opus-4-6*",
      "{max_input_tokens:1000000,input_cost_per_token:0.000005,"
      "output_cost_per_token:0.000025,cache_read_input_token_cost:5e-7,"
      "cache_creation_input_token_cost:0.00000625}" },
    { "bedrock/*global.anthropic.claude-sonnet-4-6*",
      "{max_input_tokens:1000000,input_cost_per_token:0.000003,"
      "output_cost_per_token:0.000015,cache_read_input_token_cost:3e-7,"
      "cache_creation_input_token_cost:0.00000375}" },
    { "bedrock/*global.anthropic.claude-sonnet-4-5-20250929* "
      "bedrock/*global.anthropic.claude-sonnet-4-20250514* "
      "bedrock/*anthropic.claude-sonnet-4-20250514* "
      "bedrock/*anthropic.claude-3-7-sonnet-20250219* "
      "bedrock/*anthropic.claude-3-5-sonnet-20240620* "
      "bedrock/*anthropic.claude-3-5-sonnet-20241022*",
      "{max_input_tokens:200000,input_cost_per_token:0.000003,"
      "output_cost_per_token:0.000015,cache_read_input_token_cost:3e-7,"
      "cache_creation_input_token_cost:0.00000375}" },
    { "bedrock/*global.anthropic.claude-haiku-4-5-20251001*",
      "{max_input_tokens:200000,input_cost_per_token:0.000001,"
      "output_cost_per_token:0.000005,cache_read_input_token_cost:1e-7,"
      "cache_creation_input_token_cost:0.00000125}" },
    { "bedrock/*anthropic.claude-sonnet-5*",
      "{max_input_tokens:1000000,input_cost_per_token:0.0000022,"
      "output_cost_per_token:0.000011,cache_read_input_token_cost:2.2e-7,"
      "cache_creation_input_token_cost:0.00000275}" },
    { "bedrock/*anthropic.claude-opus-4-6*",
      "{max_input_tokens:1000000,input_cost_per_token:0.0000055,"
      "output_cost_per_token:0.0000275,cache_read_input_token_cost:5.5e-7,"
      "cache_creation_input_token_cost:0.000006875}" },
    { "bedrock/*anthropic.claude-sonnet-4-6*",
      "{max_input_tokens:1000000,input_cost_per_token:0.0000033,"
      "output_cost_per_token:0.0000165,cache_read_input_token_cost:3.3e-7,"
      "cache_creation_input_token_cost:0.000004125}" },
    { "bedrock/*anthropic.claude-sonnet-4-5-20250929*",
      "{max_input_tokens:200000,input_cost_per_token:0.0000033,"
      "output_cost_per_token:0.0000165,cache_read_input_token_cost:3.3e-7,"
      "cache_creation_input_token_cost:0.000004125}" },
    { "bedrock/*anthropic.claude-haiku-4-5-20251001*",
      "{max_input_tokens:200000,input_cost_per_token:0.0000011,"
      "output_cost_per_token:0.0000055,cache_read_input_token_cost:1.1e-7,"
      "cache_creation_input_token_cost:0.000001375}" },
    { "bedrock/*anthropic.claude-3-5-haiku-20241022*",
      "{max_input_tokens:200000,input_cost_per_token:8e-7,output_cost_per_token:0.000004,"
      "cache_read_input_token_cost:8e-8,cache_creation_input_token_cost:0.000001}" },
    { "bedrock/*anthropic.claude-3-haiku-20240307*",
      "{max_input_tokens:200000,input_cost_per_token:2.5e-7,"
      "output_cost_per_token:0.00000125}" },
    { "mistral/codestral mistral/codestral-2501",
      "{max_input_tokens:256000,input_cost_per_token:3e-7,output_cost_per_token:9e-7}" },
    { "groq/llama-3.3-70b-versatile",
      "{input_cost_per_token:5.9e-7,output_cost_per_token:7.9e-7}" },
    { "groq/llama-3.1-8b-instant",
      "{input_cost_per_token:5e-8,output_cost_per_token:8e-8}" },
    { "xai/grok-4-0709 xai/grok-4 xai/grok-4-latest",
      "{max_input_tokens:256000,input_cost_per_token:0.000003,"
      "output_cost_per_token:0.000015,cache_read_input_token_cost:7.5e-7}" },
    { "xai/grok-4-fast-reasoning xai/grok-4-fast xai/grok-4-fast-reasoning-latest",
      "{max_input_tokens:2000000,input_cost_per_token:2e-7,output_cost_per_token:5e-7,"
      "cache_read_input_token_cost:5e-8}" },
    { "xai/grok-3 xai/grok-3-latest xai/grok-3-beta",
      "{max_input_tokens:131072,input_cost_per_token:0.000003,"
      "output_cost_per_token:0.000015,cache_read_input_token_cost:7.5e-7}" },
    { "xai/grok-3-mini xai/grok-3-mini-beta xai/grok-3-mini-latest",
      "{max_input_tokens:131072,input_cost_per_token:3e-7,output_cost_per_token:5e-7,"
      "cache_read_input_token_cost:7.5e-8}" },
};
/* clang-format on */

const size_t km_price_builtin_n = sizeof km_price_builtin / sizeof km_price_builtin[0];
