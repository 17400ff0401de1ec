/* SPDX-License-Identifier: Apache-2.0 */
/* profile.h - AWS's shared files: ~/.aws/credentials and ~/.aws/config, profile by profile.
 *
 * Both are INI: in `credentials` a section is a profile's name, in `config` it is "profile NAME"
 * but for [default]; other sections (sso-session, services) are not profiles.  Where both files
 * have a key, `credentials` wins.
 *
 * Rules: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 */
#ifndef KM_LLM_AWS_PROFILE_H
#define KM_LLM_AWS_PROFILE_H

#include "base/arena.h"

#define KM_AWS_FILE_MOST (1024 * 1024) /* bytes of one of the files */

/* Texts of the two files; empty: there is none. */
struct km_aws_files {
    struct km_str credentials, config;
};

/* Reads a file into the arena; a file that is not there is empty.  KM_E_SYSTEM, KM_E_LIMIT. */
int km_aws_read_file(struct km_arena *arena, struct km_str path, struct km_str *ret_text,
                     struct km_err *err) KM_MUST_USE;

/* Views into the texts. */
bool km_aws_profile_get(const struct km_aws_files *files, struct km_str profile, const char *key,
                        struct km_str *ret_value);
bool km_aws_profile_exists(const struct km_aws_files *files, struct km_str profile);

#endif
