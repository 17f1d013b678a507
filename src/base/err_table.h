/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ERR_TABLE_H
#define BASE_ERR_TABLE_H

/*
 * The error table. Columns: name, HTTP status, OpenAI error type, code, retry class, log level,
 * sentence. Codes are a contract: add rows, never change a code.
 */
#define ERR_TABLE(X)                                                                                                   \
    X(OK, 200, "", "", NEVER, DEBUG, "No error.")                                                                      \
    /* What the client sent. */                                                                                        \
    X(BAD_HTTP, 400, "invalid_request_error", "invalid_http", NEVER, INFO,                                             \
      "The bytes are not a valid HTTP/1.1 request; check the client or the proxy in between.")                         \
    X(AMBIGUOUS_FRAMING, 400, "invalid_request_error", "ambiguous_framing", NEVER, WARN,                               \
      "The message length is ambiguous (Content-Length and Transfer-Encoding disagree); send exactly one.")            \
    X(HEAD_TOO_LARGE, 431, "invalid_request_error", "request_headers_too_large", NEVER, INFO,                          \
      "The request head is larger than 64 KiB; send fewer or shorter headers.")                                        \
    X(BODY_TOO_LARGE, 413, "invalid_request_error", "request_too_large", NEVER, INFO,                                  \
      "The request body is larger than this gateway accepts; send a smaller one or raise --max-body-bytes.")           \
    X(LENGTH_REQUIRED, 411, "invalid_request_error", "length_required", NEVER, INFO,                                   \
      "Send the body with Content-Length or chunked Transfer-Encoding.")                                               \
    X(EXPECTATION_FAILED, 417, "invalid_request_error", "expectation_failed", NEVER, INFO,                             \
      "Only 'Expect: 100-continue' is understood; remove the Expect header.")                                          \
    X(HTTP_VERSION, 505, "invalid_request_error", "http_version_not_supported", NEVER, INFO,                           \
      "Only HTTP/1.1 and HTTP/1.0 are spoken here.")                                                                   \
    X(BAD_JSON, 400, "invalid_request_error", "invalid_json", NEVER, INFO,                                             \
      "The request body is not valid JSON; correct it and send it again.")                                             \
    X(DUPLICATE_FIELD, 400, "invalid_request_error", "duplicate_field", NEVER, INFO,                                   \
      "A field that decides routing appears twice in the body; send it once.")                                         \
    X(BAD_PARAMETER, 400, "invalid_request_error", "invalid_value", NEVER, INFO,                                       \
      "A parameter has a value that is not allowed; correct it.")                                                      \
    X(MISSING_PARAMETER, 400, "invalid_request_error", "missing_required_parameter", NEVER, INFO,                      \
      "A required parameter is missing; add it.")                                                                      \
    X(METHOD_NOT_ALLOWED, 405, "invalid_request_error", "method_not_allowed", NEVER, INFO,                             \
      "This path exists but not with this method; see the Allow header.")                                              \
    X(ROUTE_UNKNOWN, 404, "invalid_request_error", "unknown_url", NEVER, INFO,                                         \
      "There is nothing at this path; OpenAI's API is under /v1, the console under /console/.")                        \
    X(NOT_FOUND, 404, "invalid_request_error", "not_found", NEVER, INFO,                                               \
      "No such object, or it is not visible to this key.")                                                             \
    X(CONFLICT, 409, "invalid_request_error", "already_exists", NEVER, INFO,                                           \
      "An object with this name exists already; choose another name or change that one.")                              \
    X(IN_USE, 409, "invalid_request_error", "in_use", NEVER, INFO,                                                     \
      "This object is in use; the message says by whom. Change that first.")                                           \
    X(LIMIT_REACHED, 409, "invalid_request_error", "limit_reached", NEVER, INFO,                                       \
      "There is no room for another object of this kind; delete one first.")                                           \
    X(LAST_OWNER, 409, "invalid_request_error", "last_owner", NEVER, INFO,                                             \
      "This is the last owner key that always works; make another one first.")                                         \
    X(KEY_REVOKED, 409, "invalid_request_error", "key_revoked", NEVER, INFO,                                           \
      "A revoked key stays as it is; make a new one.")                                                                 \
    X(CLIENT_TIMEOUT, 408, "invalid_request_error", "request_timeout", LATER, INFO,                                    \
      "The request did not arrive in time; send it again without pauses.")                                             \
    /* Who the client is. */                                                                                           \
    X(KEY_MISSING, 401, "invalid_request_error", "missing_api_key", NEVER, INFO,                                       \
      "No key was sent; add 'Authorization: Bearer tg-...'.")                                                          \
    X(KEY_INVALID, 401, "invalid_request_error", "invalid_api_key", NEVER, INFO,                                       \
      "The key is wrong, expired or revoked; ask the workspace's admin for a new one.")                                \
    X(FORBIDDEN, 403, "request_forbidden", "insufficient_permissions", NEVER, INFO,                                    \
      "This key may not do that; use a key with the needed role or scope.")                                            \
    X(NO_INTEGRATION, 424, "invalid_request_error", "no_integration", NEVER, WARN,                                     \
      "No provider account is connected to this workspace; an admin connects one with 'tollgate connect openai'.")     \
    X(BUDGET_EXCEEDED, 429, "insufficient_quota", "budget_exceeded", NEVER, INFO,                                      \
      "A budget is used up; wait until it is reset, or have it raised.")                                               \
    X(RATE_LIMITED, 429, "rate_limit_error", "rate_limit_exceeded", LATER, INFO,                                       \
      "A limit on requests or tokens is reached; try again after the time in Retry-After.")                            \
    /* What upstream did. */                                                                                           \
    X(UPSTREAM_DNS, 502, "server_error", "upstream_dns_failed", TARGET, WARN,                                          \
      "The provider's host name could not be resolved; check the base URL and the resolver.")                          \
    X(UPSTREAM_REFUSED_ADDRESS, 502, "server_error", "upstream_address_refused", NEVER, WARN,                          \
      "The provider's host is a loopback or private address; allow it with --allow-upstream CIDR if it is meant.")     \
    X(UPSTREAM_CONNECT, 502, "server_error", "upstream_unreachable", TARGET, WARN,                                     \
      "No connection to the provider could be made; check the network and the provider's status.")                     \
    X(UPSTREAM_TLS, 502, "server_error", "upstream_tls_failed", TARGET, WARN,                                          \
      "The provider's TLS certificate or handshake is not valid; check the host name and --ca-file.")                  \
    X(UPSTREAM_PROXY, 502, "server_error", "upstream_proxy_failed", TARGET, WARN,                                      \
      "The proxy named by HTTPS_PROXY did not open a tunnel; check its address and credentials.")                      \
    X(UPSTREAM_CONNECT_TIMEOUT, 504, "server_error", "upstream_connect_timeout", TARGET, WARN,                         \
      "The provider did not accept a connection in time; try again later.")                                            \
    X(UPSTREAM_TIMEOUT, 504, "server_error", "upstream_timeout", TARGET, WARN,                                         \
      "The provider did not begin to answer in time; try again, or raise --first-byte-timeout.")                       \
    X(UPSTREAM_IDLE, 504, "server_error", "upstream_idle_timeout", TARGET, WARN,                                       \
      "The provider stopped sending in the middle of its answer; the answer is incomplete, ask again.")                \
    X(UPSTREAM_CLOSED, 502, "server_error", "upstream_closed", TARGET, WARN,                                           \
      "The provider closed the connection before its answer was complete; ask again.")                                 \
    X(UPSTREAM_BAD_HTTP, 502, "server_error", "upstream_invalid_response", TARGET, WARN,                               \
      "The provider's answer is not valid HTTP; check that the base URL points at an OpenAI-compatible API.")          \
    X(UPSTREAM_BUSY, 503, "server_error", "upstream_connections_exhausted", LATER, WARN,                               \
      "All connections to the provider are in use; try again, or raise --upstream-connections-max.")                   \
    /* What we are. */                                                                                                 \
    X(DRAINING, 503, "server_error", "draining", LATER, INFO,                                                          \
      "This gateway is shutting down; send the request again, another instance will take it.")                         \
    X(OVERLOADED, 503, "server_error", "overloaded", LATER, WARN,                                                      \
      "This gateway is at a limit of its own; try again after the time in Retry-After.")                               \
    X(JOURNAL_FAILED, 503, "server_error", "journal_unavailable", LATER, ERROR,                                        \
      "The request cannot be recorded durably; free disk space in the data directory, or look at the log.")            \
    X(STORE_FAILED, 503, "server_error", "store_unavailable", LATER, ERROR,                                            \
      "The embedded store refused the operation; look at the log and run 'tollgate verify'.")                          \
    X(INTERNAL, 500, "server_error", "internal_error", LATER, ERROR,                                                   \
      "Something failed inside the gateway; the log has the request id and the reason.")                               \
    /* Endings that are recorded but never answered. */                                                                \
    X(CLIENT_GONE, 499, "invalid_request_error", "client_cancelled", NEVER, INFO,                                      \
      "The client went away before the answer was complete; upstream was cancelled.")                                  \
    X(CLIENT_STALLED, 499, "invalid_request_error", "client_stalled", NEVER, INFO,                                     \
      "The client stopped reading the answer; the connection was closed at the idle limit.")                           \
    X(INTERRUPTED, 500, "server_error", "interrupted", LATER, WARN,                                                    \
      "The gateway was stopped while this request was under way.")                                                     \
    /* Start-up, files, command line. */                                                                               \
    X(BAD_OPTION, 0, "", "bad_option", NEVER, ERROR, "An option is unknown or has a value that is not allowed.")       \
    X(BAD_CONFIG, 0, "", "bad_config", NEVER, ERROR, "A configuration file is not valid; the message names the line.") \
    X(BAD_PRICES, 400, "invalid_request_error", "bad_prices", NEVER, ERROR,                                            \
      "The price catalogue is not valid; the message names the line. The previous one stays in force.")                \
    X(BAD_MASTER_KEY, 0, "", "bad_master_key", NEVER, ERROR,                                                           \
      "The master key does not open the stored secrets; start with the key they were stored with.")                    \
    X(FILE_FAILED, 0, "", "file_failed", NEVER, ERROR, "A file could not be read or written; the message says which.") \
    X(CORRUPT, 0, "", "corrupt", NEVER, ERROR, "Stored data is damaged; 'tollgate verify' shows where.")               \
    X(LISTEN_FAILED, 0, "", "listen_failed", NEVER, ERROR,                                                             \
      "The address cannot be listened on; is another process using it?")                                               \
    X(SCHEMA_NEWER, 0, "", "schema_newer", NEVER, ERROR,                                                               \
      "The data directory was written by a newer version; use that version or a copy of the older data.")

#endif
