/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines that go into the upstream head: the credential, and OpenAI's organization, project and
 * beta, each from the header, else the config, else the stored account.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "gateway/target/target_inner.h"
#include "net/http1_head.h"

#define LINES_MAX 65536

/* The stored account's lines, told apart. */
struct stored {
    struct str credential, organization, project;
};

static struct stored split_stored(const struct target_work *w)
{
    struct stored s = {{"", 0}, {"", 0}, {"", 0}};
    const struct snapshot_integration *i = w->t->integration;
    struct str rest = i ? secret_reveal(&i->head_lines) : STR(""), line;
    while (rest.n && str_split(&rest, '\n', &line)) {
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (str_starts_nocase(line, STR("OpenAI-Organization: ")))
            s.organization = str_from(line, 21);
        else if (str_starts_nocase(line, STR("OpenAI-Project: ")))
            s.project = str_from(line, 16);
        else if (line.n)
            s.credential = line;
    }
    return s;
}

struct lines {
    struct buf out;
    bool failed; /* full, or a value that cannot stand in a head */
};

static void put(struct lines *l, struct str name, struct str value)
{
    if (!value.n)
        return;
    l->failed = l->failed || !http1_value_valid(value) || !buf_add_str(&l->out, name) || !buf_add_str(&l->out, value) ||
                !buf_add_str(&l->out, STR("\r\n"));
}

static struct str first_of(struct str a, struct str b, struct str c)
{
    return a.n ? a : b.n ? b : c;
}

static void put_credential(const struct target_work *w, struct lines *l, const struct stored *stored)
{
    if (w->forward_own)
        return;
    if (w->token.n)
        put(l, STR("Authorization: Bearer "), w->token);
    else if (w->t->integration)
        put(l, STR(""), stored->credential);
    else if (w->t->kind == KIND_INTEGRATION_AZURE_OPENAI)
        put(l, STR("api-key: "), w->key);
    else
        put(l, STR("Authorization: Bearer "), w->key);
}

static void put_openai(const struct target_work *w, struct lines *l, const struct stored *stored)
{
    const struct options *o = w->in->options;
    const struct config_settings *s = target_settings(w);
    bool azure = w->t->kind == KIND_INTEGRATION_AZURE_OPENAI;
    bool own = !w->t->integration && !w->config_secret; /* the caller pays, so whose bill it is is for him to say */
    struct str organization = own ? o->own_organization : stored->organization;
    struct str project = own ? o->own_project : stored->project;
    if (!azure) {
        put(l, STR("OpenAI-Organization: "), first_of(o->openai_organization, s->openai_organization, organization));
        put(l, STR("OpenAI-Project: "), first_of(o->openai_project, s->openai_project, project));
    }
    if (!azure || (!w->token.n && !w->forward_own) || w->forward_beta)
        put(l, STR("OpenAI-Beta: "), o->openai_beta);
}

bool target_lines(struct target_work *w)
{
    struct lines l = {.failed = false};
    struct stored stored = split_stored(w);
    buf_init(&l.out, LINES_MAX);
    put_credential(w, &l, &stored);
    put_openai(w, &l, &stored);
    struct str lines = l.failed ? (struct str){NULL, 0} : arena_dup(w->arena, buf_str(&l.out));
    if (buf_size(&l.out))
        mem_wipe(l.out.p, buf_size(&l.out));
    buf_free(&l.out);
    if (l.failed)
        return target_refuse(w, REFUSAL_UNSUPPORTED, "%s",
                             "A key, organization or project has characters that cannot stand in a header, or is too "
                             "long; check the config's api_key.");
    if (!lines.p)
        return target_out_of_memory(w);
    w->t->head_lines = lines;
    return true;
}
