/*
 * chance.h - failures by chance, for demonstrations and load tests: settable, and the same again with the same seed.
 *
 * Why:     a command that is tried again must meet the same luck, so the throw is a hash of the seed and the command's
 *          own name, not a random number.
 * Threads: pure.
 */
#ifndef PARTICIPANTS_SDK_CHANCE_H
#define PARTICIPANTS_SDK_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
	int64_t fail_percent; /* 0: never, 100: always */
	int64_t seed;
};

bool chance_fails(const struct chance *chance, const char *name);

#endif
