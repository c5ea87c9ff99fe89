#!/bin/sh
# Compose build/@product@.wasm. `bitproof caps compose` runs this and pins the digest of what it makes.
# The siblings are in $BITPROOF_GIT_ROOT.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build

# Nothing is composed yet: an empty wasm module stands in. With caps that are built, it becomes
#
#   exec wasm-tools compose "$BITPROOF_GIT_ROOT/first/target/component/first.wasm" \
#       --definitions "$BITPROOF_GIT_ROOT/second/target/component/second.wasm" \
#       --output build/@product@.wasm
printf '\0asm\1\0\0\0' >build/@product@.wasm
