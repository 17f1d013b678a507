/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables. Times are wall-clock microseconds, 0 for "never" or "not"; ids are never used twice,
 * since ledger rows keep speaking of what is gone, and for the same reason rows are marked as deleted
 * rather than removed. Closed sets stand as text (see kind.h), so that a person can read the file.
 *
 * Sealed columns (crypt.h) name their own place in their associated data: renaming a table or
 * column below means sealing again.
 */
#include "control/control_schema.h"

static const char first[] =
    "CREATE TABLE organization ("
    "  id INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE,"
    "  generation INTEGER NOT NULL," /* grows with every committed change */
    "  created_us INTEGER NOT NULL"
    ") STRICT;"

    "CREATE TABLE workspace ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  organization_id INTEGER NOT NULL REFERENCES organization(id),"
    "  name TEXT NOT NULL,"
    "  display_name TEXT NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  deleted_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE UNIQUE INDEX workspace_name ON workspace(name) WHERE deleted_us = 0;"

    "CREATE TABLE member ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  organization_id INTEGER NOT NULL REFERENCES organization(id),"
    "  name TEXT NOT NULL,"
    "  email TEXT NOT NULL DEFAULT '',"
    "  role TEXT NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  deleted_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE UNIQUE INDEX member_email ON member(email) WHERE email <> '' AND deleted_us = 0;"

    /* workspace_id is NULL for the organization's own. */
    "CREATE TABLE data_key ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  workspace_id INTEGER REFERENCES workspace(id),"
    "  wrapped BLOB NOT NULL,"
    "  created_us INTEGER NOT NULL"
    ") STRICT;"

    /* One value each: 'pepper'. */
    "CREATE TABLE secret_setting ("
    "  id INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL UNIQUE,"
    "  sealed BLOB NOT NULL"
    ") STRICT;"

    "CREATE TABLE api_key ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  public_id TEXT NOT NULL UNIQUE,"
    "  workspace_id INTEGER NOT NULL REFERENCES workspace(id),"
    "  member_id INTEGER REFERENCES member(id),"
    "  name TEXT NOT NULL,"
    "  role TEXT NOT NULL,"
    "  hash BLOB NOT NULL UNIQUE,"
    "  last TEXT NOT NULL," /* last characters, to be shown */
    "  is_admin_key INTEGER NOT NULL DEFAULT 0,"
    "  record_bodies TEXT NOT NULL DEFAULT 'default',"
    "  disabled INTEGER NOT NULL DEFAULT 0,"
    "  expires_us INTEGER NOT NULL DEFAULT 0,"
    "  revoked_us INTEGER NOT NULL DEFAULT 0,"
    "  created_us INTEGER NOT NULL,"
    "  updated_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX api_key_workspace ON api_key(workspace_id, id);"
    "CREATE UNIQUE INDEX api_key_admin ON api_key(is_admin_key) WHERE is_admin_key = 1 AND revoked_us = 0;"

    "CREATE TABLE integration ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  workspace_id INTEGER NOT NULL REFERENCES workspace(id),"
    "  slug TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  kind TEXT NOT NULL,"
    "  base_url TEXT NOT NULL,"
    "  organization TEXT NOT NULL,"
    "  project TEXT NOT NULL,"
    "  api_version TEXT NOT NULL,"
    "  deployments TEXT NOT NULL,"
    "  sealed_key BLOB NOT NULL," /* empty: none */
    "  key_hint TEXT NOT NULL,"
    "  is_default INTEGER NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  updated_us INTEGER NOT NULL,"
    "  deleted_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE UNIQUE INDEX integration_slug ON integration(workspace_id, slug) WHERE deleted_us = 0;"
    "CREATE UNIQUE INDEX integration_default ON integration(workspace_id) WHERE is_default = 1 AND deleted_us = 0;";

/*
 * Configs: the row of `config` names the version in force, the texts are immutable rows of their own.
 * A text may hold provider keys, so it is sealed like one. A scope list is names with commas, "" = all;
 * metadata is a JSON object of strings, "" = none.
 */
static const char configs[] =
    "CREATE TABLE config ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  workspace_id INTEGER NOT NULL REFERENCES workspace(id),"
    "  slug TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  version INTEGER NOT NULL,"
    "  is_default INTEGER NOT NULL DEFAULT 0,"
    "  created_us INTEGER NOT NULL,"
    "  updated_us INTEGER NOT NULL,"
    "  deleted_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE UNIQUE INDEX config_slug ON config(slug);"
    "CREATE UNIQUE INDEX config_default ON config(workspace_id) WHERE is_default = 1 AND deleted_us = 0;"
    "CREATE INDEX config_workspace ON config(workspace_id, id);"

    "CREATE TABLE config_version ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  config_id INTEGER NOT NULL REFERENCES config(id),"
    "  number INTEGER NOT NULL,"
    "  sealed_text BLOB NOT NULL,"          /* empty: its config was deleted */
    "  made_by INTEGER NOT NULL DEFAULT 0," /* id of the key that made it */
    "  created_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX config_version_number ON config_version(config_id, number);"

    "ALTER TABLE api_key ADD COLUMN scopes TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE api_key ADD COLUMN config_id INTEGER REFERENCES config(id);" /* NULL: the workspace's */
    "ALTER TABLE api_key ADD COLUMN config_fixed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN metadata TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE workspace ADD COLUMN metadata TEXT NOT NULL DEFAULT '';";

/*
 * Model APIs. Lists and objects are JSON texts, "" = none; who made or changed something is a text to
 * be shown. A revision's spec is what was given.
 */
static const char models[] = "CREATE TABLE model_api ("
                             "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             "  workspace_id INTEGER NOT NULL REFERENCES workspace(id),"
                             "  name TEXT NOT NULL,"
                             "  display_name TEXT NOT NULL DEFAULT '',"
                             "  external_id TEXT NOT NULL DEFAULT '',"
                             "  labels TEXT NOT NULL DEFAULT '',"
                             "  enabled INTEGER NOT NULL DEFAULT 1,"
                             "  sandbox INTEGER NOT NULL DEFAULT 0,"
                             "  any_model INTEGER NOT NULL DEFAULT 0,"
                             "  integrations TEXT NOT NULL DEFAULT '[]'," /* slugs, in order */
                             "  policies TEXT NOT NULL DEFAULT '',"       /* names */
                             "  flavors TEXT NOT NULL DEFAULT '',"
                             "  type TEXT NOT NULL DEFAULT '',"
                             "  model TEXT NOT NULL DEFAULT '',"
                             "  organization TEXT NOT NULL DEFAULT '',"
                             "  endpoint_name TEXT NOT NULL DEFAULT '',"
                             "  generation TEXT NOT NULL DEFAULT '',"
                             "  configuration TEXT NOT NULL DEFAULT '',"
                             "  revision INTEGER NOT NULL DEFAULT 0," /* in force */
                             "  created_us INTEGER NOT NULL,"
                             "  updated_us INTEGER NOT NULL DEFAULT 0,"
                             "  created_by TEXT NOT NULL DEFAULT '',"
                             "  updated_by TEXT NOT NULL DEFAULT '',"
                             "  deleted_us INTEGER NOT NULL DEFAULT 0"
                             ") STRICT;"
                             "CREATE UNIQUE INDEX model_api_name ON model_api(workspace_id, name) WHERE deleted_us = 0;"

                             "CREATE TABLE model_revision ("
                             "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             "  model_id INTEGER NOT NULL REFERENCES model_api(id),"
                             "  number INTEGER NOT NULL,"
                             "  spec TEXT NOT NULL,"
                             "  created_us INTEGER NOT NULL,"
                             "  created_by TEXT NOT NULL"
                             ") STRICT;"
                             "CREATE UNIQUE INDEX model_revision_number ON model_revision(model_id, number);";

/*
 * Limits (limit/limit.h). workspace_id is NULL for the organization's; what attach_id is says `attach`,
 * and a policy's is 0. A reset of one group of a rule is a row of its own.
 */
static const char limits[] =
    "CREATE TABLE limit_rule ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  workspace_id INTEGER REFERENCES workspace(id),"
    "  attach TEXT NOT NULL,"
    "  attach_id INTEGER NOT NULL,"
    "  source TEXT NOT NULL,"
    "  name TEXT NOT NULL,"
    "  kind TEXT NOT NULL,"
    "  measure TEXT NOT NULL,"
    "  mode TEXT NOT NULL,"
    "  window_unit TEXT NOT NULL,"
    "  window_step INTEGER NOT NULL,"
    "  window_anchor_us INTEGER NOT NULL,"
    "  amount INTEGER NOT NULL,"
    "  input_amount INTEGER NOT NULL,"
    "  output_amount INTEGER NOT NULL,"
    "  alert_at INTEGER NOT NULL,"
    "  conditions TEXT NOT NULL,"
    "  group_by TEXT NOT NULL,"
    "  counted_from_us INTEGER NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  updated_us INTEGER NOT NULL,"
    "  deleted_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE INDEX limit_rule_place ON limit_rule(attach, attach_id, workspace_id) WHERE deleted_us = 0;"

    "CREATE TABLE limit_reset ("
    "  rule_id INTEGER NOT NULL REFERENCES limit_rule(id),"
    "  group_text BLOB NOT NULL,"
    "  counted_from_us INTEGER NOT NULL,"
    "  PRIMARY KEY(rule_id, group_text)"
    ") STRICT, WITHOUT ROWID;";

/*
 * The audit log (people/audit.h): rows are added, never changed. A replacing insert would not run the
 * triggers for deletion, so only the next number may be put in.
 */
static const char audit_log[] =
    "CREATE TABLE audit ("
    "  seq INTEGER PRIMARY KEY," /* 1, 2, 3, ... without gaps */
    "  time_us INTEGER NOT NULL,"
    "  source TEXT NOT NULL,"
    "  key_id INTEGER NOT NULL,"
    "  key TEXT NOT NULL,"
    "  member_id INTEGER NOT NULL,"
    "  name TEXT NOT NULL,"
    "  ip TEXT NOT NULL,"
    "  request_id TEXT NOT NULL,"
    "  workspace_id INTEGER NOT NULL," /* 0: the organization */
    "  action TEXT NOT NULL,"
    "  object_type TEXT NOT NULL,"
    "  object_id TEXT NOT NULL,"
    "  before TEXT NOT NULL,"
    "  after TEXT NOT NULL,"
    "  previous BLOB NOT NULL,"
    "  hash BLOB NOT NULL"
    ") STRICT;"
    "CREATE TABLE audit_head ("
    "  id INTEGER PRIMARY KEY,"
    "  seq INTEGER NOT NULL,"
    "  hash BLOB NOT NULL"
    ") STRICT;"
    "INSERT INTO audit_head(id, seq, hash) VALUES (1, 0, zeroblob(32));"
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit "
    "BEGIN SELECT raise(ABORT, 'the audit log is not changed'); END;"
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit "
    "BEGIN SELECT raise(ABORT, 'the audit log is not changed'); END;"
    "CREATE TRIGGER audit_next BEFORE INSERT ON audit "
    "WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM audit) "
    "BEGIN SELECT raise(ABORT, 'the audit log has no gaps'); END;"
    "CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head "
    "BEGIN SELECT raise(ABORT, 'the audit log is not changed'); END;"
    "CREATE TRIGGER audit_head_next BEFORE UPDATE ON audit_head WHEN NEW.seq <> OLD.seq + 1 "
    "BEGIN SELECT raise(ABORT, 'the audit log is not changed'); END;";

/*
 * Providers: an integration that is another's use, in its own workspace or one that was given access, has
 * a parent, whose address and key hold for it. Which models an account serves: a row decides for its
 * model, all_models for those without one. Beside a key's hash stands the one it had before it was
 * rotated, good until previous_until_us. A key of the organization administers and serves no requests.
 */
static const char providers[] =
    "ALTER TABLE integration ADD COLUMN parent_id INTEGER REFERENCES integration(id);"
    "ALTER TABLE integration ADD COLUMN note TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE integration ADD COLUMN expires_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE integration ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;" /* 1: not called by its own slug */
    "ALTER TABLE integration ADD COLUMN all_models INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE integration ADD COLUMN all_workspaces INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX integration_parent ON integration(parent_id) WHERE parent_id IS NOT NULL;"

    "CREATE TABLE integration_model ("
    "  integration_id INTEGER NOT NULL REFERENCES integration(id),"
    "  slug TEXT NOT NULL,"
    "  enabled INTEGER NOT NULL,"
    "  is_custom INTEGER NOT NULL DEFAULT 0,"
    "  base_model TEXT NOT NULL DEFAULT ''," /* of a fine-tuned one */
    "  PRIMARY KEY (integration_id, slug)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE integration_workspace ("
    "  integration_id INTEGER NOT NULL REFERENCES integration(id),"
    "  workspace_id INTEGER NOT NULL REFERENCES workspace(id),"
    "  enabled INTEGER NOT NULL,"
    "  PRIMARY KEY (integration_id, workspace_id)"
    ") STRICT, WITHOUT ROWID;"

    "ALTER TABLE api_key ADD COLUMN of_organization INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN description TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE api_key ADD COLUMN alert_emails TEXT NOT NULL DEFAULT '';" /* with commas */
    "ALTER TABLE api_key ADD COLUMN previous_hash BLOB NOT NULL DEFAULT x'';"
    "ALTER TABLE api_key ADD COLUMN previous_until_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN overlap_us INTEGER NOT NULL DEFAULT 0;"; /* of its rotations; 0: as asked */

/*
 * People: members' roles in workspaces, invitations, service accounts. A person's sessions and the tokens
 * of a service account are rows of api_key, so that whatever holds for keys holds for them: kind is 'key',
 * 'session' and 'device' (of a member; expires_us moves on with use, until_us does not) or 'account' (of a service
 * account; its hash is nobody's). A password is salt, cost and hash, see people/password.h; empty: none.
 * An invitation's state is pending, accepted, declined or revoked; workspace_id NULL: the organization.
 */
static const char people[] =
    "ALTER TABLE member ADD COLUMN password BLOB NOT NULL DEFAULT x'';"
    "CREATE TABLE membership ("
    "  member_id INTEGER NOT NULL REFERENCES member(id),"
    "  workspace_id INTEGER NOT NULL REFERENCES workspace(id),"
    "  role TEXT NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  PRIMARY KEY (member_id, workspace_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX membership_workspace ON membership(workspace_id, member_id);"

    "CREATE TABLE invitation ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  public_id TEXT NOT NULL UNIQUE,"
    "  email TEXT NOT NULL,"
    "  role TEXT NOT NULL,"
    "  workspace_id INTEGER REFERENCES workspace(id),"
    "  hash BLOB NOT NULL UNIQUE," /* of the link's secret */
    "  state TEXT NOT NULL,"
    "  invited_by INTEGER NOT NULL DEFAULT 0," /* member; 0: a service key */
    "  created_us INTEGER NOT NULL,"
    "  expires_us INTEGER NOT NULL,"
    "  answered_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE INDEX invitation_email ON invitation(email, state);"

    "CREATE TABLE service_account ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  client_id TEXT NOT NULL UNIQUE,"
    "  workspace_id INTEGER NOT NULL REFERENCES workspace(id),"
    "  name TEXT NOT NULL,"
    "  description TEXT NOT NULL,"
    "  role TEXT NOT NULL,"
    "  hash BLOB NOT NULL," /* of the client secret */
    "  last TEXT NOT NULL,"
    "  created_us INTEGER NOT NULL,"
    "  updated_us INTEGER NOT NULL,"
    "  deleted_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE INDEX service_account_workspace ON service_account(workspace_id, id);"

    "ALTER TABLE api_key ADD COLUMN kind TEXT NOT NULL DEFAULT 'key';"
    "ALTER TABLE api_key ADD COLUMN service_account_id INTEGER REFERENCES service_account(id);"
    "ALTER TABLE api_key ADD COLUMN until_us INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX api_key_member ON api_key(member_id) WHERE member_id IS NOT NULL;"
    "CREATE INDEX api_key_account ON api_key(service_account_id) WHERE service_account_id IS NOT NULL;";

/* Named policies of model APIs; lists and objects are JSON texts, "" = none. */
static const char token_policies[] =
    "CREATE TABLE token_policy ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  workspace_id INTEGER NOT NULL REFERENCES workspace(id),"
    "  name TEXT NOT NULL,"
    "  display_name TEXT NOT NULL DEFAULT '',"
    "  labels TEXT NOT NULL DEFAULT '',"
    "  type TEXT NOT NULL DEFAULT '',"
    "  resource_types TEXT NOT NULL DEFAULT '',"
    "  locations TEXT NOT NULL DEFAULT '',"
    "  flavors TEXT NOT NULL DEFAULT '',"
    "  max_tokens TEXT NOT NULL DEFAULT '',"
    "  sandbox INTEGER NOT NULL DEFAULT 0,"
    "  created_us INTEGER NOT NULL,"
    "  updated_us INTEGER NOT NULL DEFAULT 0,"
    "  created_by TEXT NOT NULL DEFAULT '',"
    "  updated_by TEXT NOT NULL DEFAULT '',"
    "  deleted_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE UNIQUE INDEX token_policy_name ON token_policy(workspace_id, name) WHERE deleted_us = 0;";

static const char descriptions[] = "ALTER TABLE workspace ADD COLUMN description TEXT NOT NULL DEFAULT '';";

/* Who somebody is at an OpenID provider. A row stays when its member goes, so that they do not come back as new. */
static const char identities[] = "CREATE TABLE identity ("
                                 "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
                                 "  issuer TEXT NOT NULL,"
                                 "  subject TEXT NOT NULL,"
                                 "  member_id INTEGER NOT NULL REFERENCES member(id),"
                                 "  email TEXT NOT NULL," /* as the provider gave it when they were linked */
                                 "  created_us INTEGER NOT NULL,"
                                 "  used_us INTEGER NOT NULL DEFAULT 0,"
                                 "  UNIQUE (issuer, subject)"
                                 ") STRICT;"
                                 "CREATE UNIQUE INDEX identity_member ON identity(member_id, issuer);";

/* Where messages for people go: a name that reports and alerts use, and the address behind it, a secret. */
static const char channels[] = "CREATE TABLE channel ("
                               "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
                               "  workspace_id INTEGER NOT NULL REFERENCES workspace(id),"
                               "  name TEXT NOT NULL,"
                               "  kind TEXT NOT NULL," /* slack, teams, webhook */
                               "  hint TEXT NOT NULL," /* what may be shown of the address */
                               "  sealed_url BLOB NOT NULL,"
                               "  sealed_key BLOB NOT NULL," /* what webhooks are signed with; empty: of another kind */
                               "  created_us INTEGER NOT NULL,"
                               "  updated_us INTEGER NOT NULL,"
                               "  UNIQUE (workspace_id, name)"
                               ") STRICT;";

/*
 * Teams (people/team.h). The first one has everybody in it, without rows in team_member. What a person is in a
 * workspace is `standing`: the strongest of a membership and what teams give.
 */
static const char teams[] =
    "CREATE TABLE team ("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  name TEXT NOT NULL,"
    "  description TEXT NOT NULL,"
    "  dashboard TEXT NOT NULL," /* token of a report resource */
    "  created_us INTEGER NOT NULL,"
    "  updated_us INTEGER NOT NULL,"
    "  deleted_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "INSERT INTO team(id, name, description, dashboard, created_us, updated_us)"
    " VALUES (1, 'Everyone', '', '', 0, 0);"

    "CREATE TABLE team_member ("
    "  team_id INTEGER NOT NULL REFERENCES team(id),"
    "  member_id INTEGER NOT NULL REFERENCES member(id),"
    "  role TEXT NOT NULL,"
    "  PRIMARY KEY (team_id, member_id)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX team_member_member ON team_member(member_id);"

    "CREATE TABLE team_workspace ("
    "  team_id INTEGER NOT NULL REFERENCES team(id),"
    "  workspace_id INTEGER NOT NULL REFERENCES workspace(id),"
    "  PRIMARY KEY (team_id, workspace_id)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE VIEW standing AS SELECT member_id, workspace_id, role, min(CASE role WHEN 'owner' THEN 0 "
    "  WHEN 'admin' THEN 1 WHEN 'member' THEN 2 ELSE 3 END) AS rank FROM ("
    "  SELECT member_id, workspace_id, role FROM membership"
    "  UNION ALL SELECT t.member_id, w.workspace_id, t.role FROM team_member t"
    "    JOIN team_workspace w ON w.team_id = t.team_id"
    "  UNION ALL SELECT m.id, w.workspace_id, m.role FROM member m JOIN team_workspace w ON w.team_id = 1"
    ") GROUP BY member_id, workspace_id;";

const struct store_migration control_schema[] = {
    {1, "organization, workspaces, keys, integrations", first},
    {2, "stored configs, scopes, metadata", configs},
    {3, "limits", limits},
    {4, "model APIs", models},
    {5, "audit log", audit_log},
    {6, "providers, models of accounts, rotation of keys", providers},
    {7, "people: memberships, invitations, service accounts, sessions", people},
    {8, "policies of model APIs", token_policies},
    {9, "descriptions of workspaces", descriptions},
    {10, "identities at OpenID providers", identities},
    {11, "channels for messages to people", channels},
    {12, "teams", teams},
};
const unsigned control_schema_count = sizeof control_schema / sizeof control_schema[0];
