/* SPDX-License-Identifier: Apache-2.0 */
/* {"servers": {"https://…": {"access_token": …, "refresh_token": …, "expires_at": seconds}}} */
#include "cli/person/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/must.h"

#define PATH_BYTES 4096
#define FILE_MAX (1u << 20)
/* A token that ends sooner is not used any more. */
#define SPARE_S 60

static bool path_of(char out[PATH_BYTES])
{
    const char *file = getenv("TOLLGATE_CREDENTIALS"), *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    int n = -1;
    if (file && file[0])
        n = snprintf(out, PATH_BYTES, "%s", file);
    else if (config && config[0] == '/')
        n = snprintf(out, PATH_BYTES, "%s/tollgate/credentials.json", config);
    else if (home && home[0])
        n = snprintf(out, PATH_BYTES, "%s/.config/tollgate/credentials.json", home);
    return n > 0 && n < PATH_BYTES - 8;
}

/* Without a slash at the end. */
static struct str server_of(struct str url)
{
    return str_ends(url, STR("/")) ? str_head(url, url.n - 1) : url;
}

/* The whole file; an empty object when it is not there or not ours. */
static json_t *load(void)
{
    char path[PATH_BYTES];
    json_t *root = NULL;
    struct stat facts;
    FILE *f = path_of(path) ? fopen(path, "rb") : NULL;
    if (f && fstat(fileno(f), &facts) == 0 && facts.st_size <= FILE_MAX && (facts.st_mode & 077) == 0)
        root = json_loadf(f, 0, NULL);
    else if (f)
        fprintf(stderr, "tollgate: %s is not used: others may read it; chmod 600 it\n", path);
    if (f)
        fclose(f);
    if (!json_is_object(root)) {
        json_decref(root);
        root = json_object();
    }
    if (!json_is_object(json_object_get(root, "servers")))
        json_object_set_new(root, "servers", json_object());
    return root;
}

/* The folders of a path, each for its owner alone when it is made. */
static void make_folders(char *path)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            *p = '/';
            return; /* opening the file says why */
        }
        *p = '/';
    }
}

static bool store(const struct command *c, const json_t *root)
{
    char path[PATH_BYTES], fresh[PATH_BYTES + 8];
    if (!path_of(path)) {
        fprintf(stderr, "tollgate %s: where to keep the login? set HOME or TOLLGATE_CREDENTIALS\n", c->name);
        return false;
    }
    make_folders(path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && json_dumpfd(root, fd, JSON_INDENT(2)) == 0 && fsync(fd) == 0 && rename(fresh, path) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (!ok) {
        unlink(fresh);
        fprintf(stderr, "tollgate %s: %s: %s\n", c->name, path, strerror(error));
    }
    return ok;
}

bool saved_put(const struct command *c, struct str url, const json_t *tokens)
{
    const char *access = json_string_value(json_object_get(tokens, "access_token"));
    const char *refresh = json_string_value(json_object_get(tokens, "refresh_token"));
    json_int_t lasts = json_integer_value(json_object_get(tokens, "expires_in"));
    struct str server = server_of(url);
    if (!access || !refresh || lasts <= 0) {
        fprintf(stderr, "tollgate %s: the server's answer has no tokens\n", c->name);
        return false;
    }
    json_t *root = load();
    json_t *one = json_pack("{s:s, s:s, s:I}", "access_token", access, "refresh_token", refresh, "expires_at",
                            (json_int_t)(clock_wall_us() / 1000000) + lasts);
    must(one != NULL);
    json_object_setn_new(json_object_get(root, "servers"), server.p, server.n, one);
    bool ok = store(c, root);
    json_decref(root);
    return ok;
}

bool saved_remove(const struct command *c, struct str url)
{
    json_t *root = load();
    struct str server = server_of(url);
    bool there = json_object_deln(json_object_get(root, "servers"), server.p, server.n) == 0 && store(c, root);
    json_decref(root);
    return there;
}

/* Another token for the refresh token; false when the server gives none. */
static bool renew(const struct command *c, const struct option_value *values, const char *refresh, struct secret *ret)
{
    struct api_answer answer;
    struct json_write w;
    struct buf body;
    buf_init(&body, API_TEXT_MAX);
    json_write_init(&w, &body);
    json_write_object(&w);
    json_write_member_string(&w, "grant_type", STR("refresh_token"));
    json_write_member_string(&w, "refresh_token", str_c(refresh));
    json_write_object_end(&w);
    bool ok = json_write_done(&w) &&
              api_call_with(c, values, "POST", STR("/v0/oauth/token"), buf_str(&body), STR(""), &answer) == EXIT_DONE;
    buf_free(&body);
    if (!ok)
        return false;
    json_t *tokens = answer.status == 200 ? api_json(&answer) : NULL;
    const char *access = json_string_value(json_object_get(tokens, "access_token"));
    ok = access && saved_put(c, option_get(c, values, "url")->text, tokens);
    if (access)
        secret_set(ret, str_c(access));
    else if (answer.status == 400)
        fprintf(stderr, "tollgate %s: your login has ended; run 'tollgate login' again\n", c->name);
    json_decref(tokens);
    api_answer_free(&answer);
    return ok;
}

void saved_token(const struct command *c, const struct option_value *values, struct secret *ret)
{
    json_t *root = load();
    struct str server = server_of(option_get(c, values, "url")->text);
    const json_t *one = json_object_getn(json_object_get(root, "servers"), server.p, server.n);
    const char *access = json_string_value(json_object_get(one, "access_token"));
    const char *refresh = json_string_value(json_object_get(one, "refresh_token"));
    json_int_t expires = json_integer_value(json_object_get(one, "expires_at"));
    secret_wipe(ret);
    if (access && clock_wall_us() / 1000000 + SPARE_S < expires)
        secret_set(ret, str_c(access));
    else if (refresh && !renew(c, values, refresh, ret))
        secret_wipe(ret);
    json_decref(root);
}
