/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_account.h - `kanmon team ...`, user, organization, customer, budget, tag: rows alike. */
#ifndef KM_APP_CMD_ACCOUNT_H
#define KM_APP_CMD_ACCOUNT_H

#include "app/client.h"

/* What it is done to and what is done are the two words of the command's name. */
int km_cmd_account(struct km_cli *cli);

extern const struct km_option km_account_options[]; /* of create and update */

/* The rows of a kind; `yes` are options with --yes. */
#define KM_ACCOUNT_COMMANDS(noun, plural, example, client, yes)                                    \
    { noun " list", "List " plural, NULL, NULL, client, km_cmd_account },                          \
        { noun " show", "Show one of the " plural ": its limits and spend", "ID", NULL, client,    \
          km_cmd_account },                                                                        \
        { noun " create", "Make one of the " plural, "[ID]",                                       \
          "  kanmon " noun " create " example "\n", km_account_options, km_cmd_account },          \
        { noun " update", "Change one of the " plural ": what is not said stays", "ID", NULL,      \
          km_account_options, km_cmd_account },                                                    \
    {                                                                                              \
        noun " delete", "Delete one of the " plural, "ID", NULL, yes, km_cmd_account               \
    }
#define KM_ACCOUNT_BLOCK_COMMANDS(noun, plural, client)                                            \
    { noun " block", "Refuse calls of one of the " plural, "ID", NULL, client, km_cmd_account },   \
    {                                                                                              \
        noun " unblock", "Accept them again", "ID", NULL, client, km_cmd_account                   \
    }

#endif
