/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

/* The one place where the version stands; CMake and the release notes check read it from here. */
#define TOLLGATE_VERSION "0.1.0"

#endif
