/* A hash of two numbers: FNV-1a over their bytes. Freestanding: no libc, no main. */

#include <stdint.h>

static uint32_t eat(uint32_t hash, uint32_t number)
{
    for (int shift = 0; shift < 32; shift += 8) {
        hash = (hash ^ ((number >> shift) & 0xff)) * 16777619u;
    }
    return hash;
}

__attribute__((export_name("pylon:mixer/mixer#mix")))
uint32_t mix(uint32_t first, uint32_t second)
{
    return eat(eat(2166136261u, first), second);
}
