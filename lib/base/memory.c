/* memory.c - see memory.h. */
#include "lib/base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void *must(void *memory)
{
	if (!memory) {
		(void)fputs("out of memory\n", stderr); /* nothing can be done if this fails, too */
		abort();
	}
	return memory;
}

void *xmalloc(size_t size)
{
	return must(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return must(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc_array(void *old, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return must(NULL);
	return must(realloc(old, total ? total : 1));
}

char *xstrdup(const char *text)
{
	return must(strdup(text));
}

char *xstrndup(const char *text, size_t len)
{
	return must(strndup(text, len));
}
