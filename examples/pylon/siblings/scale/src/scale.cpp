// Scales a number by a percentage. CMake gives the compiler absolute paths, and the line of the last failed check holds
// one: it must be the same on every machine.

#include <stdint.h> // the compiler's own; there is no C++ library

namespace {

struct Failure {
    const char *file;
    int line;
};

Failure last{nullptr, 0};

constexpr int64_t kWhole = 100;

} // namespace

extern "C" {

__attribute__((export_name("pylon:scale/scale#percent")))
int64_t percent(int64_t number, uint32_t share)
{
    if (share > kWhole) {
        last = Failure{__FILE__, __LINE__};
        return -1;
    }
    return number * share / kWhole;
}

__attribute__((export_name("pylon:scale/scale#failed-line")))
uint32_t failed_line()
{
    return last.file && last.file[0] ? static_cast<uint32_t>(last.line) : 0;
}
}
