/*
 * memory_file.h - bytes as a file with a path, for parsers that open what they read.
 */
#ifndef TESTS_FUZZ_MEMORY_FILE_H
#define TESTS_FUZZ_MEMORY_FILE_H

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

struct memory_file {
	int fd;
	char path[32];
};

static inline struct memory_file memory_file_new(const void *data, size_t len)
{
	struct memory_file file = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};

	CLAIM(file.fd >= 0 && fchmod(file.fd, 0600) == 0 && write(file.fd, data, len) == (ssize_t)len,
	      "no file in memory");
	(void)snprintf(file.path, sizeof(file.path), "/proc/self/fd/%d", file.fd);
	return file;
}

static inline void memory_file_release(struct memory_file *file)
{
	(void)close(file->fd); /* the memory goes with it */
}

#endif
