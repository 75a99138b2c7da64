#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzzes for SECONDS (default 30): run.sh [SECONDS]. Builds each target with clang's libFuzzer, ASan and UBSan:
#   clang -g -O1 -fsanitize=fuzzer,address,undefined -Inative test/native/fuzz/tar.c native/layer/{tar,tar_entry,…}.c
# The corpus in corpus/TARGET is read only; what is found grows in build/fuzz/corpus-TARGET, crashes stay in build/fuzz.
set -eu
seconds=${1:-30}
cd "$(dirname "$0")/../../.."
out=build/fuzz
mkdir -p "$out/corpus-tar"
layer=native/layer
clang -g -O1 -std=c11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Inative \
    -o "$out/tar" test/native/fuzz/tar.c $layer/tar.c $layer/tar_entry.c $layer/pax.c $layer/sparse.c \
    $layer/number.c $layer/name.c native/shared/error.c native/shared/utf8.c
"$out/tar" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=512 -print_final_stats=1 -artifact_prefix="$out/" \
    "$out/corpus-tar" test/native/fuzz/corpus/tar
echo "tar: no crash in $seconds s"
