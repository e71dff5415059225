#!/usr/bin/env bash
# Fuzzes the reader of event files with libFuzzer, under address and undefined-behaviour sanitizers.
# Usage: tests/fuzz/run.sh [SECONDS]    CXX names a clang++; the corpus grows in build/fuzz.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
corpus=build/fuzz/corpus
mkdir -p "$corpus"
"${CXX:-clang++}" -std=c++17 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
  -Isrc/cpp tests/fuzz/fuzz_events.cpp src/cpp/events/*.cpp -o build/fuzz/events
for file in tests/data/*tfevents*; do
  { printf '\007\001'; cat "$file"; } > "$corpus/$(basename "$file").raw"
  { printf '\007\002'; tail -c +13 "$file"; } > "$corpus/$(basename "$file").sound"
done
build/fuzz/events -max_total_time="$seconds" -max_len=4096 -print_final_stats=1 "$corpus"
