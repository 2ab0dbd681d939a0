/*
 * fuzz.h - what the targets share: libFuzzer's entry, and claims that end the process where they do not hold.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/bytes.h"
#include "lib/base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* As assert(), with words for who reads the report. */
#define CLAIM(condition, ...)                                                                                          \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			(void)fprintf(stderr, __VA_ARGS__);                                                            \
			(void)fprintf(stderr, "\n");                                                                   \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

#endif
