#!/bin/sh
# The product: the sibling tower with every cap that it imports.
set -eu
cd "$(dirname "$0")/.."

component() {
    echo "$BITPROOF_GIT_ROOT/$1/target/component/${2:-$1}.wasm"
}

mkdir -p build
exec wasm-tools compose "$(component pylon-tower tower)" \
    --definitions "$(component digits)" \
    --definitions "$(component primes)" \
    --definitions "$(component moons)" \
    --definitions "$(component mixer)" \
    --definitions build/shares.wasm \
    --output build/pylon.wasm
