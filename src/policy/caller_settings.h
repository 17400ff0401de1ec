/* SPDX-License-Identifier: Apache-2.0 */
/* caller_settings.h - which headers say for whom a call is, as the file names them. */
#ifndef KM_POLICY_CALLER_SETTINGS_H
#define KM_POLICY_CALLER_SETTINGS_H

#include "base/setting.h"

enum km_caller_role { KM_CALLER_CUSTOMER, KM_CALLER_INTERNAL_USER };

struct km_caller_header { /* an item of user_header_mappings */
    struct km_str name;
    int64_t role; /* enum km_caller_role */
};

struct km_caller_settings { /* general_settings */
    struct km_str user_header;
    struct km_table_list user_headers; /* km_caller_header */
    bool must_name_user;
};

struct km_caller_tag_settings { /* litellm_settings */
    struct km_str_list headers;
};

extern const struct km_settings_table km_caller_settings_table;
extern const struct km_settings_table km_caller_tag_settings_table;

#endif
