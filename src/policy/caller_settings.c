/* SPDX-License-Identifier: Apache-2.0 */
/* caller_settings.c - see caller_settings.h for the contract.
 *
 *     general_settings    user_header_mappings and the like: which header names an end user
 *     litellm_settings    which headers become tags
 *
 * The keys are LiteLLM's and mean what they mean there, but that no header puts another user in the
 * place of the key's.
 */
#include "policy/caller_settings.h"

static const char *const roles[] = { "customer", "internal_user", NULL };

static const struct km_setting header_rows[] = {
    { .name = "header_name",
      .type = KM_SET_STR,
      .offset = offsetof(struct km_caller_header, name),
      .flags = KM_SET_REQUIRED,
      .help = "The header." },
    { .name = "litellm_user_role",
      .type = KM_SET_ENUM,
      .offset = offsetof(struct km_caller_header, role),
      .choices = roles,
      .flags = KM_SET_REQUIRED,
      .help = "`customer`: it names the end user. `internal_user`: it names the user of a call "
              "whose key has none, and never another than the key's." },
    { 0 },
};

static const struct km_settings_table header_table = { .rows = header_rows,
                                                       .size = sizeof(struct km_caller_header),
                                                       .extra = SIZE_MAX };

#define AT(member) offsetof(struct km_caller_settings, member)

static const struct km_setting rows[] = {
    { .name = "user_header_name",
      .type = KM_SET_STR,
      .offset = AT(user_header),
      .help = "One more header that names a call's end user, unless user_header_mappings has "
              "some; x-litellm-end-user-id goes before it, the body's `user` comes behind it." },
    { .name = "user_header_mappings",
      .type = KM_SET_TABLE_LIST,
      .offset = AT(user_headers),
      .table = &header_table,
      .help = "Headers that name a call's end user, or its user; of each the first that a call has "
              "counts." },
    { .name = "enforce_user_param",
      .type = KM_SET_BOOL,
      .offset = AT(must_name_user),
      .flags = KM_SET_SAFETY,
      .help = "Whether each call of a model must name its end user, by `user` in the body or by a "
              "header; others are refused." },
    { 0 },
};

const struct km_settings_table km_caller_settings_table = {
    .section = "general_settings",
    .rows = rows,
    .size = sizeof(struct km_caller_settings),
    .extra = SIZE_MAX,
};

static const struct km_setting tag_rows[] = {
    { .name = "extra_spend_tag_headers",
      .type = KM_SET_STR_LIST,
      .offset = offsetof(struct km_caller_tag_settings, headers),
      .help = "Headers that tag a call with `Name: value`, the name as it is written here. It is "
              "counted and limited where there is such a tag." },
    { 0 },
};

const struct km_settings_table km_caller_tag_settings_table = {
    .section = "litellm_settings",
    .rows = tag_rows,
    .size = sizeof(struct km_caller_tag_settings),
    .extra = SIZE_MAX,
};
