/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONSOLE_NATIVE_PAGES_H
#define CONSOLE_NATIVE_PAGES_H

/* pages: what goes with every page of ours: only our own files may run or load, and nobody may frame it. */

#define PAGES_POLICY                                                                                            \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "                        \
    "connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n" \
    "Referrer-Policy: no-referrer\r\n"

#endif
