/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate serve: opens the data directory, starts workers and console, then waits for signals:
 * SIGTERM and SIGINT drain and stop (a second one stops at once), SIGHUP reads certificates and
 * prices again.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_bytes.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/version.h"
#include "cli/commands.h"
#include "cli/person/serve_oidc.h"
#include "cli/serve_options.h"
#include "console/console.h"
#include "control/control.h"
#include "control/snapshot.h"
#include "gateway/cache/cache.h"
#include "gateway/gateway.h"
#include "gateway/limits/limits.h"
#include "gateway/limits/rebuild.h"
#include "ledger/ledger.h"
#include "net/address.h"
#include "net/tls.h"
#include "openai/price.h"
#include "report/import/import.h"
#include "report/notify/notices.h"
#include "report/notify/notify.h"
#include "report/otlp/otlp.h"
#include "report/watch/watch.h"

#define X(name, kind, fallback, env, min, max, metavar, text) \
    {name, OPTION_##kind, fallback, env, min, max, metavar, text},
static const struct option options[] = {SERVE_OPTIONS(X)};
#undef X

#define REBUILD_WAIT_MS 60000
#define LEDGER_CLOSE_MS 30000
#define OTLP_CLOSE_MS 3000
#define OVERRIDE_MAX (16u << 20)
#define PASSWORD_MAX 4096

struct server {
    const struct command *command;
    const struct option_value *values;
    char dir[4096];
    struct address_set *allowed;
    struct tls_client *tls;
    struct tls_server *client_tls;
    struct control *control;
    struct ledger *ledger;
    struct console *console;
    struct cache *cache;
    struct limits *limits;
    struct otlp *otlp;
    struct import *import;
    struct watch *watch;
    struct notify *notify;
    struct serve_oidc oidc;
    uint64_t threshold_milli;
    struct gateway *gateway;
};

static const struct option_value *value(const struct server *s, const char *name)
{
    return option_get(s->command, s->values, name);
}

static int complain(const char *why)
{
    fprintf(stderr, "tollgate serve: %s\n", why);
    return EXIT_FAILED;
}

/* Options that are files or sets. */

static bool read_allowed(struct server *s)
{
    char why[256];
    const struct option_value *v = value(s, "allow-upstream");
    s->allowed = address_set_new();
    for (size_t i = 0; i < v->list_count; i++) {
        if (address_set_add(s->allowed, v->list[i], why, sizeof why) != ERR_OK) {
            fprintf(stderr, "tollgate serve: --allow-upstream %.*s: %s\n", STR_ARG(v->list[i]), why);
            return false;
        }
    }
    return true;
}

static bool open_tls(struct server *s)
{
    char why[512];
    const struct option_value *ca = value(s, "ca-file"), *cert = value(s, "tls-cert"), *key = value(s, "tls-key");
    s->tls = tls_client_new(ca->given ? ca->text.p : NULL, why, sizeof why);
    if (!s->tls)
        return complain(why) == EXIT_DONE;
    if (tls_client_warning(s->tls))
        log_warn("no_ca_certificates", LOG_TEXT("detail", tls_client_warning(s->tls)));
    if (cert->given != key->given)
        return complain("--tls-cert and --tls-key belong together; give both or none") == EXIT_DONE;
    if (!cert->given)
        return true;
    s->client_tls = tls_server_new(cert->text.p, key->text.p, why, sizeof why);
    return s->client_tls || complain(why) == EXIT_DONE;
}

/* The built-in catalogue with the user's file on top. NULL with a sentence in `why`. */
static struct price_catalog *load_prices(void *ctx, char *why, size_t why_cap)
{
    const struct server *s = ctx;
    const struct option_value *file = value(s, "prices");
    struct price_source source = price_source_builtin();
    struct price_catalog *catalog = NULL;
    struct price_fault fault;
    char *text = NULL;
    if (file->given) {
        FILE *f = fopen(file->text.p, "rb");
        size_t n = 0;
        text = mem_alloc(OVERRIDE_MAX);
        if (f) {
            n = fread(text, 1, OVERRIDE_MAX, f);
            fclose(f);
        }
        if (!f || n == OVERRIDE_MAX) {
            snprintf(why, why_cap, "%s: %s", file->text.p, f ? "the file is too large" : strerror(errno));
            mem_free(text);
            return NULL;
        }
        source.overrides = str_of(text, n);
    }
    if (price_catalog_new(&source, &catalog, &fault) != ERR_OK)
        snprintf(why, why_cap, "%s, line %u: %s", strcmp(fault.file, "overrides") == 0 ? file->text.p : fault.file,
                 fault.line, fault.reason);
    mem_free(text);
    return catalog;
}

static enum err reload_prices(void *ctx, char *why, size_t why_cap)
{
    struct server *s = ctx;
    char version[PRICE_VERSION_TEXT_MAX];
    struct price_catalog *fresh = load_prices(s, why, why_cap);
    if (!fresh) {
        log_error("prices_refused", LOG_TEXT("why", why));
        return ERR_BAD_PRICES;
    }
    price_version_format(price_catalog_version(fresh), version);
    log_info("prices_loaded", LOG_TEXT("version", version));
    gateway_set_prices(s->gateway, fresh);
    return ERR_OK;
}

/* The data directory. */

static bool open_dir(struct server *s)
{
    str_copy(s->dir, sizeof s->dir, value(s, "data")->text);
    if (mkdir(s->dir, 0700) != 0 && errno != EEXIST) {
        fprintf(stderr, "tollgate serve: %s: %s\n", s->dir, strerror(errno));
        return false;
    }
    return true;
}

static bool open_control(struct server *s, struct control_start *start)
{
    struct control_why why = {.param = ""};
    struct control_options o = {.dir = s->dir,
                                .master_key = getenv("TOLLGATE_MASTER_KEY"),
                                .master_key_file = getenv("TOLLGATE_MASTER_KEY_FILE"),
                                .admin_key = getenv("TOLLGATE_ADMIN_KEY")};
    enum err e = control_open(&o, &s->control, start, &why);
    if (!e)
        return true;
    return complain(why.text[0] ? why.text : err_info(e)->text) == EXIT_DONE;
}

static bool open_ledger(struct server *s)
{
    char why[LEDGER_WHY_MAX];
    struct ledger_options o = {.dir = s->dir,
                               .workers = (unsigned)value(s, "workers")->number,
                               .spool_max_bytes = value(s, "spool-max-bytes")->number,
                               .bodies_max_bytes = value(s, "bodies-max-bytes")->number,
                               .rows_days = (unsigned)value(s, "rows-days")->number,
                               .bodies_days = (unsigned)value(s, "bodies-days")->number,
                               .keep_arrivals = value(s, "otlp-endpoint")->text.n > 0};
    enum err e = ledger_open(&o, &s->ledger, why);
    return !e || complain(why) == EXIT_DONE;
}

static bool open_cache(struct server *s)
{
    char why[512];
    struct str threshold = value(s, "semantic-threshold")->text; /* kept in thousandths */
    if (!threshold.n || !json_bytes_is_digit(threshold.p[0]) || !json_to_milli(threshold, &s->threshold_milli) ||
        s->threshold_milli > 1000)
        return complain("--semantic-threshold is a number from 0 to 1, such as 0.95") == EXIT_DONE;
    struct cache_settings o = {.dir = s->dir,
                               .memory_max_bytes = value(s, "cache-memory")->number,
                               .disk_max_bytes = value(s, "cache-disk")->number,
                               .semantic_max = (unsigned)value(s, "semantic-max")->number,
                               .semantic_model = value(s, "semantic-model")->text.p};
    return cache_open(&o, &s->cache, why, sizeof why) == ERR_OK || complain(why) == EXIT_DONE;
}

static struct str proxy_env(const char *upper, const char *lower)
{
    const char *v = getenv(lower);
    return str_c(v && v[0] ? v : getenv(upper));
}

/* Traces, where they are wanted. */

static struct snapshot *newest_names(void *ctx)
{
    return control_snapshot(ctx);
}

static bool open_otlp(struct server *s)
{
    char why[OTLP_WHY_MAX];
    struct str headers = value(s, "otlp-headers")->text;
    struct otlp_options o = {.dir = s->dir,
                             .ledger = s->ledger,
                             .endpoint = value(s, "otlp-endpoint")->text,
                             .headers = headers.n ? headers : str_c(getenv("OTEL_EXPORTER_OTLP_HEADERS")),
                             .allowed = s->allowed,
                             .tls = s->tls,
                             .https_proxy = proxy_env("HTTPS_PROXY", "https_proxy"),
                             .http_proxy = proxy_env("TOLLGATE_HTTP_PROXY", "http_proxy"),
                             .no_proxy = proxy_env("NO_PROXY", "no_proxy"),
                             .connect_timeout_us = value(s, "connect-timeout")->number,
                             .names = newest_names,
                             .names_ctx = s->control};
    if (!o.endpoint.n)
        return true;
    return otlp_open(&o, &s->otlp, why) == ERR_OK || complain(why) == EXIT_DONE;
}

/* What the last requests have left in the journal goes out too, if the collector takes it at once. */
static void close_otlp(struct server *s)
{
    if (!s->otlp)
        return;
    enum err e = ledger_flush(s->ledger, OTLP_CLOSE_MS);
    (void)e; /* what is not stored by now is sent after the next start */
    otlp_close(s->otlp, OTLP_CLOSE_MS);
}

/* Mail and other messages to people. */

/* Without a slash at its end; "" when not given. */
static struct str public_url(const struct server *s)
{
    struct str text = value(s, "public-url")->given ? value(s, "public-url")->text : STR("");
    return str_ends(text, STR("/")) ? str_head(text, text.n - 1) : text;
}

/* The first line of the file, else the environment. False when the file is no use. */
static bool read_smtp_password(const struct server *s, char out[PASSWORD_MAX])
{
    const struct option_value *file = value(s, "smtp-password-file");
    const char *env = getenv("TOLLGATE_SMTP_PASSWORD");
    str_copy(out, PASSWORD_MAX, str_c(env));
    if (!file->given)
        return !env || strlen(env) < PASSWORD_MAX ||
               complain("the password for the mail server is too long") == EXIT_DONE;
    FILE *f = fopen(file->text.p, "r");
    bool read = f && fgets(out, PASSWORD_MAX, f) && strlen(out) < PASSWORD_MAX - 1;
    if (!read)
        fprintf(stderr, "tollgate serve: --smtp-password-file %s: %s\n", file->text.p,
                f ? "its first line is no password" : strerror(errno));
    if (f)
        fclose(f);
    out[strcspn(out, "\r\n")] = '\0';
    return read;
}

static bool open_notify(struct server *s)
{
    char why[NOTIFY_WHY_MAX], password[PASSWORD_MAX];
    if (!read_smtp_password(s, password))
        return false;
    struct notify_options o = {.dir = s->dir,
                               .control = s->control,
                               .public_url = public_url(s),
                               .smtp_url = value(s, "smtp-url")->text,
                               .smtp_password = str_c(password),
                               .mail_from = value(s, "mail-from")->text,
                               .smtp_plain = value(s, "smtp-plain")->number,
                               .retry_first_ms = (unsigned)(value(s, "notify-retry")->number / 1000),
                               .allowed = s->allowed,
                               .tls = s->tls,
                               .https_proxy = proxy_env("HTTPS_PROXY", "https_proxy"),
                               .http_proxy = proxy_env("TOLLGATE_HTTP_PROXY", "http_proxy"),
                               .no_proxy = proxy_env("NO_PROXY", "no_proxy"),
                               .connect_timeout_us = value(s, "connect-timeout")->number};
    enum err e = notify_open(&o, &s->notify, why);
    mem_wipe(password, sizeof password);
    if (e == ERR_BAD_OPTION)
        return complain(why) == EXIT_DONE;
    if (e != ERR_OK) /* requests do not need it */
        log_error("notify_unavailable", LOG_TEXT("why", why),
                  LOG_TEXT("what", "nothing is sent to people until this is mended and the server started again"));
    return true;
}

/* On a worker's thread. */
static void on_alert(void *ctx, const struct limits_alert *alert)
{
    const struct server *s = ctx;
    const struct notices_alert notice = {.limit = alert->limit,
                                         .group = alert->group_text,
                                         .used = alert->used,
                                         .window_start_us = alert->window_start_us,
                                         .window_end_us = alert->window_end_us};
    notices_alert(s->notify, &notice);
}

static bool open_limits(struct server *s)
{
    const struct limits_options o = {.alert = on_alert, .alert_context = s};
    s->limits = limits_new(&o);
    return true;
}

/* Alerts, anomalies and notifications of reports. */
static bool open_watch(struct server *s)
{
    char why[WATCH_WHY_MAX];
    struct watch_options o = {.dir = s->dir,
                              .control = s->control,
                              .notify = s->notify,
                              .gap = {.ppm = (uint32_t)value(s, "gap-percent")->number * 10000,
                                      .days = (unsigned)value(s, "gap-days")->number,
                                      .least_pusd = MONEY_PUSD_PER_USD / 100}};
    return watch_open(&o, &s->watch, why) == ERR_OK || complain(why) == EXIT_DONE;
}

static void bill_refreshed(void *ctx)
{
    struct server *s = ctx;
    watch_wake(s->watch, true);
}

/* OpenAI's bill, where a key for it is connected. */
static bool open_import(struct server *s)
{
    char why[IMPORT_WHY_MAX];
    struct import_options o = {.dir = s->dir,
                               .way = {.allowed = s->allowed,
                                       .tls = s->tls,
                                       .https_proxy = proxy_env("HTTPS_PROXY", "https_proxy"),
                                       .http_proxy = proxy_env("TOLLGATE_HTTP_PROXY", "http_proxy"),
                                       .no_proxy = proxy_env("NO_PROXY", "no_proxy"),
                                       .connect_timeout_us = value(s, "connect-timeout")->number},
                               .snapshot = newest_names,
                               .snapshot_ctx = s->control,
                               .notify = s->notify,
                               .days = (unsigned)value(s, "import-days")->number,
                               .period_us = value(s, "import-period")->number,
                               .load_prices = load_prices,
                               .load_prices_ctx = s,
                               .refreshed = bill_refreshed,
                               .refreshed_ctx = s};
    return import_open(&o, &s->import, why) == ERR_OK || complain(why) == EXIT_DONE;
}

/* The gateway. */

/* What the platform gives a workload identity; docs/AZURE.md. */
static struct azure_tokens_settings azure_settings(const struct server *s)
{
    return (struct azure_tokens_settings){
        .entra_url = value(s, "azure-entra-url")->text,
        .metadata_url = value(s, "azure-metadata-url")->text,
        .workload_tenant = str_c(getenv("AZURE_TENANT_ID")),
        .workload_client_id = str_c(getenv("AZURE_CLIENT_ID")),
        .workload_token_file = str_c(getenv("AZURE_FEDERATED_TOKEN_FILE")),
        .workload_authority = str_c(getenv("AZURE_AUTHORITY_HOST")),
    };
}

static void fill_settings(const struct server *s, struct gateway_settings *g)
{
    *g = (struct gateway_settings){
        .listen = value(s, "listen")->text,
        .admin_listen = value(s, "admin-listen")->text,
        .workers = (unsigned)value(s, "workers")->number,
        .limits = {.head_timeout_us = value(s, "client-head-timeout")->number,
                   .keep_alive_us = value(s, "client-keep-alive")->number,
                   .body_idle_us = value(s, "client-body-timeout")->number,
                   .body_rate_min = value(s, "client-body-rate")->number,
                   .stall_us = value(s, "client-stall-timeout")->number,
                   .connections_max = (unsigned)value(s, "max-connections")->number},
        .connect_timeout_us = value(s, "connect-timeout")->number,
        .first_byte_timeout_us = value(s, "first-byte-timeout")->number,
        .idle_timeout_us = value(s, "idle-timeout")->number,
        .retry_wait_us = value(s, "retry-wait")->number,
        .pool_idle_us = value(s, "upstream-keep-alive")->number,
        .upstream_connections_max = (unsigned)value(s, "upstream-connections-max")->number,
        .body_max_bytes = value(s, "max-body-bytes")->number,
        .capture_max_bytes = value(s, "capture-bytes")->number,
        .record_bodies = value(s, "record-bodies")->number,
        .allowed = s->allowed,
        .tls = s->tls,
        .client_tls = s->client_tls,
        .azure = azure_settings(s),
        .https_proxy = proxy_env("HTTPS_PROXY", "https_proxy"),
        .http_proxy = proxy_env("TOLLGATE_HTTP_PROXY", "http_proxy"),
        .no_proxy = proxy_env("NO_PROXY", "no_proxy"),
        .ledger = s->ledger,
        .cache = s->cache,
        .use_limits = s->limits,
        .cache_memory_max_bytes = value(s, "cache-memory")->number,
        .cache_disk_max_bytes = value(s, "cache-disk")->number,
        .semantic_model = value(s, "semantic-model")->text,
        .semantic_threshold = (float)s->threshold_milli / 1000.0f,
        .semantic_max = (unsigned)value(s, "semantic-max")->number,
        .console = console_request,
        .console_ctx = s->console,
    };
}

static void on_change(void *arg, struct snapshot *snapshot)
{
    struct server *s = arg;
    if (s->gateway)
        gateway_set_snapshot(s->gateway, snapshot);
    limits_set_snapshot(s->limits, snapshot);
}

/* The provider that people sign in at. */
static bool read_oidc(struct server *s)
{
    char why[SERVE_OIDC_WHY_MAX];
    return serve_oidc_read(s->command, s->values, public_url(s), &s->oidc, why) || complain(why) == EXIT_DONE;
}

static bool start_gateway(struct server *s)
{
    char why[512];
    struct gateway_settings settings;
    struct price_catalog *prices = load_prices(s, why, sizeof why);
    if (!prices)
        return complain(why) == EXIT_DONE;
    struct console_settings c = {.control = s->control,
                                 .ledger = s->ledger,
                                 .cache = s->cache,
                                 .otlp = s->otlp,
                                 .import = s->import,
                                 .watch = s->watch,
                                 .limits = s->limits,
                                 .notify = s->notify,
                                 .vantage_calls = value(s, "vantage-calls")->number,
                                 .vantage_report_calls = value(s, "vantage-report-calls")->number,
                                 .dir = s->dir,
                                 .tls = s->client_tls != NULL,
                                 .public_url = public_url(s),
                                 .oidc = s->oidc.given ? &s->oidc.settings : NULL,
                                 .no_passwords = !value(s, "password-sign-in")->number,
                                 .reload_prices = reload_prices,
                                 .load_prices = load_prices,
                                 .ctx = s};
    s->console = console_new(&c, why, sizeof why);
    if (!s->console) {
        price_catalog_free(prices);
        return complain(why) == EXIT_DONE;
    }
    fill_settings(s, &settings);
    if (azure_tokens_check(&settings.azure, why, sizeof why) != ERR_OK) {
        price_catalog_free(prices);
        return complain(why) == EXIT_DONE;
    }
    struct snapshot *snapshot = control_snapshot(s->control);
    limits_rebuild_start(s->limits, snapshot, s->ledger, s->dir, REBUILD_WAIT_MS);
    enum err e = gateway_start(&settings, snapshot, prices, &s->gateway, why, sizeof why);
    snapshot_unref(snapshot);
    if (e) {
        price_catalog_free(prices);
        return complain(why) == EXIT_DONE;
    }
    control_on_change(s->control, on_change, s);
    console_set_gateway(s->console, s->gateway);
    return true;
}

/* Two descriptors a stream: take what the system gives. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* A dump would have all secrets in it. One byte: for dumps to files too little, for those to a program a refusal (core(5)). */
static void limit_core_dumps(struct server *s)
{
    struct rlimit limit = {1, 1};
    if (!value(s, "core-dumps")->number)
        setrlimit(RLIMIT_CORE, &limit);
}

/* "127.0.0.1" of "127.0.0.1:8787". */
static struct str host_of(struct str listen)
{
    const char *colon = memrchr(listen.p, ':', listen.n);
    return colon ? str_head(listen, (size_t)(colon - listen.p)) : listen;
}

static void announce(const struct server *s, struct control_start *start)
{
    struct str listen = value(s, "listen")->text;
    const struct option_value *admin = value(s, "admin-listen");
    const char *scheme = s->client_tls ? "https" : "http";
    printf("tollgate %s\n", TOLLGATE_VERSION);
    printf("gateway  %s://%.*s:%u/v1\n", scheme, STR_ARG(host_of(listen)), gateway_port(s->gateway));
    printf("console  %s://%.*s:%u/console/\n", scheme, STR_ARG(host_of(admin->given ? admin->text : listen)),
           gateway_admin_port(s->gateway));
    printf("data     %s\n", s->dir);
    if (start->admin_key.n)
        printf("owner key, shown once and kept in %s/admin.key:\n%.*s\n", s->dir,
               STR_ARG(secret_reveal(&start->admin_key)));
    secret_wipe(&start->admin_key);
    struct snapshot *snapshot = control_snapshot(s->control);
    const struct snapshot_workspace *first = snapshot_find_workspace(snapshot, STR("default"));
    if (first && !first->default_integration)
        printf("next     tollgate connect openai --api-key-env OPENAI_API_KEY\n");
    snapshot_unref(snapshot);
    fflush(stdout);
    mem_give_back();
    log_info("serving", LOG_STR("listen", listen), LOG_INT("port", gateway_port(s->gateway)),
             LOG_INT("workers", value(s, "workers")->number));
}

static void reload(struct server *s)
{
    char why[512];
    if (s->client_tls) {
        if (tls_server_reload(s->client_tls, why, sizeof why) != ERR_OK)
            log_error("certificate_refused", LOG_TEXT("why", why));
        else
            log_info("certificate_loaded");
    }
    if (reload_prices(s, why, sizeof why) != ERR_OK)
        return; /* logged, and the old ones stay */
}

/* Waits for requests under way, until the limit or another signal. */
static void drain(struct server *s, const sigset_t *signals)
{
    uint64_t until = clock_mono_us() + value(s, "drain-timeout")->number;
    log_info("draining", LOG_INT("in_flight", gateway_in_flight(s->gateway)));
    gateway_drain(s->gateway);
    struct timespec tick = {0, 20000000};
    int sig;
    do /* at least once: what has arrived by now is answered */
        sig = sigtimedwait(signals, NULL, &tick);
    while (sig != SIGTERM && sig != SIGINT && gateway_in_flight(s->gateway) && clock_mono_us() < until);
}

static void run_until_stopped(struct server *s, const sigset_t *signals)
{
    for (;;) {
        int sig = 0;
        if (sigwait(signals, &sig) != 0)
            continue;
        if (sig == SIGHUP) {
            reload(s);
            continue;
        }
        drain(s, signals);
        return;
    }
}

static void close_all(struct server *s)
{
    if (s->console)
        console_stop(s->console);
    if (s->gateway)
        gateway_stop(s->gateway);
    close_otlp(s);
    import_close(s->import);
    watch_close(s->watch);
    console_free(s->console);
    cache_close(s->cache);
    limits_free(s->limits);
    notify_close(s->notify);
    ledger_close(s->ledger, LEDGER_CLOSE_MS);
    control_close(s->control);
    serve_oidc_wipe(&s->oidc);
    tls_server_free(s->client_tls);
    tls_client_free(s->tls);
    address_set_free(s->allowed);
}

static int run(const struct command *self, struct option_value *values, int operand_count, char **operands)
{
    struct server s = {.command = self, .values = values};
    struct control_start start = {0};
    enum log_level level;
    sigset_t signals;
    (void)operand_count;
    (void)operands;
    if (!log_level_from(value(&s, "log-level")->text, &level))
        return complain("--log-level is debug, info, warn, error or off"), EXIT_USAGE;
    log_set_level(level);
    mem_keep_freed();
    signal(SIGPIPE, SIG_IGN);
    umask(077);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    raise_descriptor_limit();
    limit_core_dumps(&s);
    bool ok = read_allowed(&s) && read_oidc(&s) && open_tls(&s) && open_dir(&s) && open_control(&s, &start) &&
              open_ledger(&s) && open_cache(&s) && open_otlp(&s) && open_notify(&s) && open_limits(&s) &&
              open_watch(&s) && open_import(&s) && start_gateway(&s);
    if (ok) {
        announce(&s, &start);
        run_until_stopped(&s, &signals);
    }
    secret_wipe(&start.admin_key);
    close_all(&s);
    if (ok)
        log_info("stopped");
    return ok ? EXIT_DONE : EXIT_FAILED;
}

const struct command command_serve = {"serve", "", "Run the gateway.", options, sizeof options / sizeof options[0],
                                      run};
