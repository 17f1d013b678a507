/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/*
 * commands: the table of subcommands. Exit codes are a contract (docs/CLI.md):
 * 0 done, 1 it failed, 2 the command line is wrong, 3 the server cannot be reached, 4 the server
 * refused, 5 damage was found.
 */

#include "cli/option.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_REFUSED = 4,
    EXIT_DAMAGED = 5,
};

extern const struct command command_serve;
extern const struct command command_login;
extern const struct command command_logout;
extern const struct command command_connect;
extern const struct command command_integration_list;
extern const struct command command_integration_test;
extern const struct command command_integration_remove;
extern const struct command command_key_create;
extern const struct command command_key_list;
extern const struct command command_key_revoke;
extern const struct command command_config_create;
extern const struct command command_config_list;
extern const struct command command_config_show;
extern const struct command command_config_update;
extern const struct command command_config_delete;
extern const struct command command_config_versions;
extern const struct command command_model_create;
extern const struct command command_model_list;
extern const struct command command_model_show;
extern const struct command command_model_update;
extern const struct command command_model_delete;
extern const struct command command_logs;
extern const struct command command_cost;
extern const struct command command_report;
extern const struct command command_reconcile;
extern const struct command command_export_focus;
extern const struct command command_plan;
extern const struct command command_import;
extern const struct command command_import_status;
extern const struct command command_notify_test;
extern const struct command command_reprice;
extern const struct command command_rotate_master_key;
extern const struct command command_audit_verify;
extern const struct command command_audit_list;
extern const struct command command_verify;
extern const struct command command_version;

#endif
