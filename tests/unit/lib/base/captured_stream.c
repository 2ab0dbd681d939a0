/* captured_stream.c - see captured_stream.h. */
#include "tests/unit/lib/base/captured_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

struct captured_stream captured_stream_begin(FILE *stream)
{
	struct captured_stream capture = {.stream = stream};
	int file = memfd_create("captured", 0);

	(void)fflush(stream);
	capture.kept = dup(fileno(stream));
	assert_true(file >= 0 && capture.kept >= 0);
	assert_true(dup2(file, fileno(stream)) >= 0 && close(file) == 0);
	return capture;
}

void captured_stream_end(struct captured_stream *capture, char *ret_text, size_t size)
{
	int fd = fileno(capture->stream);
	ssize_t len;

	(void)fflush(capture->stream);
	len = pread(fd, ret_text, size - 1, 0);
	assert_true(len >= 0 && dup2(capture->kept, fd) >= 0 && close(capture->kept) == 0);
	ret_text[len] = 0;
}
