/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROL_SNAPSHOT_H
#define CONTROL_SNAPSHOT_H

/*
 * snapshot: everything configured, as one immutable object that the data path reads.
 *
 * A change builds a new snapshot and hands it to the workers; the old one lives until the last
 * request that holds a reference is done. So the data path asks no store and takes no lock, and
 * goes on when the store is dead. All pointers and views that come out of a snapshot are good while
 * a reference to it is held: a request takes one at its start and gives it back at its end.
 *
 * Provider keys are in here in the clear, inside ready header lines; they are wiped with the
 * snapshot. Building is in snapshot_build.h. Any thread may do anything declared here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/secret.h"
#include "base/str.h"
#include "control/apikey.h"
#include "control/kind.h"
#include "control/scope.h"

struct config;
struct ruleset;
struct snapshot;

struct snapshot_deployment {
    struct str alias;       /* the model name that callers use */
    struct str deployment;  /* what Azure calls it */
    struct str model;       /* the model it runs, for prices; "" = take the alias */
    struct str api_version; /* "" = the integration's */
    bool is_default;
};

/* Whether an account serves one model. */
struct snapshot_allowed {
    int64_t account_id;
    struct str model;
    bool enabled;
};

struct snapshot_integration {
    int64_t id;
    int64_t account_id; /* whose key it uses: its own id, or that of the integration it is a provider of */
    const struct snapshot_workspace *workspace;
    struct str slug;
    int64_t expires_us; /* wall clock; 0 = never */
    bool hidden;        /* has providers, and is not called by its own slug */
    enum kind_integration kind;
    bool is_default; /* the one used when the caller names none */
    bool broken;     /* its stored key does not open; connecting it again repairs it */

    bool tls;
    uint16_t port;
    struct str host;      /* name or literal without brackets: for the resolver, SNI and the certificate */
    struct str authority; /* the Host header's value: brackets where needed, port unless it is the scheme's */
    struct str base_path; /* "" or "/v1": what stands before the operation's path; never ends in '/' */
    /*
     * Complete header lines with the credential, each ended by CR LF, to be put into the upstream
     * head as they are: Authorization or api-key, OpenAI-Organization, OpenAI-Project.
     */
    struct secret head_lines;

    struct str api_version; /* Azure; "v1" for its version-free paths; "" otherwise */
    const struct snapshot_deployment *deployments;
    size_t deployment_count;
    bool only_listed; /* models without an entry are not served */
    const struct snapshot_allowed *allowed;
    size_t allowed_count;
};

struct snapshot_workspace {
    int64_t id;
    struct str name;
    const struct snapshot_integration *default_integration; /* NULL: none connected */
    const struct config *default_config;                    /* NULL: none */
    struct str metadata; /* JSON object put over that of keys and requests; "" = none */
};

/* A model API: an endpoint of its own, /{workspace}/models/{name}. */
struct snapshot_model {
    int64_t id;
    int64_t workspace_id;
    struct str name;
    struct str model; /* upstream's name for it */
    bool enabled;
    bool any_model; /* requests may name another model */
    /* Leads to its integrations, the first one first; override_params.model is "@slug/model". */
    const struct config *config;
};

/* A person, for keys that are somebody's; see people/reach.h. */
struct snapshot_member {
    int64_t id;
    struct str name;
    enum kind_role role;       /* in the organization; owners and admins have it in every workspace */
    const struct reach *reach; /* memberships, in order of workspace ids */
    size_t reach_count;
};

enum snapshot_key_state { SNAPSHOT_KEY_ACTIVE, SNAPSHOT_KEY_DISABLED, SNAPSHOT_KEY_REVOKED };

struct snapshot_key {
    int64_t id;
    int64_t workspace_id;
    const struct snapshot_workspace *workspace;
    int64_t member_id;                    /* whose key it is; 0 = nobody's in particular */
    const struct snapshot_member *member; /* NULL: a service key */
    bool session;                         /* of a person who signed in: its end moves on with use */
    bool device;                          /* of a program that a person let in: people/grant.h */
    struct str public_id;                 /* APIKEY_ID_LEN characters */
    struct str name;
    enum kind_role role;    /* in its workspace */
    enum kind_role granted; /* the key's own; a person's key has the weaker of this and the person's */
    enum kind_bodies record_bodies;
    enum snapshot_key_state state;
    int64_t expires_us; /* wall clock; 0 = never */
    unsigned char hash[APIKEY_HASH_BYTES];
    scope_set scopes;                    /* bit per enum snapshot_scope */
    const struct config *default_config; /* NULL: the workspace's */
    bool config_fixed;                   /* requests may not bring a config of their own */
    struct str metadata;                 /* JSON object put over that of requests; "" = none */
};

static inline bool snapshot_key_may(const struct snapshot_key *k, enum snapshot_scope scope)
{
    return (k->scopes >> scope & 1) != 0;
}

struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* NULL does nothing; the last one wipes and frees */
/* Grows with every change. */
uint64_t snapshot_generation(const struct snapshot *s);
size_t snapshot_key_count(const struct snapshot *s);

/* What became of a presented key. */
enum snapshot_verdict {
    SNAPSHOT_ADMITTED,
    SNAPSHOT_UNKNOWN,  /* well formed or foreign, but nobody's */
    SNAPSHOT_MISTYPED, /* begins like one of ours, and its checksum is wrong */
    SNAPSHOT_DISABLED,
    SNAPSHOT_REVOKED,
    SNAPSHOT_EXPIRED,
};

/*
 * Judges what a caller presented (without "Bearer "). *ret_key is set when the key is known, so
 * that a refusal can be recorded under its name too; NULL otherwise. Only SNAPSHOT_ADMITTED lets in.
 */
enum snapshot_verdict snapshot_judge(const struct snapshot *s, struct str presented, int64_t now_us,
                                     const struct snapshot_key **ret_key);
/* A sentence for the caller about a refusal; names no key. */
const char *snapshot_verdict_text(enum snapshot_verdict verdict);

/*
 * The active key with this text, or NULL. Expiry is the caller's to check; snapshot_judge does it
 * all.
 */
const struct snapshot_key *snapshot_find_key(const struct snapshot *s, struct str presented);

/* In any state; NULL when there is none. Keys must have been added in order of ids. */
const struct snapshot_key *snapshot_key_of(const struct snapshot *s, int64_t key_id);

/* NULL when there is none. Names and slugs are compared byte for byte. */
const struct snapshot_workspace *snapshot_find_workspace(const struct snapshot *s, struct str name);
const struct snapshot_workspace *snapshot_workspace_of(const struct snapshot *s, int64_t workspace_id);
const struct snapshot_integration *snapshot_find_integration(const struct snapshot *s, int64_t workspace_id,
                                                             struct str slug);
const struct snapshot_integration *snapshot_integration_of(const struct snapshot *s, int64_t integration_id);
/* All of them, of all kinds and workspaces: 0 … count - 1. */
size_t snapshot_integration_count(const struct snapshot *s);
const struct snapshot_integration *snapshot_integration_at(const struct snapshot *s, size_t at);
/* A stored config by its slug "pc-…"; NULL when there is none. */
const struct config *snapshot_find_config(const struct snapshot *s, int64_t workspace_id, struct str slug);
/* A model API by its name; NULL when there is none. */
const struct snapshot_model *snapshot_find_model(const struct snapshot *s, int64_t workspace_id, struct str name);
/* Budgets, rates, policies: limit/ruleset.h. */
const struct ruleset *snapshot_limits(const struct snapshot *s);
/* Whether the integration serves a model of that name. */
bool snapshot_integration_allows(const struct snapshot_integration *i, struct str model);
/* The deployment with this alias, else the default one, else NULL. */
const struct snapshot_deployment *snapshot_find_deployment(const struct snapshot_integration *i, struct str model);

/*
 * A slot hands snapshots to one worker without a lock: any thread puts, the worker takes at the
 * turn of its loop. Only the newest one waits; one that was never taken is given back.
 */
struct snapshot_slot {
    _Atomic(struct snapshot *) waiting; /* zero-initialise; holds a reference when not NULL */
};
/* Takes a reference of its own. */
void snapshot_slot_put(struct snapshot_slot *slot, struct snapshot *s);
/* NULL when nothing new; otherwise the reference is the caller's now. */
struct snapshot *snapshot_slot_take(struct snapshot_slot *slot);

#endif
