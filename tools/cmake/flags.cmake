# SPDX-License-Identifier: Apache-2.0
#
# Flags and packages, as one interface library `tg_flags` that everything links.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(deps REQUIRED IMPORTED_TARGET
    openssl sqlite3 libzstd zlib libcares jansson libpcre2-8)

add_library(tg_flags INTERFACE)
target_include_directories(tg_flags INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(tg_flags INTERFACE _GNU_SOURCE)
target_compile_options(tg_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wcast-qual -Wwrite-strings -Wimplicit-fallthrough -Wformat=2 -Wundef -Wconversion>
    $<$<AND:$<COMPILE_LANGUAGE:C>,$<BOOL:${TOLLGATE_WERROR}>>:-Werror>)
target_link_libraries(tg_flags INTERFACE PkgConfig::deps Threads::Threads m)
# No absolute paths of this machine in messages or in the program: builds in two places are alike.
target_compile_options(tg_flags INTERFACE -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=)

# Hardening. _FORTIFY_SOURCE needs optimisation and gets in the way of the sanitizers.
target_compile_options(tg_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-fstack-protector-strong>)
target_link_options(tg_flags INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
if(CMAKE_BUILD_TYPE STREQUAL Release AND NOT TOLLGATE_SANITIZE)
    target_compile_definitions(tg_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:_FORTIFY_SOURCE=2>)
endif()

if(TOLLGATE_SANITIZE)
    set(sanitize -fsanitize=${TOLLGATE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(tg_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:${sanitize}>)
    target_link_options(tg_flags INTERFACE ${sanitize})
    if(CMAKE_BUILD_TYPE STREQUAL Debug)
        set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
    endif()
    # With sanitizers gcc's flow warnings have false positives (its manual says so); the release build
    # has them as errors.
    if(CMAKE_C_COMPILER_ID STREQUAL GNU)
        foreach(warning stringop-overread stringop-overflow array-bounds maybe-uninitialized nonnull restrict)
            target_compile_options(tg_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-Wno-error=${warning}>)
        endforeach()
    endif()
endif()
if(TOLLGATE_FUZZ)
    if(NOT CMAKE_C_COMPILER_ID STREQUAL Clang)
        message(FATAL_ERROR "Fuzzing needs clang; configure with: cmake --preset fuzz")
    endif()
    target_compile_options(tg_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:-fsanitize=fuzzer-no-link>)
endif()
