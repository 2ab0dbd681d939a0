/*
 * captured_stream.h - what a test's code writes to stdout or stderr, kept in memory instead of shown.
 *
 * Errors:     whatever fails, fails the test.
 */
#ifndef TESTS_UNIT_LIB_BASE_CAPTURED_STREAM_H
#define TESTS_UNIT_LIB_BASE_CAPTURED_STREAM_H

#include <stddef.h>
#include <stdio.h>

struct captured_stream {
	FILE *stream;
	int kept; /* where the stream led before */
};

struct captured_stream captured_stream_begin(FILE *stream);
/* The stream leads where it did before. Of what came through, as much as fits is in `ret_text`. */
void captured_stream_end(struct captured_stream *capture, char *ret_text, size_t size);

#endif
