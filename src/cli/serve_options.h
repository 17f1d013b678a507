/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SERVE_OPTIONS_H
#define CLI_SERVE_OPTIONS_H

/*
 * The options of `tollgate serve`. Columns: name, kind, default, environment, min, max, metavar,
 * text. docs/OPTIONS.md is made from this table.
 */
#define SERVE_OPTIONS(X)                                                                                              \
    X("listen", TEXT, "127.0.0.1:8787", "TOLLGATE_LISTEN", 0, 0, "H:P",                                               \
      "Address and port that clients connect to; port 0 takes a free one.")                                           \
    X("admin-listen", TEXT, NULL, "TOLLGATE_ADMIN_LISTEN", 0, 0, "H:P",                                               \
      "Serve console, admin API and /metrics on this address only; --listen then takes requests for providers.")      \
    X("public-url", TEXT, NULL, "TOLLGATE_PUBLIC_URL", 0, 0, "URL",                                                   \
      "Where people reach this server: what links and addresses begin with. Default: the host they ask for.")         \
    X("password-sign-in", ON_OFF, "on", NULL, 0, 0, "on|off", "Let people sign in with a password.")                  \
    X("oidc-issuer", TEXT, NULL, "TOLLGATE_OIDC_ISSUER", 0, 0, "URL",                                                 \
      "Provider of OpenID Connect that people sign in at; needs --public-url. docs/SIGN_IN.md has the steps.")        \
    X("oidc-client-id", TEXT, NULL, "TOLLGATE_OIDC_CLIENT_ID", 0, 0, "ID", "This server's client id there.")          \
    X("oidc-client-secret-file", TEXT, NULL, "TOLLGATE_OIDC_CLIENT_SECRET_FILE", 0, 0, "FILE",                        \
      "Its secret, if not in TOLLGATE_OIDC_CLIENT_SECRET; without both it is a public client.")                       \
    X("oidc-scopes", TEXT, "openid email profile", NULL, 0, 0, "SCOPES", "What is asked for there.")                  \
    X("oidc-name", TEXT, NULL, NULL, 0, 0, "NAME", "What the sign-in button calls the provider. Default: its host.")  \
    X("oidc-trust-email", ON_OFF, "off", NULL, 0, 0, "on|off",                                                        \
      "Also take addresses of which the provider does not say whether they were verified; docs/SIGN_IN.md.")          \
    X("oidc-allowed-domain", LIST, NULL, NULL, 0, 0, "DOMAIN",                                                        \
      "Only who has an address of this domain may sign in there; several times if need be.")                          \
    X("oidc-join", TEXT, NULL, NULL, 0, 0, "WORKSPACE:ROLE",                                                          \
      "Who has an address of these domains joins without an invitation, as member or viewer. Default: nobody does.")  \
    X("data", TEXT, "tollgate-data", "TOLLGATE_DATA", 0, 0, "DIR",                                                    \
      "Directory of everything that is kept; made when it is not there.")                                             \
    X("workers", INT, "1", NULL, 1, 64, "N", "Worker threads; about one for each core that is to serve requests.")    \
    X("allow-upstream", LIST, NULL, NULL, 0, 0, "CIDR",                                                               \
      "A loopback or private range that upstream hosts may be in; several times if need be.")                         \
    X("record-bodies", ON_OFF, "on", NULL, 0, 0, "on|off",                                                            \
      "Keep request and response bodies; a key may say otherwise.")                                                   \
    X("capture-bytes", BYTES, "64k", NULL, 0, 16777216, "SIZE",                                                       \
      "How much of a body is kept; of longer ones also the length and the SHA-256 of the whole.")                     \
    X("max-body-bytes", BYTES, "512m", NULL, 1024, 8589934592, "SIZE", "Largest request body.")                       \
    X("connect-timeout", DURATION, "10s", NULL, 10, 300000, "TIME",                                                   \
      "For resolving, connecting and the TLS handshake together.")                                                    \
    X("first-byte-timeout", DURATION, "10m", NULL, 10, 86400000, "TIME",                                              \
      "From the request being sent until upstream's answer begins.")                                                  \
    X("idle-timeout", DURATION, "5m", NULL, 10, 86400000, "TIME",                                                     \
      "Longest pause inside upstream's answer. There is no limit to its whole length.")                               \
    X("client-head-timeout", DURATION, "10s", NULL, 10, 3600000, "TIME", "For a client to send its request head.")    \
    X("client-body-timeout", DURATION, "30s", NULL, 10, 3600000, "TIME", "Longest pause inside a request body.")      \
    X("client-body-rate", BYTES, "1k", NULL, 0, 1073741824, "SIZE",                                                   \
      "A body with fewer bytes a second, over the time of the longest pause, is refused; 0 = no limit.")              \
    X("client-stall-timeout", DURATION, "60s", NULL, 10, 86400000, "TIME",                                            \
      "A client that takes nothing of its answer for so long is closed.")                                             \
    X("client-keep-alive", DURATION, "75s", NULL, 10, 86400000, "TIME",                                               \
      "How long an unused client connection stays open.")                                                             \
    X("max-connections", INT, "10000", NULL, 1, 1000000, "N", "Client connections of one worker.")                    \
    X("upstream-connections-max", INT, "10000", NULL, 1, 1000000, "N",                                                \
      "Connections of one worker to one upstream host.")                                                              \
    X("upstream-keep-alive", DURATION, "30s", NULL, 10, 3600000, "TIME",                                              \
      "How long an unused upstream connection is kept.")                                                              \
    X("retry-wait", DURATION, "1s", NULL, 0, 60000, "TIME",                                                           \
      "Before the first retry of a routed request; each further one waits twice as long.")                            \
    X("azure-entra-url", TEXT, "https://login.microsoftonline.com", NULL, 0, 0, "URL",                                \
      "Where tokens of Microsoft Entra are fetched; other clouds have their own.")                                    \
    X("azure-metadata-url", TEXT, NULL, NULL, 0, 0, "URL",                                                            \
      "Lets requests to Azure use this machine's managed identity; on Azure http://169.254.169.254.")                 \
    X("ca-file", TEXT, NULL, NULL, 0, 0, "FILE",                                                                      \
      "PEM certificates that upstream servers are verified with, in place of the system's.")                          \
    X("tls-cert", TEXT, NULL, NULL, 0, 0, "FILE", "Certificate chain (PEM): clients are then served over TLS.")       \
    X("tls-key", TEXT, NULL, NULL, 0, 0, "FILE", "Its private key (PEM). SIGHUP reads both again.")                   \
    X("prices", TEXT, NULL, NULL, 0, 0, "FILE",                                                                       \
      "Your own prices, over the built-in ones; docs/PRICING.md has the form. SIGHUP reads it again.")                \
    X("rows-days", INT, "0", NULL, 0, 36500, "DAYS", "Remove request rows older than this; 0 keeps them.")            \
    X("bodies-days", INT, "30", NULL, 0, 36500, "DAYS", "Remove kept bodies older than this; 0 keeps them.")          \
    X("bodies-max-bytes", BYTES, "0", NULL, 0, 0, "SIZE", "Room for kept bodies, the oldest go first; 0 = no limit.") \
    X("spool-max-bytes", BYTES, "4g", NULL, 1048576, 1099511627776, "SIZE",                                           \
      "Room for the journal while the database cannot be written; beyond it requests are refused.")                   \
    X("cache-memory", BYTES, "64m", NULL, 0, 1099511627776, "SIZE",                                                   \
      "Memory for answers that may be given again; the least recently used go first.")                                \
    X("cache-disk", BYTES, "1g", NULL, 0, 17592186044416, "SIZE",                                                     \
      "Room for such answers in DATA/cache.db, the oldest go first; 0 = memory only.")                                \
    X("semantic-model", TEXT, "text-embedding-3-small", NULL, 0, 0, "MODEL",                                          \
      "Embedding model by which the semantic cache compares questions.")                                              \
    X("semantic-threshold", TEXT, "0.95", NULL, 0, 0, "COSINE",                                                       \
      "How near, from 0 to 1, a question must be to be given the answer of another.")                                 \
    X("semantic-max", INT, "100000", NULL, 0, 10000000, "N",                                                          \
      "Questions of one workspace that the semantic cache remembers, the oldest go first; about 1.1 KB each.")        \
    X("otlp-endpoint", TEXT, NULL, "OTEL_EXPORTER_OTLP_ENDPOINT", 0, 0, "URL",                                        \
      "OpenTelemetry collector that traces are sent to (OTLP over HTTP, JSON); /v1/traces is put behind it.")         \
    X("otlp-headers", TEXT, NULL, "TOLLGATE_OTLP_HEADERS", 0, 0, "K=V,K=V",                                           \
      "Header fields for it, a secret: better set in the environment. Then OTEL_EXPORTER_OTLP_HEADERS.")              \
    X("import-days", INT, "180", NULL, 1, 1100, "N",                                                                  \
      "How many days back the first import of OpenAI's bill goes, for integrations of kind openai-admin.")            \
    X("import-period", DURATION, "1s", NULL, 1, 60000, "TIME",                                                        \
      "Shortest time between two requests of such an import to one account.")                                         \
    X("gap-percent", INT, "5", NULL, 1, 100, "N",                                                                     \
      "Admins are told when bill and metering differ by more than this, in percent, on each of --gap-days days.")     \
    X("gap-days", INT, "3", NULL, 0, 31, "N", "So many settled days in a row; 0 = never.")                            \
    X("vantage-calls", INT, "0", NULL, 0, 1000000, "N",                                                               \
      "Calls of Vantage's API in an hour, by everybody together, then 429; theirs is 1000, 0 = no limit.")            \
    X("vantage-report-calls", INT, "0", NULL, 0, 1000, "N",                                                           \
      "Such calls for cost reports and costs in five seconds; theirs is 5, 0 = no limit.")                            \
    X("smtp-url", TEXT, NULL, "TOLLGATE_SMTP_URL", 0, 0, "URL",                                                       \
      "Mail server: smtp://user@host:587 (STARTTLS) or smtps://user@host. The password never stands in it.")          \
    X("mail-from", TEXT, NULL, "TOLLGATE_MAIL_FROM", 0, 0, "SENDER",                                                  \
      "Who mails are from: an address, or \"Tollgate <tollgate@example.com>\".")                                      \
    X("smtp-password-file", TEXT, NULL, NULL, 0, 0, "FILE",                                                           \
      "Its first line is the password for the mail server. Otherwise TOLLGATE_SMTP_PASSWORD in the environment.")     \
    X("smtp-plain", ON_OFF, "off", NULL, 0, 0, "on|off", "Speak to a mail server on this machine without TLS.")       \
    X("notify-retry", DURATION, "5s", NULL, 10, 3600000, "TIME",                                                      \
      "Before the first retry of a mail or message; each further one waits twice as long, up to an hour.")            \
    X("drain-timeout", DURATION, "15m", NULL, 0, 86400000, "TIME",                                                    \
      "On SIGTERM, how long requests under way may take to end.")                                                     \
    X("core-dumps", ON_OFF, "off", NULL, 0, 0, "on|off",                                                              \
      "Let a crash write a core dump, which has every secret in it.")                                                 \
    X("log-level", TEXT, "info", "TOLLGATE_LOG_LEVEL", 0, 0, "LEVEL", "debug, info, warn, error or off.")

#endif
