/* memory.c - see memory.h. */
#include "lib/base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SMALL_BYTES = 1024 };

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

/* What is small is taken as malloc() takes it: from the thread's own cache, which glibc's calloc() passes by. */
void *xcalloc(size_t count, size_t size)
{
	size_t total;

	if (!__builtin_mul_overflow(count, size, &total) && total <= SMALL_BYTES)
		return memset(xmalloc(total), 0, total);
	return must(calloc(count, size));
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
