#!/bin/sh
# The cap `shares`: the sibling ratio with what it imports, division and scale, in one component.
set -eu
cd "$(dirname "$0")/.."

component() {
    echo "$BITPROOF_GIT_ROOT/$1/target/component/$1.wasm"
}

mkdir -p build
exec wasm-tools compose "$(component ratio)" \
    --definitions "$(component division)" \
    --definitions "$(component scale)" \
    --output build/shares.wasm
